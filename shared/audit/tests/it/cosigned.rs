//! Cosignature lines on the checkpoint of an export.

use ledger::checkpoint::{LogIdentity, SignedCheckpoint, witness_key};
use ledger::signing::SigningKey;

use crate::world::{BANKS, Export, HONEST, KEYS};

/// The export's checkpoint, also cosigned by `key` in the name of `name`.
fn cosigned(export: &Export, name: &str, key: &SigningKey) -> String {
    let text = String::from_utf8(export.read("checkpoint")).expect("text");
    let log = LogIdentity { genesis: HONEST.genesis(), key: KEYS.log.public() };
    let note = SignedCheckpoint::open(&text, &log).expect("a checkpoint");
    let witness = witness_key(&log.genesis, name, key.public()).expect("a name");
    let line = note.cosign(&log, &witness, key, 1_700_000_000).expect("a time");
    note.with_cosignature(&log, &witness, line.line()).expect("a cosignature").text().to_owned()
}

#[test]
fn members_that_cosigned_are_named() {
    let export = HONEST.export();
    for (name, key) in BANKS.iter().zip(&KEYS.cosign).rev() {
        export.write("checkpoint", cosigned(&export, name, key).as_bytes());
    }
    let report = export.verify();
    assert_eq!((report.verified, report.cosigned_by), (true, BANKS.map(String::from).to_vec()));
}

#[test]
fn a_line_that_is_no_members_cosignature_is_tampering() {
    let [first, second, _] = BANKS;
    let (own, other) = (&KEYS.cosign[0], &KEYS.cosign[1]);
    // Another member's key under the name, the member's record key, and nobody's name.
    for (name, key) in [(first, other), (first, &KEYS.record[0]), ("weasel", own)] {
        let export = HONEST.export();
        export.write("checkpoint", cosigned(&export, name, key).as_bytes());
        assert_eq!(export.code(), 6, "{name}");
    }
    // A valid line beside one that is not, and one whose bytes were changed.
    let export = HONEST.export();
    let good = cosigned(&export, second, other);
    export.write("checkpoint", format!("{good}— somebody AAAAAAAA\n").as_bytes());
    assert_eq!(export.code(), 6);
    let mut changed = good.into_bytes();
    let at = changed.len() - 20;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    export.write("checkpoint", &changed);
    assert_eq!(export.code(), 6);
}

/// The verdict under a policy.
fn judged(export: &Export, policy: &str) -> audit::Report {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy");
    std::fs::write(&file, policy).expect("written");
    let genesis = Some(HONEST.genesis());
    audit::verify(&export.path, &audit::Options { genesis, receipts: vec![], policy: Some(file) })
}

#[test]
fn a_policy_asks_for_cosignatures_and_may_know_other_witnesses() {
    let genesis = HONEST.genesis();
    let key = |name: &str, key: &SigningKey| {
        witness_key(&genesis, name, key.public()).expect("a name").to_string()
    };
    let log = LogIdentity { genesis, key: KEYS.log.public() }.verifier_key().expect("a name");
    let [first, second, _] = BANKS;
    let (one, two) = (key(first, &KEYS.cosign[0]), key(second, &KEYS.cosign[1]));
    let both = format!("log {log}\nwitness a {one}\nwitness b {two}\ngroup g all a b\nquorum g\n");
    let export = HONEST.export();
    let codes = |export: &Export| {
        [both.clone(), both.replace(" all ", " any "), "quorum none\n".to_owned()]
            .map(|policy| judged(export, &policy).exit_code())
    };
    assert_eq!(codes(&export), [9, 9, 0]);
    export.write("checkpoint", cosigned(&export, first, &KEYS.cosign[0]).as_bytes());
    assert_eq!(codes(&export), [9, 0, 0]);
    let report = judged(&export, &both);
    // What is there is right: the figures stand.
    assert!(!report.institutions.is_empty() && !report.verified);
    assert_eq!(report.finding.expect("too few").expected, "the policy's quorum of cosignatures");
    export.write("checkpoint", cosigned(&export, second, &KEYS.cosign[1]).as_bytes());
    assert_eq!(codes(&export), [0, 0, 0]);
    let quorum = judged(&export, &both).quorum.expect("a policy");
    assert_eq!(
        quorum.cosigned_by,
        [first, second].map(|name| format!("counterfoil/{genesis}/{name}"))
    );

    // A witness that is no member: refused, unless the policy knows it.
    let outside = &KEYS.record[2];
    export.write("checkpoint", cosigned(&export, "outside", outside).as_bytes());
    assert_eq!(codes(&export), [6, 6, 6]);
    let known = format!("{}witness o {}\n", both, key("outside", outside));
    assert_eq!(judged(&export, &known).exit_code(), 0);
    let asked = known.replace("group g all a b\nquorum g\n", "") + "quorum o\n";
    assert_eq!(judged(&export, &asked).exit_code(), 0);
    // Its name with another key is nobody the policy knows.
    let impostor = format!("{}witness o {}\n", both, key("outside", &KEYS.record[1]));
    assert_eq!(judged(&export, &impostor).exit_code(), 6);

    // Another log's policy, and files that are none.
    let export = HONEST.export();
    let other = LogIdentity { genesis, key: KEYS.cosign[0].public() }.verifier_key();
    let other = format!("log {}\nquorum none\n", other.expect("a name"));
    assert_eq!(judged(&export, &other).exit_code(), 6);
    assert_eq!(judged(&export, "quorum nobody\n").exit_code(), 64);
    let missing = audit::Options { policy: Some("no/such/policy".into()), ..Default::default() };
    assert_eq!(audit::verify(&export.path, &missing).exit_code(), 5);
}
