//! The birth of a consortium.

use super::refused;
use super::{RecordError, Text, Wire, fixed};
use crate::digest::Digest;
use crate::generated::record as message;
use crate::signing::PublicKey;

/// The birth of a consortium: leaf 0 of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The consortium's name, for people; not empty.
    pub name: Text<64>,
    /// The operator's record key.
    pub operator_key: PublicKey,
    /// The key that signs the log's checkpoints.
    pub log_key: PublicKey,
    /// SHA-256 of the consortium's CA certificate (DER).
    pub ca_digest: Digest,
    /// How many members must sign a plan.
    pub quorum: QuorumRule,
    /// Random, so that two consortia never share a genesis digest.
    pub nonce: [u8; 32],
}

/// A quorum: more than `numerator / denominator` of the active members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumRule {
    numerator: u32,
    denominator: u32,
}

impl QuorumRule {
    /// More than `numerator / denominator` of the members.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] unless `numerator < denominator`.
    pub fn more_than(numerator: u32, denominator: u32) -> Result<Self, RecordError> {
        if numerator < denominator {
            return Ok(Self { numerator, denominator });
        }
        let found = format!("{numerator}/{denominator}");
        Err(refused("the quorum", "a fraction below one", found))
    }

    /// Whether `count` of `members` are more than the fraction. Nobody is never a quorum.
    ///
    /// ```
    /// let rule = ledger::record::QuorumRule::more_than(1, 2)?;
    /// assert!(rule.is_met(3, 5) && rule.is_met(3, 4));
    /// assert!(!rule.is_met(2, 5) && !rule.is_met(2, 4) && !rule.is_met(0, 0));
    /// # Ok::<(), ledger::record::RecordError>(())
    /// ```
    pub fn is_met(self, count: usize, members: usize) -> bool {
        let scaled = |n: usize, factor: u32| {
            u128::try_from(n).unwrap_or(u128::MAX).saturating_mul(u128::from(factor))
        };
        scaled(count, self.denominator) > scaled(members, self.numerator)
    }

    /// The fewest of `members` that are a quorum.
    pub fn least(self, members: usize) -> usize {
        (0..=members).find(|count| self.is_met(*count, members)).unwrap_or(members)
    }

    /// The fraction as (numerator, denominator).
    pub const fn fraction(self) -> (u32, u32) {
        (self.numerator, self.denominator)
    }
}

impl Wire for Genesis {
    type Message = message::Genesis;
    const TYPE: &'static str = "genesis";

    fn to_message(&self) -> message::Genesis {
        message::Genesis {
            name: self.name.to_string(),
            operator_key: self.operator_key.as_bytes().to_vec(),
            log_key: self.log_key.as_bytes().to_vec(),
            ca_digest: self.ca_digest.as_bytes().to_vec(),
            quorum_numerator: self.quorum.numerator,
            quorum_denominator: self.quorum.denominator,
            nonce: self.nonce.to_vec(),
        }
    }

    fn from_message(m: message::Genesis) -> Result<Self, RecordError> {
        if m.name.is_empty() {
            return Err(refused("name", "1 to 64 characters", "none"));
        }
        Ok(Self {
            name: Text::new(m.name)?,
            operator_key: fixed("operator_key", &m.operator_key)?,
            log_key: fixed("log_key", &m.log_key)?,
            ca_digest: fixed("ca_digest", &m.ca_digest)?,
            quorum: QuorumRule::more_than(m.quorum_numerator, m.quorum_denominator)?,
            nonce: fixed("nonce", &m.nonce)?,
        })
    }
}
