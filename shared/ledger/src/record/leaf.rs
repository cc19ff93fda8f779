//! A record, signed, as the log stores it.

use prost::Message as _;

use super::{Body, Canonical, Payload, RecordError, Wire, fixed};
use crate::digest::{Digest, sha256};
use crate::generated::record as message;
use crate::signing::{PublicKey, Signature, SigningKey};
use crate::time::Timestamp;

/// The most bytes a leaf may have: the length prefix of an entry bundle has 16 bits.
pub const LEAF_BYTES_MAX: usize = 65_535;

/// What happened, when, and by whom; not yet signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<B = Body> {
    /// When, by the clock of whoever keeps the log; never less than the record before.
    pub at: Timestamp,
    /// Whose record it is.
    pub author: PublicKey,
    /// What it says.
    pub body: B,
}

/// The exact bytes of one leaf, not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafBytes(Vec<u8>);

/// A signed record and the exact bytes that stand for it.
///
/// The bytes are the canonical encoding of the record and its signature. That the signature
/// *verifies* is a separate question: [`Leaf::verify_signature`].
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf<B = Body> {
    record: Record<B>,
    signature: Signature,
    bytes: LeafBytes,
}

impl<B: Payload> Record<B> {
    /// The record with its author's signature, in the log whose leaf 0 has the digest `genesis`
    /// (ignored for leaf 0 itself).
    ///
    /// # Errors
    ///
    /// [`RecordError::WrongAuthor`] if `key` is not the author's, [`RecordError::TooLong`] if the
    /// leaf would be too long.
    pub fn sign(self, key: &SigningKey, genesis: &Digest) -> Result<Leaf<B>, RecordError> {
        if key.public() != self.author {
            return Err(RecordError::WrongAuthor);
        }
        let over = if self.body.is_genesis() { &Digest::ZERO } else { genesis };
        let signature = key.sign_body(self.body.kind(), over, &self.body.encode());
        self.with_signature(signature)
    }

    /// The record with a signature that was made elsewhere. It is not verified here.
    ///
    /// # Errors
    ///
    /// [`RecordError::TooLong`] if the leaf would be too long.
    pub fn with_signature(self, signature: Signature) -> Result<Leaf<B>, RecordError> {
        let envelope = Envelope {
            at: self.at,
            kind: self.body.kind_number(),
            body: self.body.encode(),
            author: self.author,
            signature,
        };
        let bytes = LeafBytes::new(envelope.encode())?;
        Ok(Leaf { record: self, signature, bytes })
    }
}

impl<B: Payload> Leaf<B> {
    /// The leaf with these bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the bytes are not the canonical encoding of a record that this log may
    /// hold.
    pub fn decode(bytes: impl Into<Vec<u8>>) -> Result<Self, RecordError> {
        let bytes = LeafBytes::new(bytes.into())?;
        let envelope = Envelope::decode(bytes.as_slice())?;
        let body = B::decode(envelope.kind, &envelope.body)?;
        let record = Record { at: envelope.at, author: envelope.author, body };
        Ok(Self { record, signature: envelope.signature, bytes })
    }

    /// Checks that the author signed this body for the log whose leaf 0 has the digest `genesis`
    /// (ignored for leaf 0 itself). Whether the author may say so is for the reader to decide.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if it does not verify.
    pub fn verify_signature(&self, genesis: &Digest) -> Result<(), RecordError> {
        let body = &self.record.body;
        let over = if body.is_genesis() { &Digest::ZERO } else { genesis };
        self.record
            .author
            .verify_body(body.kind(), over, &body.encode(), &self.signature)
            .map_err(|_| RecordError::BadSignature(body.kind()))
    }
}

impl<B> Leaf<B> {
    /// What happened, when, and by whom.
    pub const fn record(&self) -> &Record<B> {
        &self.record
    }

    /// When, by the clock of whoever keeps the log.
    pub const fn at(&self) -> Timestamp {
        self.record.at
    }

    /// Whose record it is.
    pub const fn author(&self) -> &PublicKey {
        &self.record.author
    }

    /// What it says.
    pub const fn body(&self) -> &B {
        &self.record.body
    }

    /// The author's signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The exact bytes.
    pub const fn bytes(&self) -> &LeafBytes {
        &self.bytes
    }

    /// SHA-256 of the exact bytes; of leaf 0, the log's genesis digest. Not the tree's leaf hash.
    pub fn digest(&self) -> Digest {
        sha256(self.bytes.as_slice())
    }

    /// The exact bytes, without the rest.
    pub fn into_bytes(self) -> LeafBytes {
        self.bytes
    }
}

impl LeafBytes {
    /// The leaf with these bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError::TooLong`] if there are more than [`LEAF_BYTES_MAX`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, RecordError> {
        let bytes = bytes.into();
        if bytes.len() > LEAF_BYTES_MAX {
            return Err(RecordError::TooLong(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The number of the kind that the envelope names, and nothing else of it: for whoever looks for one kind among many and decodes what
    /// he finds. `None` if the bytes are no envelope.
    pub(crate) fn kind_number(&self) -> Option<i32> {
        message::Record::decode(self.as_slice()).ok().map(|record| record.kind)
    }

    /// The bytes, owned.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for LeafBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The outer message of a leaf. `counterfoil.population.v1.Entry` has the same fields and numbers,
/// so one envelope serves both logs.
struct Envelope {
    at: Timestamp,
    kind: i32,
    body: Vec<u8>,
    author: PublicKey,
    signature: Signature,
}

impl Wire for Envelope {
    type Message = message::Record;
    const TYPE: &'static str = "record";

    fn to_message(&self) -> message::Record {
        message::Record {
            at_ms: self.at.as_millis(),
            kind: self.kind,
            body: self.body.clone(),
            author: self.author.as_bytes().to_vec(),
            signature: self.signature.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Record) -> Result<Self, RecordError> {
        Ok(Self {
            at: Timestamp::from_millis(m.at_ms),
            kind: m.kind,
            author: fixed("author", &m.author)?,
            signature: fixed("signature", &m.signature)?,
            body: m.body,
        })
    }
}
