//! Signed heads of a log ([C2SP tlog-checkpoint], in a [C2SP signed-note]).
//!
//! ```text
//! counterfoil/⟨genesis digest⟩
//! ⟨size⟩
//! ⟨root in base64⟩
//!
//! — counterfoil/⟨genesis digest⟩ ⟨key id and Ed25519 signature in base64⟩
//! ```

mod contradiction;
mod cosignature;
mod keys;
mod note;
mod policy;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::digest::Digest;
use crate::signing::{Algorithm, PublicKey, Signature, SigningKey, VerifierKey, VerifierKeyError};
use crate::tree::Head;
pub(crate) use contradiction::excluding;
pub use contradiction::{
    CONTRADICTION_BYTES_MAX, CONTRADICTION_SCHEMA, CompareError, Contradiction, ContradictionError,
    Convicted, Path as ConsistencyPath,
};
pub use cosignature::{Cosignature, witness_key};
pub use keys::LogKeys;
use note::Note;
pub use note::NoteSignature;
pub use policy::{POLICY_BYTES_MAX, Policy, PolicyError};

/// The most bytes a checkpoint may have: room for hundreds of cosignatures.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// Which log: the digest of its leaf 0 and the key that signs its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogIdentity {
    /// SHA-256 of leaf 0.
    pub genesis: Digest,
    /// The key that signs checkpoints.
    pub key: PublicKey,
}

/// A checkpoint whose log's signature was verified.
///
/// Other signature lines, of witnesses or of nobody known, are kept as they came and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    head: Head,
    text: String,
    own: NoteSignature,
    others: Vec<NoteSignature>,
}

/// A text is no checkpoint of the expected log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// Not a signed note, or not one with the three lines of a checkpoint.
    #[error("expected a checkpoint, got a text with {0}")]
    Malformed(&'static str),
    /// The checkpoint of another log.
    #[error("expected origin {expected:?}, got {found:?}")]
    Origin {
        /// The log that was expected.
        expected: String,
        /// The log that the checkpoint names.
        found: String,
    },
    /// The log's key signed it not at all, or more than once.
    #[error("expected one signature by the log's key, got {0}")]
    Signatures(usize),
    /// The signature by the log's key does not verify.
    #[error("expected a valid signature by the log's key, got one that does not verify")]
    BadSignature,
    /// A cosignature under this witness's name and id does not verify, or is there twice.
    #[error("expected one valid cosignature by {0}, got another or one that does not verify")]
    BadCosignature(String),
    /// No cosignature can have been made then.
    #[error("expected a time from 1 to 2^63 - 1 seconds since the Unix epoch, got {0}")]
    Time(u64),
    /// The log's origin cannot be a key name.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
}

impl LogIdentity {
    /// The log's name in checkpoints: `counterfoil/` and its genesis digest.
    pub fn origin(&self) -> String {
        format!("counterfoil/{}", self.genesis)
    }

    /// The key that signs the log's checkpoints, under the log's name.
    ///
    /// # Errors
    ///
    /// None in practice: an origin is always a valid key name.
    pub fn verifier_key(&self) -> Result<VerifierKey, VerifierKeyError> {
        VerifierKey::new(self.origin(), Algorithm::Ed25519, self.key)
    }
}

impl SignedCheckpoint {
    /// Signs `head` for the log whose leaf 0 has the digest `genesis`.
    ///
    /// The caller signs only heads that are durable, each an extension of those it signed before.
    /// Signing the same head again gives the same bytes.
    ///
    /// # Errors
    ///
    /// None in practice: an origin is always a valid key name.
    pub fn sign(genesis: &Digest, head: Head, key: &SigningKey) -> Result<Self, CheckpointError> {
        let identity = LogIdentity { genesis: *genesis, key: key.public() };
        let verifier = identity.verifier_key()?;
        let body = body_text(&identity.origin(), &head);
        let signature = NoteSignature::new(
            verifier.name(),
            verifier.id(),
            key.sign(body.as_bytes()).as_bytes(),
        );
        let text = format!("{body}\n{signature}\n");
        Ok(Self { head, text, own: signature, others: Vec::new() })
    }

    /// Reads a checkpoint and verifies that the log `identity` signed it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the text is not a checkpoint in its one spelling (canonical base64, no
    /// leading zeros, no extension lines), or not of this log, or not signed by its key.
    pub fn open(text: &str, identity: &LogIdentity) -> Result<Self, CheckpointError> {
        let note = Note::parse(text).map_err(CheckpointError::Malformed)?;
        let (origin, head) = parse_body(note.body)?;
        let expected = identity.origin();
        if origin != expected {
            return Err(CheckpointError::Origin { expected, found: origin.to_owned() });
        }
        let verifier = identity.verifier_key()?;
        let (own, others): (Vec<_>, Vec<_>) = note
            .signatures
            .into_iter()
            .partition(|line| line.name() == verifier.name() && line.id() == verifier.id());
        let [line] = own.as_slice() else {
            return Err(CheckpointError::Signatures(own.len()));
        };
        let signature =
            Signature::try_from(line.bytes()).map_err(|_| CheckpointError::BadSignature)?;
        identity
            .key
            .verify(note.body.as_bytes(), &signature)
            .map_err(|_| CheckpointError::BadSignature)?;
        Ok(Self { head, text: text.to_owned(), own: line.clone(), others })
    }

    /// The checkpoint of `head` with a signature of the log `identity` that was made elsewhere.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::BadSignature`] if it does not verify.
    pub fn restore(
        identity: &LogIdentity,
        head: Head,
        signature: &Signature,
    ) -> Result<Self, CheckpointError> {
        let verifier = identity.verifier_key()?;
        let line = NoteSignature::new(verifier.name(), verifier.id(), signature.as_bytes());
        Self::open(&format!("{}\n{line}\n", body_text(&identity.origin(), &head)), identity)
    }

    /// The head that was signed.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The log's own signature.
    pub const fn own_signature(&self) -> &NoteSignature {
        &self.own
    }

    /// The signature lines that are not the log's. Nothing about them was verified.
    pub fn other_signatures(&self) -> &[NoteSignature] {
        &self.others
    }
}

fn body_text(origin: &str, head: &Head) -> String {
    format!("{origin}\n{}\n{}\n", head.size, STANDARD.encode(head.root.as_bytes()))
}

fn parse_body(body: &str) -> Result<(&str, Head), CheckpointError> {
    let mut lines = body.split_terminator('\n');
    let (Some(origin), Some(size), Some(root), None) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(CheckpointError::Malformed("other than three lines before the signatures"));
    };
    let size = parse_decimal(size).ok_or(CheckpointError::Malformed("a size that is no number"))?;
    let root =
        parse_hash(root).ok_or(CheckpointError::Malformed("a root that is no base64 hash"))?;
    if origin.is_empty() {
        return Err(CheckpointError::Malformed("an empty origin"));
    }
    Ok((origin, Head { size, root }))
}

/// The size that a checkpoint names. Nothing about it is verified.
///
/// # Errors
///
/// [`CheckpointError::Malformed`] if it is no checkpoint.
pub fn claimed_size(text: &str) -> Result<u64, CheckpointError> {
    let note = Note::parse(text).map_err(CheckpointError::Malformed)?;
    parse_body(note.body).map(|(_, head)| head.size)
}

/// A number without sign or leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash in canonical base64.
pub(crate) fn parse_hash(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).ok()?;
    Digest::try_from(bytes.as_slice()).ok()
}
