//! The blobs of an export: each that the log names is asked for, and no other may be there.

use std::collections::BTreeSet;

use ledger::digest::Digest;

use crate::directory::{Directory, blob_name, unknown};
use crate::finding::{Finding, Kind};

/// The blobs of an export, and which of them the log has named so far.
#[derive(Debug)]
pub(crate) struct Blobs<'a> {
    directory: &'a Directory,
    named: BTreeSet<Digest>,
    missing: Option<Finding>,
}

impl<'a> Blobs<'a> {
    /// The blobs in `directory`, none named yet.
    pub(crate) const fn of(directory: &'a Directory) -> Self {
        Self { directory, named: BTreeSet::new(), missing: None }
    }

    /// The blob that the log names as `what`; it may have at most `bytes_max`.
    ///
    /// One that is not there is not yet a finding: what is there may be wrong, and that is worse.
    pub(crate) fn get(
        &mut self,
        digest: &Digest,
        bytes_max: usize,
        what: impl FnOnce() -> String,
    ) -> Result<Option<Vec<u8>>, Finding> {
        self.named.insert(*digest);
        let blob = self.directory.blob(digest, bytes_max)?;
        if blob.is_none() && self.missing.is_none() {
            let (place, expected) = (blob_name(digest), what());
            self.missing = Some(Kind::Incomplete.at(place, expected, "nothing"));
        }
        Ok(blob)
    }

    /// A blob that was asked for and is not there.
    pub(crate) fn missing(&self) -> Option<Finding> {
        self.missing.clone()
    }

    /// A blob that the log names but the export lacks; an error if the export has one too many.
    pub(crate) fn finish(self) -> Result<Option<Finding>, Finding> {
        match self.directory.blobs().difference(&self.named).next() {
            Some(digest) => Err(unknown(&blob_name(digest))),
            None => Ok(self.missing),
        }
    }
}
