//! Proofs in one small file: made from an export, checked without one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use audit::{Anchor, check, prove};
use ledger::checkpoint::{LogIdentity, SignedCheckpoint, witness_key};
use ledger::record::Body;
use ledger::signing::VerifierKey;

use crate::world::{BANKS, Export, HONEST, KEYS, Story, World};

/// The leaf with the contribution of bank `name` to `round`.
fn accepted(world: &World, name: &str, round: u32) -> usize {
    let is = |body: &Body| matches!(body, Body::Accepted(c) if c.institution.as_str() == name && c.round == round);
    world.leaves.iter().position(|leaf| is(leaf.body())).expect("it was accepted")
}

fn log() -> LogIdentity {
    LogIdentity { genesis: HONEST.genesis(), key: KEYS.log.public() }
}

fn key() -> VerifierKey {
    log().verifier_key().expect("a key")
}

fn by_key() -> Anchor {
    Anchor { key: Some(key()), ..Anchor::default() }
}

fn beside(export: &Export, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = export.path.with_file_name(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

fn receipt(export: &Export, world: &World, index: usize, size: usize) -> PathBuf {
    beside(export, "receipt", world.receipt(index, size).to_text())
}

fn code(proof: &Path, anchor: &Anchor) -> u8 {
    check(proof, anchor, None).exit_code()
}

/// Two histories: cedar's last contribution is in one of them. The receipt is of the one, the export the other.
fn two_histories() -> (Export, PathBuf) {
    let export = World::play(Story { absent: true, ..Story::default() }).export();
    let shared = accepted(&HONEST, "birch", 2);
    let receipt = receipt(&export, &HONEST, shared, shared + 2);
    (export, receipt)
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_counterfoil-audit")).args(args).output().expect("it runs")
}

#[test]
fn a_record_is_proved_from_its_receipt_and_checked_without_the_export() {
    let export = HONEST.export();
    for (index, leaf) in HONEST.leaves.iter().enumerate() {
        for size in [index + 1, HONEST.leaves.len()] {
            let receipt = receipt(&export, &HONEST, index, size);
            let proved = prove(&receipt, &export.path, Some(HONEST.genesis()));
            assert_eq!((proved.exit_code(), &proved.finding), (0, &None));
            let proof = beside(&export, "proof", proved.file.expect("a proof"));
            let checked = check(&proof, &by_key(), None);
            assert_eq!((checked.exit_code(), checked.anchored), (0, true));
            let record = checked.record.expect("a record");
            assert_eq!(record.sha256, leaf.digest().to_string());
            assert_eq!(usize::try_from(record.records), Ok(HONEST.leaves.len()));
        }
    }
}

#[test]
fn a_proof_is_about_the_log_that_was_asked_about() {
    let export = HONEST.export();
    let receipt = receipt(&export, &HONEST, 5, 9);
    let founding = Some(export.path.join("genesis"));
    let with = |genesis, founding| Anchor { genesis, founding, ..Anchor::default() };
    let unanchored = check(&receipt, &with(None, founding.clone()), None);
    assert_eq!((unanchored.exit_code(), unanchored.anchored), (0, false));
    assert_eq!(code(&receipt, &with(Some(HONEST.genesis()), founding.clone())), 0);
    let other = HONEST.leaves.get(1).expect("a leaf").digest();
    assert_eq!(code(&receipt, &with(Some(other), founding.clone())), 6);
    assert_eq!(code(&receipt, &Anchor { genesis: Some(other), ..by_key() }), 6);
    assert_eq!(code(&receipt, &with(Some(HONEST.genesis()), None)), 64, "no key at all");
    assert_eq!(code(&receipt, &with(None, Some(export.path.join("checkpoint")))), 6);
    assert_eq!(code(&receipt, &with(None, Some(export.path.join("nothing")))), 5);
    let foreign = LogIdentity { key: KEYS.record[0].public(), ..log() };
    let foreign = Some(foreign.verifier_key().expect("a key"));
    assert_eq!(code(&receipt, &Anchor { key: foreign.clone(), ..Anchor::default() }), 6);
    assert_eq!(code(&receipt, &Anchor { key: foreign, founding, ..Anchor::default() }), 6);
    let witness = witness_key(&HONEST.genesis(), BANKS[0], KEYS.cosign[0].public());
    let key = Some(witness.expect("a key"));
    assert_eq!(code(&receipt, &Anchor { key, ..Anchor::default() }), 64, "a witness is no log");
    assert_eq!(prove(&receipt, &export.path, Some(other)).exit_code(), 6);
    assert_eq!(code(&export.path.join("nothing"), &by_key()), 5);
}

#[test]
fn any_byte_of_a_proof_counts() {
    let export = HONEST.export();
    let proved = prove(&receipt(&export, &HONEST, 7, 8), &export.path, None);
    let text = proved.file.expect("a proof").into_bytes();
    for at in 0..text.len() {
        let mut bytes = text.clone();
        *bytes.get_mut(at).expect("a byte") ^= 0x04;
        assert_eq!(code(&beside(&export, "proof", &bytes), &by_key()), 6, "byte {at}");
        let cut = text.get(..at).expect("within");
        assert_eq!(code(&beside(&export, "proof", cut), &by_key()), 6, "cut at {at}");
    }
}

#[test]
fn a_proof_without_its_leaf_is_checked_with_it() {
    let export = HONEST.export();
    let whole = HONEST.receipt(7, 12).to_text();
    let (magic, rest) = whole.split_once('\n').expect("lines");
    let (_, rest) = rest.split_once('\n').expect("lines");
    let proof = beside(&export, "proof", format!("{magic}\n{rest}"));
    let leaf = |index: usize| {
        beside(&export, "leaf", HONEST.leaves.get(index).expect("a leaf").bytes().as_slice())
    };
    assert_eq!(code(&proof, &by_key()), 6);
    assert_eq!(check(&proof, &by_key(), Some(&leaf(7))).exit_code(), 0);
    assert_eq!(check(&proof, &by_key(), Some(&leaf(8))).exit_code(), 6);
    let full = beside(&export, "full", &whole);
    assert_eq!(check(&full, &by_key(), Some(&leaf(7))).exit_code(), 0);
    assert_eq!(check(&full, &by_key(), Some(&leaf(8))).exit_code(), 6);
}

#[test]
fn witnesses_that_are_asked_for_must_have_cosigned() {
    let export = HONEST.export();
    let note = String::from_utf8(export.read("checkpoint")).expect("text");
    let note = SignedCheckpoint::open(&note, &log()).expect("a checkpoint");
    let witness = |bank: usize| {
        witness_key(&HONEST.genesis(), BANKS[bank], KEYS.cosign[bank].public()).expect("a key")
    };
    let line = |bank: usize| {
        note.cosign(&log(), &witness(bank), &KEYS.cosign[bank], 1_700_000_000).unwrap()
    };
    let cosigned = note.with_cosignature(&log(), &witness(0), line(0).line()).expect("valid");
    let cosigned = cosigned.with_cosignature(&log(), &witness(1), line(1).line()).expect("valid");
    export.write("checkpoint", cosigned.text().as_bytes());
    let proved = prove(&receipt(&export, &HONEST, 7, 8), &export.path, None);
    let proof = beside(&export, "proof", proved.file.expect("a proof"));
    let with = |witnesses| check(&proof, &Anchor { witnesses, ..by_key() }, None);
    let none = with(vec![]);
    assert_eq!((none.exit_code(), none.unchecked_signatures), (0, 2));
    let one = with(vec![witness(1)]);
    assert_eq!((one.exit_code(), one.unchecked_signatures), (0, 1));
    assert_eq!(one.cosigned_by, [witness(1).name()]);
    assert_eq!(with(vec![witness(0), witness(1)]).exit_code(), 0);
    assert_eq!(with(vec![witness(0), witness(2)]).exit_code(), 6);
}

#[test]
fn what_is_not_in_the_log_is_not_proved() {
    let export = World::play(Story { absent: true, ..Story::default() }).export();
    let index = accepted(&HONEST, "cedar", 2);
    let proved = prove(&receipt(&export, &HONEST, index, index + 1), &export.path, None);
    assert_eq!((proved.exit_code(), proved.file), (7, None));
    let proved = prove(&export.path.join("nothing"), &export.path, None);
    assert_eq!((proved.exit_code(), proved.file), (5, None));
    export.write("note.txt", b"hello");
    let proved = prove(&receipt(&export, &HONEST, 3, 5), &export.path, None);
    assert_eq!((proved.exit_code(), proved.file), (6, None));
}

#[test]
fn two_histories_are_proved_by_a_file_alone() {
    let (export, receipt) = two_histories();
    let proved = prove(&receipt, &export.path, None);
    assert_eq!(proved.exit_code(), 8);
    let proof = beside(&export, "split.json", proved.file.as_ref().expect("a proof"));
    for anchor in [
        Anchor::default(),
        by_key(),
        Anchor { genesis: Some(HONEST.genesis()), ..Anchor::default() },
        Anchor { founding: Some(export.path.join("genesis")), ..Anchor::default() },
    ] {
        let checked = check(&proof, &anchor, None);
        assert_eq!(checked.exit_code(), 8, "{anchor:?}");
        let split = checked.split.expect("two heads");
        assert!(split.smaller < split.larger && split.root != split.other_root);
    }
    let other = HONEST.leaves.get(1).expect("a leaf").digest();
    let genesis = Some(other);
    assert_eq!(code(&proof, &Anchor { genesis, ..Anchor::default() }), 6, "another's log");
    let foreign = LogIdentity { key: KEYS.record[0].public(), ..log() };
    let key = Some(foreign.verifier_key().expect("a key"));
    assert_eq!(code(&proof, &Anchor { key, ..Anchor::default() }), 6, "another's key");
}

#[test]
fn a_changed_proof_of_two_histories_convicts_nobody() {
    let (export, receipt) = two_histories();
    let text = prove(&receipt, &export.path, None).file.expect("a proof");
    let whole = code(&beside(&export, "split.json", &text), &by_key());
    assert_eq!(whole, 8);
    let bytes = text.as_bytes();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.to_vec();
        *changed.get_mut(at).expect("a byte") ^= 0x04;
        let found = code(&beside(&export, "split.json", &changed), &by_key());
        assert_eq!(found, 6, "byte {at}");
    }
    for at in (0..bytes.len() - 1).step_by(31) {
        let cut = bytes.get(..at).expect("within");
        assert_eq!(code(&beside(&export, "split.json", cut), &by_key()), 6, "cut at {at}");
    }
}

#[test]
fn the_commands_say_what_was_proved_within_a_screenful() {
    let export = HONEST.export();
    let (receipt, path) = (receipt(&export, &HONEST, 20, 22), export.path.to_str().expect("text"));
    let receipt = receipt.to_str().expect("text");
    let proof = export.path.with_file_name("record.tlog-proof");
    let proof = proof.to_str().expect("text");
    let genesis = HONEST.genesis().to_string();
    let made = run(&["prove", receipt, "--log", path, "--genesis", &genesis, "--out", proof]);
    assert_eq!(made.status.code(), Some(0));
    let text = String::from_utf8(made.stdout).expect("text");
    assert!(text.starts_with("proved\n") && text.lines().count() <= 8, "{text}");
    // What it prints last is the command that checks the file.
    let command = text.lines().last().expect("a command");
    let args: Vec<_> = command.split(' ').skip(1).collect();
    let checked = run(&args);
    assert_eq!(checked.status.code(), Some(0), "{command}");
    let text = String::from_utf8(checked.stdout).expect("text");
    assert!(text.starts_with("proved\n") && text.contains("leaf 20"), "{text}");
    let printed = run(&["prove", receipt, "--log", path]);
    assert_eq!(printed.stdout, std::fs::read(proof).expect("a proof"), "nothing but the proof");
    let alone = run(&["check", proof]);
    assert_eq!(alone.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&alone.stdout).contains("--key VKEY"));

    let (export, receipt) = two_histories();
    let (receipt, path) = (receipt.to_str().expect("text"), export.path.to_str().expect("text"));
    let proof = export.path.with_file_name("split.json");
    let proof = proof.to_str().expect("text");
    assert_eq!(run(&["prove", receipt, "--log", path, "--out", proof]).status.code(), Some(8));
    let checked = run(&["check", proof, "--genesis", &genesis]);
    assert_eq!(checked.status.code(), Some(8));
    let text = String::from_utf8(checked.stdout).expect("text");
    assert!(text.starts_with("split view proved\n"), "{text}");
}
