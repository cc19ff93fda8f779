//! Who is who, and with which keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ledger::digest::{Digest, sha256};
use ledger::record::{
    Body, Genesis, Institution, Leaf, MemberAdded, MemberKeys, QuorumRule, Record, Role, Text,
};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;

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
    log: SigningKey,
    record: BTreeMap<&'static str, SigningKey>,
    cosign: BTreeMap<&'static str, SigningKey>,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let names = [A, B, C, D, AUDITOR, STRANGER];
    Keys {
        operator: generate(),
        log: generate(),
        record: names.map(|name| (name, generate())).into(),
        cosign: names.map(|name| (name, generate())).into(),
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
