//! All blobs of a log, wherever they lie.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ledger::digest::{Digest, sha256};
use ledger::log_store::BlobStore;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::error::StoreError;
use crate::file_blobs::FileBlobs;

/// All blobs of a log: those that were committed with leaves lie in the log's database, the others
/// in files. Reading looks in both; [`put`](BlobStore::put) writes a file.
///
/// It has a connection of its own that only reads, so blobs are served while the log is written.
/// Clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    database: Arc<Mutex<Connection>>,
    files: FileBlobs,
}

impl Blobs {
    /// The blobs of the log at `log`, which is open already, and those in `files`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the log's database cannot be read.
    pub fn open(log: &Path, files: FileBlobs) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(log, flags)?;
        Ok(Self { database: Arc::new(Mutex::new(database)), files })
    }

    /// The blobs that lie in files.
    pub const fn files(&self) -> &FileBlobs {
        &self.files
    }

    fn small<T>(&self, digest: &Digest, column: &str) -> Result<Option<T>, StoreError>
    where
        T: rusqlite::types::FromSql,
    {
        // A connection that only reads is sound whatever its last user did.
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("SELECT {column} FROM blob WHERE digest = ?1");
        let mut statement = database.prepare_cached(&sql)?;
        Ok(statement.query_row([digest.as_bytes()], |row| row.get(0)).optional()?)
    }
}

impl BlobStore for Blobs {
    type Error = StoreError;

    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.files.put(bytes)
    }

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self.small::<Vec<u8>>(digest, "bytes")? {
            Some(bytes) if sha256(&bytes) == *digest => Ok(Some(bytes)),
            Some(_) => Err(StoreError::DamagedBlob(*digest)),
            None => self.files.get(digest),
        }
    }

    fn len(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        match self.small::<i64>(digest, "length(bytes)")? {
            Some(length) => Ok(u64::try_from(length).ok()),
            None => self.files.len(digest),
        }
    }
}
