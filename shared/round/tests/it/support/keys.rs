//! Who is who, and with which keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ledger::checkpoint::{ConsistencyPath, SignedCheckpoint};
use ledger::digest::{Digest, sha256};
use ledger::record::{
    Body, Contradicted, Decision, Genesis, Institution, Leaf, LogKey, LogKeyChange, MemberAdded,
    MemberKeys, MemberRotated, QuorumRule, Record, Role, SignedHead, Text,
};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use ledger::tree::{Head, LeafHashes, consistency_proof, root_at};

/// The banks of the plan.
pub(crate) const A: &str = "alder";
pub(crate) const B: &str = "birch";
pub(crate) const C: &str = "cedar";
/// A bank outside the plan's cohort.
pub(crate) const D: &str = "dogwood";
/// A member that reads everything and contributes nothing.
pub(crate) const AUDITOR: &str = "owl";
/// Nobody's member.
pub(crate) const STRANGER: &str = "weasel";

pub(crate) struct Keys {
    pub(crate) operator: SigningKey,
    pub(crate) log: SigningKey,
    record: BTreeMap<&'static str, SigningKey>,
    cosign: BTreeMap<&'static str, SigningKey>,
    /// What a member changes its record key to, and what the log does.
    pub(crate) next: SigningKey,
    pub(crate) next_log: SigningKey,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let names = [A, B, C, D, AUDITOR, STRANGER];
    Keys {
        operator: generate(),
        log: generate(),
        record: names.map(|name| (name, generate())).into(),
        cosign: names.map(|name| (name, generate())).into(),
        next: generate(),
        next_log: generate(),
    }
});

impl Keys {
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.record.contains_key(name)
    }

    pub(crate) fn record(&self, name: &str) -> &SigningKey {
        self.record.get(name).expect("a name of this module")
    }
}

#[expect(clippy::disallowed_methods, reason = "test keys come from the system")]
fn generate() -> SigningKey {
    let random = ring::rand::SystemRandom::new();
    SigningKey::generate(&random).expect("the system has randomness").0
}

pub(crate) fn institution(name: &str) -> Institution {
    name.parse().expect("a name that is allowed")
}

/// What leaf 0 says: a plan needs more than half of the active banks.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        name: Text::new("orchard").expect("a short name"),
        operator_key: KEYS.operator.public(),
        log_key: KEYS.log.public(),
        ca_digest: sha256(b"ca"),
        quorum: QuorumRule::more_than(1, 2).expect("a fraction"),
        nonce: [7; 32],
    }
}

/// The digest of leaf 0, which is always founded at time 0.
pub(crate) static GENESIS: LazyLock<Digest> = LazyLock::new(|| {
    let record = Record {
        at: Timestamp::default(),
        author: KEYS.operator.public(),
        body: Body::Genesis(genesis()),
    };
    let leaf: Leaf = record.sign(&KEYS.operator, &Digest::ZERO).expect("a short leaf");
    leaf.digest()
});

/// What an institution sends when it joins.
pub(crate) fn member(name: &str) -> MemberAdded {
    let role = if name == AUDITOR { Role::Auditor } else { Role::Bank };
    let (record, cosign) = (KEYS.record(name), KEYS.cosign.get(name).expect("a name"));
    let keys = MemberKeys {
        institution: institution(name),
        tls_key_digest: sha256(name.as_bytes()),
        record_key: record.public(),
        cosign_key: cosign.public(),
    };
    MemberAdded::prove(keys, role, record, cosign, &GENESIS)
}

/// What a member sends when it changes its record key and keeps the others.
pub(crate) fn rotated(name: &str) -> MemberRotated {
    let cosign = KEYS.cosign.get(name).expect("a name");
    let keys = MemberKeys { record_key: KEYS.next.public(), ..member(name).keys };
    MemberRotated::prove(keys, KEYS.record(name), &KEYS.next, cosign, &GENESIS)
}

/// A change to the keys that the member has.
pub(crate) fn unchanged(name: &str) -> MemberRotated {
    let (record, cosign) = (KEYS.record(name), KEYS.cosign.get(name).expect("a name"));
    MemberRotated::prove(member(name).keys, record, record, cosign, &GENESIS)
}

/// What a member decides, when it has decided `number` times before.
pub(crate) fn decision(name: &str, number: u32) -> Decision {
    let text = Text::new("limits follow the new model").expect("a short text");
    Decision { institution: institution(name), text, about: None, number }
}

/// A change of the log's key that these banks sign; the old key does too, unless it is lost.
pub(crate) fn log_key(signers: &[&str], size: u64, lost: bool) -> LogKey {
    handed_over([&KEYS.log, &KEYS.next_log], signers, size, lost)
}

/// The same from one key to another, both of which sign.
pub(crate) fn handed_over(
    [old, new]: [&SigningKey; 2],
    signers: &[&str],
    size: u64,
    lost: bool,
) -> LogKey {
    let change = LogKeyChange {
        old_key: old.public(),
        new_key: new.public(),
        anchor: Head { size, root: sha256(b"root") },
        reason: Text::new("yearly").expect("a short text"),
    };
    let sign = |key: &SigningKey| change.sign(key, &GENESIS);
    LogKey {
        key_proof: sign(new),
        handover: (!lost).then(|| sign(old)),
        approvals: signers.iter().map(|n| (institution(n), sign(KEYS.record(n)))).collect(),
        change: change.clone(),
    }
}

/// Heads of `small` and `large` leaves of two histories that part at leaf `fork`, signed by the log's first key or the `next`, as `name`
/// hands them in.
pub(crate) fn contradicted(
    name: &str,
    (small, large): (u64, u64),
    fork: u64,
    next: bool,
) -> Contradicted {
    let key = if next { &KEYS.next_log } else { &KEYS.log };
    let leaves = |size: u64, fork: u64| -> Vec<Digest> {
        (0..size).map(|at| sha256(&(2 * at + u64::from(at >= fork)).to_be_bytes())).collect()
    };
    let (one, other) = (leaves(small, u64::MAX), leaves(large, fork));
    let signed = |leaves: &[Digest]| {
        let size = leaves.len() as u64;
        let head = Head { size, root: root_at(&LeafHashes(leaves), size).expect("a tree") };
        let checkpoint = SignedCheckpoint::sign(&GENESIS, head, key).expect("a checkpoint");
        let signature = checkpoint.own_signature().bytes().try_into().expect("64 bytes");
        SignedHead { head, signature }
    };
    let (mut smaller, mut larger) = (signed(&one), signed(&other));
    if small == large && smaller.head.root > larger.head.root {
        (smaller, larger) = (larger, smaller);
    }
    let path = (small < large).then(|| ConsistencyPath {
        root_at_smaller: root_at(&LeafHashes(&other), small).expect("a tree"),
        consistency: consistency_proof(&LeafHashes(&other), small, large).expect("a tree"),
    });
    Contradicted { institution: institution(name), log_key: key.public(), smaller, larger, path }
}
