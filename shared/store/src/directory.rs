//! A log and its blobs in one directory.

use std::fs::{self, File};
use std::path::Path;

use ledger::log_store::LogStore as _;

use crate::error::StoreError;
use crate::{Blobs, FileBlobs, SqliteLog};

/// Opens the log and the blobs in `dir`, and creates what is missing.
///
/// # Errors
///
/// [`StoreError::Locked`] if another process has them open, [`StoreError::Damaged`] if they do not
/// fit together, or the disk fails.
pub fn open(dir: &Path) -> Result<(SqliteLog, Blobs), StoreError> {
    fs::create_dir_all(dir).map_err(|error| StoreError::io("create", dir, error))?;
    let path = dir.join("log.sqlite");
    let log = SqliteLog::open(&path)?;
    let files = FileBlobs::open(&dir.join("blobs"), log.syncs())?;
    let blobs = Blobs::open(&path, files)?;
    Ok((log, blobs))
}

/// Opens the log and the blobs in `dir`, which other processes may open too, and creates what is missing.
///
/// The log is then [held](ledger::log_store::LogStore::hold) for moments. A blob is put only while it is held. All processes run on
/// one machine: the database's shared memory does not reach further.
///
/// # Errors
///
/// [`StoreError::Locked`] if others hold it for too long, [`StoreError::Damaged`] if log and blobs do not fit together, or the disk
/// fails.
pub fn open_shared(dir: &Path) -> Result<(SqliteLog, Blobs), StoreError> {
    fs::create_dir_all(dir).map_err(|error| StoreError::io("create", dir, error))?;
    let path = dir.join("log.sqlite");
    let mut log = SqliteLog::open_held(&path)?;
    let files = FileBlobs::open_shared(&dir.join("blobs"), log.syncs())?;
    let blobs = Blobs::open(&path, files)?;
    log.let_go();
    Ok((log, blobs))
}

/// Makes the entries of a directory durable: what was created in it or renamed into it.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::io("sync", dir, error))
}
