//! One owner at a time: for good, or for a moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// How long to wait for a lock that is held for moments only.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often to try.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// An exclusive lock on a file beside what it guards. The system releases it when the process ends,
/// however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// A lock like [`Lock`] that several processes take in turn, each for a moment.
#[derive(Debug)]
pub(crate) struct SharedLock {
    file: File,
    name: PathBuf,
    guarded: PathBuf,
}

/// Which file it is, whatever its name: another one after it was put back or copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl Lock {
    /// Takes the lock on `path` with `.lock` appended.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let (file, name) = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &name, error)),
        }
    }
}

impl SharedLock {
    /// The lock on `path` with `.lock` appended, not yet taken.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let (file, name) = open(path)?;
        Ok(Self { file, name, guarded: path.to_owned() })
    }

    /// Waits for the lock and takes it.
    ///
    /// Whoever waits for too long is refused: the other may have been halted with it in its hand. So is
    /// whoever holds the lock of a file that has gone: others lock the one that is in its place.
    pub(crate) fn take(&self) -> Result<(), StoreError> {
        let until = Instant::now() + WAIT_MAX;
        loop {
            match self.file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(TRY_AGAIN),
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked(self.guarded.clone()));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock", &self.name, error));
                }
            }
        }
        let opened = self.file.metadata();
        let opened = opened.map_err(|error| StoreError::io("look at", &self.name, error))?;
        let opened = FileIdentity { device: opened.dev(), inode: opened.ino() };
        opened.must_be_at(&self.name).inspect_err(|_| self.let_go())
    }

    /// Lets others take it.
    pub(crate) fn let_go(&self) {
        // What cannot be unlocked stays locked until the process ends: others wait and are refused.
        let _ = self.file.unlock();
    }
}

impl FileIdentity {
    /// Which file is at `path` now.
    pub(crate) fn at(path: &Path) -> Result<Self, StoreError> {
        match path.metadata() {
            Ok(metadata) => Ok(Self { device: metadata.dev(), inode: metadata.ino() }),
            Err(error) => Err(StoreError::io("look at", path, error)),
        }
    }

    /// Refuses a file at `path` that is another one, or gone.
    pub(crate) fn must_be_at(self, path: &Path) -> Result<(), StoreError> {
        if Self::at(path).is_ok_and(|found| found == self) {
            Ok(())
        } else {
            Err(StoreError::Replaced(path.to_owned()))
        }
    }
}

fn open(path: &Path) -> Result<(File, PathBuf), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&name);
    let file = file.map_err(|error| StoreError::io("open", &name, error))?;
    Ok((file, name))
}
