//! Records with one field changed, signed again by whoever would have to sign them.

use std::collections::BTreeSet;

use ledger::checkpoint::ConsistencyPath;
use ledger::digest::{Digest, sha256};
use ledger::record::{
    Body, Charge, Contradicted, Leaf, Member, MemberRevoked, MemberRotated, Plan, Record, RunId,
    TaskChange,
};
use ledger::signing::{PublicKey, Signature, SigningKey};
use ledger::time::Timestamp;

use super::keys::{AUDITOR, D, GENESIS, KEYS, STRANGER, institution};

/// Every change of one field after which the record no longer follows from the state before it.
///
/// Left out are the fields that the log leaves open: digests of blobs, reasons, the role, names and
/// keys of a Genesis.
pub(crate) fn mutations(body: &Body) -> Vec<(&'static str, Body)> {
    let mut changed = vec![];
    macro_rules! change {
        ($name:literal, $variant:ident, |$body:ident| $change:expr) => {
            if let Body::$variant(original) = body {
                let mut $body = original.clone();
                $change;
                changed.push(($name, Body::$variant($body)));
            }
        };
    }
    let other_run = RunId::from_digest(sha256(b"another run"));
    let other = sha256(b"another digest");
    let charge = Charge::new(1.0, 0.5, TaskChange::Appears).expect("parameters in range");

    change!("genesis.operator_key", Genesis, |b| b.operator_key = KEYS.record(STRANGER).public());
    change!("plan_proposed.plan", PlanProposed, |b| b.plan = plan("version = 1"));
    change!("plan_proposed.plan", PlanProposed, |b| {
        b.plan = plan(&b.plan.text().replace(&GENESIS.to_string(), &Digest::ZERO.to_string()));
    });
    change!("approval.plan", Approval, |b| b.plan = other);
    change!("approval.institution", Approval, |b| b.institution = institution(AUDITOR));
    change!("run_started.plan", RunStarted, |b| b.plan = other);
    change!("run_started.approvals", RunStarted, |b| b.approvals.pop_first());
    change!("run_started.approvals", RunStarted, |b| b.approvals.insert(0));
    change!("round_opened.run", RoundOpened, |b| b.run = other_run);
    change!("round_opened.round", RoundOpened, |b| b.round += 1);
    change!("round_opened.model", RoundOpened, |b| b.model = other);
    change!("round_opened.cohort", RoundOpened, |b| b.cohort.insert(institution(D)));
    change!("round_opened.cohort", RoundOpened, |b| {
        // Empty already where everybody was put out.
        if b.cohort.pop_first().is_none() {
            b.round += 1;
        }
    });
    change!("round_opened.deadline", RoundOpened, |b| b.deadline = b.deadline.plus_millis(1));
    change!("accepted.run", Accepted, |b| b.run = other_run);
    change!("accepted.round", Accepted, |b| b.round += 1);
    change!("accepted.plan", Accepted, |b| b.plan = other);
    change!("accepted.model", Accepted, |b| b.model = other);
    change!("accepted.charge", Accepted, |b| b.charge = charge);
    change!("accepted.institution", Accepted, |b| b.institution = institution(D));
    change!("accepted.institution", Accepted, |b| b.institution = institution(AUDITOR));
    change!("extended.run", Extended, |b| b.run = other_run);
    change!("extended.round", Extended, |b| b.round += 1);
    change!("extended.deadline", Extended, |b| b.deadline = b.deadline.plus_millis(1));
    change!("closed.run", Closed, |b| b.run = other_run);
    change!("closed.round", Closed, |b| b.round += 1);
    change!("closed.survivors", Closed, |b| b.survivors.insert(institution(D)));
    change!("closed.survivors", Closed, |b| b.survivors.pop_first());
    change!("closed.survivors", Closed, |b| b.survivors = BTreeSet::new());
    change!("model.run", Model, |b| b.run = other_run);
    change!("model.index", Model, |b| b.index += 1);
    change!("abandoned.run", Abandoned, |b| b.run = other_run);
    change!("run_finished.run", RunFinished, |b| b.run = other_run);
    change!("run_finished.model", RunFinished, |b| b.model += 1);
    change!("evidence.institution", Evidence, |b| b.institution = institution(D));
    change!("evidence.contribution", Evidence, |b| b.contribution.vector = other);
    change!("evidence.signature", Evidence, |b| b.signature = Signature::from_bytes([1; 64]));
    change!("paused.run", Paused, |b| b.run = other_run);
    change!("paused.paused", Paused, |b| b.paused = !b.paused);
    change!("recalled.run", Recalled, |b| b.run = other_run);
    change!("recalled.from", Recalled, |b| b.from += 1_000);
    change!("decision.institution", Decision, |b| b.institution = institution("nobody"));
    change!("decision.number", Decision, |b| b.number += 1);
    change!("log_key.change.old_key", LogKey, |b| b.change.old_key = b.change.new_key);
    change!("log_key.change.new_key", LogKey, |b| b.change.new_key = b.change.old_key);
    change!("log_key.change.size", LogKey, |b| b.change.anchor.size += 1);
    change!("log_key.change.size", LogKey, |b| b.change.anchor.size = 0);
    change!("log_key.change.root", LogKey, |b| b.change.anchor.root = other);
    change!("log_key.key_proof", LogKey, |b| b.key_proof = Signature::from_bytes([1; 64]));
    change!("log_key.handover", LogKey, |b| b.handover = Some(b.key_proof));
    change!("log_key.approvals", LogKey, |b| b.approvals.clear());
    change!("log_key.approvals", LogKey, |b| {
        let signature = b.approvals.pop_first().expect("a quorum").1;
        b.approvals.insert(institution(AUDITOR), signature);
    });
    change!("log_key.approvals", LogKey, |b| b
        .approvals
        .values_mut()
        .for_each(|s| *s = b.key_proof));
    if let Body::Contradiction(found) = body {
        let all = contradictions(found).into_iter();
        changed.extend(all.map(|(name, found)| (name, Body::Contradiction(found))));
    }
    if let Body::Member(member) = body {
        changed.extend(roster(member).into_iter().map(|(name, m)| (name, Body::Member(m))));
    }
    changed
}

fn contradictions(found: &Contradicted) -> Vec<(&'static str, Contradicted)> {
    let other = sha256(b"another digest");
    let mut changed = vec![];
    let mut change = |name, change: &dyn Fn(&mut Contradicted)| {
        let mut other = found.clone();
        change(&mut other);
        changed.push((name, other));
    };
    change("contradiction.institution", &|b| b.institution = institution("nobody"));
    change("contradiction.log_key", &|b| b.log_key = KEYS.operator.public());
    change("contradiction.smaller.size", &|b| b.smaller.head.size -= 1);
    change("contradiction.smaller.root", &|b| b.smaller.head.root = Digest::ZERO);
    change("contradiction.smaller.signature", &|b| {
        b.smaller.signature = b.larger.signature;
    });
    change("contradiction.larger.size", &|b| b.larger.head.size += 1);
    change("contradiction.larger.root", &|b| {
        b.larger.head.root = Digest::from_bytes([255; 32]);
    });
    change("contradiction.larger.signature", &|b| {
        b.larger.signature = Signature::from_bytes([1; 64]);
    });
    change("contradiction.root_at_smaller", &|b| {
        // Between heads of one size there is none.
        let found = b.path.take().map_or_else(Vec::new, |path| path.consistency);
        b.path = Some(ConsistencyPath { root_at_smaller: other, consistency: found });
    });
    change("contradiction.consistency", &|b| match &mut b.path {
        Some(path) => path.consistency.push(other),
        None => b.larger.head.size += 1,
    });
    changed
}

fn roster(member: &Member) -> Vec<(&'static str, Member)> {
    let added = match member {
        Member::Added(added) => added,
        Member::Revoked(revoked) => {
            let revoked = MemberRevoked { institution: institution("nobody"), ..revoked.clone() };
            return vec![("member_revoked.institution", Member::Revoked(revoked))];
        }
        Member::Rotated(rotated) => return rotations(rotated),
    };
    let nobody = PublicKey::from_bytes([3; 32]);
    let mut all = vec![added.clone(); 6];
    let names = [
        "member_added.institution",
        "member_added.tls_key_digest",
        "member_added.record_key",
        "member_added.cosign_key",
        "member_added.record_proof",
        "member_added.cosign_proof",
    ];
    if let [name, tls, record, cosign, record_proof, cosign_proof] = all.as_mut_slice() {
        name.keys.institution = institution("nobody");
        tls.keys.tls_key_digest = sha256(b"another key");
        record.keys.record_key = nobody;
        cosign.keys.cosign_key = nobody;
        record_proof.record_proof = added.cosign_proof;
        cosign_proof.cosign_proof = added.record_proof;
    }
    names.into_iter().zip(all.into_iter().map(Member::Added)).collect()
}

fn rotations(rotated: &MemberRotated) -> Vec<(&'static str, Member)> {
    let nobody = PublicKey::from_bytes([3; 32]);
    let mut changed = vec![];
    let mut change = |name, change: &dyn Fn(&mut MemberRotated)| {
        let mut other = rotated.clone();
        change(&mut other);
        changed.push((name, Member::Rotated(other)));
    };
    change("member_rotated.keys.institution", &|r| r.keys.institution = institution("nobody"));
    change("member_rotated.keys.tls_key_digest", &|r| r.keys.tls_key_digest = sha256(b"other"));
    change("member_rotated.keys.record_key", &|r| r.keys.record_key = nobody);
    change("member_rotated.keys.cosign_key", &|r| r.keys.cosign_key = nobody);
    change("member_rotated.consent", &|r| r.consent = r.record_proof);
    change("member_rotated.record_proof", &|r| r.record_proof = r.consent);
    change("member_rotated.cosign_proof", &|r| r.cosign_proof = r.consent);
    changed
}

fn plan(text: &str) -> Plan {
    Plan::new(text).expect("a short text")
}

/// The record, signed by the institution that it names, or else by the operator.
pub(crate) fn resign(at: Timestamp, body: Body) -> Leaf {
    let known = |name: &str| if KEYS.knows(name) { KEYS.record(name) } else { &KEYS.operator };
    let key: &SigningKey = match &body {
        Body::Approval(approval) => known(approval.institution.as_str()),
        Body::Accepted(contribution) => known(contribution.institution.as_str()),
        Body::Decision(decision) => known(decision.institution.as_str()),
        Body::Contradiction(found) => known(found.institution.as_str()),
        _ => &KEYS.operator,
    };
    signed(at, body, key)
}

/// The record, signed by `key`.
pub(crate) fn signed(at: Timestamp, body: Body, key: &SigningKey) -> Leaf {
    let record = Record { at, author: key.public(), body };
    record.sign(key, &GENESIS).expect("a leaf that fits")
}

/// The record with somebody else's signature, or none that verifies.
pub(crate) fn forged(leaf: &Leaf) -> Vec<(&'static str, Leaf)> {
    let body = leaf.body().clone();
    let record = leaf.record().clone();
    let unsigned = record.with_signature(Signature::from_bytes([1; 64])).expect("a short leaf");
    vec![("author", signed(leaf.at(), body, KEYS.record(STRANGER))), ("signature", unsigned)]
}
