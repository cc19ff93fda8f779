//! How often the store waited for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count of fsyncs. Clones share the count.
///
/// It counts those that a caller waits for: one for a commit of the log, two for a blob file. What
/// SQLite adds now and then when it moves its write-ahead log into the database is not counted.
#[derive(Clone, Debug, Default)]
pub struct Syncs(Arc<AtomicU64>);

impl Syncs {
    /// A count of zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
