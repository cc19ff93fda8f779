//! Which blobs the log names, and who may read them.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use ledger::digest::Digest;
use ledger::record::{Body, Leaf, Role};

/// One entry as bytes: the digest, and who may read the blob.
const ENTRY_BYTES: usize = 33;

/// The blobs that the log names.
#[derive(Debug, Default)]
pub struct Library {
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
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => return,
        };
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        for (digest, shelf) in named {
            let place = shelves.entry(*digest).or_insert(*shelf);
            if *shelf == Shelf::Members {
                *place = Shelf::Members;
            }
        }
    }

    /// Every entry, ascending: the digest, and 0 if members may read it or 1 if only auditors may.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::with_capacity(shelves.len() * ENTRY_BYTES);
        for (digest, shelf) in shelves.iter() {
            bytes.extend_from_slice(digest.as_bytes());
            bytes.push(match shelf {
                Shelf::Members => 0,
                Shelf::Auditors => 1,
            });
        }
        bytes
    }

    /// The library with these bytes, if they are one's.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        let mut shelves = BTreeMap::new();
        for [digest @ .., shelf] in entries {
            let shelf = match shelf {
                0 => Shelf::Members,
                1 => Shelf::Auditors,
                _ => return None,
            };
            let digest = Digest::from_bytes(*digest);
            if shelves.last_key_value().is_some_and(|(last, _)| *last >= digest) {
                return None;
            }
            shelves.insert(digest, shelf);
        }
        rest.is_empty().then(|| Self { shelves: RwLock::new(shelves) })
    }

    /// True if the log names the blob and `role` may read it.
    pub fn readable(&self, digest: &Digest, role: Role) -> bool {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        match (shelves.get(digest), role) {
            (Some(Shelf::Members), _) | (Some(Shelf::Auditors), Role::Auditor) => true,
            (Some(Shelf::Auditors), Role::Bank) | (None, _) => false,
        }
    }
}
