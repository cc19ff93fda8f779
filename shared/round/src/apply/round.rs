//! A round from its opening to its close.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::digest::sha256;
use ledger::record::{
    Canonical, Closed, Contribution, Evidence, Extended, Fault, Institution, RoundOpened,
};
use ledger::time::Timestamp;

use super::Violation;
use super::roster::bank;
use super::run::open_run;
use crate::limits::EVIDENCE_PER_RUN_MAX;
use crate::state::{AcceptedRef, ClosedRound, Consortium, Phase, Round, Run};

pub(super) fn opened(
    consortium: &mut Consortium,
    opened: &RoundOpened,
    at: Timestamp,
    index: u64,
) -> Result<(), Violation> {
    let run = open_run(consortium, &opened.run)?;
    let Phase::ExpectRound(number) = run.phase else {
        let expected = run.phase.expects();
        return Err(Violation::OutOfPlace { expected, got: "round-opened" });
    };
    if run.paused {
        return Err(Violation::Paused(run.id));
    }
    if number >= run.plan.text().rounds {
        return Err(Violation::OutOfPlace { expected: "run-finished", got: "round-opened" });
    }
    field("round_opened.round", opened.round == number)?;
    field("round_opened.model", run.model.is_some_and(|m| m.theta == opened.model))?;
    let deadline = at.plus_millis(run.plan.text().schedule.deadline_ms);
    field("round_opened.deadline_ms", opened.deadline == deadline)?;
    let plan = Arc::clone(&run.plan);
    let cohort = consortium.expected(plan.cohort());
    field("round_opened.cohort", opened.cohort == cohort)?;
    let run = open_run(consortium, &opened.run)?;
    run.phase = Phase::Open(Round {
        number,
        opened: index,
        cohort,
        deadline,
        extensions: 0,
        accepted: BTreeMap::new(),
    });
    Ok(())
}

pub(super) fn accepted(
    consortium: &mut Consortium,
    contribution: &Contribution,
    index: u64,
) -> Result<(), Violation> {
    let run = open_run(consortium, &contribution.run)?;
    let name = &contribution.institution;
    let round = fits(run, contribution, "accepted")?;
    if round.accepted.contains_key(name) {
        return Err(Violation::AcceptedTwice(name.clone()));
    }
    let accepted = AcceptedRef { index, contribution: contribution.clone() };
    round.accepted.insert(name.clone(), accepted.clone());
    run.latest.insert(name.clone(), accepted);
    Ok(())
}

/// What the bank signed must be to the open round, and what the plan and the log say.
fn fits<'a>(
    run: &'a mut Run,
    contribution: &Contribution,
    got: &'static str,
) -> Result<&'a mut Round, Violation> {
    field("contribution.plan", contribution.plan == run.plan.digest())?;
    field("contribution.model", run.model.is_some_and(|m| m.theta == contribution.model))?;
    field("contribution.charge", contribution.charge == run.plan.charge())?;
    let round = open_round(run, got)?;
    field("contribution.round", contribution.round == round.number)?;
    if !round.cohort.contains(&contribution.institution) {
        return Err(Violation::NotInCohort(contribution.institution.clone()));
    }
    Ok(round)
}

pub(super) fn extended(
    consortium: &mut Consortium,
    extended: &Extended,
    at: Timestamp,
) -> Result<(), Violation> {
    let run = open_run(consortium, &extended.run)?;
    let plan = Arc::clone(&run.plan);
    let round = open_round(run, "extended")?;
    field("extended.round", extended.round == round.number)?;
    if !round.extends(at, &plan) {
        return Err(Violation::ExtendedWrongly);
    }
    let deadline = at.plus_millis(plan.text().schedule.extension_ms);
    field("extended.deadline_ms", extended.deadline == deadline)?;
    round.deadline = deadline;
    round.extensions += 1;
    Ok(())
}

pub(super) fn closed(
    consortium: &mut Consortium,
    closed: &Closed,
    at: Timestamp,
) -> Result<(), Violation> {
    let run = open_run(consortium, &closed.run)?;
    let plan = Arc::clone(&run.plan);
    let round = open_round(run, "closed")?.clone();
    field("closed.round", closed.round == round.number)?;
    let survivors: BTreeSet<Institution> = round.accepted.keys().cloned().collect();
    field("closed.survivors", closed.survivors == survivors)?;
    if !round.closes(at, &plan, consortium) {
        return Err(Violation::ClosedTooSoon);
    }
    let survivors = round.accepted.into_iter().map(|(k, a)| (k, a.contribution.vector)).collect();
    let closed_round = ClosedRound { number: round.number, survivors, aggregate: closed.aggregate };
    open_run(consortium, &closed.run)?.phase = Phase::ExpectModel(closed_round);
    Ok(())
}

/// Evidence convicts by itself: the member's own signature is on what it sent. Of equivocation the
/// log holds the other half; of a vector out of bound, whoever has the blob sees it.
pub(super) fn evidence(consortium: &mut Consortium, evidence: &Evidence) -> Result<(), Violation> {
    let genesis = consortium.digest;
    let Evidence { fault, institution: name, contribution, .. } = evidence;
    evidence.verify(&bank(consortium, name)?.record_key, &genesis).map_err(Violation::Record)?;
    field("evidence.institution", contribution.institution == *name)?;
    let run = open_run(consortium, &contribution.run)?;
    let accepted = run.latest.get(name).is_some_and(|a| a.contribution == *contribution);
    let holds = match fault {
        Fault::Equivocation => run.contradicts(contribution),
        Fault::OutOfBound => fits(run, contribution, "evidence").map(|_| !accepted)?,
    };
    let recorded = run.evidence.entry(name.clone()).or_default();
    if recorded.len() >= EVIDENCE_PER_RUN_MAX as usize {
        let limit = EVIDENCE_PER_RUN_MAX as usize;
        return Err(Violation::Limit { what: "pieces of evidence in a run", limit });
    }
    if holds && recorded.insert(sha256(&contribution.encode())) {
        Ok(())
    } else {
        Err(Violation::NoFault(name.clone()))
    }
}

fn open_round<'a>(run: &'a mut Run, got: &'static str) -> Result<&'a mut Round, Violation> {
    let expected = run.phase.expects();
    match &mut run.phase {
        Phase::Open(round) => Ok(round),
        Phase::ExpectInitialModel | Phase::ExpectRound(_) | Phase::ExpectModel(_) => {
            Err(Violation::OutOfPlace { expected, got })
        }
    }
}

pub(super) fn field(field: &'static str, holds: bool) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::Field { field }) }
}
