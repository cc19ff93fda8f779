//! What a command prints.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::error::Error;

/// The version of the JSON envelope.
const SCHEMA_VERSION: u32 = 1;

pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) fn done(&self, text: &str, data: &Value) -> ExitCode {
        if self.json {
            envelope("ok", 0, data);
        } else {
            let _ = io::stdout().write_all(text.as_bytes());
        }
        ExitCode::SUCCESS
    }

    pub(super) fn failed(&self, error: &Error) -> ExitCode {
        let code = error.exit_code();
        if self.json {
            envelope("failed", code, &json!({ "error": error.to_string() }));
        } else {
            let _ = writeln!(io::stderr(), "error: {error}");
        }
        ExitCode::from(code)
    }
}

fn envelope(status: &str, exit_code: u8, data: &Value) {
    let envelope = json!({
        "schema_version": SCHEMA_VERSION,
        "status": status,
        "exit_code": exit_code,
        "data": data,
    });
    let _ = writeln!(io::stdout(), "{envelope}");
}

/// Log lines on standard error: plain on a terminal, JSON elsewhere; `RUST_LOG` chooses how much.
pub(super) fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second subscriber in one process leaves the first in place.
    let _ = if io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
}
