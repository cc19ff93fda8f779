//! Many writers, one ledger, a budget for exactly so many charges.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::population::{
    Cap, LedgerError, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
    UnitRelation, Violation,
};
use ledger::record::{Charge, Institution, RunId, TaskChange, Text};
use ledger::signing::{Pkcs8, SigningKey};
use ledger::time::Timestamp;
use ring::rand::SystemRandom;
use store::{Blobs, SqliteLog};
use tempfile::TempDir;

const AT: Timestamp = Timestamp::from_millis(1);
/// The budget is for exactly so many charges.
const ADMITTED: usize = 24;
/// Everybody asks for so many.
const ATTEMPTS: u32 = 20;
const WRITERS: u8 = 4;
/// What tells a process that it is a writer, and which.
const WRITER: &str = "COUNTERFOIL_TEST_WRITER";
const PLACE: &str = "COUNTERFOIL_TEST_PLACE";

fn consortium(writer: u8) -> Digest {
    sha256(&[writer])
}

/// A ledger that all share, capped; its key lies beside it.
fn prepare(place: &Path) {
    let (key, pkcs8) = SigningKey::generate(&SystemRandom::new()).unwrap();
    std::fs::write(place.join("key"), pkcs8.to_pem().as_bytes()).unwrap();
    std::fs::create_dir(place.join("elsewhere")).unwrap();
    let (log, _) = store::open_shared(&place.join("ledger")).unwrap();
    let log = log.confirmed_by(&place.join("elsewhere")).unwrap();
    let opened = Opened {
        institution: Institution::new("north").unwrap(),
        population: Text::new("cards").unwrap(),
        unit: Text::new("customer").unwrap(),
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let mut ledger = PopulationLedger::register(log, Arc::new(key), AT, opened, &[]).unwrap();
    let budget = f64::from(u32::try_from(ADMITTED).unwrap());
    ledger.set_cap(AT, Cap::new(50.0, 1e-6, 2.0, budget, Text::default()).unwrap()).unwrap();
}

fn open(place: &Path) -> (PopulationLedger<SqliteLog>, Blobs) {
    let pem = std::fs::read_to_string(place.join("key")).unwrap();
    let key = SigningKey::from_pkcs8(Pkcs8::from_pem(&pem).unwrap().as_der()).unwrap();
    let (log, blobs) = store::open_shared(&place.join("ledger")).unwrap();
    let log = log.confirmed_by(&place.join("elsewhere")).unwrap();
    (PopulationLedger::open(log, Arc::new(key)).unwrap(), blobs)
}

/// Asks for one charge after the other and releases what is charged; how many there were. Being refused for the budget is the only
/// way to be refused.
fn spend(place: &Path, writer: u8) -> usize {
    let (mut ledger, blobs) = open(place);
    let (key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
    let name = Institution::new(format!("north-{writer}")).unwrap();
    ledger.enroll(AT, consortium(writer), &name, &key).unwrap();
    let mut charged = 0;
    for round in 0..ATTEMPTS {
        let request = ReserveRequest {
            consortium: consortium(writer),
            run: RunId::derive(&Digest::ZERO, u64::from(writer)),
            round,
            plan: sha256(b"a plan"),
            model: sha256(&round.to_le_bytes()),
            charge: Charge::new(2.0, 1.0, TaskChange::Content).unwrap(),
            rdp: 1.0,
            terms: RunTerms::new(ATTEMPTS, 1.0, 1e-6, 2.0).unwrap(),
        };
        match ledger.reserve(AT, request) {
            Ok(ReserveOutcome::Compute(reservation)) => {
                charged += 1;
                let bytes = [writer; 8].to_vec();
                let released = ledger.release(AT, &reservation, bytes, &blobs).unwrap();
                let sent = ledger.contribution(&released).unwrap();
                assert_eq!(sent.institution, name);
            }
            Err(LedgerError::Refused(Violation::OverBudget { .. })) => {}
            other => panic!("writer {writer}, round {round}: {other:?}"),
        }
    }
    charged
}

/// All of the budget is spent, and no more; the ledger is sound and its head confirmed.
fn check(place: &Path, charged: usize) {
    let (ledger, _) = open(place);
    assert_eq!(charged, ADMITTED, "writers were told of {charged} charges");
    assert_eq!(ledger.state().charges().len(), ADMITTED);
    assert!(ledger.state().spent() <= ledger.state().cap().unwrap().budget());
    ledger.store().scrub().unwrap();
    for writer in 0..WRITERS {
        assert!(ledger.open_work(&consortium(writer)).len() <= usize::try_from(ATTEMPTS).unwrap());
    }
    let of_each = (0..WRITERS).map(|writer| ledger.open_work(&consortium(writer)).len());
    assert_eq!(of_each.sum::<usize>(), ADMITTED, "each has its own work, and all of it");
}

#[test]
fn threads_that_race_for_the_last_of_a_budget_never_pass_it() {
    let place = TempDir::new().unwrap();
    prepare(place.path());
    let charged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let place = place.path();
                scope.spawn(move || spend(place, writer))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    check(place.path(), charged);
}

#[test]
fn processes_that_race_for_the_last_of_a_budget_never_pass_it() {
    let place = TempDir::new().unwrap();
    prepare(place.path());
    let spawn = |writer: u8| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_that_writes", "--nocapture"])
            .env(WRITER, writer.to_string())
            .env(PLACE, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let writers: Vec<_> = (0..WRITERS).map(spawn).collect();
    let charged = writers.into_iter().map(|writer| {
        let output = writer.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{errors}");
        let line = said.lines().find_map(|line| line.split("charged ").nth(1)).unwrap();
        line.trim().parse::<usize>().unwrap()
    });
    check(place.path(), charged.sum());
}

/// Not a test by itself: what the one above starts.
#[test]
fn a_process_that_writes() {
    let (Ok(writer), Ok(place)) = (std::env::var(WRITER), std::env::var(PLACE)) else { return };
    let charged = spend(Path::new(&place), writer.parse().unwrap());
    println!("charged {charged}");
}

#[test]
fn a_process_that_is_killed_with_the_ledger_in_its_hand_holds_nothing() {
    let place = TempDir::new().unwrap();
    prepare(place.path());
    for round in 0..8_u64 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_that_writes", "--nocapture"])
            .env(WRITER, "9")
            .env(PLACE, place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Somewhere between its start and its end; the others go on whatever it held.
        let (mut ledger, _) = open(place.path());
        while ledger.head().size < 4 + round * 3 && writer.try_wait().unwrap().is_none() {
            ledger.refresh().unwrap();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        ledger.refresh().unwrap();
    }
    let (ledger, _) = open(place.path());
    assert!(ledger.state().spent() <= ledger.state().cap().unwrap().budget());
    ledger.store().scrub().unwrap();
}
