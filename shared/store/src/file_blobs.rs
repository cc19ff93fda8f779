//! Blobs as files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledger::digest::{Digest, sha256};
use ledger::log_store::BlobStore;

use crate::directory::sync_dir;
use crate::error::StoreError;
use crate::lock::Lock;
use crate::syncs::Syncs;

/// Blobs as files named by their SHA-256, in 256 directories by its leading two digits.
///
/// A blob is written to `tmp/`, synced, renamed and its directory synced, so a file under its name is
/// whole; what a crash leaves in `tmp/` is erased when the directory is opened again. Clones share
/// one directory.
#[derive(Clone, Debug)]
pub struct FileBlobs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    next: AtomicU64,
    syncs: Syncs,
    _lock: Option<Lock>,
}

impl FileBlobs {
    /// Opens the directory `root`, creates it if it is missing, and erases what a crash left behind.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::Io`] if the disk fails.
    pub fn open(root: &Path, syncs: &Syncs) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(|error| StoreError::io("create", root, error))?;
        let lock = Lock::take(&root.join("owner"))?;
        Self::prepare(root, syncs, Some(lock))
    }

    /// Opens the directory `root` of a log that is shared. Whoever opens it or puts a blob holds the log: nobody else writes.
    pub(crate) fn open_shared(root: &Path, syncs: &Syncs) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(|error| StoreError::io("create", root, error))?;
        Self::prepare(root, syncs, None)
    }

    fn prepare(root: &Path, syncs: &Syncs, lock: Option<Lock>) -> Result<Self, StoreError> {
        let io = |action, path: &Path, error| StoreError::io(action, path, error);
        let unfinished = root.join("tmp");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("erase", &unfinished, error));
            }
            _ => {}
        }
        fs::create_dir(&unfinished).map_err(|error| io("create", &unfinished, error))?;
        for prefix in 0..=u8::MAX {
            let dir = root.join(format!("{prefix:02x}"));
            match fs::create_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(io("create", &dir, error));
                }
                _ => {}
            }
        }
        sync_dir(root)?;
        if let Some(parent) = root.parent() {
            sync_dir(parent)?;
        }
        let shared = Shared {
            root: root.to_owned(),
            next: AtomicU64::new(0),
            syncs: syncs.clone(),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Erases a blob. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the disk fails.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("erase", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// The digests of all blobs, in no order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the disk fails.
    pub fn digests(&self) -> Result<Vec<Digest>, StoreError> {
        let mut digests = Vec::new();
        for prefix in 0..=u8::MAX {
            let dir = self.shared.root.join(format!("{prefix:02x}"));
            let failed = |error| StoreError::io("list", &dir, error);
            for entry in fs::read_dir(&dir).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                digests.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
            }
        }
        Ok(digests)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let prefix: String = name.chars().take(2).collect();
        self.shared.root.join(prefix).join(name)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        // Of processes that share the directory, one that died may have left its own behind.
        let name = format!("{}-{number}", std::process::id());
        let unfinished = self.shared.root.join("tmp").join(name);
        let failed = |error| StoreError::io("write", &unfinished, error);
        let mut file = File::create(&unfinished).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        // A crash before this leaves a file in tmp/, which the next start erases.
        file.sync_all().map_err(failed)?;
        self.shared.syncs.add_one();
        // A crash before the directory is synced leaves the file in either place, whole.
        fs::rename(&unfinished, path).map_err(|error| StoreError::io("rename to", path, error))
    }
}

impl BlobStore for FileBlobs {
    type Error = StoreError;

    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = sha256(bytes);
        let path = self.path(&digest);
        match fs::read(&path) {
            // Whole, but perhaps renamed by a process that died before it synced: sync again.
            Ok(found) if found == bytes => {
                File::open(&path)
                    .and_then(|file| file.sync_all())
                    .map_err(|error| StoreError::io("sync", &path, error))?;
                self.shared.syncs.add_one();
            }
            // Missing or damaged: the rename puts the whole file in its place.
            Ok(_) => self.write(&path, bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write(&path, bytes)?,
            Err(error) => return Err(StoreError::io("read", &path, error)),
        }
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
            self.shared.syncs.add_one();
        }
        Ok(digest)
    }

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(bytes) if sha256(&bytes) == *digest => Ok(Some(bytes)),
            Ok(_) => Err(StoreError::DamagedBlob(*digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }

    fn len(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }
}
