//! Changes of the roster.

use super::refused;
use super::{Canonical, Institution, RecordError, Text, Wire, fixed};
use crate::digest::Digest;
use crate::generated::record as message;
use crate::generated::record::member::Change;
use crate::signing::{PublicKey, Signature, SigningKey};

/// A change of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// An institution joins.
    Added(MemberAdded),
    /// An institution may no longer take part.
    Revoked(MemberRevoked),
    /// An institution has other keys from here on.
    Rotated(MemberRotated),
}

/// What an institution may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It approves plans and contributes.
    Bank,
    /// It reads everything and contributes nothing.
    Auditor,
}

/// The keys of an institution: what it signs to prove that it holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKeys {
    /// The institution.
    pub institution: Institution,
    /// SHA-256 of the TLS key's SubjectPublicKeyInfo (DER).
    pub tls_key_digest: Digest,
    /// The key that signs approvals and contributions.
    pub record_key: PublicKey,
    /// The key that cosigns checkpoints.
    pub cosign_key: PublicKey,
}

/// An institution joins, with proof that it holds its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAdded {
    /// Who joins, and its keys.
    pub keys: MemberKeys,
    /// What it may do.
    pub role: Role,
    /// The record key's signature over the keys.
    pub record_proof: Signature,
    /// The cosign key's signature over the keys.
    pub cosign_proof: Signature,
}

/// An institution leaves or is put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRevoked {
    /// The institution.
    pub institution: Institution,
    /// Why, for people.
    pub reason: Text<256>,
}

/// An institution changes keys, with the consent of the record key so far and proof that it holds the new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRotated {
    /// Its keys from here on.
    pub keys: MemberKeys,
    /// The signature of the record key so far over the keys.
    pub consent: Signature,
    /// The new record key's signature over the keys.
    pub record_proof: Signature,
    /// The new cosign key's signature over the keys.
    pub cosign_proof: Signature,
}

impl Role {
    /// `bank` or `auditor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Auditor => "auditor",
        }
    }

    /// The role called `name`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if no role is called so.
    pub fn from_name(name: &str) -> Result<Self, RecordError> {
        match name {
            "bank" => Ok(Self::Bank),
            "auditor" => Ok(Self::Auditor),
            other => Err(refused("role", "bank or auditor", format!("{other:?}"))),
        }
    }
}

impl MemberAdded {
    /// The record of an institution that holds both keys, proved to the consortium `genesis`.
    ///
    /// The public keys in `keys` must be those of `record_key` and `cosign_key`, or
    /// [`verify_proofs`](Self::verify_proofs) fails later.
    pub fn prove(
        keys: MemberKeys,
        role: Role,
        record_key: &SigningKey,
        cosign_key: &SigningKey,
        genesis: &Digest,
    ) -> Self {
        let record_proof = keys.prove(record_key, genesis);
        let cosign_proof = keys.prove(cosign_key, genesis);
        Self { keys, role, record_proof, cosign_proof }
    }

    /// Checks that the institution held both keys when it joined the consortium `genesis`.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if either proof does not verify.
    pub fn verify_proofs(&self, genesis: &Digest) -> Result<(), RecordError> {
        self.keys.verify_proofs(genesis, &self.record_proof, &self.cosign_proof)
    }
}

impl MemberRotated {
    /// The record of an institution that goes from the record key `old` to `keys`, proved to the consortium `genesis`.
    pub fn prove(
        keys: MemberKeys,
        old: &SigningKey,
        record_key: &SigningKey,
        cosign_key: &SigningKey,
        genesis: &Digest,
    ) -> Self {
        let consent = old.sign_body(<Self as Wire>::TYPE, genesis, &keys.encode());
        let record_proof = keys.prove(record_key, genesis);
        let cosign_proof = keys.prove(cosign_key, genesis);
        Self { keys, consent, record_proof, cosign_proof }
    }

    /// Checks that the record key so far, `old`, consents, and that the institution held the new keys.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if one of the three signatures does not verify.
    pub fn verify_proofs(&self, old: &PublicKey, genesis: &Digest) -> Result<(), RecordError> {
        let kind = <Self as Wire>::TYPE;
        old.verify_body(kind, genesis, &self.keys.encode(), &self.consent)
            .map_err(|_| RecordError::BadSignature(kind))?;
        self.keys.verify_proofs(genesis, &self.record_proof, &self.cosign_proof)
    }
}

impl MemberKeys {
    fn prove(&self, key: &SigningKey, genesis: &Digest) -> Signature {
        key.sign_body(<Self as Wire>::TYPE, genesis, &self.encode())
    }

    fn verify_proofs(
        &self,
        genesis: &Digest,
        record_proof: &Signature,
        cosign_proof: &Signature,
    ) -> Result<(), RecordError> {
        let kind = <Self as Wire>::TYPE;
        let bytes = self.encode();
        for (key, proof) in [(&self.record_key, record_proof), (&self.cosign_key, cosign_proof)] {
            key.verify_body(kind, genesis, &bytes, proof)
                .map_err(|_| RecordError::BadSignature(kind))?;
        }
        Ok(())
    }
}

impl Wire for Member {
    type Message = message::Member;
    const TYPE: &'static str = "member";

    fn to_message(&self) -> message::Member {
        let change = match self {
            Self::Added(added) => Change::Added(added.to_message()),
            Self::Revoked(revoked) => Change::Revoked(message::MemberRevoked {
                institution: revoked.institution.to_string(),
                reason: revoked.reason.to_string(),
            }),
            Self::Rotated(rotated) => Change::Rotated(rotated.to_message()),
        };
        message::Member { change: Some(change) }
    }

    fn from_message(m: message::Member) -> Result<Self, RecordError> {
        match m.change {
            Some(Change::Added(added)) => MemberAdded::from_message(added).map(Self::Added),
            Some(Change::Revoked(revoked)) => Ok(Self::Revoked(MemberRevoked {
                institution: Institution::new(revoked.institution)?,
                reason: Text::new(revoked.reason)?,
            })),
            Some(Change::Rotated(rotated)) => {
                MemberRotated::from_message(rotated).map(Self::Rotated)
            }
            None => Err(refused("change", "added, revoked or rotated", "none of them")),
        }
    }
}

impl Wire for MemberAdded {
    type Message = message::MemberAdded;
    const TYPE: &'static str = "member-added";

    fn to_message(&self) -> message::MemberAdded {
        message::MemberAdded {
            institution: self.keys.institution.to_string(),
            role: self.role.as_str().to_owned(),
            tls_key_digest: self.keys.tls_key_digest.as_bytes().to_vec(),
            record_key: self.keys.record_key.as_bytes().to_vec(),
            cosign_key: self.keys.cosign_key.as_bytes().to_vec(),
            record_proof: self.record_proof.as_bytes().to_vec(),
            cosign_proof: self.cosign_proof.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::MemberAdded) -> Result<Self, RecordError> {
        Ok(Self {
            keys: MemberKeys {
                institution: Institution::new(m.institution)?,
                tls_key_digest: fixed("tls_key_digest", &m.tls_key_digest)?,
                record_key: fixed("record_key", &m.record_key)?,
                cosign_key: fixed("cosign_key", &m.cosign_key)?,
            },
            role: Role::from_name(&m.role)?,
            record_proof: fixed("record_proof", &m.record_proof)?,
            cosign_proof: fixed("cosign_proof", &m.cosign_proof)?,
        })
    }
}

impl Wire for MemberRotated {
    type Message = message::MemberRotated;
    const TYPE: &'static str = "member-rotated";

    fn to_message(&self) -> message::MemberRotated {
        message::MemberRotated {
            keys: Some(self.keys.to_message()),
            consent: self.consent.as_bytes().to_vec(),
            record_proof: self.record_proof.as_bytes().to_vec(),
            cosign_proof: self.cosign_proof.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::MemberRotated) -> Result<Self, RecordError> {
        let keys = m.keys.ok_or_else(|| refused("keys", "three keys", "none"))?;
        Ok(Self {
            keys: MemberKeys::from_message(keys)?,
            consent: fixed("consent", &m.consent)?,
            record_proof: fixed("record_proof", &m.record_proof)?,
            cosign_proof: fixed("cosign_proof", &m.cosign_proof)?,
        })
    }
}

impl Wire for MemberKeys {
    type Message = message::MemberKeys;
    const TYPE: &'static str = "member-keys";

    fn to_message(&self) -> message::MemberKeys {
        message::MemberKeys {
            institution: self.institution.to_string(),
            tls_key_digest: self.tls_key_digest.as_bytes().to_vec(),
            record_key: self.record_key.as_bytes().to_vec(),
            cosign_key: self.cosign_key.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::MemberKeys) -> Result<Self, RecordError> {
        Ok(Self {
            institution: Institution::new(m.institution)?,
            tls_key_digest: fixed("tls_key_digest", &m.tls_key_digest)?,
            record_key: fixed("record_key", &m.record_key)?,
            cosign_key: fixed("cosign_key", &m.cosign_key)?,
        })
    }
}
