//! Plans, their approval, and the beginning and end of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::record::{Abandoned, Approval, Model, PlanProposed, RunFinished, RunId, RunStarted};

use super::Violation;
use super::roster::bank;
use crate::limits::PROPOSALS_MAX;
use crate::plan::Plan;
use crate::state::{Consortium, Ending, ModelRef, Phase, Proposal, Run};

pub(super) fn proposed(
    consortium: &mut Consortium,
    proposed: &PlanProposed,
) -> Result<(), Violation> {
    let plan = Plan::parse(proposed.plan.text().as_bytes()).map_err(Violation::Plan)?;
    if plan.consortium() != consortium.digest {
        return Err(Violation::ForeignPlan);
    }
    for name in plan.cohort() {
        bank(consortium, name)?;
    }
    if consortium.proposals.contains_key(&plan.digest()) {
        return Err(Violation::KnownPlan);
    }
    if let Some(run) = consortium.run_of(&plan.digest()) {
        return Err(Violation::PlanHasRun(run));
    }
    if consortium.proposals.len() >= PROPOSALS_MAX {
        return Err(Violation::Limit { what: "proposed plans", limit: PROPOSALS_MAX });
    }
    let digest = plan.digest();
    let proposal = Proposal { plan: Arc::new(plan), approvals: BTreeMap::new() };
    consortium.proposals.insert(digest, proposal);
    Ok(())
}

pub(super) fn approval(
    consortium: &mut Consortium,
    approval: &Approval,
    index: u64,
) -> Result<(), Violation> {
    let proposal = consortium.proposals.get_mut(&approval.plan).ok_or(Violation::UnknownPlan)?;
    if proposal.approvals.insert(approval.institution.clone(), index).is_some() {
        return Err(Violation::SignedTwice(approval.institution.clone()));
    }
    Ok(())
}

/// The approvals are spent: the same plan never runs again.
pub(super) fn started(
    consortium: &mut Consortium,
    started: &RunStarted,
    index: u64,
) -> Result<(), Violation> {
    if consortium.run.is_some() {
        return Err(Violation::RunOpen);
    }
    let proposal = consortium.proposals.get(&started.plan).ok_or(Violation::UnknownPlan)?;
    let spent: BTreeSet<u64> = proposal.approvals.values().copied().collect();
    if spent != started.approvals || !consortium.quorum(&proposal.plan, &proposal.approvals) {
        return Err(Violation::NoQuorum);
    }
    let (plan, approvals) = (Arc::clone(&proposal.plan), proposal.approvals.clone());
    consortium.proposals.remove(&started.plan);
    consortium.run = Some(Run {
        id: RunId::derive(&started.plan, index),
        plan,
        model: None,
        phase: Phase::ExpectInitialModel,
        paused: false,
        latest: BTreeMap::new(),
        evidence: BTreeMap::new(),
        approvals,
    });
    Ok(())
}

pub(super) fn model(consortium: &mut Consortium, model: &Model) -> Result<(), Violation> {
    let run = open_run(consortium, &model.run)?;
    let (index, next) = match &run.phase {
        Phase::ExpectInitialModel => (0, 0),
        Phase::ExpectModel(closed) => (closed.number + 1, closed.number + 1),
        Phase::ExpectRound(_) | Phase::Open(_) => {
            return Err(Violation::OutOfPlace { expected: run.phase.expects(), got: "model" });
        }
    };
    if model.index != index {
        return Err(Violation::Field { field: "model.index" });
    }
    run.model = Some(ModelRef { index, theta: model.theta, master: model.master });
    run.phase = Phase::ExpectRound(next);
    Ok(())
}

pub(super) fn abandoned(
    consortium: &mut Consortium,
    abandoned: &Abandoned,
) -> Result<(), Violation> {
    open_run(consortium, &abandoned.run)?;
    end(consortium, false);
    Ok(())
}

pub(super) fn finished(
    consortium: &mut Consortium,
    finished: &RunFinished,
) -> Result<(), Violation> {
    let run = open_run(consortium, &finished.run)?;
    let rounds = run.plan.text().rounds;
    if run.phase != Phase::ExpectRound(rounds) {
        let expected = run.phase.expects();
        return Err(Violation::OutOfPlace { expected, got: "run-finished" });
    }
    if finished.model != rounds {
        return Err(Violation::Field { field: "run_finished.model" });
    }
    end(consortium, true);
    Ok(())
}

fn end(consortium: &mut Consortium, finished: bool) {
    if let Some(run) = consortium.run.take() {
        let Run { id, plan, model, latest, approvals, .. } = run;
        let recalled = None;
        consortium.ended.insert(id, Ending { plan, model, finished, recalled, latest, approvals });
    }
}

/// The open run, if it is `id`.
pub(super) fn open_run<'a>(
    consortium: &'a mut Consortium,
    id: &RunId,
) -> Result<&'a mut Run, Violation> {
    consortium.run.as_mut().filter(|run| run.id == *id).ok_or(Violation::NoSuchRun(*id))
}
