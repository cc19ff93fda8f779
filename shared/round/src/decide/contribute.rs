//! Contributions, and what a member did wrong.

use ledger::digest::{Digest, sha256};
use ledger::record::{Body, Canonical, Contribution, Evidence, Fault, Leaf, Text};
use ledger::signing::{PublicKey, Signature};

use super::{Draft, Refusal, Seal, Stage};
use crate::limits::EVIDENCE_PER_RUN_MAX;
use crate::state::{Phase, Run};

/// Accepted, or Evidence when the member has signed another contribution to the same round before.
pub(super) fn contribute(
    stage: Stage<'_>,
    contribution: Contribution,
    signature: Signature,
) -> Result<Vec<Draft>, Refusal> {
    let Stage { state, consortium, at } = stage;
    if state.accepted(&contribution).is_some() {
        // A retry of a request whose answer was lost: the leaf exists, nothing is recorded twice.
        return Ok(vec![]);
    }
    let key = signer(stage, &contribution)?;
    let run = open_run(stage, &contribution)?;
    if run.contradicts(&contribution) {
        let detail = "a second, different contribution to one round".to_owned();
        return convict(stage, Fault::Equivocation, contribution, signature, detail);
    }
    fits(run, &contribution, state.at)?;
    let draft = Draft::by_member(at, Body::Accepted(contribution), key, signature);
    verify(&draft, &consortium.digest)?;
    Ok(vec![draft])
}

/// The contribution must be to the open round and say what the plan and the log say.
fn fits(
    run: &Run,
    contribution: &Contribution,
    last: ledger::time::Timestamp,
) -> Result<(), Refusal> {
    let number = contribution.round;
    let round = match &run.phase {
        Phase::Open(round) if round.number == number => round,
        Phase::Open(round) if number < round.number => {
            return Err(Refusal::TooLate { round: number, at: last });
        }
        Phase::ExpectModel(closed) if number <= closed.number => {
            return Err(Refusal::TooLate { round: number, at: last });
        }
        Phase::ExpectRound(next) if number < *next => {
            return Err(Refusal::TooLate { round: number, at: last });
        }
        Phase::Open(_)
        | Phase::ExpectInitialModel
        | Phase::ExpectRound(_)
        | Phase::ExpectModel(_) => return Err(Refusal::WrongRound(number)),
    };
    if !round.cohort.contains(&contribution.institution) {
        return Err(Refusal::NotInCohort(contribution.institution.clone()));
    }
    if contribution.plan != run.plan.digest() {
        return Err(Refusal::Mismatch("plan"));
    }
    if run.model.is_none_or(|model| model.theta != contribution.model) {
        return Err(Refusal::Mismatch("model"));
    }
    if contribution.charge != run.plan.charge() {
        return Err(Refusal::Mismatch("charge"));
    }
    Ok(())
}

/// Evidence that convicts by itself; each wrong contribution once.
pub(super) fn convict(
    stage: Stage<'_>,
    fault: Fault,
    contribution: Contribution,
    signature: Signature,
    detail: String,
) -> Result<Vec<Draft>, Refusal> {
    if stage.state.accepted(&contribution).is_some() {
        // What was accepted was checked: there is nothing to convict.
        return Ok(vec![]);
    }
    let institution = contribution.institution.clone();
    let key = signer(stage, &contribution)?;
    let run = open_run(stage, &contribution)?;
    match fault {
        Fault::Equivocation if run.contradicts(&contribution) => {}
        Fault::Equivocation => return Err(Refusal::NoContradiction(institution)),
        Fault::OutOfBound => fits(run, &contribution, stage.state.at)?,
    }
    if let Some(recorded) = run.evidence.get(&institution) {
        let known = recorded.contains(&sha256(&contribution.encode()));
        if known || recorded.len() >= EVIDENCE_PER_RUN_MAX as usize {
            return Err(Refusal::Contradiction(institution));
        }
    }
    let detail = Text::new(detail).map_err(Refusal::Record)?;
    let evidence = Evidence { fault, institution, contribution, signature, detail };
    evidence.verify(&key, &stage.consortium.digest).map_err(Refusal::Record)?;
    Ok(vec![Draft::by_operator(stage.at, Body::Evidence(evidence))])
}

fn signer(stage: Stage<'_>, contribution: &Contribution) -> Result<PublicKey, Refusal> {
    let name = &contribution.institution;
    let member = stage.consortium.active(name);
    member
        .filter(|member| member.role == ledger::record::Role::Bank)
        .map(|member| member.record_key)
        .ok_or_else(|| Refusal::NotABank(name.clone()))
}

fn open_run<'a>(stage: Stage<'a>, contribution: &Contribution) -> Result<&'a Run, Refusal> {
    let consortium = stage.consortium;
    if let Some(run) = consortium.run.as_ref().filter(|run| run.id == contribution.run) {
        return Ok(run);
    }
    if consortium.ended.contains_key(&contribution.run) {
        return Err(Refusal::TooLate { round: contribution.round, at: stage.state.at });
    }
    Err(Refusal::UnknownRun(contribution.run))
}

/// Checks a member's signature before anything is recorded.
pub(super) fn verify(draft: &Draft, genesis: &Digest) -> Result<(), Refusal> {
    let Seal::Member(author, signature) = &draft.seal else { return Ok(()) };
    let record = ledger::record::Record { at: draft.at, author: *author, body: draft.body.clone() };
    let leaf: Leaf = record.with_signature(*signature).map_err(Refusal::Record)?;
    leaf.verify_signature(genesis).map_err(Refusal::Record)
}
