//! Proof that a member misbehaved.

use super::refused;
use super::{Canonical, Contribution, Institution, RecordError, Text, Wire, fixed};
use crate::digest::Digest;
use crate::generated::record as message;
use crate::signing::{PublicKey, Signature};

/// A member sent something that it should not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What is wrong with it.
    pub fault: Fault,
    /// Who.
    pub institution: Institution,
    /// What the member signed.
    pub contribution: Contribution,
    /// The member's signature on it.
    pub signature: Signature,
    /// For people.
    pub detail: Text<256>,
}

/// What a member did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A second, different contribution to one round.
    Equivocation,
    /// A vector beyond the plan's public bound.
    OutOfBound,
}

impl Fault {
    /// `equivocation` or `out-of-bound`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equivocation => "equivocation",
            Self::OutOfBound => "out-of-bound",
        }
    }

    fn from_name(name: &str) -> Result<Self, RecordError> {
        match name {
            "equivocation" => Ok(Self::Equivocation),
            "out-of-bound" => Ok(Self::OutOfBound),
            other => Err(refused("fault", "equivocation or out-of-bound", format!("{other:?}"))),
        }
    }
}

impl Evidence {
    /// Checks that `member` really signed the contribution.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadSignature`] if it did not.
    pub fn verify(&self, member: &PublicKey, genesis: &Digest) -> Result<(), RecordError> {
        let kind = <Contribution as Wire>::TYPE;
        member
            .verify_body(kind, genesis, &self.contribution.encode(), &self.signature)
            .map_err(|_| RecordError::BadSignature(kind))
    }
}

impl Wire for Evidence {
    type Message = message::Evidence;
    const TYPE: &'static str = "evidence";

    fn to_message(&self) -> message::Evidence {
        message::Evidence {
            fault: self.fault.as_str().to_owned(),
            institution: self.institution.to_string(),
            contribution: self.contribution.encode(),
            signature: self.signature.as_bytes().to_vec(),
            detail: self.detail.to_string(),
        }
    }

    fn from_message(m: message::Evidence) -> Result<Self, RecordError> {
        Ok(Self {
            fault: Fault::from_name(&m.fault)?,
            institution: Institution::new(m.institution)?,
            contribution: Contribution::decode(&m.contribution)?,
            signature: fixed("signature", &m.signature)?,
            detail: Text::new(m.detail)?,
        })
    }
}
