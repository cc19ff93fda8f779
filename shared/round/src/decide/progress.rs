//! What time and finished work bring.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::record::{
    Body, Closed, Extended, Institution, Model, Paused, RoundOpened, RunFinished, RunId, Text,
};
use ledger::time::Timestamp;

use super::{Draft, NewModel, Refusal, Stage, govern};
use crate::plan::Plan;
use crate::state::{Consortium, Phase, Proposal, Run, State};

/// Work outside the core: a pure function cannot know the digest of a model that does not exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Compute the plan's initial model and ask to [`Begin`](super::Request::Begin).
    Initialize(Arc<Plan>),
    /// Sum the accepted contributions, step the model and ask to [`Close`](super::Request::Close).
    Aggregate(Arc<Plan>),
}

/// The work that is due at `at`.
pub fn work(state: &State, at: Timestamp) -> Option<Work> {
    let consortium = state.consortium.as_ref()?;
    let run = consortium.run.as_ref()?;
    match &run.phase {
        Phase::ExpectInitialModel => Some(Work::Initialize(Arc::clone(&run.plan))),
        Phase::Open(round) => {
            round.closes(at, &run.plan, consortium).then(|| Work::Aggregate(Arc::clone(&run.plan)))
        }
        Phase::ExpectRound(_) | Phase::ExpectModel(_) => None,
    }
}

/// When time alone will bring something next, or brought it, if the time has passed: a tick or new
/// [`work`]. None while only a request can: then nobody need wake.
pub fn wake(state: &State) -> Option<Timestamp> {
    let consortium = state.consortium.as_ref()?;
    let Some(run) = &consortium.run else {
        return waiting(consortium).map(|_| state.at);
    };
    let Phase::Open(round) = &run.phase else { return None };
    let due = round.deadline;
    (round.extends(due, &run.plan) || round.closes(due, &run.plan, consortium)).then_some(due)
}

/// A plan that could run at once if no run is open.
fn waiting(consortium: &Consortium) -> Option<&Proposal> {
    consortium.proposals.values().find(|p| consortium.quorum(&p.plan, &p.approvals))
}

/// Model 0 and round 0, unless the run is paused.
pub(super) fn begin(stage: Stage<'_>, new: NewModel) -> Result<Vec<Draft>, Refusal> {
    let run = run_of(stage, new)?;
    if run.phase != Phase::ExpectInitialModel {
        return Err(Refusal::WrongPhase(run.phase.expects()));
    }
    let first = open(stage.at, stage.consortium, run, new.theta, 0);
    Ok(core::iter::once(model(stage.at, new, 0)).chain(first).collect())
}

/// Closed, the model that follows, and the end of the run, or the next round unless the run is paused: one commit.
pub(super) fn close(
    stage: Stage<'_>,
    number: u32,
    survivors: &BTreeSet<Institution>,
    aggregate: Digest,
    new: NewModel,
) -> Result<Vec<Draft>, Refusal> {
    let Stage { consortium, at, .. } = stage;
    let run = run_of(stage, new)?;
    let Phase::Open(round) = &run.phase else {
        return Err(Refusal::WrongPhase(run.phase.expects()));
    };
    if round.number != number {
        return Err(Refusal::WrongRound(number));
    }
    // Somebody may have contributed while the sum was computed: what was accepted must be in it.
    if !round.accepted.keys().eq(survivors) || !round.closes(at, &run.plan, consortium) {
        return Err(Refusal::Stale);
    }
    let closed = Closed { run: run.id, round: number, survivors: survivors.clone(), aggregate };
    let next = number + 1;
    let after = if next < run.plan.text().rounds {
        open(at, consortium, run, new.theta, next)
    } else {
        Some(finish(at, run, next))
    };
    let closed = Draft::by_operator(at, Body::Closed(closed));
    Ok([closed, model(at, new, next)].into_iter().chain(after).collect())
}

/// The pause or its end, and then the round that waited for it.
pub(super) fn pause(
    stage: Stage<'_>,
    id: RunId,
    paused: bool,
    reason: String,
) -> Result<Vec<Draft>, Refusal> {
    let Stage { consortium, at, .. } = stage;
    let run = consortium.run.as_ref().filter(|run| run.id == id).ok_or(Refusal::UnknownRun(id))?;
    if run.paused == paused {
        return Ok(vec![]);
    }
    let reason = Text::new(reason).map_err(Refusal::Record)?;
    let mut drafts = govern::by_operator(stage, Body::Paused(Paused { run: id, paused, reason }))?;
    if let (false, Phase::ExpectRound(number), Some(model)) = (paused, &run.phase, run.model) {
        drafts.push(opening(at, consortium, run, model.theta, *number));
    }
    Ok(drafts)
}

/// An extension that is due, or a run that waited for another to end.
pub(super) fn tick(stage: Stage<'_>) -> Vec<Draft> {
    let Stage { consortium, at, .. } = stage;
    let Some(run) = &consortium.run else {
        return waiting(consortium)
            .map(|p| govern::start(at, &p.plan, p.approvals.values().copied()))
            .into_iter()
            .collect();
    };
    match &run.phase {
        Phase::Open(round) if round.extends(at, &run.plan) => {
            let deadline = at.plus_millis(run.plan.text().schedule.extension_ms);
            let extended = Extended { run: run.id, round: round.number, deadline };
            vec![Draft::by_operator(at, Body::Extended(extended))]
        }
        Phase::Open(_)
        | Phase::ExpectInitialModel
        | Phase::ExpectRound(_)
        | Phase::ExpectModel(_) => vec![],
    }
}

fn run_of(stage: Stage<'_>, new: NewModel) -> Result<&Run, Refusal> {
    let run = stage.consortium.run.as_ref().filter(|run| run.id == new.run);
    run.ok_or(Refusal::UnknownRun(new.run))
}

fn model(at: Timestamp, new: NewModel, index: u32) -> Draft {
    let NewModel { run, theta, master } = new;
    Draft::by_operator(at, Body::Model(Model { run, index, theta, master }))
}

/// The next round; none while the run is paused.
fn open(
    at: Timestamp,
    consortium: &Consortium,
    run: &Run,
    theta: Digest,
    number: u32,
) -> Option<Draft> {
    (!run.paused).then(|| opening(at, consortium, run, theta, number))
}

fn opening(at: Timestamp, consortium: &Consortium, run: &Run, theta: Digest, number: u32) -> Draft {
    let opened = RoundOpened {
        run: run.id,
        round: number,
        model: theta,
        cohort: consortium.expected(run.plan.cohort()),
        deadline: at.plus_millis(run.plan.text().schedule.deadline_ms),
    };
    Draft::by_operator(at, Body::RoundOpened(opened))
}

fn finish(at: Timestamp, run: &Run, model: u32) -> Draft {
    Draft::by_operator(at, Body::RunFinished(RunFinished { run: run.id, model }))
}
