//! Why a record does not follow from the state before it.

use ledger::checkpoint::ContradictionError;
use ledger::record::{Institution, RecordError, RunId};
use ledger::time::Timestamp;

use crate::plan::PlanError;

/// Why a record does not follow from the state before it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Violation {
    /// Leaf 0 is something else.
    #[error("leaf 0 must be a genesis record")]
    NotGenesis,
    /// A second Genesis.
    #[error("a log has one genesis record, this is another")]
    SecondGenesis,
    /// A record earlier than the one before it.
    #[error("time goes back from {last} to {got}")]
    TimeGoesBack {
        /// The last leaf's time.
        last: Timestamp,
        /// This leaf's time.
        got: Timestamp,
    },
    /// Signed by somebody who may not write such a record.
    #[error("a {kind} record by somebody who may not write it")]
    WrongAuthor {
        /// The record's kind.
        kind: &'static str,
    },
    /// The record itself is wrong: its signature, or a proof in it.
    #[error(transparent)]
    Record(RecordError),
    /// Somebody who is not in the roster, or no longer.
    #[error("{0} is not an active member, or not as a bank")]
    NotActive(Institution),
    /// A name that the roster already has.
    #[error("{0} is in the roster already")]
    KnownMember(Institution),
    /// A key that another member uses.
    #[error("{0} brings a key that another member uses")]
    SharedKey(Institution),
    /// A limit of [`crate::limits`].
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A proposed plan that is none.
    #[error("a proposed plan that breaks its own rules: {0}")]
    Plan(PlanError),
    /// A plan for another consortium.
    #[error("a plan for another consortium")]
    ForeignPlan,
    /// A plan that is proposed already.
    #[error("a plan that is proposed already")]
    KnownPlan,
    /// A plan that runs or has run: its signatures are spent, and the same bytes would carry them again.
    #[error("a plan that is that of run {0}")]
    PlanHasRun(RunId),
    /// A plan that nobody proposed, or that has run.
    #[error("a plan that is not proposed")]
    UnknownPlan,
    /// A second signature by one member.
    #[error("{0} has signed this plan already")]
    SignedTwice(Institution),
    /// A run without the members' quorum, or with other approvals than the log holds.
    #[error("a run that its approvals do not allow")]
    NoQuorum,
    /// A run, or a new member, while a run is open.
    #[error("a run is open already")]
    RunOpen,
    /// A record about a run that is not open.
    #[error("run {0} is not open")]
    NoSuchRun(RunId),
    /// A record that the run does not wait for.
    #[error("a {got} record where the run expects {expected}")]
    OutOfPlace {
        /// What the run waits for.
        expected: &'static str,
        /// The record's kind.
        got: &'static str,
    },
    /// A field with another value than the state implies.
    #[error("{field} is not what follows from the log")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// A second contribution by one institution.
    #[error("{0} has contributed to this round already")]
    AcceptedTwice(Institution),
    /// Evidence of what the log does not show, or of what is evidence already.
    #[error("evidence against {0} that convicts of nothing new")]
    NoFault(Institution),
    /// A contradiction that convicts nobody.
    #[error(transparent)]
    Contradiction(ContradictionError),
    /// A contradiction that is on record already.
    #[error("a contradiction that is leaf {0} already")]
    KnownContradiction(u64),
    /// An institution outside the cohort.
    #[error("{0} is not in the cohort")]
    NotInCohort(Institution),
    /// A round that is opened while the run is paused.
    #[error("run {0} is paused, and no round may be opened")]
    Paused(RunId),
    /// Models are withdrawn of a run that has not ended.
    #[error("run {0} has not ended")]
    NotEnded(RunId),
    /// Too few of the banks signed the change of the log's key.
    #[error("a key of the log that no quorum of the banks signed")]
    NoKeyQuorum,
    /// A close without quorum, or before the deadline with somebody missing.
    #[error("a round closed before it may be")]
    ClosedTooSoon,
    /// An extension before the deadline, with a quorum, or beyond the plan's limit.
    #[error("a round extended though it may not be")]
    ExtendedWrongly,
}
