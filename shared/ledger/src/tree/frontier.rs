//! The right edge of a tree: all that is needed to append and to know the root.

use thiserror::Error;

use super::{Head, empty_root, node_hash};
use crate::digest::Digest;

/// The roots of the perfect subtrees that make up a tree, from the left: one for each one-bit of
/// the size.
///
/// Appending costs amortised one node hash, the root at most 63.
///
/// ```
/// use ledger::tree::{Frontier, empty_root, leaf_hash, node_hash};
/// let mut frontier = Frontier::new();
/// assert_eq!(frontier.root(), empty_root());
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// frontier.push(a, |_, _, _| ());
/// frontier.push(b, |_, _, _| ());
/// assert_eq!(frontier.root(), node_hash(&a, &b));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

/// Bytes are no frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a size and one hash for each of its one-bits, got {bytes} bytes")]
pub struct FrontierError {
    bytes: usize,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub const fn new() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash, and shows `completed` every node that exists from now on, as
    /// (level, index, hash): the leaf's own, then upwards.
    pub fn push(&mut self, leaf_hash: Digest, mut completed: impl FnMut(u8, u64, Digest)) {
        let (mut level, mut index, mut hash) = (0_u8, self.size, leaf_hash);
        completed(level, index, hash);
        // An odd index closes a pair: its left neighbour is the last root so far.
        while index % 2 == 1
            && let Some(left) = self.roots.pop()
        {
            hash = node_hash(&left, &hash);
            (level, index) = (level + 1, index / 2);
            completed(level, index, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> Digest {
        self.roots
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root() }
    }

    /// The frontier as bytes: the size (8 bytes, big-endian), then the hashes from the left.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for root in &self.roots {
            bytes.extend_from_slice(root.as_bytes());
        }
        bytes
    }

    /// The frontier with these bytes.
    ///
    /// # Errors
    ///
    /// [`FrontierError`] if the number of hashes is not that of the size's one-bits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let refused = FrontierError { bytes: bytes.len() };
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(refused)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, rest) = hashes.as_chunks::<32>();
        if !rest.is_empty() || u32::try_from(hashes.len()) != Ok(size.count_ones()) {
            return Err(refused);
        }
        let roots = hashes.iter().copied().map(Digest::from_bytes).collect();
        Ok(Self { size, roots })
    }
}
