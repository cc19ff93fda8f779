//! Roots over ranges of leaves, from the nodes of the tree.

use super::{HashSource, ProofError, empty_root, node_hash};
use crate::digest::Digest;

/// The root that the tree had when it held `size` leaves.
///
/// # Errors
///
/// [`ProofError::Source`] if a node cannot be read, also because the tree is smaller than `size`.
pub fn root_at<S: HashSource>(source: &S, size: u64) -> Result<Digest, ProofError<S::Error>> {
    range_root(source, 0, size).map_err(ProofError::Source)
}

/// The root over the leaves from `low` up to, but without, `high`.
///
/// `low` must be a multiple of the smallest power of two that is not below `high - low`, as it is
/// for every subtree of a tree: then the range is a row of perfect subtrees of falling size.
pub(crate) fn range_root<S: HashSource>(
    source: &S,
    low: u64,
    high: u64,
) -> Result<Digest, S::Error> {
    let mut roots = Vec::new();
    let mut start = low;
    while start < high {
        let level = (high - start).ilog2();
        let level_byte = u8::try_from(level).unwrap_or(u8::MAX);
        roots.push(source.node(level_byte, start >> level)?);
        start += 1 << level;
    }
    let root = roots.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
    Ok(root.unwrap_or_else(empty_root))
}

/// The largest power of two below `count`, which is at least 2.
pub(super) const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
