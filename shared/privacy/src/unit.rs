//! From the privacy unit to the task: a report speaks of units, the accountant of tasks.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PrivacyError;

/// What makes two data sets neighbours, in privacy units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitRelation {
    /// One unit is there or not.
    AddRemove,
    /// One unit is another.
    ReplaceOne,
}

/// How a bank's units form tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// Each unit is its own task.
    UnitPerTask,
    /// A fixed number of buckets; membership depends on the unit alone, and an emptied bucket stays a task.
    Buckets,
}

/// What a change of one unit does to the tasks: the relation that the accountant works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskChange {
    /// A task is there or not: the sum moves by at most C.
    Appears,
    /// One task's content changes: the sum moves by at most 2C.
    #[serde(rename = "content")]
    ContentChanges,
    /// Two tasks' contents change: the sum moves by at most 2C for each.
    #[serde(rename = "two-contents")]
    TwoContentsChange,
}

impl TaskChange {
    /// What `relation` between data sets means for tasks formed by `grouping`.
    ///
    /// ```
    /// use privacy::{Grouping, TaskChange, UnitRelation};
    /// assert_eq!(TaskChange::of(Grouping::Buckets, UnitRelation::AddRemove), TaskChange::ContentChanges);
    /// ```
    pub const fn of(grouping: Grouping, relation: UnitRelation) -> Self {
        match (grouping, relation) {
            (Grouping::UnitPerTask, UnitRelation::AddRemove) => Self::Appears,
            (Grouping::UnitPerTask, UnitRelation::ReplaceOne)
            | (Grouping::Buckets, UnitRelation::AddRemove) => Self::ContentChanges,
            (Grouping::Buckets, UnitRelation::ReplaceOne) => Self::TwoContentsChange,
        }
    }

    /// The largest move of the sum when every task takes part, in units of the clipping norm.
    pub const fn sensitivity(self) -> f64 {
        match self {
            Self::Appears => 1.0,
            Self::ContentChanges => 2.0,
            Self::TwoContentsChange => 4.0,
        }
    }
}

macro_rules! names {
    ($type:ident, $notion:literal, $expected:literal, $($variant:ident => $name:literal),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),+ })
            }
        }

        impl FromStr for $type {
            type Err = PrivacyError;

            fn from_str(name: &str) -> Result<Self, PrivacyError> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(PrivacyError::UnknownName { notion: $notion, expected: $expected }),
                }
            }
        }
    };
}

names!(UnitRelation, "unit relation", "add-remove, replace-one",
    AddRemove => "add-remove", ReplaceOne => "replace-one");
names!(Grouping, "grouping", "unit-per-task, buckets",
    UnitPerTask => "unit-per-task", Buckets => "buckets");
names!(TaskChange, "task change", "appears, content, two-contents",
    Appears => "appears", ContentChanges => "content", TwoContentsChange => "two-contents");
