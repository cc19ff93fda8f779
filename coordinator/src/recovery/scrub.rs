//! The check, after the start, of what the start took on trust.

use std::ops::Range;

use ledger::digest::{Digest, sha256};
use ledger::record::LeafBytes;
use ledger::tree::{Frontier, leaf_hash};
use round::state::State;

use super::{Signatures, fold, snapshot};
use crate::error::Error;
use crate::library::Library;

/// What the start took on trust: that the leaves lead where they were said to, and every signature on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub {
    pub(super) size: u64,
    pub(super) root: Digest,
    /// SHA-256 of state and library as they were served from, in a snapshot's form.
    pub(super) digest: Digest,
}

impl Scrub {
    /// How many leaves are checked.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Folds those leaves from leaf 0, verifies their signatures, and compares root, state and library with what was served. `read`
    /// gives the leaves in a range, from the front, at least one of them.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if a leaf does not follow, or if the leaves lead elsewhere; and the errors of
    /// `read`.
    pub fn run(
        &self,
        mut read: impl FnMut(Range<u64>) -> Result<Vec<LeafBytes>, Error>,
    ) -> Result<(), Error> {
        let mut frontier = Frontier::new();
        let library = Library::default();
        let hashed = |range| {
            let leaves = read(range)?;
            for leaf in &leaves {
                frontier.push(leaf_hash(leaf.as_slice()), |_, _, _| ());
            }
            Ok(leaves)
        };
        let state = fold(State::empty(), self.size, Signatures::Verified, hashed, |leaf| {
            library.note(leaf);
        })?;
        let size = self.size;
        if frontier.root() != self.root {
            return Err(Error::Damaged(format!("the first {size} leaves have another root")));
        }
        if sha256(&snapshot::body(&state, &library)) != self.digest {
            return Err(Error::Damaged(format!(
                "the first {size} leaves lead to another state than the one that was served from"
            )));
        }
        Ok(())
    }
}
