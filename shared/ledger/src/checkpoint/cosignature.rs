//! Timestamped cosignatures of a checkpoint ([C2SP tlog-cosignature], cosignature/v1).
//!
//! A witness signs `cosignature/v1`, a line with its clock in seconds, and the checkpoint's three lines. It says: I have seen no head of this
//! log that this one does not extend. The signature line holds the time as 8 bytes, then the 64 bytes of Ed25519.

use super::{
    CHECKPOINT_BYTES_MAX, CheckpointError, LogIdentity, NoteSignature, SignedCheckpoint, body_text,
};
use crate::digest::Digest;
use crate::signing::{Algorithm, PublicKey, Signature, SigningKey, VerifierKey, VerifierKeyError};

/// A cosignature that was made here, or verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    time: u64,
    line: NoteSignature,
}

/// The key with which the institution `name` cosigns the log whose leaf 0 has the digest `genesis`: the log's origin, a slash, and the name.
///
/// # Errors
///
/// None in practice: an institution's name is always a valid key name.
pub fn witness_key(
    genesis: &Digest,
    name: &str,
    key: PublicKey,
) -> Result<VerifierKey, VerifierKeyError> {
    VerifierKey::new(format!("counterfoil/{genesis}/{name}"), Algorithm::CosignatureV1, key)
}

impl SignedCheckpoint {
    /// Cosigns the checkpoint at `time`, in seconds since the Unix epoch.
    ///
    /// The caller has verified that it extends every checkpoint of this log that it cosigned before, and has made it durable: a
    /// witness that forgets what it cosigned witnesses nothing.
    pub fn cosign(
        &self,
        log: &LogIdentity,
        verifier: &VerifierKey,
        key: &SigningKey,
        time: u64,
    ) -> Cosignature {
        let signature = key.sign(message(log, self, time).as_bytes());
        let bytes = [&time.to_be_bytes()[..], signature.as_bytes()].concat();
        Cosignature { time, line: NoteSignature::new(verifier.name(), verifier.id(), &bytes) }
    }

    /// The cosignature by `witness`, if the note holds one.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::BadCosignature`] if a line under its name and id does not verify, or there are two.
    pub fn cosignature(
        &self,
        log: &LogIdentity,
        witness: &VerifierKey,
    ) -> Result<Option<Cosignature>, CheckpointError> {
        let mut lines = self.others.iter().filter(|line| is_by(line, witness));
        let Some(line) = lines.next() else { return Ok(None) };
        if lines.next().is_some() {
            return Err(CheckpointError::BadCosignature(witness.name().to_owned()));
        }
        self.verified(log, witness, line).map(Some)
    }

    /// The same note with `line` as a further signature line, if it is a cosignature by `witness`. A line that is there already changes
    /// nothing; a later one by the same witness takes its place.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::BadCosignature`] if it does not verify, [`CheckpointError::Malformed`] if the note would be too long.
    pub fn with_cosignature(
        &self,
        log: &LogIdentity,
        witness: &VerifierKey,
        line: &NoteSignature,
    ) -> Result<Self, CheckpointError> {
        if !is_by(line, witness) {
            return Err(CheckpointError::BadCosignature(witness.name().to_owned()));
        }
        let cosignature = self.verified(log, witness, line)?;
        let mut others = self.others.clone();
        others.retain(|other| !is_by(other, witness));
        others.push(cosignature.line);
        // One order, whoever came first.
        others.sort_by(|a, b| a.name().cmp(b.name()).then(a.id().cmp(&b.id())));
        let lines = core::iter::once(&self.own).chain(&others).map(ToString::to_string);
        let text = format!(
            "{}\n{}\n",
            body_text(&log.origin(), &self.head),
            lines.collect::<Vec<_>>().join("\n")
        );
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::Malformed("more than 64 KiB"));
        }
        Ok(Self { head: self.head, text, own: self.own.clone(), others })
    }

    fn verified(
        &self,
        log: &LogIdentity,
        witness: &VerifierKey,
        line: &NoteSignature,
    ) -> Result<Cosignature, CheckpointError> {
        let bad = || CheckpointError::BadCosignature(witness.name().to_owned());
        let (time, signature) = line.bytes().split_first_chunk::<8>().ok_or_else(bad)?;
        let time = u64::from_be_bytes(*time);
        let signature = Signature::try_from(signature).map_err(|_| bad())?;
        let key = witness.key();
        key.verify(message(log, self, time).as_bytes(), &signature).map_err(|_| bad())?;
        Ok(Cosignature { time, line: line.clone() })
    }
}

impl Cosignature {
    /// Seconds since the Unix epoch, by the witness's clock.
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// The signature line.
    pub const fn line(&self) -> &NoteSignature {
        &self.line
    }
}

fn is_by(line: &NoteSignature, witness: &VerifierKey) -> bool {
    line.name() == witness.name() && line.id() == witness.id()
}

/// What a witness signs.
fn message(log: &LogIdentity, checkpoint: &SignedCheckpoint, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{}", body_text(&log.origin(), &checkpoint.head))
}
