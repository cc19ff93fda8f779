//! Keys and records for the other tests.

use ledger::digest::{Digest, sha256};
use ledger::record::{
    Abandoned, Approval, Body, Charge, Closed, Contribution, Evidence, Extended, Fault, Genesis,
    Institution, Member, MemberAdded, MemberKeys, MemberRevoked, Model, Plan, PlanProposed,
    QuorumRule, Role, RoundOpened, RunFinished, RunId, RunStarted, TaskChange, Text,
};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;

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

/// One body of every kind.
pub(crate) fn bodies() -> Vec<Body> {
    let reason = Text::new("as agreed").unwrap();
    let keys = MemberKeys {
        institution: name("bank-a"),
        tls_key_digest: digest(5),
        record_key: key(2).public(),
        cosign_key: key(3).public(),
    };
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
            detail: reason,
        }
        .into(),
    ]
}
