//! What everybody may look at: the newest state and checkpoint, and the log's last leaves.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use ledger::checkpoint::SignedCheckpoint;
use ledger::record::LeafBytes;
use round::state::State;

/// How many leaves are kept in memory for those who follow the log.
const TAIL_MAX: usize = 4096;

/// The newest state and the checkpoint over exactly its leaves.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) state: Arc<State>,
    pub(crate) checkpoint: Arc<str>,
}

impl Published {
    pub(crate) fn new(state: Arc<State>, checkpoint: &SignedCheckpoint) -> Self {
        Self { state, checkpoint: Arc::from(checkpoint.text()) }
    }
}

/// The log's last leaves, so that followers do not wait for the writer.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    leaves: RwLock<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    first: u64,
    leaves: VecDeque<LeafBytes>,
}

impl Tail {
    /// Adds leaves that begin at `first`.
    pub(crate) fn extend(&self, first: u64, leaves: Vec<LeafBytes>) {
        let mut recent = self.leaves.write().unwrap_or_else(PoisonError::into_inner);
        if recent.leaves.is_empty() {
            recent.first = first;
        }
        recent.leaves.extend(leaves);
        let surplus = recent.leaves.len().saturating_sub(TAIL_MAX);
        recent.leaves.drain(..surplus);
        recent.first += surplus as u64;
    }

    /// The leaves in `range`, or none if not all of them are here.
    pub(crate) fn leaves(&self, range: &Range<u64>) -> Option<Vec<LeafBytes>> {
        let recent = self.leaves.read().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(range.start.checked_sub(recent.first)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(recent.first)?).ok()?;
        (from <= to && to <= recent.leaves.len())
            .then(|| recent.leaves.range(from..to).cloned().collect())
    }
}
