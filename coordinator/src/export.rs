//! What an auditor gets.

use std::path::Path;

use ledger::digest::Digest;
use ledger::log_store::{BlobStore, LogStore};

use crate::error::Error;

/// How many leaves are read at once.
const READ_MAX: u64 = 1024;

/// Writes the export of the whole log to `directory`, which must not exist yet.
pub(crate) fn write<L: LogStore, B: BlobStore>(
    log: &L,
    blobs: &B,
    checkpoint: &str,
    directory: &Path,
) -> Result<u64, Error> {
    let size = log.head().size;
    let pages = (0..size).step_by(usize::try_from(READ_MAX).unwrap_or(1));
    let leaves = pages.flat_map(|from| match log.leaves(from..size.min(from + READ_MAX)) {
        Ok(leaves) => leaves.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(Error::storage(&error))],
    });
    let blob = |digest: &Digest| blobs.get(digest).map_err(|error| Error::storage(&error));
    audit::export::write(directory, leaves, checkpoint, blob)
        .map_err(|error| Error::file(directory, &error))
}
