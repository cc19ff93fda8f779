//! Lists of privacy events that somebody writes down.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use privacy::{PrivacyEvent, TaskChange};
use serde_json::Value;

use crate::finding::Kind;

/// The most bytes that a list of events may have.
pub(super) const EVENTS_BYTES_MAX: u64 = 1024 * 1024;

/// No answer: the exit code, and what is wrong.
pub(super) type Refused = (u8, String);

/// A list of events, and what it leaves open.
#[derive(Debug, Args)]
pub(super) struct Listed {
    /// A file with a JSON list of events, or - for standard input.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    events: PathBuf,
    /// What a change of one unit does to the tasks, for events that do not say:
    /// appears, content or two-contents.
    #[arg(long, default_value = "appears")]
    change: TaskChange,
}

impl Listed {
    /// The events.
    pub(super) fn read(&self) -> Result<Vec<PrivacyEvent>, Refused> {
        let mut text = String::new();
        let mut source = self.source()?.take(EVENTS_BYTES_MAX);
        source.read_to_string(&mut text).map_err(|error| failed(&self.events, &error))?;
        let wrong =
            |error: &dyn std::fmt::Display| usage(format!("{}: {error}", self.events.display()));
        let listed = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        parse(listed, self.change).map_err(|error| wrong(&error))
    }

    /// The bytes themselves.
    pub(super) fn source(&self) -> Result<Box<dyn BufRead>, Refused> {
        if self.events.as_os_str() == "-" {
            return Ok(Box::new(BufReader::new(io::stdin())));
        }
        let file = File::open(&self.events).map_err(|error| failed(&self.events, &error))?;
        Ok(Box::new(BufReader::new(file)))
    }

    /// The change of events that do not say.
    pub(super) const fn change(&self) -> TaskChange {
        self.change
    }
}

/// The events in a JSON list; those that do not say their change get `change`.
pub(super) fn parse(list: Value, change: TaskChange) -> Result<Vec<PrivacyEvent>, String> {
    let Value::Array(items) = list else { return Err("expected a list of events".to_owned()) };
    let event = |(number, mut item): (usize, Value)| {
        if let Value::Object(fields) = &mut item {
            fields.entry("change").or_insert_with(|| change.to_string().into());
        }
        serde_json::from_value(item).map_err(|error| format!("event {number}: {error}"))
    };
    items.into_iter().enumerate().map(event).collect()
}

/// A command line that asks for nothing that can be done.
pub(super) fn usage(what: impl std::fmt::Display) -> Refused {
    (Kind::Usage.exit_code(), what.to_string())
}

pub(super) fn failed(path: &Path, error: &io::Error) -> Refused {
    let absent = error.kind() == io::ErrorKind::NotFound;
    let kind = if absent { Kind::NotFound } else { Kind::Failure };
    (kind.exit_code(), format!("{}: {error}", path.display()))
}
