//! The records of a log, checked once and typed from then on.
//!
//! A [`Record`] says what happened, when, and by whom; a [`Leaf`] is a record with its author's
//! signature and the exact bytes that the log stores. [`Body`] lists what a record of a consortium's
//! log can say; a bank's own ledger uses the same envelope for its [`Entry`](crate::population::Entry).
//!
//! Bytes are accepted only in their canonical encoding: what encoding the decoded value gives. So
//! unknown fields, unknown kinds, other field orders, padded varints and trailing bytes are refused,
//! and one value has one digest. Text, keys, digests, rates and sets are checked while decoding:
//! whoever holds a typed body need not check again.

mod body;
mod canonical;
mod contradicted;
mod contribution;
mod evidence;
mod field;
mod genesis;
mod governance;
mod leaf;
mod log_key;
mod member;
mod model;
mod name;
mod payload;
mod plan;
mod round;

pub use body::Body;
pub use canonical::Canonical;
pub use contradicted::{Contradicted, SignedHead};
pub use contribution::{Charge, Contribution, TaskChange};
pub use evidence::{Evidence, Fault};
pub use genesis::{Genesis, QuorumRule};
pub use governance::{Decision, Paused, Recalled};
pub use leaf::{LEAF_BYTES_MAX, Leaf, LeafBytes, Record};
pub use log_key::{LogKey, LogKeyChange};
pub use member::{Member, MemberAdded, MemberKeys, MemberRevoked, MemberRotated, Role};
pub use model::Model;
pub use name::{Institution, Text};
pub use payload::Payload;
pub use plan::{Approval, PLAN_BYTES_MAX, Plan, PlanProposed, RunId, RunStarted};
pub use round::{Abandoned, Closed, Extended, RoundOpened, RunFinished};

pub(crate) use canonical::Wire;
pub(crate) use field::{fixed, positive, rate, refused};
pub(crate) use payload::payload;
pub(crate) use plan::run_bytes;

use thiserror::Error;

/// Bytes or values that are no record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// More bytes than a leaf may have.
    #[error("expected a leaf of at most {LEAF_BYTES_MAX} bytes, got {0}")]
    TooLong(usize),
    /// Not a protobuf message of the expected type.
    #[error("expected the encoding of {what}: {reason}")]
    Malformed {
        /// The type that was expected.
        what: &'static str,
        /// What the decoder found.
        reason: String,
    },
    /// A message, but not in its canonical encoding: an unknown field, or another order or length.
    #[error("expected the canonical encoding of {what}, got other bytes from byte {at} on")]
    NotCanonical {
        /// The type that was expected.
        what: &'static str,
        /// The first byte that differs from the canonical encoding.
        at: usize,
    },
    /// A kind that this version does not know.
    #[error("expected a known record kind, got {0}")]
    UnknownKind(i32),
    /// A field whose value is not allowed.
    #[error("expected {field} to be {expected}, got {found}")]
    Field {
        /// The field's name in the format.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// The record names another author than the key that was to sign it.
    #[error("expected a record by the signing key, got one by another author")]
    WrongAuthor,
    /// The signature does not verify.
    #[error("expected a valid signature of {0}, got one that does not verify")]
    BadSignature(&'static str),
}
