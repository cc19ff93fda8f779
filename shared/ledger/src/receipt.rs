//! A record with the proof that it is in the log, in one file ([C2SP tlog-proof]).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra ⟨the leaf's exact bytes in base64⟩
//! index ⟨the leaf's index⟩
//! ⟨a hash of the inclusion proof in base64⟩
//! …
//!
//! ⟨the checkpoint⟩
//! ```
//!
//! The format's `extra` line carries what a verifier needs to compute the leaf hash; here that is
//! the leaf itself, so a receipt needs nothing beside it but the log's identity.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::checkpoint::{
    CHECKPOINT_BYTES_MAX, CheckpointError, LogIdentity, LogKeys, SignedCheckpoint, parse_decimal,
    parse_hash,
};
use crate::digest::Digest;
use crate::record::{Leaf, LeafBytes, Payload, RecordError};
use crate::tree::{ProofMismatch, leaf_hash, verify_inclusion};

const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// A tree of fewer than 2^64 leaves has no longer path.
const PROOF_HASHES_MAX: usize = 64;

/// A record's place in a log, and the proof of it. Not yet verified: see [`Receipt::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The leaf's index.
    pub index: u64,
    /// The leaf's exact bytes.
    pub leaf: LeafBytes,
    /// The inclusion proof, from the leaf upwards.
    pub proof: Vec<Digest>,
    /// The checkpoint's exact text.
    pub checkpoint: String,
}

/// What a verified receipt proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven<B> {
    /// The leaf's index.
    pub index: u64,
    /// The leaf.
    pub leaf: Leaf<B>,
    /// The checkpoint under which the leaf stands.
    pub checkpoint: SignedCheckpoint,
}

/// A receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReceiptError {
    /// Not a receipt file.
    #[error("expected a receipt, got a text with {0}")]
    Malformed(&'static str),
    /// The leaf is no record, or its author's signature does not verify.
    #[error(transparent)]
    Leaf(#[from] RecordError),
    /// The checkpoint is not one of the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofMismatch),
}

impl Receipt {
    /// The receipt as a file.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{MAGIC}\nextra {}\nindex {}\n",
            STANDARD.encode(self.leaf.as_slice()),
            self.index
        );
        for hash in &self.proof {
            text.push_str(&STANDARD.encode(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a receipt's file.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Malformed`] if the text is not the one spelling of a receipt.
    pub fn from_text(text: &str) -> Result<Self, ReceiptError> {
        Self::parse(text, None)
    }

    /// Reads a proof of `leaf`, whose file may lack the leaf, as those of other programs do.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Malformed`] if the text is no proof, or holds another leaf.
    pub fn from_text_with(text: &str, leaf: LeafBytes) -> Result<Self, ReceiptError> {
        Self::parse(text, Some(leaf))
    }

    fn parse(text: &str, given: Option<LeafBytes>) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        if checkpoint.len() > CHECKPOINT_BYTES_MAX {
            return Err(malformed("a checkpoint of more than 64 KiB"));
        }
        let mut lines = head.split('\n');
        if lines.next() != Some(MAGIC) {
            return Err(malformed("another first line"));
        }
        let mut lines = lines.peekable();
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let held = extra
            .and_then(|line| line.strip_prefix("extra "))
            .map(|encoded| STANDARD.decode(encoded));
        let leaf = match (held, given) {
            (Some(Ok(held)), None) => LeafBytes::new(held)?,
            (Some(Ok(held)), Some(given)) if held == given.as_slice() => given,
            (None, Some(given)) => given,
            (Some(Ok(_)), Some(_)) => return Err(malformed("another leaf in its second line")),
            (Some(Err(_)) | None, _) => {
                return Err(malformed("no leaf in base64 in its second line"));
            }
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(malformed("no index in the line after it"))?;
        let proof = lines
            .map(parse_hash)
            .collect::<Option<Vec<_>>>()
            .ok_or(malformed("a line that is no base64 hash"))?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(malformed("more hashes than a path can have"));
        }
        Ok(Self { index, leaf, proof, checkpoint: checkpoint.to_owned() })
    }

    /// Checks everything that a receipt can prove by itself: the log signed the checkpoint, the leaf
    /// stands under it at the index, and the leaf's author signed the leaf for this log. Whether the
    /// author is a member is for the reader of the log.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] with what does not hold.
    pub fn verify<B: Payload>(&self, log: &LogIdentity) -> Result<Proven<B>, ReceiptError> {
        self.verify_in(&LogKeys::new(*log))
    }

    /// [`Receipt::verify`] for a log whose key has changed.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] with what does not hold.
    pub fn verify_in<B: Payload>(&self, keys: &LogKeys) -> Result<Proven<B>, ReceiptError> {
        let checkpoint = keys.open(&self.checkpoint)?;
        let head = checkpoint.head();
        let hash = leaf_hash(self.leaf.as_slice());
        verify_inclusion(self.index, head.size, &head.root, &hash, &self.proof)?;
        let leaf = Leaf::decode(self.leaf.as_slice())?;
        leaf.verify_signature(&keys.newest().genesis)?;
        Ok(Proven { index: self.index, leaf, checkpoint })
    }
}
