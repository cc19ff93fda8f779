//! The keys of a log, one after another.

use super::{CheckpointError, LogIdentity, SignedCheckpoint, claimed_size};
use crate::digest::Digest;
use crate::generated::record::RecordKind;
use crate::record::{Body, Leaf, LeafBytes};
use crate::signing::PublicKey;

/// Which key signs a log's checkpoint of which size.
///
/// A record of a new key at leaf `index` speaks of every larger tree, itself included, and of no smaller one: so the key is a function of
/// the size, and there is nothing else to know when a checkpoint is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    genesis: Digest,
    first: PublicKey,
    /// Each with the leaf that brought it, ascending.
    later: Vec<(u64, PublicKey)>,
}

impl LogKeys {
    /// The keys of a log that has had only its first one.
    pub const fn new(first: LogIdentity) -> Self {
        Self { genesis: first.genesis, first: first.key, later: Vec::new() }
    }

    /// Leaf `index` brings another key; leaves before that of the newest key change nothing.
    pub fn change(&mut self, index: u64, key: PublicKey) {
        if self.later.last().is_none_or(|(last, _)| *last < index) {
            self.later.push((index, key));
        }
    }

    /// Leaf `index` brings another key if it says so. Whether it may is for whoever folds the log to find out.
    pub fn read(&mut self, index: u64, leaf: &LeafBytes) {
        if leaf.kind_number() == Some(RecordKind::LogKey.into())
            && let Ok(leaf) = Leaf::<Body>::decode(leaf.as_slice())
            && let Body::LogKey(record) = leaf.body()
        {
            self.change(index, record.change.new_key);
        }
    }

    /// The identity that signs the checkpoint of `size` leaves.
    pub fn at(&self, size: u64) -> LogIdentity {
        let later = self.later.iter().rev().find(|(index, _)| *index < size);
        LogIdentity { genesis: self.genesis, key: later.map_or(self.first, |(_, key)| *key) }
    }

    /// The identity that signs from now on.
    pub fn newest(&self) -> LogIdentity {
        self.at(u64::MAX)
    }

    /// All keys with the leaf that brought each but the first, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Option<u64>, PublicKey)> {
        let later = self.later.iter().map(|(index, key)| (Some(*index), *key));
        core::iter::once((None, self.first)).chain(later)
    }

    /// Reads a checkpoint and verifies that the key of its size signed it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] as [`SignedCheckpoint::open`].
    pub fn open(&self, text: &str) -> Result<SignedCheckpoint, CheckpointError> {
        SignedCheckpoint::open(text, &self.at(claimed_size(text)?))
    }
}
