//! A state, for people and their scripts.

use ledger::record::Institution;
use ledger::time::Timestamp;
use round::state::{Consortium, Phase, Run, State};
use serde_json::{Value, json};

/// Where everything stands.
pub(crate) fn status(state: &State) -> Value {
    let Some(consortium) = &state.consortium else { return json!({ "records": state.size }) };
    json!({
        "records": state.size,
        "at_ms": state.at.as_millis(),
        "consortium": consortium.genesis.name.as_str(),
        "genesis": consortium.digest.to_string(),
        "log_key": consortium.log_keys.newest().key.to_string(),
        "members": members(consortium),
        "proposals": proposals(consortium),
        "run": consortium.run.as_ref().map(run),
        "ended": consortium.ended.iter().map(|(id, ending)| json!({
            "run": id.to_string(),
            "plan": ending.plan.digest().to_string(),
            "finished": ending.finished,
            "recalled_from": ending.recalled,
            "model": ending.model.map(|model| json!({
                "index": model.index, "theta": model.theta.to_string(),
            })),
        })).collect::<Vec<_>>(),
    })
}

fn members(consortium: &Consortium) -> Vec<Value> {
    let entries = consortium.members.iter();
    entries
        .map(|(name, member)| {
            json!({
                "institution": name.as_str(),
                "role": member.role.as_str(),
                "active": member.revoked.is_none(),
            })
        })
        .collect()
}

fn proposals(consortium: &Consortium) -> Vec<Value> {
    let entries = consortium.proposals.iter();
    entries
        .map(|(digest, proposal)| {
            json!({
                "plan": digest.to_string(),
                "name": proposal.plan.text().name,
                "signed": proposal.approvals.keys().map(Institution::as_str).collect::<Vec<_>>(),
                "expected": proposal.plan.cohort().iter().map(Institution::as_str).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn run(run: &Run) -> Value {
    let mut status = json!({
        "run": run.id.to_string(),
        "plan": run.plan.digest().to_string(),
        "name": run.plan.text().name,
        "rounds": run.plan.text().rounds,
        "expects": run.phase.expects(),
        "paused": run.paused,
        "model": run.model.map(|model| model.index),
    });
    if let (Phase::Open(round), Value::Object(fields)) = (&run.phase, &mut status) {
        fields.insert("round".to_owned(), round.number.into());
        fields.insert("extensions".to_owned(), round.extensions.into());
        fields.insert("deadline_ms".to_owned(), Timestamp::as_millis(round.deadline).into());
        let missing = round.cohort.iter().filter(|name| !round.accepted.contains_key(*name));
        let missing: Vec<&str> = missing.map(Institution::as_str).collect();
        fields.insert("missing".to_owned(), missing.into());
    }
    status
}
