//! The Merkle tree over the leaves of a log ([RFC 6962], section 2.1; the same hashes as [RFC 9162]).
//!
//! A node is named by level and index: node (l, i) is the root over the 2^l leaves from i·2^l on,
//! and exists once all of them do. Leaf hashes are level 0. The root over no leaves is SHA-256 of
//! nothing; over n > 1 leaves it is SHA-256(0x01 ‖ root of the leading k ‖ root of the others), k the
//! largest power of two below n; over one leaf d it is SHA-256(0x00 ‖ d).

mod consistency;
mod frontier;
mod hashes;
mod inclusion;
mod range;

pub use consistency::{consistency_proof, verify_consistency};
pub use frontier::{Frontier, FrontierError};
pub use hashes::{LeafHashes, NoSuchNode};
pub use inclusion::{inclusion_proof, root_from_inclusion, verify_inclusion};
pub(crate) use range::range_root;
pub use range::root_at;

use thiserror::Error;

use crate::digest::{Digest, Sha256};

/// What a tree holds: the number of its leaves and the root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The root over all of them.
    pub root: Digest,
}

impl Head {
    /// The head of the empty tree.
    pub fn empty() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// Where proofs get their nodes from.
pub trait HashSource {
    /// Why a node cannot be read.
    type Error;

    /// Node (`level`, `index`).
    ///
    /// # Errors
    ///
    /// If the node does not exist (its 2^`level` leaves are not all in the tree) or cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error>;
}

/// A proof cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError<E> {
    /// The leaf or the earlier tree lies beyond the tree.
    #[error("expected {inner} to lie within a tree of {size} leaves")]
    OutOfRange {
        /// The leaf's index or the earlier tree's size.
        inner: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A node cannot be read.
    #[error(transparent)]
    Source(#[from] E),
}

/// A proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofMismatch {
    /// The leaf or the earlier tree lies beyond the tree.
    #[error("expected {inner} to lie within a tree of {size} leaves")]
    OutOfRange {
        /// The leaf's index or the earlier tree's size.
        inner: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("expected a proof of another length, got {0} hashes")]
    Length(usize),
    /// The proof leads to another root.
    #[error("expected root {expected}, the proof leads to {found}")]
    Root {
        /// The root that was to be proved.
        expected: Digest,
        /// The root that follows from the proof.
        found: Digest,
    },
}

/// The root over no leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Sha256::new().finish()
}

/// The hash of a leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(&[0x00]);
    hasher.update(bytes);
    hasher.finish()
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [0x01; 65];
    let sides = left.as_bytes().iter().chain(right.as_bytes());
    for (to, from) in bytes.iter_mut().skip(1).zip(sides) {
        *to = *from;
    }
    crate::digest::sha256(&bytes)
}
