//! Reading the ledger's leaves, from the beginning or from where they were read before.

use super::Answer;
use crate::log_store::LogStore;
use crate::population::entry::Entry;
use crate::population::error::{LedgerError, Violation};
use crate::population::state::Population;
use crate::record::{Leaf, LeafBytes, RecordError};
use crate::tree::{Frontier, Head, leaf_hash};

/// How many leaves are read at a time.
const PAGE: u64 = 1024;

/// What the leaves that were read come to.
#[derive(Debug)]
pub(super) struct Fold {
    frontier: Frontier,
    state: Population,
}

impl Fold {
    /// What leaf 0 comes to.
    pub(super) fn begin(leaf: &Leaf<Entry>) -> Result<Self, Violation> {
        let state = Population::open(leaf)?;
        let mut frontier = Frontier::new();
        frontier.push(leaf_hash(leaf.bytes().as_slice()), |_, _, _| ());
        Ok(Self { frontier, state })
    }

    /// Reads and verifies leaf 0 of `store`.
    pub(super) fn read_first<S: LogStore>(store: &S) -> Answer<Self, S> {
        let first = store.leaf(0).map_err(LedgerError::Store)?.ok_or(Violation::NotOpened)?;
        let damaged = |reason| LedgerError::Damaged { index: 0, reason };
        let leaf: Leaf<Entry> = Leaf::decode(first.into_vec()).map_err(damaged)?;
        leaf.verify_signature(&crate::digest::Digest::ZERO).map_err(damaged)?;
        Self::begin(&leaf).map_err(|reason| LedgerError::Unlawful { index: 0, reason })
    }

    /// Reads and verifies the leaves that `store` has beyond these: signatures, rules, and the root.
    pub(super) fn read_on<S: LogStore>(&mut self, store: &S) -> Answer<(), S> {
        let head = store.head();
        if head.size < self.frontier.size() {
            return Err(LedgerError::RolledBack(self.head()));
        }
        while self.frontier.size() < head.size {
            let start = self.frontier.size();
            let page =
                store.leaves(start..head.size.min(start + PAGE)).map_err(LedgerError::Store)?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                self.read(bytes)?;
            }
        }
        let found = self.head();
        if found != head {
            return Err(LedgerError::Root { expected: head.root, found: found.root });
        }
        Ok(())
    }

    /// Takes the next leaf, which this process has signed.
    pub(super) fn take(&mut self, leaf: &Leaf<Entry>) -> Result<(), Violation> {
        self.state.apply(leaf.record())?;
        self.frontier.push(leaf_hash(leaf.bytes().as_slice()), |_, _, _| ());
        Ok(())
    }

    pub(super) const fn state(&self) -> &Population {
        &self.state
    }

    pub(super) fn head(&self) -> Head {
        self.frontier.head()
    }

    fn read<E>(&mut self, bytes: LeafBytes) -> Result<(), LedgerError<E>> {
        let index = self.frontier.size();
        let damaged = |reason: RecordError| LedgerError::Damaged { index, reason };
        let leaf: Leaf<Entry> = Leaf::decode(bytes.into_vec()).map_err(damaged)?;
        leaf.verify_signature(&self.state.genesis()).map_err(damaged)?;
        self.take(&leaf).map_err(|reason| LedgerError::Unlawful { index, reason })
    }
}
