//! What a record says, field by field.

use ledger::record::{Body, Contradicted, Contribution, Leaf, Member, MemberKeys, RunId};
use ledger::time::Timestamp;

use crate::dashboard::page::Cell;

/// A record's fields in the order of its format.
pub(super) fn fields(index: u64, leaf: &Leaf) -> Vec<(&'static str, Cell)> {
    match leaf.body() {
        Body::Genesis(genesis) => vec![
            ("name", Cell::text(&genesis.name)),
            ("digest", Cell::whole(leaf.digest())),
            ("operator_key", key(genesis.operator_key.as_bytes())),
            ("log_key", key(genesis.log_key.as_bytes())),
            ("ca_digest", Cell::whole(genesis.ca_digest)),
            ("nonce", key(&genesis.nonce)),
        ],
        Body::Member(Member::Added(added)) => {
            let mut fields = held(&added.keys);
            fields.push(("role", Cell::text(added.role.as_str())));
            fields
        }
        Body::Member(Member::Rotated(rotated)) => held(&rotated.keys),
        Body::Member(Member::Revoked(revoked)) => vec![
            ("institution", Cell::text(&revoked.institution)),
            ("reason", Cell::text(&revoked.reason)),
        ],
        Body::PlanProposed(proposed) => vec![
            ("plan", Cell::whole(proposed.plan.digest())),
            ("bytes", Cell::count(proposed.plan.text().len())),
        ],
        Body::Approval(approval) => vec![
            ("institution", Cell::text(&approval.institution)),
            ("plan", Cell::whole(approval.plan)),
        ],
        Body::RunStarted(started) => vec![
            ("run", run(&RunId::derive(&started.plan, index))),
            ("plan", Cell::whole(started.plan)),
            ("approvals", listed(started.approvals.iter())),
        ],
        Body::RoundOpened(opened) => vec![
            ("run", run(&opened.run)),
            ("round", Cell::count(opened.round)),
            ("model", Cell::whole(opened.model)),
            ("cohort", listed(opened.cohort.iter())),
            ("deadline_ms", Cell::At(opened.deadline)),
        ],
        Body::Accepted(contribution) => contributed(contribution),
        Body::Extended(extended) => vec![
            ("run", run(&extended.run)),
            ("round", Cell::count(extended.round)),
            ("deadline_ms", Cell::At(extended.deadline)),
        ],
        Body::Closed(closed) => vec![
            ("run", run(&closed.run)),
            ("round", Cell::count(closed.round)),
            ("survivors", listed(closed.survivors.iter())),
            ("aggregate", Cell::whole(closed.aggregate)),
        ],
        Body::Model(model) => vec![
            ("run", run(&model.run)),
            ("index", Cell::count(model.index)),
            ("theta", Cell::whole(model.theta)),
            ("master", Cell::whole(model.master)),
        ],
        Body::Abandoned(abandoned) => {
            vec![("run", run(&abandoned.run)), ("reason", Cell::text(&abandoned.reason))]
        }
        Body::RunFinished(finished) => {
            vec![("run", run(&finished.run)), ("model", Cell::count(finished.model))]
        }
        Body::Evidence(evidence) => {
            let mut fields = vec![
                ("fault", Cell::text(evidence.fault.as_str())),
                ("detail", Cell::text(&evidence.detail)),
            ];
            fields.extend(contributed(&evidence.contribution));
            fields
        }
        Body::Paused(paused) => vec![
            ("run", run(&paused.run)),
            ("paused", Cell::text(paused.paused)),
            ("reason", Cell::text(&paused.reason)),
        ],
        Body::Recalled(recalled) => vec![
            ("run", run(&recalled.run)),
            ("from", Cell::count(recalled.from)),
            ("reason", Cell::text(&recalled.reason)),
        ],
        Body::Decision(decision) => vec![
            ("institution", Cell::text(&decision.institution)),
            ("number", Cell::count(decision.number)),
            ("text", Cell::text(&decision.text)),
            ("about", decision.about.map_or_else(|| Cell::text("–"), Cell::whole)),
        ],
        Body::LogKey(record) => vec![
            ("old_key", key(record.change.old_key.as_bytes())),
            ("new_key", key(record.change.new_key.as_bytes())),
            ("size", Cell::count(record.change.anchor.size)),
            ("root", Cell::whole(record.change.anchor.root)),
            ("reason", Cell::text(&record.change.reason)),
            ("handed_over", Cell::text(record.handover.is_some())),
            ("approvals", listed(record.approvals.keys())),
        ],
        Body::Contradiction(found) => contradicted(found),
    }
}

fn contradicted(found: &Contradicted) -> Vec<(&'static str, Cell)> {
    let mut fields = vec![
        ("institution", Cell::text(&found.institution)),
        ("log_key", key(found.log_key.as_bytes())),
        ("smaller", Cell::count(found.smaller.head.size)),
        ("smaller_root", Cell::whole(found.smaller.head.root)),
        ("larger", Cell::count(found.larger.head.size)),
        ("larger_root", Cell::whole(found.larger.head.root)),
    ];
    fields.extend(found.path.as_ref().map(|p| ("root_at_smaller", Cell::whole(p.root_at_smaller))));
    fields
}

fn held(keys: &MemberKeys) -> Vec<(&'static str, Cell)> {
    vec![
        ("institution", Cell::text(&keys.institution)),
        ("tls_key_digest", Cell::whole(keys.tls_key_digest)),
        ("record_key", key(keys.record_key.as_bytes())),
        ("cosign_key", key(keys.cosign_key.as_bytes())),
    ]
}

/// What a record is about, in a few words and without anybody's name.
pub(super) fn summary(leaf: &Leaf) -> String {
    match leaf.body() {
        Body::Genesis(genesis) => format!("the consortium {}", genesis.name),
        Body::Member(Member::Added(added)) => format!("a new {}", added.role.as_str()),
        Body::Member(Member::Revoked(_)) => "a member is put out".to_owned(),
        Body::Member(Member::Rotated(_)) => "a member has other keys".to_owned(),
        Body::PlanProposed(_) => "a plan is put before the members".to_owned(),
        Body::Approval(_) => "a signature on a plan".to_owned(),
        Body::RunStarted(_) => "a run begins".to_owned(),
        Body::RoundOpened(opened) => {
            format!("round {}, due {}", opened.round, due(leaf.at(), opened.deadline))
        }
        Body::Accepted(contribution) => format!("a contribution to round {}", contribution.round),
        Body::Extended(extended) => {
            format!("round {}, due {}", extended.round, due(leaf.at(), extended.deadline))
        }
        Body::Closed(closed) => {
            format!("round {}, {} contributions", closed.round, closed.survivors.len())
        }
        Body::Model(model) => format!("model {}", model.index),
        Body::Abandoned(_) => "a run is ended early".to_owned(),
        Body::RunFinished(_) => "a run has closed its last round".to_owned(),
        Body::Evidence(evidence) => evidence.fault.as_str().to_owned(),
        Body::Paused(paused) => {
            if paused.paused { "a run is paused" } else { "a run goes on" }.to_owned()
        }
        Body::Recalled(recalled) => format!("models are withdrawn, from {} on", recalled.from),
        Body::Decision(_) => "a member's decision".to_owned(),
        Body::LogKey(_) => "the log has another key".to_owned(),
        Body::Contradiction(_) => "a key of the log signed two histories".to_owned(),
    }
}

fn due(from: Timestamp, to: Timestamp) -> String {
    format!("in {}", crate::dashboard::html::lasted(to.millis_since(from)))
}

fn contributed(contribution: &Contribution) -> Vec<(&'static str, Cell)> {
    let charge = &contribution.charge;
    vec![
        ("run", run(&contribution.run)),
        ("round", Cell::count(contribution.round)),
        ("plan", Cell::whole(contribution.plan)),
        ("model", Cell::whole(contribution.model)),
        ("institution", Cell::text(&contribution.institution)),
        ("vector", Cell::whole(contribution.vector)),
        ("ledger_head", Cell::whole(contribution.ledger_head)),
        ("noise_multiplier", Cell::Number(charge.noise_multiplier())),
        ("sampling_rate", Cell::Number(charge.sampling_rate())),
        ("task_change", Cell::text(charge.task_change().as_str())),
    ]
}

fn run(id: &RunId) -> Cell {
    Cell::Link(id.to_string(), format!("/runs/{id}"))
}

fn key(bytes: &[u8; 32]) -> Cell {
    Cell::whole(ledger::digest::Digest::from_bytes(*bytes))
}

fn listed(items: impl Iterator<Item = impl ToString>) -> Cell {
    Cell::Text(items.map(|item| item.to_string()).collect::<Vec<_>>().join(", "))
}
