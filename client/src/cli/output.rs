use std::io::Write as _;

use serde_json::{Value, json};

use crate::Exit;

/// The version of the JSON envelope and of what is in it.
pub const SCHEMA_VERSION: u32 = 1;

/// What a command has to say, for programs and for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// For programs: the envelope's `data`.
    pub data: Value,
    /// For people.
    pub text: String,
    /// How it ended.
    pub exit: Exit,
}

impl Output {
    /// A command that is done.
    pub fn new(data: Value, text: impl Into<String>) -> Self {
        Self { data, text: text.into(), exit: Exit::Ok }
    }

    /// The envelope: `schema_version`, `status`, `exit_code`, `data`.
    pub fn envelope(&self) -> Value {
        let status = if self.exit == Exit::Ok { "ok" } else { "error" };
        json!({
            "schema_version": SCHEMA_VERSION,
            "status": status,
            "exit_code": self.exit.code(),
            "data": self.data,
        })
    }

    /// Prints it to stdout; what went wrong, in words, to stderr.
    pub(super) fn print(&self, json: bool) {
        let text = if json { self.envelope().to_string() } else { self.text.clone() };
        // Nobody is left to tell if the output is closed.
        let _ = if json || self.exit == Exit::Ok {
            writeln!(std::io::stdout().lock(), "{text}")
        } else {
            writeln!(std::io::stderr().lock(), "{text}")
        };
    }
}
