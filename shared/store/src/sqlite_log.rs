//! A log in an SQLite database.

mod confirmed;
mod schema;
mod shared;

use std::ops::Range;
use std::path::{Path, PathBuf};

use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::Digest;
use ledger::log_store::{AppendError, LogStore, SmallBlob, Snapshot};
use ledger::record::LeafBytes;
use ledger::tree::{Frontier, HashSource, Head, ProofError, leaf_hash, root_at};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::directory::sync_dir;
use crate::error::StoreError;
use crate::lock::{FileIdentity, Lock, SharedLock};
use crate::second_place::SecondPlace;
use crate::syncs::Syncs;
use schema::node_key;

/// A log in an SQLite database that one process has open, or several that take turns.
#[derive(Debug)]
pub struct SqliteLog {
    connection: Connection,
    frontier: Frontier,
    poisoned: bool,
    syncs: Syncs,
    second: Option<SecondPlace>,
    path: PathBuf,
    file: FileIdentity,
    owner: Owner,
    held: bool,
}

/// Who may append.
#[derive(Debug)]
enum Owner {
    /// This value, for as long as it lives.
    ForGood { _lock: Lock },
    /// Whoever holds the lock.
    InTurn(SharedLock),
}

impl SqliteLog {
    /// Opens the log at `path`, creates it if it is missing, and checks that the tree's right edge
    /// fits the leaves, and the tree the last checkpoint.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::Damaged`] if the checks
    /// fail, [`StoreError::Format`] if another version wrote it, or the disk fails.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_by(path, Owner::ForGood { _lock: Lock::take(path)? })
    }

    fn open_by(path: &Path, owner: Owner) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        schema::prepare(&connection)?;
        if let Some(parent) = path.parent() {
            sync_dir(parent)?;
        }
        let frontier = read_frontier(&connection)?;
        let log = Self {
            connection,
            frontier,
            poisoned: false,
            syncs: Syncs::new(),
            second: None,
            path: path.to_owned(),
            file: FileIdentity::at(path)?,
            owner,
            held: true,
        };
        log.check_edge()?;
        log.check_checkpoint()?;
        Ok(log)
    }

    /// Erases a small blob. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the database cannot be written.
    pub fn remove_blob(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM blob WHERE digest = ?1", [digest.as_bytes()])?;
        Ok(())
    }

    /// The count of fsyncs, shared with the log.
    pub const fn syncs(&self) -> &Syncs {
        &self.syncs
    }

    /// Checks every leaf against the tree: reads all of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a leaf or a node is not what it was.
    pub fn scrub(&self) -> Result<(), StoreError> {
        let mut frontier = Frontier::new();
        let mut damage = None;
        while frontier.size() < self.frontier.size() {
            let start = frontier.size();
            let page = self.leaves(start..start + 1024)?;
            if page.is_empty() {
                break;
            }
            for leaf in page {
                frontier.push(leaf_hash(leaf.as_slice()), |level, index, hash| {
                    if self.node(level, index).ok() != Some(hash) {
                        damage = Some("every node to be the hash of its leaves");
                    }
                });
            }
        }
        if frontier != self.frontier {
            damage = Some("the leaves to have the log's root");
        }
        damage.map_or(Ok(()), |expected| Err(StoreError::Damaged { expected }))
    }

    /// The frontier is written with each append: its hashes must be the stored nodes, and its size
    /// the number of leaves.
    fn check_edge(&self) -> Result<(), StoreError> {
        let size = self.frontier.size();
        let stored: Option<i64> =
            self.connection.query_row("SELECT max(position) FROM leaf", [], |row| row.get(0))?;
        if stored.map_or(Ok(0), |last| u64::try_from(last).map(|last| last + 1)) != Ok(size) {
            return Err(StoreError::Damaged { expected: "as many leaves as the tree has" });
        }
        let root = self.root_at(size)?;
        if root != self.frontier.root() {
            return Err(StoreError::Damaged { expected: "nodes that fit the tree's edge" });
        }
        Ok(())
    }

    fn check_checkpoint(&self) -> Result<(), StoreError> {
        let kept = self
            .connection
            .query_row("SELECT size, root FROM checkpoint", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
            })
            .optional()?;
        let Some((size, root)) = kept else {
            return Ok(());
        };
        let expected = "the leaves under the last checkpoint";
        let size = u64::try_from(size).map_err(|_| StoreError::Damaged { expected })?;
        if size > self.frontier.size() || self.root_at(size)? != Digest::from_bytes(root) {
            return Err(StoreError::Damaged { expected });
        }
        Ok(())
    }

    fn root_at(&self, size: u64) -> Result<Digest, StoreError> {
        root_at(self, size).map_err(|error| match error {
            ProofError::Source(error) => error,
            ProofError::OutOfRange { .. } => {
                StoreError::Damaged { expected: "as many leaves as the tree has" }
            }
        })
    }

    /// Appends while the log is held; see [`LogStore::append`].
    fn append_held(
        &mut self,
        expected: &Head,
        leaves: &[LeafBytes],
        blobs: &[SmallBlob],
    ) -> Result<Head, AppendError<StoreError>> {
        let found = self.head();
        if found != *expected {
            return Err(AppendError::Moved { expected: *expected, found });
        }
        self.frontier = self.guard(|log| {
            let frontier = log.write(leaves, blobs)?;
            // A crash here leaves an earlier head in the second place: the log goes on from it. A failure here is one of the append.
            if let Some(second) = &log.second {
                second.replace(Some(&found), &frontier.head())?;
            }
            Ok(frontier)
        })?;
        self.syncs.add_one();
        Ok(self.head())
    }

    /// One transaction; the frontier that holds once it is committed.
    fn write(&mut self, leaves: &[LeafBytes], blobs: &[SmallBlob]) -> Result<Frontier, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut frontier = self.frontier.clone();
        {
            let mut add_leaf =
                transaction.prepare_cached("INSERT INTO leaf (position, bytes) VALUES (?1, ?2)")?;
            let mut add_node =
                transaction.prepare_cached("INSERT INTO node (key, hash) VALUES (?1, ?2)")?;
            for leaf in leaves {
                add_leaf.execute(params![integer(frontier.size())?, leaf.as_slice()])?;
                let mut nodes = Vec::new();
                frontier.push(leaf_hash(leaf.as_slice()), |level, index, hash| {
                    nodes.push((level, index, hash));
                });
                for (level, index, hash) in nodes {
                    add_node.execute(params![node_key(level, index)?, hash.as_bytes()])?;
                }
            }
            let mut add_blob = transaction
                .prepare_cached("INSERT OR IGNORE INTO blob (digest, bytes) VALUES (?1, ?2)")?;
            for blob in blobs {
                add_blob.execute(params![blob.digest().as_bytes(), blob.bytes()])?;
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO frontier (id, bytes) VALUES (0, ?1)")?
                .execute([frontier.to_bytes()])?;
        }
        // A crash before this returns leaves all of the append or nothing: SQLite finds out which
        // when it reads its write-ahead log.
        transaction.commit()?;
        Ok(frontier)
    }

    fn write_checkpoint(&self, checkpoint: &SignedCheckpoint) -> Result<(), StoreError> {
        // Without an fsync: the next append's makes it durable, and until then a crash may bring the
        // earlier checkpoint back, as the contract says.
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        let head = checkpoint.head();
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO checkpoint (id, size, root, text) VALUES (0, ?1, ?2, ?3)",
            )?
            .execute(params![integer(head.size)?, head.root.as_bytes(), checkpoint.text()])?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(())
    }

    fn write_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO snapshot (id, size, bytes) VALUES (0, ?1, ?2)")?
            .execute(params![integer(snapshot.size)?, snapshot.bytes])?;
        self.syncs.add_one();
        Ok(())
    }

    /// Runs a write, unless an earlier one failed; remembers if this one does.
    fn guard<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let written = write(self);
        self.poisoned = written.is_err();
        written
    }
}

impl HashSource for SqliteLog {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT hash FROM node WHERE key = ?1")?;
        let hash: Option<[u8; 32]> =
            statement.query_row([node_key(level, index)?], |row| row.get(0)).optional()?;
        hash.map(Digest::from_bytes).ok_or(StoreError::NoNode { level, index })
    }
}

impl LogStore for SqliteLog {
    fn head(&self) -> Head {
        self.frontier.head()
    }

    fn append(
        &mut self,
        expected: &Head,
        leaves: &[LeafBytes],
        blobs: &[SmallBlob],
    ) -> Result<Head, AppendError<StoreError>> {
        if self.poisoned {
            return Err(StoreError::Poisoned.into());
        }
        let held = self.held;
        self.hold()?;
        let appended = self.append_held(expected, leaves, blobs);
        if !held {
            self.let_go();
        }
        appended
    }

    fn hold(&mut self) -> Result<(), StoreError> {
        self.take_turn()
    }

    fn let_go(&mut self) {
        self.end_turn();
    }

    fn leaf(&self, index: u64) -> Result<Option<LeafBytes>, StoreError> {
        Ok(self.leaves(index..index.saturating_add(1))?.pop())
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<LeafBytes>, StoreError> {
        let end = range.end.min(self.frontier.size());
        let start = range.start.min(end);
        let mut statement = self.connection.prepare_cached(
            "SELECT bytes FROM leaf WHERE position >= ?1 AND position < ?2 ORDER BY position",
        )?;
        let rows = statement
            .query_map([integer(start)?, integer(end)?], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| {
            LeafBytes::new(row?)
                .map_err(|_| StoreError::Damaged { expected: "leaves of at most 64 KiB" })
        })
        .collect()
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT text FROM checkpoint")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    fn put_checkpoint(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), StoreError> {
        self.guard(|log| log.write_checkpoint(checkpoint))
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT size, bytes FROM snapshot")?;
        let row: Option<(i64, Vec<u8>)> =
            statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((size, bytes)) = row else {
            return Ok(None);
        };
        let expected = "a snapshot of a size that is not negative";
        let size = u64::try_from(size).map_err(|_| StoreError::Damaged { expected })?;
        Ok(Some(Snapshot { size, bytes }))
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.guard(|log| log.write_snapshot(snapshot))
    }
}

fn read_frontier(connection: &Connection) -> Result<Frontier, StoreError> {
    let bytes: Option<Vec<u8>> =
        connection.query_row("SELECT bytes FROM frontier", [], |row| row.get(0)).optional()?;
    match bytes {
        None => Ok(Frontier::new()),
        Some(bytes) => Frontier::from_bytes(&bytes)
            .map_err(|_| StoreError::Damaged { expected: "the tree's edge to be readable" }),
    }
}

/// SQLite's integers have a sign.
fn integer(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge(value))
}
