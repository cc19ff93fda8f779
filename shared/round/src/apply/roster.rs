//! Who may write what, and changes of the roster.

use ledger::record::{Body, Institution, Member, MemberAdded, MemberRotated, Role};
use ledger::signing::PublicKey;

use super::Violation;
use crate::limits::{MEMBERS_MAX, ROTATIONS_PER_MEMBER_MAX};
use crate::state::{Consortium, Membership, RetiredKeys};

/// The key that must have signed a record of this kind.
pub(super) fn author_of(consortium: &Consortium, body: &Body) -> Result<PublicKey, Violation> {
    let active_bank = |name: &Institution| bank(consortium, name).map(|m| m.record_key);
    let active = |name: &Institution| {
        let member = consortium.active(name).map(|member| member.record_key);
        member.ok_or_else(|| Violation::NotActive(name.clone()))
    };
    match body {
        Body::Approval(approval) => active_bank(&approval.institution),
        Body::Accepted(contribution) => active_bank(&contribution.institution),
        Body::Decision(decision) => active(&decision.institution),
        Body::Contradiction(found) => active(&found.institution),
        Body::Genesis(_)
        | Body::Member(_)
        | Body::PlanProposed(_)
        | Body::RunStarted(_)
        | Body::RoundOpened(_)
        | Body::Extended(_)
        | Body::Closed(_)
        | Body::Model(_)
        | Body::Abandoned(_)
        | Body::RunFinished(_)
        | Body::Evidence(_)
        | Body::Paused(_)
        | Body::Recalled(_)
        | Body::LogKey(_) => Ok(consortium.genesis.operator_key),
    }
}

/// The active bank of this name.
pub(super) fn bank<'a>(
    consortium: &'a Consortium,
    name: &Institution,
) -> Result<&'a Membership, Violation> {
    let member = consortium.active(name).filter(|member| member.role == Role::Bank);
    member.ok_or_else(|| Violation::NotActive(name.clone()))
}

pub(super) fn member(
    consortium: &mut Consortium,
    member: &Member,
    index: u64,
) -> Result<(), Violation> {
    match member {
        Member::Added(added) => add(consortium, added, index),
        Member::Rotated(rotated) => rotate(consortium, rotated),
        Member::Revoked(revoked) => {
            let name = &revoked.institution;
            if consortium.active(name).is_none() {
                return Err(Violation::NotActive(name.clone()));
            }
            if let Some(member) = consortium.members.get_mut(name) {
                member.revoked = Some(index);
            }
            // A plan for somebody who is out can never run: it would only take up a place.
            consortium.proposals.retain(|_, proposal| !proposal.plan.cohort().contains(name));
            for proposal in consortium.proposals.values_mut() {
                proposal.approvals.remove(name);
            }
            Ok(())
        }
    }
}

fn add(consortium: &mut Consortium, added: &MemberAdded, index: u64) -> Result<(), Violation> {
    let keys = &added.keys;
    let name = &keys.institution;
    if consortium.run.is_some() {
        return Err(Violation::RunOpen);
    }
    if consortium.members.contains_key(name) {
        return Err(Violation::KnownMember(name.clone()));
    }
    if consortium.members.len() >= MEMBERS_MAX {
        return Err(Violation::Limit { what: "members", limit: MEMBERS_MAX });
    }
    if consortium.uses_key(&keys.record_key)
        || consortium.uses_key(&keys.cosign_key)
        || keys.record_key == keys.cosign_key
    {
        return Err(Violation::SharedKey(name.clone()));
    }
    added.verify_proofs(&consortium.digest).map_err(Violation::Record)?;
    let member = Membership {
        role: added.role,
        record_key: keys.record_key,
        cosign_key: keys.cosign_key,
        tls_key_digest: keys.tls_key_digest,
        admitted: index,
        revoked: None,
        retired: Vec::new(),
        decisions: 0,
        decided: None,
    };
    consortium.members.insert(name.clone(), member);
    Ok(())
}

/// Between runs only, so that one key speaks for a member in a whole run. Each of the three keys may stay; a new one was used by nobody.
/// What the member signed of plans that have not run is void: it signs them again.
fn rotate(consortium: &mut Consortium, rotated: &MemberRotated) -> Result<(), Violation> {
    let keys = &rotated.keys;
    let name = &keys.institution;
    if consortium.run.is_some() {
        return Err(Violation::RunOpen);
    }
    let member = consortium.active(name).ok_or_else(|| Violation::NotActive(name.clone()))?;
    if member.has(keys) {
        return Err(Violation::Field { field: "member_rotated.keys" });
    }
    if member.retired.len() >= ROTATIONS_PER_MEMBER_MAX {
        let limit = ROTATIONS_PER_MEMBER_MAX;
        return Err(Violation::Limit { what: "changes of one member's keys", limit });
    }
    if !consortium.may_use(member, keys) {
        return Err(Violation::SharedKey(name.clone()));
    }
    let proofs = rotated.verify_proofs(&member.record_key, &consortium.digest);
    proofs.map_err(Violation::Record)?;
    if let Some(member) = consortium.members.get_mut(name) {
        member.retired.push(RetiredKeys {
            record_key: member.record_key,
            cosign_key: member.cosign_key,
            tls_key_digest: member.tls_key_digest,
        });
        member.record_key = keys.record_key;
        member.cosign_key = keys.cosign_key;
        member.tls_key_digest = keys.tls_key_digest;
    }
    for proposal in consortium.proposals.values_mut() {
        proposal.approvals.remove(name);
    }
    Ok(())
}
