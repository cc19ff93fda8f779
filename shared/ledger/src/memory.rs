//! Storage in memory: for tests with faults on demand, and for whoever needs a tree but no disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::checkpoint::SignedCheckpoint;
use crate::digest::{Digest, sha256};
use crate::log_store::{AppendError, BlobStore, LogStore, SmallBlob, Snapshot};
use crate::record::LeafBytes;
use crate::tree::{Frontier, HashSource, Head, leaf_hash};

/// A log in memory. Blobs that are committed with leaves go to its [`MemoryBlobs`].
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    leaves: Vec<LeafBytes>,
    nodes: Vec<Vec<Digest>>,
    frontier: Frontier,
    checkpoint: Option<String>,
    snapshot: Option<Snapshot>,
    blobs: MemoryBlobs,
    crash: Option<Crash>,
    poisoned: bool,
}

/// Blobs in memory. Clones share the same blobs, as two handles of one directory would.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<BTreeMap<Digest, Vec<u8>>>>);

/// When a [`MemoryLog`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// How many appends succeed before.
    pub after_appends: u64,
    /// Which side of durability the failing append falls on.
    pub point: CrashPoint,
}

/// Which side of durability an append fails on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Nothing of the append is there afterwards.
    BeforeDurable,
    /// All of the append is there afterwards; only the answer is lost.
    AfterDurable,
}

/// Why a store in memory refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// A fault that was asked for.
    #[error("expected to write, got the fault that was asked for")]
    Injected,
    /// A write failed before; the store must be opened again.
    #[error("expected a sound store, got one whose earlier write failed")]
    Poisoned,
    /// A node that does not exist.
    #[error("expected node {index} of level {level} to exist")]
    NoNode {
        /// The node's level.
        level: u8,
        /// The node's index.
        index: u64,
    },
}

impl MemoryLog {
    /// An empty log whose committed blobs go to `blobs`.
    pub fn new(blobs: MemoryBlobs) -> Self {
        Self { blobs, ..Self::default() }
    }

    /// The blobs that were committed with leaves.
    pub const fn blobs(&self) -> &MemoryBlobs {
        &self.blobs
    }

    /// Makes an append to come fail.
    pub const fn crash(&mut self, crash: Crash) {
        self.crash = Some(crash);
    }

    /// The log as a restart finds it: what was durable, and no fault.
    #[must_use]
    pub fn reopen(self) -> Self {
        Self { crash: None, poisoned: false, ..self }
    }

    fn write(&mut self, leaves: &[LeafBytes], blobs: &[SmallBlob]) {
        for blob in blobs {
            self.blobs.insert(*blob.digest(), blob.bytes());
        }
        for leaf in leaves {
            let nodes = &mut self.nodes;
            self.frontier.push(leaf_hash(leaf.as_slice()), |level, _, hash| {
                let level = usize::from(level);
                if nodes.len() <= level {
                    nodes.resize(level + 1, Vec::new());
                }
                // Nodes of a level are completed in order, so pushing puts each at its index.
                if let Some(row) = nodes.get_mut(level) {
                    row.push(hash);
                }
            });
            self.leaves.push(leaf.clone());
        }
    }

    /// Counts down to the fault that was asked for.
    const fn due(&mut self) -> Option<CrashPoint> {
        match &mut self.crash {
            Some(crash) if crash.after_appends == 0 => Some(crash.point),
            Some(crash) => {
                crash.after_appends -= 1;
                None
            }
            None => None,
        }
    }

    const fn writable(&self) -> Result<(), MemoryError> {
        if self.poisoned { Err(MemoryError::Poisoned) } else { Ok(()) }
    }
}

impl HashSource for MemoryLog {
    type Error = MemoryError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, MemoryError> {
        let position = usize::try_from(index).ok();
        self.nodes
            .get(usize::from(level))
            .zip(position)
            .and_then(|(row, position)| row.get(position))
            .copied()
            .ok_or(MemoryError::NoNode { level, index })
    }
}

impl LogStore for MemoryLog {
    fn head(&self) -> Head {
        self.frontier.head()
    }

    fn append(
        &mut self,
        expected: &Head,
        leaves: &[LeafBytes],
        blobs: &[SmallBlob],
    ) -> Result<Head, AppendError<MemoryError>> {
        self.writable()?;
        let found = self.head();
        if found != *expected {
            return Err(AppendError::Moved { expected: *expected, found });
        }
        let fault = self.due();
        self.poisoned = fault.is_some();
        match fault {
            Some(CrashPoint::BeforeDurable) => {}
            Some(CrashPoint::AfterDurable) | None => self.write(leaves, blobs),
        }
        if self.poisoned { Err(MemoryError::Injected.into()) } else { Ok(self.head()) }
    }

    fn leaf(&self, index: u64) -> Result<Option<LeafBytes>, MemoryError> {
        let position = usize::try_from(index).ok();
        Ok(position.and_then(|position| self.leaves.get(position)).cloned())
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<LeafBytes>, MemoryError> {
        let position = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        let start = position(range.start);
        let count = position(range.end).saturating_sub(start);
        Ok(self.leaves.iter().skip(start).take(count).cloned().collect())
    }

    fn checkpoint(&self) -> Result<Option<String>, MemoryError> {
        Ok(self.checkpoint.clone())
    }

    fn put_checkpoint(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), MemoryError> {
        self.writable()?;
        self.checkpoint = Some(checkpoint.text().to_owned());
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, MemoryError> {
        Ok(self.snapshot.clone())
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), MemoryError> {
        self.writable()?;
        self.snapshot = Some(snapshot.clone());
        Ok(())
    }
}

impl MemoryBlobs {
    /// No blobs.
    pub fn new() -> Self {
        Self::default()
    }

    fn insert(&self, digest: Digest, bytes: &[u8]) {
        // The map is whole at every step, so a panic elsewhere while it was held does no harm.
        let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.entry(digest).or_insert_with(|| bytes.to_vec());
    }
}

impl BlobStore for MemoryBlobs {
    type Error = MemoryError;

    fn put(&self, bytes: &[u8]) -> Result<Digest, MemoryError> {
        let digest = sha256(bytes);
        self.insert(digest, bytes);
        Ok(digest)
    }

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, MemoryError> {
        let blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(blobs.get(digest).cloned())
    }

    fn len(&self, digest: &Digest) -> Result<Option<u64>, MemoryError> {
        let blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(blobs.get(digest).map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
    }
}
