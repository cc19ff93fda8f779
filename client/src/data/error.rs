use std::path::PathBuf;

use thiserror::Error;

/// Why rows cannot be attached. It speaks of private rows and stays at the bank.
#[derive(Debug, Error)]
pub enum DataError {
    /// The data specification cannot be read.
    #[error("{}: expected a data specification: {reason}", file.display())]
    Specification {
        /// The specification.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry's sketch needs the units before there is a plan.
    #[error(
        "expected `unit` in data.toml, the header of the column that names units: the policy names a registry"
    )]
    NoUnitColumn,
    /// The plan takes units from another column than the population was registered by.
    #[error(
        "expected the plan's unit column to be {registered:?}, as in data.toml, it is {found:?}"
    )]
    OtherUnitColumn {
        /// The header that `unit` in data.toml names.
        registered: String,
        /// The header of the plan's unit column.
        found: String,
    },
    /// A mapped column is not one that the plan reads.
    #[error("expected under [columns] names that the plan reads, got {name:?}")]
    UnusedMapping {
        /// The name.
        name: String,
    },
    /// The file cannot be read.
    #[error("{}: {source}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file breaks off, is corrupt, or is not text.
    #[error("{} line {line}: expected CSV, or CSV in gzip: {reason}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// There is no header.
    #[error("{}: expected a header line, got an empty file", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// There is a header and no row that counts.
    #[error("{}: expected at least one row", file.display())]
    NoRows {
        /// The file.
        file: PathBuf,
    },
    /// A column is missing.
    #[error("{} line 1: expected a column {column:?}", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// Its header in the file.
        column: String,
    },
    /// A header occurs twice.
    #[error("{} line 1: expected the column {column:?} once", file.display())]
    DuplicateColumn {
        /// The file.
        file: PathBuf,
        /// The header.
        column: String,
    },
    /// A row has more or fewer cells than the header.
    #[error("{} line {line}: expected {expected} cells, got {got}", file.display())]
    Ragged {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The header's.
        expected: usize,
        /// The row's.
        got: usize,
    },
    /// A cell is not what its column holds.
    #[error("{} line {line} column {column:?}: expected {expected}, got {found:?}", file.display())]
    Cell {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The header.
        column: String,
        /// What the column holds.
        expected: String,
        /// The beginning of the cell.
        found: String,
    },
    /// A unit has too many rows.
    #[error("{} line {line}: expected at most {rows_max} rows of one unit", file.display())]
    TooManyRows {
        /// The file.
        file: PathBuf,
        /// The line of the first row too many, from 1.
        line: u64,
        /// The plan's limit.
        rows_max: u32,
    },
    /// A unit is in two tasks, which the privacy unit's sensitivity does not cover.
    #[error(
        "{} line {line} column {column:?}: expected the task that the unit has in line {line_before}",
        file.display()
    )]
    UnitInTwoTasks {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The header of the task column.
        column: String,
        /// Where the unit was first seen.
        line_before: u64,
    },
}

impl DataError {
    /// Whether another row, or one less, might have kept it away; what the specification and the header line say, no row changes.
    pub(crate) const fn depends_on_rows(&self) -> bool {
        match self {
            Self::Corrupt { .. }
            | Self::NoRows { .. }
            | Self::Ragged { .. }
            | Self::Cell { .. }
            | Self::TooManyRows { .. }
            | Self::UnitInTwoTasks { .. } => true,
            Self::Specification { .. }
            | Self::NoUnitColumn
            | Self::OtherUnitColumn { .. }
            | Self::UnusedMapping { .. }
            | Self::Open { .. }
            | Self::Empty { .. }
            | Self::MissingColumn { .. }
            | Self::DuplicateColumn { .. } => false,
        }
    }
}
