//! Who cosigned the head of an export.

use std::path::Path;

use ledger::checkpoint::{
    LogIdentity, NoteSignature, POLICY_BYTES_MAX, Policy, SignedCheckpoint, witness_key,
};
use ledger::signing::VerifierKey;
use round::State;

use crate::directory::read_file;
use crate::export::CHECKPOINT;
use crate::finding::{Finding, Kind};
use crate::report::Quorum;

/// The members that cosigned the checkpoint, ascending. Every signature line but the log's own must be one of theirs or of a witness that
/// the policy knows, and valid.
pub(crate) fn check(
    checkpoint: &SignedCheckpoint,
    log: &LogIdentity,
    state: Option<&State>,
    policy: Option<&Policy>,
) -> Result<Vec<String>, Finding> {
    let wrong = |found: &dyn std::fmt::Display| {
        Kind::Tampered.at(CHECKPOINT, "signature lines of the log and its members", found)
    };
    let mut by = Vec::new();
    let mut lines: Vec<&NoteSignature> = checkpoint.other_signatures().iter().collect();
    let members = state.and_then(|state| state.consortium.as_ref()).into_iter();
    for (name, member) in members.flat_map(|consortium| &consortium.members) {
        let witness = witness_key(&log.genesis, name.as_str(), member.cosign_key)
            .map_err(|error| wrong(&error))?;
        if checkpoint.cosignature(log, &witness).map_err(|error| wrong(&error))?.is_some() {
            by.push(name.to_string());
        }
        lines.retain(|line| !is_by(line, &witness));
    }
    for witness in policy.iter().flat_map(|policy| policy.witnesses()) {
        checkpoint.cosignature(log, witness).map_err(|error| wrong(&error))?;
        lines.retain(|line| !is_by(line, witness));
    }
    match lines.first() {
        None => Ok(by),
        Some(line) => Err(wrong(&format!("an unknown signature line of {:?}", line.name()))),
    }
}

fn is_by(line: &NoteSignature, witness: &VerifierKey) -> bool {
    (line.name(), line.id()) == (witness.name(), witness.id())
}

/// What the auditor's policy asks for.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Finding> {
    let bytes = read_file(path, "a policy", POLICY_BYTES_MAX)?;
    Policy::parse(&bytes).map_err(|error| Kind::Usage.at(path.display(), "a tlog-policy", error))
}

/// Whether the policy knows the log, and has the cosignatures that it asks for. Lines were checked before: none here is invalid.
pub(crate) fn judge(
    checkpoint: &SignedCheckpoint,
    log: &LogIdentity,
    policy: &Policy,
) -> Result<Quorum, Finding> {
    let own = log.verifier_key().map_err(|error| Kind::Tampered.at(CHECKPOINT, "a log", error))?;
    if !policy.logs().is_empty() && !policy.logs().contains(&own) {
        return Err(Kind::Tampered.at(CHECKPOINT, "a log that the policy knows", own));
    }
    let cosigned = |witness: &VerifierKey| {
        checkpoint.cosignature(log, witness).is_ok_and(|found| found.is_some())
    };
    let witnesses = policy.witnesses().filter(|witness| cosigned(witness));
    let cosigned_by = witnesses.map(|witness| witness.name().to_owned()).collect();
    Ok(Quorum { met: policy.is_met(cosigned), cosigned_by })
}
