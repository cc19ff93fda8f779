//! A change of the key that signs the log's checkpoints.

use std::collections::BTreeMap;

use super::{Canonical, Institution, RecordError, Text, Wire, fixed, refused};
use crate::digest::Digest;
use crate::generated::record as message;
use crate::signing::{PublicKey, Signature, SigningKey};
use crate::tree::Head;

/// A change of the log's key, as the old key, the new key and the banks sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeyChange {
    /// The key so far.
    pub old_key: PublicKey,
    /// The key from here on.
    pub new_key: PublicKey,
    /// A head that the log had: whoever signs holds that this is the log. After a compromise it is the last one that the members
    /// cosigned, so that what the stolen key signed elsewhere is no history of the log.
    pub anchor: Head,
    /// Why, for people.
    pub reason: Text<256>,
}

/// Another key signs the checkpoints of every tree that holds this record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    /// What was signed.
    pub change: LogKeyChange,
    /// The new key's signature.
    pub key_proof: Signature,
    /// The old key's signature; none if that key is lost or in other hands.
    pub handover: Option<Signature>,
    /// The signatures of banks.
    pub approvals: BTreeMap<Institution, Signature>,
}

impl LogKeyChange {
    /// The signature of `key` on this change in the log `genesis`.
    pub fn sign(&self, key: &SigningKey, genesis: &Digest) -> Signature {
        key.sign_body(<Self as Wire>::TYPE, genesis, &self.encode())
    }

    /// Checks a signature by `key` on this change.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if it does not verify.
    pub fn verify(
        &self,
        key: &PublicKey,
        genesis: &Digest,
        signature: &Signature,
    ) -> Result<(), RecordError> {
        let kind = <Self as Wire>::TYPE;
        key.verify_body(kind, genesis, &self.encode(), signature)
            .map_err(|_| RecordError::BadSignature(kind))
    }
}

impl LogKey {
    /// Checks that the new key was held, and that the old one agreed if it is said to.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if either signature does not verify.
    pub fn verify_proofs(&self, genesis: &Digest) -> Result<(), RecordError> {
        self.change.verify(&self.change.new_key, genesis, &self.key_proof)?;
        match &self.handover {
            Some(signature) => self.change.verify(&self.change.old_key, genesis, signature),
            None => Ok(()),
        }
    }
}

impl Wire for LogKeyChange {
    type Message = message::LogKeyChange;
    const TYPE: &'static str = "log-key-change";

    fn to_message(&self) -> message::LogKeyChange {
        message::LogKeyChange {
            old_key: self.old_key.as_bytes().to_vec(),
            new_key: self.new_key.as_bytes().to_vec(),
            size: self.anchor.size,
            root: self.anchor.root.as_bytes().to_vec(),
            reason: self.reason.to_string(),
        }
    }

    fn from_message(m: message::LogKeyChange) -> Result<Self, RecordError> {
        Ok(Self {
            old_key: fixed("old_key", &m.old_key)?,
            new_key: fixed("new_key", &m.new_key)?,
            anchor: Head { size: m.size, root: fixed("root", &m.root)? },
            reason: Text::new(m.reason)?,
        })
    }
}

impl Wire for LogKey {
    type Message = message::LogKey;
    const TYPE: &'static str = "log-key";

    fn to_message(&self) -> message::LogKey {
        let approval = |(name, signature): (&Institution, &Signature)| message::LogKeyApproval {
            institution: name.to_string(),
            signature: signature.as_bytes().to_vec(),
        };
        message::LogKey {
            change: Some(self.change.to_message()),
            key_proof: self.key_proof.as_bytes().to_vec(),
            handover: self.handover.map(|s| s.as_bytes().to_vec()).unwrap_or_default(),
            approvals: self.approvals.iter().map(approval).collect(),
        }
    }

    fn from_message(m: message::LogKey) -> Result<Self, RecordError> {
        let change = m.change.ok_or_else(|| refused("change", "a change of the key", "none"))?;
        let approval = |m: message::LogKeyApproval| {
            Ok((Institution::new(m.institution)?, fixed("signature", &m.signature)?))
        };
        let handover = (!m.handover.is_empty()).then(|| fixed("handover", &m.handover));
        Ok(Self {
            change: LogKeyChange::from_message(change)?,
            key_proof: fixed("key_proof", &m.key_proof)?,
            handover: handover.transpose()?,
            approvals: m.approvals.into_iter().map(approval).collect::<Result<_, RecordError>>()?,
        })
    }
}
