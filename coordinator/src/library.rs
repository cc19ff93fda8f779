//! Which blobs the log names, and who may read them.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use ledger::digest::Digest;
use ledger::record::{Body, Leaf, Role};

/// The blobs that the log names.
#[derive(Debug, Default)]
pub(crate) struct Library {
    shelves: RwLock<BTreeMap<Digest, Shelf>>,
}

/// Who may read a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    /// Every member: meta-initializations and sums.
    Members,
    /// Auditors: contributions and master states.
    Auditors,
}

impl Library {
    /// Notes the blobs that a leaf names. A digest that is named twice keeps its wider audience.
    pub(crate) fn note(&self, leaf: &Leaf) {
        let named: &[(Digest, Shelf)] = match leaf.body() {
            Body::Accepted(contribution) => &[(contribution.vector, Shelf::Auditors)],
            Body::Closed(closed) => &[(closed.aggregate, Shelf::Members)],
            Body::Model(model) => &[(model.theta, Shelf::Members), (model.master, Shelf::Auditors)],
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::RoundOpened(_)
            | Body::Extended(_)
            | Body::Abandoned(_)
            | Body::RunFinished(_)
            | Body::Evidence(_) => return,
        };
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        for (digest, shelf) in named {
            let place = shelves.entry(*digest).or_insert(*shelf);
            if *shelf == Shelf::Members {
                *place = Shelf::Members;
            }
        }
    }

    /// True if the log names the blob and `role` may read it.
    pub(crate) fn readable(&self, digest: &Digest, role: Role) -> bool {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        match (shelves.get(digest), role) {
            (Some(Shelf::Members), _) | (Some(Shelf::Auditors), Role::Auditor) => true,
            (Some(Shelf::Auditors), Role::Bank) | (None, _) => false,
        }
    }
}
