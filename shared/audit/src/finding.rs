//! What is wrong with an export.

use std::fmt;

use serde::Serialize;

/// Which kind of wrong: it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file cannot be read, or a figure cannot be computed: nothing is known.
    Failure,
    /// There is no such directory or file.
    NotFound,
    /// Something is not what its signature, its digest, the rules or the replay say.
    Tampered,
    /// Something that was acknowledged is not in the log, or what is in the log is not in the sum.
    Omission,
    /// The log's key signed two histories.
    SplitView,
    /// All that is there is right, but a blob that the log names is not there.
    Incomplete,
    /// The command line, or a file that it names, asks for nothing that can be done.
    Usage,
}

/// The wrong thing that was met before any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind of wrong.
    pub kind: Kind,
    /// Where: a file, a leaf, or what a leaf speaks of.
    pub place: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Kind {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::NotFound => 5,
            Self::Tampered => 6,
            Self::Omission => 7,
            Self::SplitView => 8,
            Self::Incomplete => 9,
            Self::Usage => 64,
        }
    }

    /// The finding of this kind at `place`.
    pub(crate) fn at(
        self,
        place: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Finding {
        Finding {
            kind: self,
            place: printable(&place),
            expected: printable(&expected),
            found: printable(&found),
        }
    }
}

/// What an export says may be anything: it must not move the cursor of whoever prints it, nor fill
/// the screen.
fn printable(text: &impl fmt::Display) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.to_string().chars().map(safe).take(400).collect()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure => "failure",
            Self::NotFound => "not found",
            Self::Tampered => "tampered",
            Self::Omission => "omission",
            Self::SplitView => "split view",
            Self::Incomplete => "incomplete",
            Self::Usage => "usage",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.place, self.expected, self.found)
    }
}

impl std::error::Error for Finding {}
