//! The roster, plans and their approval.

use ledger::record::{
    Abandoned, Approval, Body, Contradicted, Decision, Institution, LogKey, Member, MemberAdded,
    MemberRevoked, MemberRotated, PlanProposed, Recalled, Role, RunId, RunStarted, Text,
};
use ledger::signing::Signature;

use super::{Draft, Refusal, Stage};
use crate::apply::allows;
use crate::limits::{MEMBERS_MAX, PROPOSALS_MAX};
use crate::plan::Plan;

pub(super) fn admit(stage: Stage<'_>, added: MemberAdded) -> Result<Vec<Draft>, Refusal> {
    let Stage { consortium, at, .. } = stage;
    let name = &added.keys.institution;
    if let Some(member) = consortium.members.get(name) {
        // The same keys again: the invitation's answer was lost, nothing is recorded twice.
        let same = member.tls_key_digest == added.keys.tls_key_digest
            && member.record_key == added.keys.record_key
            && member.cosign_key == added.keys.cosign_key
            && member.role == added.role
            && member.revoked.is_none();
        return if same { Ok(vec![]) } else { Err(Refusal::NameTaken(name.clone())) };
    }
    if let Some(run) = &consortium.run {
        return Err(Refusal::RunOpen(run.id));
    }
    if consortium.members.len() >= MEMBERS_MAX {
        return Err(Refusal::Limit { what: "members", limit: MEMBERS_MAX });
    }
    if consortium.uses_key(&added.keys.record_key)
        || consortium.uses_key(&added.keys.cosign_key)
        || added.keys.record_key == added.keys.cosign_key
    {
        return Err(Refusal::SharedKey(name.clone()));
    }
    added.verify_proofs(&consortium.digest).map_err(Refusal::Record)?;
    Ok(vec![Draft::by_operator(at, Body::Member(Member::Added(added)))])
}

pub(super) fn revoke(
    stage: Stage<'_>,
    institution: Institution,
    reason: String,
) -> Result<Vec<Draft>, Refusal> {
    let Some(member) = stage.consortium.members.get(&institution) else {
        return Err(Refusal::NotABank(institution));
    };
    if member.revoked.is_some() {
        return Ok(vec![]);
    }
    let reason = Text::new(reason).map_err(Refusal::Record)?;
    let revoked = Member::Revoked(MemberRevoked { institution, reason });
    Ok(vec![Draft::by_operator(stage.at, Body::Member(revoked))])
}

/// The same keys again: the answer was lost, nothing is recorded twice.
pub(super) fn rotate(stage: Stage<'_>, rotated: MemberRotated) -> Result<Vec<Draft>, Refusal> {
    let member = stage.consortium.active(&rotated.keys.institution);
    if member.is_some_and(|member| member.has(&rotated.keys)) {
        return Ok(vec![]);
    }
    by_operator(stage, Body::Member(Member::Rotated(rotated)))
}

pub(super) fn change_log_key(stage: Stage<'_>, log_key: LogKey) -> Result<Vec<Draft>, Refusal> {
    if stage.consortium.log_keys.newest().key == log_key.change.new_key {
        return Ok(vec![]);
    }
    by_operator(stage, Body::LogKey(log_key))
}

pub(super) fn recall(
    stage: Stage<'_>,
    run: RunId,
    from: u32,
    reason: String,
) -> Result<Vec<Draft>, Refusal> {
    if stage.consortium.is_recalled(&run, from) {
        return Ok(vec![]);
    }
    let reason = Text::new(reason).map_err(Refusal::Record)?;
    by_operator(stage, Body::Recalled(Recalled { run, from, reason }))
}

pub(super) fn record(
    stage: Stage<'_>,
    decision: Decision,
    signature: Signature,
) -> Result<Vec<Draft>, Refusal> {
    if stage.state.decided(&decision).is_some() {
        // A retry of a decision whose answer was lost.
        return Ok(vec![]);
    }
    let name = decision.institution.clone();
    by_member(stage, &name, Body::Decision(decision), signature)
}

/// What is on record stays as it was handed in first.
pub(super) fn report(
    stage: Stage<'_>,
    found: Contradicted,
    signature: Signature,
) -> Result<Vec<Draft>, Refusal> {
    if stage.state.convicted(&found).is_some() {
        return Ok(vec![]);
    }
    let name = found.institution.clone();
    by_member(stage, &name, Body::Contradiction(found), signature)
}

/// A record by an active member, if it follows from the log and the member signed it.
fn by_member(
    stage: Stage<'_>,
    name: &Institution,
    body: Body,
    signature: Signature,
) -> Result<Vec<Draft>, Refusal> {
    let Stage { state, consortium, at } = stage;
    let member = consortium.active(name).ok_or_else(|| Refusal::NotAMember(name.clone()))?;
    allows(consortium, &body, at, state.size).map_err(Refusal::Rules)?;
    let draft = Draft::by_member(at, body, member.record_key, signature);
    super::contribute::verify(&draft, &consortium.digest)?;
    Ok(vec![draft])
}

/// A record by the operator, if it follows from the log.
pub(super) fn by_operator(stage: Stage<'_>, body: Body) -> Result<Vec<Draft>, Refusal> {
    let Stage { state, consortium, at } = stage;
    allows(consortium, &body, at, state.size).map_err(Refusal::Rules)?;
    Ok(vec![Draft::by_operator(at, body)])
}

pub(super) fn propose(stage: Stage<'_>, bytes: &[u8]) -> Result<Vec<Draft>, Refusal> {
    let Stage { consortium, at, .. } = stage;
    let plan = Plan::parse(bytes).map_err(Refusal::Plan)?;
    if plan.consortium() != consortium.digest {
        return Err(Refusal::ForeignPlan);
    }
    for name in plan.cohort() {
        if consortium.active(name).is_none_or(|m| m.role != Role::Bank) {
            return Err(Refusal::UnknownParticipant(name.clone()));
        }
    }
    if consortium.proposals.contains_key(&plan.digest()) {
        return Ok(vec![]);
    }
    if let Some(run) = consortium.run_of(&plan.digest()) {
        return Err(Refusal::PlanHasRun(run));
    }
    if consortium.proposals.len() >= PROPOSALS_MAX {
        return Err(Refusal::Limit { what: "proposed plans", limit: PROPOSALS_MAX });
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let plan = ledger::record::Plan::new(text).map_err(Refusal::Record)?;
    Ok(vec![Draft::by_operator(at, Body::PlanProposed(PlanProposed { plan }))])
}

/// The signature, and the start of the run if it completes the quorum and no run is open.
pub(super) fn approve(
    stage: Stage<'_>,
    approval: Approval,
    signature: Signature,
) -> Result<Vec<Draft>, Refusal> {
    let Stage { state, consortium, at } = stage;
    let name = approval.institution.clone();
    let member = consortium.active(&name).filter(|member| member.role == Role::Bank);
    let Some(key) = member.map(|member| member.record_key) else {
        return Err(Refusal::NotABank(name));
    };
    if state.approved(&approval).is_some() {
        // A retry of a signature whose answer was lost, perhaps the one that started the run.
        return Ok(vec![]);
    }
    let Some(proposal) = consortium.proposals.get(&approval.plan) else {
        return Err(Refusal::UnknownPlan);
    };
    let body = Body::Approval(approval);
    let draft = Draft::by_member(at, body, key, signature);
    super::contribute::verify(&draft, &consortium.digest)?;

    let mut approvals = proposal.approvals.clone();
    approvals.insert(name, state.size);
    let mut drafts = vec![draft];
    if consortium.run.is_none() && consortium.quorum(&proposal.plan, &approvals) {
        drafts.push(start(at, &proposal.plan, approvals.into_values()));
    }
    Ok(drafts)
}

pub(super) fn start(
    at: ledger::time::Timestamp,
    plan: &Plan,
    approvals: impl Iterator<Item = u64>,
) -> Draft {
    let started = RunStarted { plan: plan.digest(), approvals: approvals.collect() };
    Draft::by_operator(at, Body::RunStarted(started))
}

pub(super) fn abandon(stage: Stage<'_>, run: RunId, reason: String) -> Result<Vec<Draft>, Refusal> {
    let open = stage.consortium.run.as_ref().is_some_and(|open| open.id == run);
    if !open {
        let ended = stage.consortium.ended.get(&run).is_some_and(|ending| !ending.finished);
        return if ended { Ok(vec![]) } else { Err(Refusal::UnknownRun(run)) };
    }
    let reason = Text::new(reason).map_err(Refusal::Record)?;
    Ok(vec![Draft::by_operator(stage.at, Body::Abandoned(Abandoned { run, reason }))])
}
