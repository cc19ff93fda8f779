//! A record that is decided but not yet signed.

use ledger::digest::Digest;
use ledger::record::{Body, Genesis, Leaf, Record, RecordError};
use ledger::signing::{PublicKey, Signature, SigningKey};
use ledger::time::Timestamp;

/// A record that is decided but not yet a leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub body: Body,
    /// Whose it is.
    pub seal: Seal,
}

/// Who signs a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Seal {
    /// The operator, when the draft is sealed.
    Operator,
    /// A member has signed the body already.
    Member(PublicKey, Signature),
}

impl Draft {
    pub(super) fn found(at: Timestamp, genesis: Genesis) -> Self {
        Self::by_operator(at, Body::Genesis(genesis))
    }

    pub(super) fn by_operator(at: Timestamp, body: Body) -> Self {
        Self { at, body, seal: Seal::Operator }
    }

    pub(super) fn by_member(
        at: Timestamp,
        body: Body,
        key: PublicKey,
        signature: Signature,
    ) -> Self {
        Self { at, body, seal: Seal::Member(key, signature) }
    }

    /// The leaf, signed by the operator where no member has signed.
    ///
    /// # Errors
    ///
    /// [`RecordError::TooLong`] if the leaf would be too long.
    pub fn seal(self, operator: &SigningKey, genesis: &Digest) -> Result<Leaf, RecordError> {
        match self.seal {
            Seal::Operator => Record { at: self.at, author: operator.public(), body: self.body }
                .sign(operator, genesis),
            Seal::Member(author, signature) => {
                Record { at: self.at, author, body: self.body }.with_signature(signature)
            }
        }
    }
}
