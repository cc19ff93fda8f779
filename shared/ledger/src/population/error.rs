//! Why a population's ledger refuses, or cannot go on.

use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::digest::Digest;
use crate::record::RecordError;
use crate::time::Timestamp;
use crate::tree::Head;

/// An entry breaks a rule of the ledger: the bank may not write it, and a reader refuses it.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Violation {
    /// The log does not begin with Opened.
    #[error("expected a registered population, got a log that begins otherwise")]
    NotOpened,
    /// A population is registered where one is already.
    #[error("expected an empty log, found a registered population")]
    AlreadyOpened,
    /// The population's sketch shares units with another population.
    #[error("expected a population of its own, found units of another")]
    Overlaps,
    /// An entry by another key than the one that registered the population.
    #[error("expected an entry by the key that registered the population, got another author")]
    WrongAuthor,
    /// A charge to a consortium for which no record key has signed that this ledger is the bank's.
    #[error("expected a consortium that the ledger is enrolled in, got {0}")]
    NotEnrolled(Digest),
    /// The consortium is enrolled already, with the same key or under another name.
    #[error("expected a new key of the same institution, the ledger is enrolled in {0}")]
    AlreadyEnrolled(Digest),
    /// The statement that this ledger is the bank's was not signed by the key it names.
    #[error("expected the record key to have signed for this ledger, it has not")]
    NotSignedFor,
    /// An entry is older than the one before.
    #[error("expected a time not before {last}, got {found}")]
    TimeRunsBack {
        /// The time of the entry before.
        last: Timestamp,
        /// The time of this entry.
        found: Timestamp,
    },
    /// No cap was set yet.
    #[error("expected a lifetime cap to be set before the charge, found none")]
    NoCap,
    /// A later cap changes what the one before the charges fixed for life.
    #[error("expected the cap to keep its order and delta, got others")]
    CapChangesFilter,
    /// The charge would exceed the budget.
    #[error("expected cumulative RDP of at most {budget}, got {spent} + {rdp}")]
    OverBudget {
        /// What is charged already.
        spent: f64,
        /// What was to be charged.
        rdp: f64,
        /// The cap's budget.
        budget: f64,
    },
    /// The whole run would cost more than the bank lets a run cost.
    #[error("expected a run of at most epsilon {epsilon_max} in all, its plan costs {epsilon}")]
    OverRunCap {
        /// What all rounds of the plan cost together.
        epsilon: f64,
        /// The bank's cap on one run.
        epsilon_max: f64,
    },
    /// The round is not one of the plan's.
    #[error("expected one of the plan's {rounds} rounds, got round {round}")]
    BeyondPlan {
        /// How many rounds the plan has.
        rounds: u32,
        /// The round, counted from 0.
        round: u32,
    },
    /// The run was charged before under other terms.
    #[error("expected the plan and terms of reservation {0}, got others for the same run")]
    OtherTerms(u64),
    /// A charge that is no finite number above zero.
    #[error("expected an RDP above zero, got {0}")]
    NotPositive(f64),
    /// The entry's cumulative RDP is not the sum of the charges.
    #[error("expected cumulative RDP {expected}, got {found}")]
    Cumulative {
        /// The sum of the charges, rounded up.
        expected: f64,
        /// What the entry says.
        found: f64,
    },
    /// The round is charged already.
    #[error("expected a round that is not charged yet, found reservation {0}")]
    AlreadyReserved(u64),
    /// The round is charged already, for another plan or model.
    #[error("expected the plan and model of reservation {0}, got others for the same round")]
    OtherRelease(u64),
    /// No such reservation.
    #[error("expected a reservation in leaf {0}, found none")]
    NoReservation(u64),
    /// A token of another ledger.
    #[error("expected a token of this ledger, got one of another")]
    OtherLedger,
    /// The reservation was given back.
    #[error("expected an open reservation, {0} was voided")]
    Voided(u64),
    /// The bytes were released: only those may be sent, and nothing is given back.
    #[error("expected reservation {reservation} to be unreleased, found {vector} released")]
    AlreadyReleased {
        /// The leaf of the reservation.
        reservation: u64,
        /// What was released.
        vector: Digest,
    },
    /// Nothing was released under the reservation.
    #[error("expected reservation {0} to be released, found it open")]
    NotReleased(u64),
    /// The computation was started again since the token was given out.
    #[error("expected the latest computation of reservation {0}, got an earlier one")]
    Superseded(u64),
    /// The computation was started again as often as it may.
    #[error(
        "expected a computation that was repeated less often, reservation {0} stays unreleased"
    )]
    Exhausted(u64),
    /// Another Accepted record was acknowledged before.
    #[error("expected leaf {expected} as the accepted record, got {found}")]
    OtherReceipt {
        /// The leaf that was acknowledged.
        expected: u64,
        /// The leaf that was to be acknowledged now.
        found: u64,
    },
    /// The ledger is stopped.
    #[error("expected releases to be allowed, the ledger is stopped: {0}")]
    Stopped(String),
    /// The ledger is not stopped.
    #[error("expected a stopped ledger, releases are allowed")]
    NotStopped,
}

/// A population's ledger cannot do what was asked.
#[derive(Debug, Error)]
pub enum LedgerError<E> {
    /// The rules forbid it. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Violation),
    /// Storage failed. What became durable is found out by opening the ledger again; until then
    /// everything is refused.
    #[error("expected storage to work: {0}")]
    Store(#[source] E),
    /// Blob storage failed before anything was written to the log.
    #[error("expected blob storage to work: {0}")]
    Blobs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else wrote to the log while it was held.
    #[error("expected nobody else to write while the log is held, found it at size {}", .0.size)]
    Moved(Head),
    /// A write failed before; open the ledger again.
    #[error("expected a sound ledger, got one whose earlier write failed")]
    Poisoned,
    /// A stored leaf is no entry of this ledger.
    #[error("expected leaf {index} to be an entry of this ledger: {reason}")]
    Damaged {
        /// The leaf.
        index: u64,
        /// What is wrong with it.
        reason: RecordError,
    },
    /// A stored leaf breaks a rule.
    #[error("expected leaf {index} to follow the rules: {reason}")]
    Unlawful {
        /// The leaf.
        index: u64,
        /// The rule it breaks.
        reason: Violation,
    },
    /// The leaves do not have the root that storage reports.
    #[error("expected the leaves under root {expected}, found them under {found}")]
    Root {
        /// What storage reports.
        expected: Digest,
        /// What follows from the leaves.
        found: Digest,
    },
    /// The stored checkpoint is not one of this ledger.
    #[error("expected a checkpoint of this ledger: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The ledger lost leaves or has others than it once had.
    #[error("expected the ledger to extend its earlier head of size {}", .0.size)]
    RolledBack(Head),
    /// An entry cannot be encoded.
    #[error(transparent)]
    Record(RecordError),
}
