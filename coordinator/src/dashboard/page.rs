//! A page as data: from it come HTML, JSON and CSV, so that the three say the same.

use maud::Markup;
use privacy::Interval;
use serde_json::{Value, json};

use ledger::time::Timestamp;

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path without a suffix: `/budgets`.
    pub(super) path: String,
    /// Which entry of the menu it belongs to.
    pub(super) menu: &'static str,
    pub(super) title: String,
    /// What it shows, in a sentence or two.
    pub(super) lead: String,
    pub(super) sections: Vec<Section>,
}

/// A part of a page.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name in JSON, CSV and links.
    pub(super) key: &'static str,
    pub(super) title: String,
    /// Shown under the title.
    pub(super) text: String,
    /// How the numbers were computed.
    pub(super) how: &'static str,
    /// The command that computes them again.
    pub(super) command: Option<String>,
    /// A picture of what the body says in words and numbers.
    pub(super) figure: Option<Markup>,
    pub(super) body: Body,
}

/// What a section holds.
#[derive(Debug)]
pub(super) enum Body {
    Table(Table),
    /// A few figures, large.
    Facts(Vec<Fact>),
    /// Sentences.
    List(Vec<String>),
    /// Exact text.
    Exact(String),
    /// Where to search, and what was asked.
    Search(String),
}

/// One figure with its name.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) cell: Cell,
    /// What belongs to the figure: unit, relation, δ, method.
    pub(super) note: String,
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many of the leading rows HTML shows; JSON and CSV have all.
    pub(super) shown: Option<usize>,
    /// True for a table of many narrow columns.
    pub(super) dense: bool,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) key: String,
    /// Empty for a column that only JSON and CSV have.
    pub(super) title: String,
    pub(super) kind: Kind,
    /// How its numbers were computed; empty if the section says it.
    pub(super) how: &'static str,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// Two columns in CSV.
    Interval,
}

/// One value.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    /// A text that leads somewhere.
    Link(String, String),
    Count(u64),
    Number(f64),
    /// A small number, as 1e-6.
    Small(f64),
    Interval(Interval),
    At(Timestamp),
    /// Milliseconds.
    Lasted(u64),
    /// A digest, shown by its first digits; searched for when followed.
    Hash(String),
    /// A digest, whole.
    Whole(String),
    /// A part of 1, with a bar.
    Share(f64),
    /// A part of 1, by its shade.
    Heat(f64),
    /// Something that is well or not.
    Mark(bool, String),
}

impl Section {
    pub(super) fn new(key: &'static str, title: impl Into<String>, body: Body) -> Self {
        let title = title.into();
        Self { key, title, text: String::new(), how: "", command: None, figure: None, body }
    }

    pub(super) fn text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    pub(super) fn how(self, how: &'static str) -> Self {
        Self { how, ..self }
    }

    pub(super) fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    pub(super) fn figure(self, figure: Option<Markup>) -> Self {
        Self { figure, ..self }
    }
}

impl Table {
    pub(super) fn new(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        Self { columns, rows, shown: None, dense: false }
    }
}

impl Column {
    pub(super) fn text(key: &str, title: &str) -> Self {
        Self::of(key, title, Kind::Text)
    }

    pub(super) fn number(key: &str, title: &str) -> Self {
        Self::of(key, title, Kind::Number)
    }

    pub(super) fn interval(key: &str, title: &str) -> Self {
        Self::of(key, title, Kind::Interval)
    }

    pub(super) fn how(self, how: &'static str) -> Self {
        Self { how, ..self }
    }

    fn of(key: &str, title: &str, kind: Kind) -> Self {
        Self { key: key.to_owned(), title: title.to_owned(), kind, how: "" }
    }

    /// True if only JSON and CSV have it.
    pub(super) fn is_data(&self) -> bool {
        self.title.is_empty()
    }
}

impl Fact {
    pub(super) fn new(key: &'static str, title: &'static str, cell: Cell) -> Self {
        Self { key, title, cell, note: String::new() }
    }

    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl Cell {
    pub(super) fn text(text: impl std::fmt::Display) -> Self {
        Self::Text(format!("{text}"))
    }

    pub(super) fn count(count: impl TryInto<u64>) -> Self {
        count.try_into().map_or(Self::Nothing, Self::Count)
    }

    pub(super) fn hash(digest: impl std::fmt::Display) -> Self {
        Self::Hash(format!("{digest}"))
    }

    pub(super) fn whole(digest: impl std::fmt::Display) -> Self {
        Self::Whole(format!("{digest}"))
    }

    pub(super) fn leaf(leaf: u64) -> Self {
        Self::Link(leaf.to_string(), format!("/evidence/{leaf}"))
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Text(text)
            | Self::Link(text, _)
            | Self::Hash(text)
            | Self::Whole(text)
            | Self::Mark(_, text) => text.as_str().into(),
            Self::Count(count) | Self::Lasted(count) => (*count).into(),
            Self::Number(number)
            | Self::Small(number)
            | Self::Share(number)
            | Self::Heat(number) => (*number).into(),
            Self::Interval(interval) => json!(interval),
            Self::At(at) => at.as_millis().into(),
        }
    }

    /// As CSV: one value, or two for an interval.
    pub(super) fn csv(&self, kind: Kind) -> Vec<String> {
        match (self, kind) {
            (Self::Interval(interval), _) => {
                vec![interval.lower.to_string(), interval.upper.to_string()]
            }
            (_, Kind::Interval) => vec![String::new(); 2],
            (_, Kind::Text | Kind::Number) => vec![match self.json() {
                Value::Null => String::new(),
                Value::String(text) => text,
                other
                @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    other.to_string()
                }
            }],
        }
    }
}
