//! What may be recorded next. Coordinator only; changes nothing.

mod contribute;
mod draft;
mod govern;
mod progress;
mod refusal;

pub use draft::{Draft, Seal};
use ledger::digest::Digest;
use ledger::record::{
    Approval, Canonical, Contradicted, Contribution, Decision, Fault, Genesis, Institution, LogKey,
    MemberAdded, MemberRotated, RunId,
};
use ledger::signing::Signature;
use ledger::time::Timestamp;
pub use progress::{Work, wake, work};
pub use refusal::Refusal;

use crate::state::{Consortium, State};

/// What somebody asks for, or what time has brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// The operator founds the consortium.
    Found(Genesis),
    /// The operator admits an institution that redeemed its invitation.
    Admit(MemberAdded),
    /// The operator puts an institution out.
    Revoke {
        /// Whom.
        institution: Institution,
        /// Why, at most 256 characters.
        reason: String,
    },
    /// A member changes keys.
    Rotate(MemberRotated),
    /// Another key is to sign the log: the change with all its signatures.
    ChangeLogKey(LogKey),
    /// A member records a decision.
    Decide(Decision, Signature),
    /// A member hands in that a key of the log signed two histories.
    Report(Contradicted, Signature),
    /// The operator has a run open no further round, or go on.
    Pause {
        /// Which.
        run: RunId,
        /// True to pause it, false to resume it.
        paused: bool,
        /// Why, at most 256 characters.
        reason: String,
    },
    /// The operator withdraws models of an ended run.
    Recall {
        /// Which.
        run: RunId,
        /// The first of them; all later ones go with it.
        from: u32,
        /// Why, at most 256 characters.
        reason: String,
    },
    /// The operator puts a plan before the members: its exact bytes.
    Propose(Vec<u8>),
    /// A member signs a plan.
    Approve(Approval, Signature),
    /// The plan's initial model was computed and is durable.
    Begin(NewModel),
    /// A member's contribution was received whole, is within the public bound, and is durable.
    Contribute(Contribution, Signature),
    /// A member's contribution was received whole and is wrong in itself.
    Convict {
        /// What is wrong.
        fault: Fault,
        /// What the member signed.
        contribution: Contribution,
        /// Its signature.
        signature: Signature,
        /// For people, at most 256 characters.
        detail: String,
    },
    /// The sum of the accepted contributions and the model that follows are computed and durable.
    Close {
        /// The round they are of: what was accepted meanwhile makes the sum stale.
        round: u32,
        /// The institutions in the sum.
        survivors: std::collections::BTreeSet<Institution>,
        /// SHA-256 of the sum.
        aggregate: Digest,
        /// The model that follows.
        model: NewModel,
    },
    /// Time passes.
    Tick,
    /// The operator ends a run.
    Abandon {
        /// Which.
        run: RunId,
        /// Why, at most 256 characters.
        reason: String,
    },
}

/// A model that was computed and is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewModel {
    /// The run it belongs to.
    pub run: RunId,
    /// SHA-256 of the weights in f32.
    pub theta: Digest,
    /// SHA-256 of the master state in f64.
    pub master: Digest,
}

/// The records that answer `request`, or why there are none.
///
/// Changes nothing: the caller seals the drafts, commits the leaves and folds them with
/// [`apply`](crate::apply::apply), all of them or none. An empty list means that the request is
/// answered by what the log already holds.
///
/// # Errors
///
/// A [`Refusal`] if the request does not fit the state, or comes from somebody with no part in it.
pub fn decide(state: &State, at: Timestamp, request: Request) -> Result<Vec<Draft>, Refusal> {
    let at = at.max(state.at);
    let consortium = match (&state.consortium, &request) {
        (None, Request::Found(genesis)) => return found(at, genesis),
        (None, _) => return Err(Refusal::NotFounded),
        (Some(consortium), _) => consortium,
    };
    let stage = Stage { state, consortium, at };
    match request {
        Request::Found(_) => Err(Refusal::FoundedAlready),
        Request::Admit(added) => govern::admit(stage, added),
        Request::Revoke { institution, reason } => govern::revoke(stage, institution, reason),
        Request::Rotate(rotated) => govern::rotate(stage, rotated),
        Request::ChangeLogKey(log_key) => govern::change_log_key(stage, log_key),
        Request::Decide(decision, signature) => govern::record(stage, decision, signature),
        Request::Report(found, signature) => govern::report(stage, found, signature),
        Request::Pause { run, paused, reason } => progress::pause(stage, run, paused, reason),
        Request::Recall { run, from, reason } => govern::recall(stage, run, from, reason),
        Request::Propose(plan) => govern::propose(stage, &plan),
        Request::Approve(approval, signature) => govern::approve(stage, approval, signature),
        Request::Abandon { run, reason } => govern::abandon(stage, run, reason),
        Request::Contribute(contribution, signature) => {
            contribute::contribute(stage, contribution, signature)
        }
        Request::Convict { fault, contribution, signature, detail } => {
            contribute::convict(stage, fault, contribution, signature, detail)
        }
        Request::Begin(model) => progress::begin(stage, model),
        Request::Close { round, survivors, aggregate, model } => {
            progress::close(stage, round, &survivors, aggregate, model)
        }
        Request::Tick => Ok(progress::tick(stage)),
    }
}

fn found(at: Timestamp, genesis: &Genesis) -> Result<Vec<Draft>, Refusal> {
    // A typed Genesis may still lack a name, and a leaf that cannot be read back ends the log.
    let genesis = Genesis::decode(&genesis.encode()).map_err(Refusal::Record)?;
    Ok(vec![Draft::found(at, genesis)])
}

/// What every decision looks at.
#[derive(Clone, Copy)]
struct Stage<'a> {
    state: &'a State,
    consortium: &'a Consortium,
    at: Timestamp,
}
