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
