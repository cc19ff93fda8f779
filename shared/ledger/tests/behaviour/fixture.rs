//! Keys and records for the other tests.

use ledger::checkpoint::ConsistencyPath;
use ledger::digest::{Digest, sha256};
use ledger::record::{
    Abandoned, Approval, Body, Charge, Closed, Contradicted, Contribution, Decision, Evidence,
    Extended, Fault, Genesis, Institution, LogKey, LogKeyChange, Member, MemberAdded, MemberKeys,
    MemberRevoked, MemberRotated, Model, Paused, Plan, PlanProposed, QuorumRule, Recalled, Role,
    RoundOpened, RunFinished, RunId, RunStarted, SignedHead, TaskChange, Text,
};
use ledger::signing::{Signature, SigningKey};
use ledger::time::Timestamp;
use ledger::tree::Head;

/// A key that is the same in every run.
pub(crate) fn key(seed: u8) -> SigningKey {
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend_from_slice(&[seed; 32]);
    SigningKey::from_pkcs8(&der).unwrap()
}

pub(crate) fn digest(seed: u8) -> Digest {
    sha256(&[seed])
}

pub(crate) fn run() -> RunId {
    RunId::derive(&digest(1), 4)
}

pub(crate) fn name(name: &str) -> Institution {
    Institution::new(name).unwrap()
}

pub(crate) fn contribution() -> Contribution {
    Contribution {
        run: run(),
        round: 3,
        plan: digest(1),
        model: digest(2),
        institution: name("bank-a"),
        vector: digest(3),
        ledger_head: digest(4),
        charge: Charge::new(1.25, 0.5, TaskChange::Content).unwrap(),
    }
}

fn decision(about: Option<Digest>) -> Decision {
    let text = Text::new("the model of run 3 is used for limits up to 5,000").unwrap();
    Decision { institution: name("bank-a"), text, about, number: 2 }
}

fn log_key(handover: Option<Signature>) -> LogKey {
    let change = LogKeyChange {
        old_key: key(9).public(),
        new_key: key(10).public(),
        anchor: Head { size: 12, root: digest(4) },
        reason: Text::new("yearly").unwrap(),
    };
    let approvals = [(name("bank-a"), key(2).sign(b"a")), (name("bank-b"), key(2).sign(b"b"))];
    LogKey { key_proof: key(10).sign(b"k"), change, handover, approvals: approvals.into() }
}

/// Its signatures are of another message: bytes do not ask.
fn contradicted(path: bool) -> Contradicted {
    let head = |size, seed| SignedHead {
        head: Head { size, root: Digest::from_bytes([seed; 32]) },
        signature: key(9).sign(&[seed]),
    };
    Contradicted {
        institution: name("bank-b"),
        log_key: key(9).public(),
        smaller: head(5, 1),
        larger: head(if path { 7 } else { 5 }, 2),
        path: path.then(|| ConsistencyPath {
            root_at_smaller: digest(6),
            consistency: vec![digest(7), digest(8)],
        }),
    }
}

/// One body of every kind.
pub(crate) fn bodies() -> Vec<Body> {
    let reason = Text::new("as agreed").unwrap();
    let keys = MemberKeys {
        institution: name("bank-a"),
        tls_key_digest: digest(5),
        record_key: key(2).public(),
        cosign_key: key(3).public(),
    };
    let rotated = MemberRotated::prove(keys.clone(), &key(4), &key(2), &key(3), &digest(0));
    let added = MemberAdded::prove(keys, Role::Bank, &key(2), &key(3), &digest(0));
    let cohort = [name("bank-a"), name("bank-b")];
    vec![
        Genesis {
            name: Text::new("Test").unwrap(),
            operator_key: key(1).public(),
            log_key: key(9).public(),
            ca_digest: digest(6),
            quorum: QuorumRule::more_than(1, 2).unwrap(),
            nonce: [7; 32],
        }
        .into(),
        Member::Added(added).into(),
        Member::Revoked(MemberRevoked { institution: name("b"), reason: reason.clone() }).into(),
        PlanProposed { plan: Plan::new("version = 1\n").unwrap() }.into(),
        Approval { institution: name("bank-a"), plan: digest(1) }.into(),
        RunStarted { plan: digest(1), approvals: [2, 3, 300].into() }.into(),
        RoundOpened {
            run: run(),
            round: 0,
            model: digest(2),
            cohort: cohort.clone().into(),
            deadline: Timestamp::from_millis(99),
        }
        .into(),
        contribution().into(),
        Extended { run: run(), round: 1, deadline: Timestamp::from_millis(100) }.into(),
        Closed { run: run(), round: 1, survivors: cohort.into(), aggregate: digest(7) }.into(),
        Model { run: run(), index: 0, theta: digest(2), master: digest(8) }.into(),
        Abandoned { run: run(), reason: reason.clone() }.into(),
        RunFinished { run: run(), model: 2 }.into(),
        Evidence {
            fault: Fault::Equivocation,
            institution: name("bank-a"),
            contribution: contribution(),
            signature: key(2).sign(b"x"),
            detail: reason.clone(),
        }
        .into(),
        Member::Rotated(rotated).into(),
        Paused { run: run(), paused: true, reason: reason.clone() }.into(),
        Paused { run: run(), paused: false, reason: reason.clone() }.into(),
        Recalled { run: run(), from: 3, reason: reason.clone() }.into(),
        decision(Some(digest(5))).into(),
        decision(None).into(),
        log_key(Some(key(9).sign(b"x"))).into(),
        log_key(None).into(),
        contradicted(true).into(),
        contradicted(false).into(),
    ]
}
