//! A bank's own ledger, true and false.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use audit::{Kind, verify_population};
use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Entry, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
    UnitRelation,
};
use ledger::record::{Charge, Institution, Leaf, RunId, TaskChange, Text};
use ledger::signing::{Signature, SigningKey};
use ledger::time::Timestamp;
use ledger::tree::{Frontier, leaf_hash};
use privacy::{
    Delta, Epsilon, Filter, Mechanism, NoiseMultiplier, Order, PrivacyEvent, SamplingRate,
};
use ring::rand::SystemRandom;
use tempfile::TempDir;

const AT: Timestamp = Timestamp::from_millis(5);
const ROUNDS: u32 = 4;

/// What a bank writes down, as parts of the truth: 1 is the truth.
#[derive(Clone, Copy)]
struct Story {
    rdp: f64,
    run_epsilon: f64,
    budget: f64,
    /// Whether the last entry's signature is another's.
    forged: bool,
}

const TRUTH: Story = Story { rdp: 1.0, run_epsilon: 1.0, budget: 1.0, forged: false };

fn event(count: u32) -> PrivacyEvent {
    PrivacyEvent {
        mechanism: Mechanism::PoissonGaussian {
            noise_multiplier: NoiseMultiplier::new(4.0).unwrap(),
            sampling_rate: SamplingRate::new(0.2).unwrap(),
        },
        change: privacy::TaskChange::ContentChanges,
        count: u64::from(count),
    }
}

/// The export of a ledger with three charges: one released, one open, one given back.
fn export(story: Story, place: &Path) {
    let (key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
    let key = Arc::new(key);
    let opened = Opened {
        institution: Institution::new("north").unwrap(),
        population: Text::new("cards").unwrap(),
        unit: Text::new("customer").unwrap(),
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let store = MemoryLog::new(MemoryBlobs::new());
    let mut ledger = PopulationLedger::register(store, Arc::clone(&key), AT, opened, &[]).unwrap();
    let (consortium, north) = (Digest::from_bytes([2; 32]), Institution::new("north").unwrap());
    let (record_key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
    ledger.enroll(AT, consortium, &north, &record_key).unwrap();
    let (epsilon, delta) = (Epsilon::new(3.0).unwrap(), Delta::new(1e-6).unwrap());
    let filter = Filter::new(epsilon, delta, Order::new(9.5).unwrap()).unwrap();
    let budget = filter.budget() * story.budget;
    ledger.set_cap(AT, Cap::new(3.0, 1e-6, 9.5, budget, Text::default()).unwrap()).unwrap();
    let whole = privacy::epsilon(&[event(ROUNDS)], delta).unwrap().epsilon_upper;
    let request = |round| ReserveRequest {
        consortium: Digest::from_bytes([2; 32]),
        run: RunId::derive(&Digest::ZERO, 4),
        round,
        plan: Digest::from_bytes([3; 32]),
        model: Digest::from_bytes([4; 32]),
        charge: Charge::new(4.0, 0.2, TaskChange::Content).unwrap(),
        rdp: filter.cost(&event(1)).unwrap() * story.rdp,
        terms: RunTerms::new(ROUNDS, whole * story.run_epsilon, 1e-6, 5.0).unwrap(),
    };
    for round in 0..3 {
        let reserved = ledger.reserve(AT, request(round)).unwrap();
        let ReserveOutcome::Compute(reservation) = reserved else { unreachable!("a new round") };
        match round {
            0 => {
                let blobs = ledger.store().blobs().clone();
                ledger.release(AT, &reservation, b"noised".to_vec(), &blobs).unwrap();
            }
            2 => ledger.void(AT, reservation.index(), Text::new("agreed").unwrap()).unwrap(),
            _ => {}
        }
    }
    let heads: Vec<_> = ledger.opened_heads().unwrap().iter().map(|opened| {
        let nonce = Digest::from_bytes(opened.nonce).to_string();
        let (size, root) = (opened.head.size, opened.head.root.to_string());
        serde_json::json!({ "reservation": opened.reservation, "size": size, "root": root, "nonce": nonce })
    }).collect();
    let heads = serde_json::to_vec(&serde_json::json!({ "heads": heads })).unwrap();
    let genesis = ledger.identity().genesis;
    let mut leaves = ledger.store().leaves(0..ledger.head().size).unwrap();
    if story.forged {
        let last: Leaf<Entry> = Leaf::decode(leaves.pop().unwrap().into_vec()).unwrap();
        let signature = Signature::from_bytes([7; 64]);
        leaves.push(last.record().clone().with_signature(signature).unwrap().into_bytes());
    }
    let mut tree = Frontier::new();
    for leaf in &leaves {
        tree.push(leaf_hash(leaf.as_slice()), |_, _, _| ());
    }
    let checkpoint = SignedCheckpoint::sign(&genesis, tree.head(), &key).unwrap();
    let leaves = leaves.into_iter().map(Ok::<_, std::io::Error>);
    audit::export::write_population(place, leaves, checkpoint.text(), &heads).unwrap();
}

fn exported(story: Story) -> (TempDir, std::path::PathBuf) {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("ledger");
    export(story, &place);
    (dir, place)
}

#[test]
fn a_true_ledger_verifies_and_every_figure_is_computed_anew() {
    let (_dir, place) = exported(TRUTH);
    let report = verify_population(&place, None);
    assert!(report.verified, "{:?}", report.finding);
    assert_eq!((report.entries, report.caps.as_slice()), (8, [3.0].as_slice()));
    let run = &report.runs[0];
    assert_eq!((run.rounds, run.charged, run.released, run.voided), (ROUNDS, 2, 1, 1));
    let two = privacy::epsilon(&[event(2)], Delta::new(1e-6).unwrap()).unwrap();
    assert!((run.epsilon.upper - two.epsilon_upper).abs() < 1e-12);
    assert!(report.spent > 0.0 && report.spent < 3.0);
    let genesis = report.genesis.unwrap().parse().unwrap();
    assert!(verify_population(&place, Some(genesis)).verified);
    let other = verify_population(&place, Some(Digest::ZERO));
    assert_eq!(other.finding.unwrap().kind, Kind::Tampered);
}

#[test]
fn a_bank_that_charges_itself_too_little_is_found_out() {
    for (story, place) in [
        (Story { rdp: 0.999, ..TRUTH }, "the charge of round 0"),
        (Story { run_epsilon: 0.9, ..TRUTH }, "run "),
        (Story { budget: 1.001, ..TRUTH }, "the cap of 3"),
        (Story { forged: true, ..TRUTH }, "leaf 7"),
    ] {
        let (_dir, folder) = exported(story);
        let finding = verify_population(&folder, None).finding.unwrap();
        assert_eq!(finding.kind, Kind::Tampered);
        assert!(finding.place.contains(place), "{finding}");
    }
    // Too much is the bank's own affair.
    let (_dir, folder) = exported(Story { rdp: 2.0, run_epsilon: 1.5, budget: 0.9, forged: false });
    let report = verify_population(&folder, None);
    assert!(report.verified && report.runs[0].logged > report.runs[0].whole.upper);
    let said = |folder: &Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"));
        let output = command.arg("ledger").arg(folder).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains("the ledger says")
    };
    assert!(said(&folder), "a logged figure that is not the computed one is shown");
    let (_dir, folder) = exported(TRUTH);
    assert!(!said(&folder));
}

#[test]
fn every_byte_of_a_ledger_counts() {
    let (_dir, place) = exported(TRUTH);
    for file in ["genesis", "checkpoint", "heads.json", "tile/entries/000.p/8", "tile/0/000.p/8"] {
        let path = place.join(file);
        let whole = fs::read(&path).unwrap();
        for index in (0..whole.len()).step_by(1 + whole.len() / 60) {
            let mut damaged = whole.clone();
            damaged[index] ^= 4;
            fs::write(&path, &damaged).unwrap();
            let report = verify_population(&place, None);
            // A nonce says nothing alone: changed, it opens another head than the log's, which the caller compares.
            let in_nonce = file == "heads.json" && report.verified;
            assert!(!report.verified || in_nonce, "{file} byte {index}");
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(verify_population(&place, None).verified);
    fs::write(place.join("notes.txt"), "rows").unwrap();
    assert_eq!(verify_population(&place, None).finding.unwrap().kind, Kind::Tampered);
    assert_eq!(verify_population(&place.join("nowhere"), None).exit_code(), 5);
}
