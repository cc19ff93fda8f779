//! Keyed sketches of unit ids, to find out that two populations overlap.

use std::collections::BTreeSet;
use std::fmt;

use ring::hmac;

use crate::record::{RecordError, refused};

/// The bytes of one hash in a sketch.
const HASH_BYTES: usize = 8;

/// The secret key of a bank's sketches. It stays at the bank, for life: sketches under different
/// keys cannot be compared. Nothing prints it.
pub struct SketchKey(hmac::Key);

/// The k smallest keyed hashes of a population's unit ids.
///
/// Without the key it says nothing about who is in it. Two sketches share a hash if their
/// populations share a unit whose hash is small enough to be in both: of two populations whose
/// union has a fraction J in common, k hashes miss the overlap with probability about (1−J)^k.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(BTreeSet<[u8; HASH_BYTES]>);

impl SketchKey {
    /// The key with these bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

impl Sketch {
    /// The most hashes a sketch may hold, so that its entry stays within a leaf.
    pub const HASHES_MAX: usize = 4096;

    /// The `count` smallest of the leading 8 bytes of HMAC-SHA-256(`key`, id) over all `ids`, at
    /// most 4096. Order and repetition of the ids do not matter.
    pub fn of<I>(key: &SketchKey, ids: I, count: usize) -> Self
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        let mut smallest = BTreeSet::new();
        for id in ids {
            let tag = hmac::sign(&key.0, id.as_ref());
            if let Some(hash) = tag.as_ref().first_chunk::<HASH_BYTES>() {
                smallest.insert(*hash);
            }
            if smallest.len() > count.min(Self::HASHES_MAX) {
                smallest.pop_last();
            }
        }
        Self(smallest)
    }

    /// The sketch of both populations together, at most 4096 hashes.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().take(Self::HASHES_MAX).collect())
    }

    /// Whether both hold a hash in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }

    /// The hashes, ascending, without separators.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().copied().collect()
    }

    /// The sketch with these bytes. Whether they ascend is checked where the record that holds them
    /// is decoded.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if the bytes are not up to 4096 hashes of 8 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() || hashes.len() > Self::HASHES_MAX {
            let found = format!("{} bytes", bytes.len());
            return Err(refused("sketch", "up to 4096 hashes of 8 bytes", found));
        }
        Ok(Self(hashes.iter().copied().collect()))
    }
}

impl fmt::Debug for SketchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SketchKey(secret)")
    }
}
