//! Printing an answer, as text or as an envelope.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// The version of the envelope.
const SCHEMA_VERSION: u32 = 1;

/// What a command prints, and its exit code.
#[derive(Debug)]
pub(super) struct Output {
    text: String,
    code: u8,
    to_stderr: bool,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    schema_version: u32,
    status: &'static str,
    exit_code: u8,
    data: &'a T,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

impl Output {
    /// An answer: `data` in an envelope, or `text`.
    pub(super) fn of<T: Serialize>(json: bool, code: u8, data: &T, text: String) -> Self {
        let text = if json { envelope(code, data) } else { text };
        Self { text, code, to_stderr: false }
    }

    /// A text that answers.
    pub(super) const fn text(text: String) -> Self {
        Self { text, code: 0, to_stderr: false }
    }

    /// Everything has been said.
    pub(super) const fn nothing() -> Self {
        Self { text: String::new(), code: 0, to_stderr: false }
    }

    /// No answer, and why.
    pub(super) fn failure(code: u8, error: &str, json: bool) -> Self {
        let text = if json { envelope(code, &Failure { error }) } else { error.to_owned() };
        Self { text, code, to_stderr: !json }
    }

    /// Prints it. A reader that has gone away changes no verdict.
    pub(super) fn print(&self) -> ExitCode {
        let text = self.text.trim_end();
        if text.is_empty() {
            return ExitCode::from(self.code);
        }
        let _ = if self.to_stderr {
            writeln!(io::stderr().lock(), "{text}")
        } else {
            writeln!(io::stdout().lock(), "{text}")
        };
        ExitCode::from(self.code)
    }
}

fn envelope<T: Serialize>(exit_code: u8, data: &T) -> String {
    let status = if exit_code == 0 { "ok" } else { "failed" };
    let envelope = Envelope { schema_version: SCHEMA_VERSION, status, exit_code, data };
    // Reports are trees of texts and numbers, which always have a JSON form.
    serde_json::to_string_pretty(&envelope).unwrap_or_default()
}
