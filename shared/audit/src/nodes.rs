//! The tree over a log's leaves, in memory: the hashes that tiles hold, and the others from them.

use ledger::digest::Digest;
use ledger::tree::{Frontier, HashSource, Head, leaf_hash, node_hash};

/// Tiles hold every eighth level of the tree.
const LEVELS_PER_TILE: u8 = 8;

/// The tree over the leaves that were pushed: 32 bytes a leaf, and little more.
#[derive(Debug, Default)]
pub struct Nodes {
    rows: Vec<Vec<Digest>>,
    frontier: Frontier,
}

impl Nodes {
    /// Appends a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let rows = &mut self.rows;
        self.frontier.push(leaf_hash(leaf), |level, _, hash| {
            if level % LEVELS_PER_TILE != 0 {
                return;
            }
            let row = usize::from(level / LEVELS_PER_TILE);
            if rows.len() <= row {
                rows.resize(row + 1, Vec::new());
            }
            // Nodes of a level are completed in order, so pushing puts each at its index.
            if let Some(row) = rows.get_mut(row) {
                row.push(hash);
            }
        });
    }

    /// How many leaves there are, and the root over them.
    pub fn head(&self) -> Head {
        self.frontier.head()
    }

    /// The hash of leaf `index`.
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        self.stored(0, index)
    }

    /// True if a leaf has this hash.
    pub fn contains(&self, hash: &Digest) -> bool {
        self.rows.first().is_some_and(|row| row.contains(hash))
    }

    fn stored(&self, row: u8, index: u64) -> Option<Digest> {
        let index = usize::try_from(index).ok()?;
        self.rows.get(usize::from(row))?.get(index).copied()
    }

    fn computed(&self, level: u8, index: u64) -> Option<Digest> {
        if level.is_multiple_of(LEVELS_PER_TILE) {
            return self.stored(level / LEVELS_PER_TILE, index);
        }
        let left = self.computed(level - 1, index.checked_mul(2)?)?;
        let right = self.computed(level - 1, index.checked_mul(2)?.checked_add(1)?)?;
        Some(node_hash(&left, &right))
    }
}

/// A node that the tree does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected node {index} of level {level} to exist")]
pub struct NoNode {
    level: u8,
    index: u64,
}

impl HashSource for Nodes {
    type Error = NoNode;

    fn node(&self, level: u8, index: u64) -> Result<Digest, NoNode> {
        self.computed(level, index).ok_or(NoNode { level, index })
    }
}
