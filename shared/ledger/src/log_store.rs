//! What a log needs of its storage.
//!
//! Two traits, with their contracts in prose. Whoever implements them keeps to every sentence; who
//! uses them may rely on every sentence, also across a crash at any point.

use std::ops::Range;

use thiserror::Error;

use crate::checkpoint::SignedCheckpoint;
use crate::digest::{Digest, sha256};
use crate::record::LeafBytes;
use crate::tree::{HashSource, Head, range_root};

/// The largest blob that is kept in the log's own storage, and may be committed with leaves.
pub const SMALL_BLOB_BYTES_MAX: usize = 64 * 1024;

/// Storage of one log.
///
/// - One owner: while a store is open, no other process or value can append to the same log. A store
///   that is shared has an owner only while it is [held](LogStore::hold); in between others may append.
/// - The tree is the store's: it hashes what it appends, and serves every node that exists.
/// - After an error of a write the store is *poisoned*: every further write is refused until it is
///   opened again, because what became durable is not known. Reading goes on.
pub trait LogStore: HashSource<Error: std::error::Error + Send + Sync + 'static> {
    /// Takes a shared log for this value alone, and learns what others have appended: the head may be
    /// another afterwards, and is one that goes on from the head before. Holding it twice is holding it
    /// once. What a process held is free when it ends, however it ends. A store with one owner has
    /// nothing to do.
    ///
    /// # Errors
    ///
    /// If the log does not go on from the head before, others hold it for too long, or storage fails.
    /// Nothing is changed, and the store is not poisoned.
    fn hold(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Lets others append.
    fn let_go(&mut self) {}

    /// The number of leaves and the root over them, as of the last append that returned or the last
    /// [`hold`](Self::hold).
    fn head(&self) -> Head;

    /// Whether the log goes on from `earlier`: it is no shorter, and had that root at that size.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn extends(&self, earlier: &Head) -> Result<bool, Self::Error>
    where
        Self: Sized,
    {
        Ok(earlier.size <= self.head().size && range_root(self, 0, earlier.size)? == earlier.root)
    }

    /// Appends `leaves` in order and stores `blobs`, if the head is still `expected`.
    ///
    /// All or nothing, and durable when it returns `Ok`. If it returns
    /// [`AppendError::Store`], or the process dies inside, all or nothing has become durable, and
    /// opening the store again finds out which.
    ///
    /// # Errors
    ///
    /// [`AppendError::Moved`] if the head is not `expected`: nothing is changed, and the store is not
    /// poisoned. [`AppendError::Store`] if storage fails.
    fn append(
        &mut self,
        expected: &Head,
        leaves: &[LeafBytes],
        blobs: &[SmallBlob],
    ) -> Result<Head, AppendError<Self::Error>>;

    /// The bytes of leaf `index`, or `None` if the log is not that long.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn leaf(&self, index: u64) -> Result<Option<LeafBytes>, Self::Error>;

    /// The bytes of the leaves in `range`, as far as the log reaches, in order.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn leaves(&self, range: Range<u64>) -> Result<Vec<LeafBytes>, Self::Error>;

    /// The text of the checkpoint that was put last, or of an earlier one after a crash. Its signature
    /// is for the reader to verify.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn checkpoint(&self) -> Result<Option<String>, Self::Error>;

    /// Keeps a checkpoint in place of the one before.
    ///
    /// Not durable by itself, so it costs no fsync: a crash may bring back an earlier one. A
    /// checkpoint is signed after the append it speaks of, so one that is found never speaks of
    /// leaves that are not there; and signing the same head again gives the same bytes.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn put_checkpoint(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), Self::Error>;

    /// The snapshot that was put last.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn snapshot(&self) -> Result<Option<Snapshot>, Self::Error>;

    /// Keeps a snapshot in place of the one before; durable when it returns.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Self::Error>;
}

/// Content-addressed storage: a blob's name is its SHA-256.
pub trait BlobStore {
    /// Why a blob cannot be stored or read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Stores a blob, durably once it returns. Storing one that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// If storage fails: then the blob may or may not be there, and is whole if it is.
    fn put(&self, bytes: &[u8]) -> Result<Digest, Self::Error>;

    /// The blob with this digest, or `None` if there is none. What is returned has this digest: a
    /// blob that was damaged is an error.
    ///
    /// # Errors
    ///
    /// If storage fails or the blob is damaged.
    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Self::Error>;

    /// How many bytes the blob has, or `None` if there is none. Its contents are not checked.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn len(&self, digest: &Digest) -> Result<Option<u64>, Self::Error>;

    /// Whether there is a blob with this digest. Its contents are not checked.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn contains(&self, digest: &Digest) -> Result<bool, Self::Error> {
        Ok(self.len(digest)?.is_some())
    }
}

/// The state of whoever folds the log, after its leading `size` leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many leaves were folded.
    pub size: u64,
    /// The state, in the encoding of whoever folds.
    pub bytes: Vec<u8>,
}

/// A blob that is small enough to be committed with leaves, and its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct SmallBlob {
    digest: Digest,
    bytes: Vec<u8>,
}

/// A blob is larger than [`SMALL_BLOB_BYTES_MAX`]; here it is again.
#[derive(Clone, PartialEq, Eq, Error)]
#[error("expected a blob of at most {SMALL_BLOB_BYTES_MAX} bytes, got {}", .bytes.len())]
pub struct BlobTooLarge {
    /// The blob's bytes.
    pub bytes: Vec<u8>,
}

/// Nothing was appended, or it is not known whether something was.
#[derive(Debug, Error)]
pub enum AppendError<E> {
    /// The log has another head than the caller thought. Nothing was appended.
    #[error("expected the log at size {}, found it at size {}", .expected.size, .found.size)]
    Moved {
        /// What the caller expected.
        expected: Head,
        /// The log's head.
        found: Head,
    },
    /// Storage failed. Opening the store again finds out whether the append is durable.
    #[error(transparent)]
    Store(#[from] E),
}

impl SmallBlob {
    /// The blob with these bytes; its digest is computed here.
    ///
    /// # Errors
    ///
    /// [`BlobTooLarge`] if there are more than [`SMALL_BLOB_BYTES_MAX`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, BlobTooLarge> {
        if bytes.len() > SMALL_BLOB_BYTES_MAX {
            return Err(BlobTooLarge { bytes });
        }
        Ok(Self { digest: sha256(&bytes), bytes })
    }

    /// Its name: SHA-256 of the bytes.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for SmallBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmallBlob({}, {} bytes)", self.digest, self.bytes.len())
    }
}

impl std::fmt::Debug for BlobTooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlobTooLarge({} bytes)", self.bytes.len())
    }
}
