//! Why the store cannot do what was asked.

use std::io;
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::tree::Head;
use thiserror::Error;

/// The store cannot do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("expected {} to be free, another process holds it", .0.display())]
    Locked(PathBuf),
    /// The disk or the file system fails.
    #[error("expected to {action} {}: {source}", .path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite fails.
    #[error("expected the database to work: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A write failed before; open the store again.
    #[error("expected a sound store, got one whose earlier write failed")]
    Poisoned,
    /// The database holds something that cannot be.
    #[error("expected {expected}, found a database that was damaged or rolled back")]
    Damaged {
        /// What should be there.
        expected: &'static str,
    },
    /// The log does not go on from the head that its second place holds.
    #[error(
        "expected a log that goes on from {} leaves with root {}, as {} says, found {} leaves with root {}: \
         it was restored from a backup, cut off, or is another one",
        .kept.size, .kept.root, .place.display(), .found.size, .found.root
    )]
    RolledBack {
        /// The second place.
        place: PathBuf,
        /// The head that it holds.
        kept: Head,
        /// The head of the log.
        found: Head,
    },
    /// Somebody else writes to the second place: another copy of this log, most likely.
    #[error(
        "expected {} to hold the head of {expected} leaves that was kept there, found one of {found}: another process keeps a log there",
        .place.display()
    )]
    OtherWriter {
        /// The second place.
        place: PathBuf,
        /// How many leaves the head has that this process kept there; 0 for none.
        expected: u64,
        /// How many leaves the head has that is there; 0 for none.
        found: u64,
    },
    /// The log went on, and the second place was not told.
    #[error(
        "expected {} to lag behind the log by at most one leaf, it holds the head of {} leaves and the log has {}: \
         somebody appends who does not keep the head there, or the place was put back",
        .place.display(), .kept.size, .found.size
    )]
    Lagging {
        /// The second place.
        place: PathBuf,
        /// The head that it holds.
        kept: Head,
        /// The head of the log.
        found: Head,
    },
    /// A file that is open is not the one under its name any more.
    #[error("expected {} to be the file that was opened, it was replaced: a backup was put back, most likely", .0.display())]
    Replaced(PathBuf),
    /// The second place has never held this log's head.
    #[error("expected {} to hold the head of a log of {leaves} leaves, found nothing there", .place.display())]
    Unconfirmed {
        /// The second place.
        place: PathBuf,
        /// How many leaves the log has.
        leaves: u64,
    },
    /// The database was written by another version.
    #[error("expected a log of format {expected}, found {found}")]
    Format {
        /// The format of this version.
        expected: i64,
        /// The format of the database.
        found: i64,
    },
    /// A node that does not exist.
    #[error("expected node {index} of level {level} to exist")]
    NoNode {
        /// The node's level.
        level: u8,
        /// The node's index.
        index: u64,
    },
    /// A blob's bytes do not have its digest.
    #[error("expected blob {0} to be whole, found other bytes under its name")]
    DamagedBlob(Digest),
    /// A number does not fit the database.
    #[error("expected a number below 2^63, got {0}")]
    TooLarge(u64),
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
