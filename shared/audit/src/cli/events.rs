//! Lists of privacy events that somebody writes down.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use privacy::{PrivacyEvent, TaskChange};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

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
        let listed: Vec<Fields> = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
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

/// The keys of an event as somebody has written them, each once: of two prices for one event neither is the right one.
pub(super) struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if fields.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("the key {key:?} is there twice")));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// The events that are listed; those that do not say their change get `change`.
pub(super) fn parse(list: Vec<Fields>, change: TaskChange) -> Result<Vec<PrivacyEvent>, String> {
    let event = |(number, Fields(mut fields)): (usize, Fields)| {
        fields.entry("change").or_insert_with(|| change.to_string().into());
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| format!("event {number}: {error}"))
    };
    list.into_iter().enumerate().map(event).collect()
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
