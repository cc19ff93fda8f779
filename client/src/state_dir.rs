//! The node's state directory: where what lies, and how it is written.
//!
//! ```text
//! consortium.json   which consortium, as whom; certificate, CA and Genesis
//! keys/             tls.pem record.pem cosign.pem population.key, mode 0600
//! policy.toml       the bank's policy, written by the bank
//! data.toml         where the bank's rows are, written by the bank
//! log/              the verified copy of the consortium's log
//! population/       the bank's own ledger with its key, and the released bytes; elsewhere if the policy says so
//! receipts/         one file for each acknowledged release
//! cosigned.log      which checkpoints the node has cosigned
//! tampered.json     why nothing is released any more; only an operator removes it
//! contradiction.json  what convicts the log's key, if that was found: `counterfoil-audit check`
//! control.sock      how the daemon is controlled
//! lock              held by the daemon
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::ClientError;

/// A node's state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

/// The exclusive right to run a daemon on a state directory. The system releases it when the
/// process ends, however it ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl StateDir {
    /// The directory at `root`, created with mode 0700 if it is missing.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] if it cannot be created.
    pub fn create(root: &Path) -> Result<Self, ClientError> {
        make_dir(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The directory at `root`, which must exist.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoState`] if it does not.
    pub fn open(root: &Path) -> Result<Self, ClientError> {
        if root.is_dir() {
            Ok(Self { root: root.to_owned() })
        } else {
            Err(ClientError::NoState(root.to_owned()))
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A directory in the directory, created with mode 0700 if it is missing.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] if it cannot be created.
    pub fn directory(&self, name: &str) -> Result<PathBuf, ClientError> {
        let path = self.path(name);
        make_dir(&path)?;
        Ok(path)
    }

    /// Takes the daemon's lock.
    ///
    /// # Errors
    ///
    /// [`ClientError::Locked`] if a daemon runs on this directory.
    pub fn lock(&self) -> Result<DirLock, ClientError> {
        let path = self.path("lock");
        let failed = |error| ClientError::file("open", &path, error);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ClientError::Locked(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(ClientError::file("lock", &path, error)),
        }
    }
}

/// Writes `bytes` to `path` with mode 0600, whole or not at all, and durably once it returns.
///
/// # Errors
///
/// [`ClientError::File`] if the disk fails; then the file is as it was before.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    write(path, bytes, true)
}

/// Writes `bytes` to `path` with mode 0600, whole or not at all; a crash may bring the old ones back.
///
/// # Errors
///
/// [`ClientError::File`] if the disk fails; then the file is as it was before.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], durably: bool) -> Result<(), ClientError> {
    let failed = |error| ClientError::file("write", path, error);
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            if durably { file.sync_all() } else { Ok(()) }
        })
        .and_then(|()| fs::rename(&new, path));
    let written = written.and_then(|()| if durably { sync_parent(path) } else { Ok(()) });
    written.map_err(failed)
}

/// The text of the file at `path`, or `None` if there is none.
///
/// # Errors
///
/// [`ClientError::File`] if it cannot be read.
pub fn read_text(path: &Path) -> Result<Option<String>, ClientError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::file("read", path, error)),
    }
}

/// Refuses a file that others than its owner may open.
///
/// # Errors
///
/// [`ClientError::Exposed`] with its mode.
pub fn must_be_private(path: &Path) -> Result<(), ClientError> {
    let metadata = fs::metadata(path).map_err(|error| ClientError::file("read", path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode.trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(ClientError::Exposed { path: path.to_owned(), mode })
    }
}

/// Makes the renaming of `path` durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn make_dir(path: &Path) -> Result<(), ClientError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| ClientError::file("create", path, error))
}
