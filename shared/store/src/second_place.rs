//! The head of a log, kept a second time where a restored backup of the first does not reach.
//!
//! A log alone cannot tell that it was put back: an old copy of it is whole. A file elsewhere, on another disk or another
//! machine's share, that holds the newest head can. It is written after the append and before the append is acknowledged, so what
//! it holds is the log's head, or after a crash in between an earlier one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::tree::Head;

use crate::directory::sync_dir;
use crate::error::StoreError;
use crate::lock::SharedLock;

const NAME: &str = "ledger.head";
const FIRST_LINE: &str = "counterfoil head v1";

/// A file that holds a log's head, and its lock.
#[derive(Debug)]
pub(crate) struct SecondPlace {
    directory: PathBuf,
    lock: SharedLock,
}

impl SecondPlace {
    /// The second place in `directory`, which exists.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let lock = SharedLock::open(&directory.join(NAME))?;
        Ok(Self { directory: directory.to_owned(), lock })
    }

    /// Waits for the place and takes it for this process alone: copies of a log, each with a lock of its own, meet here.
    pub(crate) fn take(&self) -> Result<(), StoreError> {
        self.lock.take()
    }

    /// Lets others take it.
    pub(crate) fn let_go(&self) {
        self.lock.let_go();
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The head that it holds; none if nothing was ever kept there.
    pub(crate) fn head(&self) -> Result<Option<Head>, StoreError> {
        Self::head_in(&self.directory)
    }

    /// The head that the second place in `directory` holds, whoever holds it.
    pub(crate) fn head_in(directory: &Path) -> Result<Option<Head>, StoreError> {
        let path = directory.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // The directory itself must be there: an unmounted disk is not an empty one.
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
                return Ok(None);
            }
            Err(error) => return Err(StoreError::io("read the second place", &path, error)),
        };
        let mut lines = text.lines();
        let head = match (lines.next(), lines.next(), lines.next(), lines.next()) {
            (Some(FIRST_LINE), Some(size), Some(root), None) => size
                .parse()
                .ok()
                .zip(root.parse::<Digest>().ok())
                .map(|(size, root)| Head { size, root }),
            _ => None,
        };
        let expected = "the second place to hold a head";
        head.map(Some).ok_or(StoreError::Damaged { expected })
    }

    /// Keeps `head` in place of `before`, which it holds still; durable when it returns.
    ///
    /// Locks do not reach across every shared disk, so what is held is compared as well: where two copies of a log name one place,
    /// the second to write finds the head of the first.
    pub(crate) fn replace(&self, before: Option<&Head>, head: &Head) -> Result<(), StoreError> {
        let held = self.head()?;
        if held.as_ref() != before {
            let (expected, found) = (before.map_or(0, |h| h.size), held.map_or(0, |h| h.size));
            return Err(StoreError::OtherWriter { place: self.directory.clone(), expected, found });
        }
        self.keep(head)
    }

    fn keep(&self, head: &Head) -> Result<(), StoreError> {
        let (path, new) = (self.directory.join(NAME), self.directory.join("ledger.head.new"));
        let failed = |error| StoreError::io("write the second place", &path, error);
        let mut file = File::create(&new).map_err(failed)?;
        let text = format!("{FIRST_LINE}\n{}\n{}\n", head.size, head.root);
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // A crash before the rename leaves the old head, after it the new one; never a part of either.
        fs::rename(&new, &path).map_err(failed)?;
        sync_dir(&self.directory)
    }
}
