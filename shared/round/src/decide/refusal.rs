//! Why a request is answered with no record.

use ledger::record::{Institution, RecordError, RunId};
use ledger::time::Timestamp;

use crate::apply::Violation;
use crate::plan::PlanError;

/// Why a request is answered with no record. Every reason is a public fact.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no consortium yet.
    #[error("there is no consortium yet")]
    NotFounded,
    /// There is one.
    #[error("the consortium is founded already")]
    FoundedAlready,
    /// Not in the roster, or not any more, or not as a bank.
    #[error("{0} is not an active bank of this consortium")]
    NotABank(Institution),
    /// Not in the roster, or not any more.
    #[error("{0} is not an active member of this consortium")]
    NotAMember(Institution),
    /// The name is taken by other keys, or by somebody who was put out.
    #[error("{0} is in the roster already, with other keys or put out")]
    NameTaken(Institution),
    /// A key that another member uses.
    #[error("{0} brings a key that another member uses")]
    SharedKey(Institution),
    /// Members change only while no run is open.
    #[error("institutions are admitted while no run is open; run {0} is")]
    RunOpen(RunId),
    /// A signature or proof that does not verify, or a text that is too long.
    #[error(transparent)]
    Record(RecordError),
    /// Not a plan.
    #[error("the plan breaks its rules: {0}")]
    Plan(PlanError),
    /// A plan for another consortium.
    #[error("the plan names another consortium")]
    ForeignPlan,
    /// A plan whose cohort is not in the roster.
    #[error("the plan names {0}, who is not an active bank of this consortium")]
    UnknownParticipant(Institution),
    /// A plan that waits for no signature.
    #[error("no such plan waits for signatures")]
    UnknownPlan,
    /// A plan that runs or has run: its signatures are spent, and the same bytes would carry them again.
    #[error("the plan is that of run {0}; give it another name to have it signed again")]
    PlanHasRun(RunId),
    /// A limit of [`crate::limits`].
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A run that is not open.
    #[error("run {0} is not open")]
    UnknownRun(RunId),
    /// An institution that the round does not expect.
    #[error("{0} is not in the cohort of this round")]
    NotInCohort(Institution),
    /// A contribution to a round that is closed.
    #[error("too late: round {round} is closed; the log's last record is of {at}")]
    TooLate {
        /// The round that was meant.
        round: u32,
        /// The time of the log's last record.
        at: Timestamp,
    },
    /// A contribution to a round that is not open yet, or a result for a round that is not open.
    #[error("round {0} is not open")]
    WrongRound(u32),
    /// A contribution that does not say what the plan and the log say.
    #[error("the contribution's {0} is not that of the open round")]
    Mismatch(&'static str),
    /// A wrong contribution; evidence of it was recorded before, or the limit is reached.
    #[error("{0} has signed wrong contributions to this run; they are on record")]
    Contradiction(Institution),
    /// A charge of equivocation without an accepted contribution that the other one contradicts.
    #[error("{0} has signed no other contribution to this round")]
    NoContradiction(Institution),
    /// The result of a round that does not hold all accepted contributions, or comes too soon.
    #[error("the round cannot be closed with these contributions now")]
    Stale,
    /// What the operator or a member wants to record does not follow from the log.
    #[error("the log would not hold it: {0}")]
    Rules(Violation),
    /// A record that the run does not wait for.
    #[error("the run waits for {0}")]
    WrongPhase(&'static str),
}
