//! What an auditor gets.

use std::path::Path;

use ledger::digest::Digest;
use ledger::log_store::{BlobStore, LogStore};

use crate::error::Error;

/// Writes the export of the whole log to `directory`, which must not exist yet.
pub(crate) fn write<L: LogStore, B: BlobStore>(
    log: &L,
    blobs: &B,
    checkpoint: &str,
    directory: &Path,
) -> Result<u64, Error> {
    let leaves = audit::export::leaves_of(log);
    let leaves = leaves.map(|leaf| leaf.map_err(|error| Error::storage(&error)));
    let blob = |digest: &Digest| blobs.get(digest).map_err(|error| Error::storage(&error));
    audit::export::write(directory, leaves, checkpoint, blob)
        .map_err(|error| Error::file(directory, &error))
}
