//! A tree over leaf hashes in memory.

use super::{HashSource, node_hash};
use crate::digest::Digest;

/// The tree over leaves of which only the hashes are at hand, in their order. A node is computed when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct LeafHashes<'a>(pub &'a [Digest]);

/// A node over leaves that are not all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected node {index} of level {level} to exist")]
pub struct NoSuchNode {
    level: u8,
    index: u64,
}

impl HashSource for LeafHashes<'_> {
    type Error = NoSuchNode;

    fn node(&self, level: u8, index: u64) -> Result<Digest, NoSuchNode> {
        perfect(self.0, level, index).ok_or(NoSuchNode { level, index })
    }
}

fn perfect(leaves: &[Digest], level: u8, index: u64) -> Option<Digest> {
    let count = 1_usize.checked_shl(u32::from(level))?;
    let start = usize::try_from(index).ok()?.checked_mul(count)?;
    let mut row = leaves.get(start..start.checked_add(count)?)?.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.pop()
}
