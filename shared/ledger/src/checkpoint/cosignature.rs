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
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Time`] if the format has no such time.
    pub fn cosign(
        &self,
        log: &LogIdentity,
        verifier: &VerifierKey,
        key: &SigningKey,
        time: u64,
    ) -> Result<Cosignature, CheckpointError> {
        Cosignature::sign(&body_text(&log.origin(), &self.head), verifier, key, time)
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
        Cosignature::verify(&body_text(&log.origin(), &self.head), witness, line).map(Some)
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
        let body = body_text(&log.origin(), &self.head);
        let cosignature = Cosignature::verify(&body, witness, line)?;
        let mut others = self.others.clone();
        others.retain(|other| !is_by(other, witness));
        others.push(cosignature.line);
        // One order, whoever came first.
        others.sort_by(|a, b| a.name().cmp(b.name()).then(a.id().cmp(&b.id())));
        let lines = core::iter::once(&self.own).chain(&others).map(ToString::to_string);
        let text = format!("{body}\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::Malformed("more than 64 KiB"));
        }
        Ok(Self { head: self.head, text, own: self.own.clone(), others })
    }
}

impl Cosignature {
    /// `witness` cosigns at `time` a checkpoint of any log by its `body`: all of the note before the empty line.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Time`] if the time is 0 or above 2^63 − 1.
    pub fn sign(
        body: &str,
        witness: &VerifierKey,
        key: &SigningKey,
        time: u64,
    ) -> Result<Self, CheckpointError> {
        if !is_time(time) {
            return Err(CheckpointError::Time(time));
        }
        let signature = key.sign(message(body, time).as_bytes());
        let bytes = [&time.to_be_bytes()[..], signature.as_bytes()].concat();
        Ok(Self { time, line: NoteSignature::new(witness.name(), witness.id(), &bytes) })
    }

    /// The cosignature in `line`, of a checkpoint of any log with this `body`.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::BadCosignature`] if it is not one by `witness`, or the format has no such time.
    pub fn verify(
        body: &str,
        witness: &VerifierKey,
        line: &NoteSignature,
    ) -> Result<Self, CheckpointError> {
        let bad = || CheckpointError::BadCosignature(witness.name().to_owned());
        let (time, signature) = line.bytes().split_first_chunk::<8>().ok_or_else(bad)?;
        let time = u64::from_be_bytes(*time);
        if !is_by(line, witness) || !is_time(time) {
            return Err(bad());
        }
        let signature = Signature::try_from(signature).map_err(|_| bad())?;
        witness.key().verify(message(body, time).as_bytes(), &signature).map_err(|_| bad())?;
        Ok(Self { time, line: line.clone() })
    }

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

/// A witness states when it looked (tlog-witness: never 0), within what the format can hold (tlog-cosignature: at most 2^63 − 1).
fn is_time(time: u64) -> bool {
    (1..=u64::MAX >> 1).contains(&time)
}

/// What a witness signs.
fn message(body: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{body}")
}
