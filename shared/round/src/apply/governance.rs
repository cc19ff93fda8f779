//! What the operator and the members decide beside plans and the roster.

use ledger::digest::sha256;
use ledger::record::{Canonical, Contradicted, Decision, LogKey, Paused, Recalled};

use super::Violation;
use super::roster::bank;
use super::round::field;
use super::run::open_run;
use crate::limits::{CONTRADICTIONS_PER_KEY_MAX, DECISIONS_PER_MEMBER_MAX};
use crate::state::Consortium;

pub(super) fn paused(consortium: &mut Consortium, paused: &Paused) -> Result<(), Violation> {
    let run = open_run(consortium, &paused.run)?;
    field("paused.paused", run.paused != paused.paused)?;
    run.paused = paused.paused;
    Ok(())
}

/// Of an ended run only: an open one would go on from what is withdrawn.
pub(super) fn recalled(consortium: &mut Consortium, recalled: &Recalled) -> Result<(), Violation> {
    let ending = consortium.ended.get_mut(&recalled.run);
    let ending = ending.ok_or(Violation::NotEnded(recalled.run))?;
    field("recalled.from", ending.model.is_some_and(|last| recalled.from <= last.index))?;
    field("recalled.from", ending.recalled.is_none_or(|before| recalled.from < before))?;
    ending.recalled = Some(recalled.from);
    Ok(())
}

pub(super) fn decision(
    consortium: &mut Consortium,
    decision: &Decision,
    index: u64,
) -> Result<(), Violation> {
    let name = &decision.institution;
    let member = consortium.members.get_mut(name);
    let member = member.ok_or_else(|| Violation::NotActive(name.clone()))?;
    if member.decisions >= DECISIONS_PER_MEMBER_MAX {
        let limit = DECISIONS_PER_MEMBER_MAX as usize;
        return Err(Violation::Limit { what: "decisions of one member", limit });
    }
    field("decision.number", decision.number == member.decisions)?;
    member.decisions += 1;
    member.decided = Some((index, sha256(&decision.encode())));
    Ok(())
}

/// Against any key that the log has or had: a stolen key convicts itself also after it was given up.
pub(super) fn contradiction(
    consortium: &mut Consortium,
    found: &Contradicted,
    index: u64,
) -> Result<(), Violation> {
    let known = consortium.log_keys.iter().any(|(_, key)| key == found.log_key);
    field("contradiction.log_key", known)?;
    found.verify(&consortium.digest).map_err(Violation::Contradiction)?;
    let pairs = consortium.convicted.entry(found.log_key).or_default();
    if let Some(index) = pairs.get(&found.pair()) {
        return Err(Violation::KnownContradiction(*index));
    }
    if pairs.len() >= CONTRADICTIONS_PER_KEY_MAX {
        let limit = CONTRADICTIONS_PER_KEY_MAX;
        return Err(Violation::Limit { what: "contradictions of one key", limit });
    }
    pairs.insert(found.pair(), index);
    Ok(())
}

/// The old key and a quorum of the banks hand over to the new key; the quorum alone does if the old key is lost. That the log has the
/// anchor's root at its size is for whoever has the tree to check.
pub(super) fn log_key(
    consortium: &mut Consortium,
    log_key: &LogKey,
    index: u64,
) -> Result<(), Violation> {
    if consortium.run.is_some() {
        return Err(Violation::RunOpen);
    }
    let change = &log_key.change;
    field("log_key.old_key", change.old_key == consortium.log_keys.newest().key)?;
    field("log_key.new_key", !consortium.uses_key(&change.new_key))?;
    field("log_key.size", (1..=index).contains(&change.anchor.size))?;
    log_key.verify_proofs(&consortium.digest).map_err(Violation::Record)?;
    for (name, signature) in &log_key.approvals {
        let key = bank(consortium, name)?.record_key;
        change.verify(&key, &consortium.digest, signature).map_err(Violation::Record)?;
    }
    if !consortium.is_quorum(log_key.approvals.keys()) {
        return Err(Violation::NoKeyQuorum);
    }
    consortium.log_keys.change(index, change.new_key);
    Ok(())
}
