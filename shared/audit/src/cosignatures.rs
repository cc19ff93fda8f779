//! Who cosigned the head of an export.

use ledger::checkpoint::{LogIdentity, NoteSignature, SignedCheckpoint, witness_key};
use round::State;

use crate::export::CHECKPOINT;
use crate::finding::{Finding, Kind};

/// The members that cosigned the checkpoint, ascending. Every signature line but the log's own must be one of theirs, and valid.
pub(crate) fn check(
    checkpoint: &SignedCheckpoint,
    log: &LogIdentity,
    state: Option<&State>,
) -> Result<Vec<String>, Finding> {
    let wrong = |found: &dyn std::fmt::Display| {
        Kind::Tampered.at(CHECKPOINT, "signature lines of the log and its members", found)
    };
    let mut by = Vec::new();
    let members = state.and_then(|state| state.consortium.as_ref()).into_iter();
    for (name, member) in members.flat_map(|consortium| &consortium.members) {
        let witness = witness_key(&log.genesis, name.as_str(), member.cosign_key)
            .map_err(|error| wrong(&error))?;
        if checkpoint.cosignature(log, &witness).map_err(|error| wrong(&error))?.is_some() {
            by.push(name.to_string());
        }
    }
    if by.len() == checkpoint.other_signatures().len() {
        return Ok(by);
    }
    let known =
        |line: &str| by.iter().any(|name| line == format!("counterfoil/{}/{name}", log.genesis));
    let mut lines = checkpoint.other_signatures().iter().map(NoteSignature::name);
    let unknown = lines.find(|line| !known(line)).unwrap_or("a member, with another key");
    Err(wrong(&format!("an unknown signature line of {unknown:?}")))
}
