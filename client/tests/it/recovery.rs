//! Crashes at each point of a round, faked by leaving the ledger as such a crash leaves it.

use client::clock;
use client::mirror::OpenRound;
use client::population::{LedgerReport, Population};
use ledger::log_store::BlobStore as _;
use ledger::population::{ChargeLine, RECOMPUTES_MAX, Reservation, ReserveOutcome};
use privacy::PrivacyEvent;

use crate::coordinator::Fake;
use crate::neighbours::{unbounded, world};
use crate::world::{Bank, consortium, finished};

/// The open round as the bank sees it.
pub(crate) fn open_round(fake: &Fake) -> OpenRound {
    let core = fake.core();
    let (run, round) = (core.state.run().unwrap(), core.state.round().unwrap());
    OpenRound {
        consortium: core.genesis,
        run: run.id,
        plan: std::sync::Arc::clone(&run.plan),
        number: round.number,
        model: run.model.unwrap().theta,
        witnesses: 0,
        expects_us: true,
    }
}

/// The bank's ledger with the open round charged: what a crash right after RESERVED leaves.
pub(crate) fn charged(fake: &Fake, bank: &Bank) -> (Population, Reservation) {
    let round = open_round(fake);
    let mut population = bank.population();
    let rounds = u64::from(round.plan.text().rounds);
    let expected = PrivacyEvent { count: rounds, ..round.plan.event() };
    let rules = bank.policy().population;
    population.keep_cap(&rules, Some(&expected), clock::now()).unwrap();
    let request = population.request(&round, 8.0).unwrap();
    let ReserveOutcome::Compute(reservation) =
        population.ledger.reserve(clock::now(), request).unwrap()
    else {
        panic!("nothing was charged before")
    };
    (population, reservation)
}

fn one_acknowledged(report: &LedgerReport) -> bool {
    report.charges.len() == 1 && report.charges.iter().all(|c| c.standing == "acknowledged")
}

/// A vector that the coordinator accepts and nobody computes.
const ZEROS: [u8; 8] = [0; 8];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_charge_computes_again_and_charges_nothing_more() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    drop(charged(&fake, north));
    let node = north.run();
    fake.until(finished).await;
    let report = north.until(one_acknowledged).await;
    assert_eq!(report.charges.iter().map(|c| c.recomputed).collect::<Vec<_>>(), [1]);
    node.end().await.unwrap();
}

/// Computes what is charged, and gives what would be sent at the end of a slot that does not end.
async fn computed(bank: &Bank) -> Vec<u8> {
    let node = bank.run();
    bank.until(|r| r.charges.iter().all(|c| c.standing == "released" && c.recomputed == 1)).await;
    node.end().await.unwrap();
    let Population { ledger, blobs } = bank.population();
    let released = ledger.state().charges().values().find_map(ChargeLine::released);
    blobs.get(&released.unwrap().1).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computation_that_is_done_again_under_its_charge_draws_other_noise() {
    // Under a model that says 0, customers with the label 0 have no gradient: what is released is the noise.
    let plan = |text: &str| unbounded(text).replace("slot_ms = 2000", "slot_ms = 3600000");
    let (fake, north) = world(plan, "id,x,y\nc1,0,0\nc2,0,0\nc3,0,0\nc4,0,0\n").await;
    drop(charged(&fake, &north));
    let (ledger, crashed) = (north.path().join("population"), north.path().join("crashed"));
    copy(&ledger, &crashed);
    let first = computed(&north).await;
    std::fs::remove_dir_all(&ledger).unwrap();
    copy(&crashed, &ledger);
    let second = computed(&north).await;
    assert_eq!((first.len(), second.len()), (8, 8));
    assert_ne!(first, second, "two computations had the same noise");
    assert!(fake.core().vectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_were_kept_but_not_released_are_never_sent() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let (population, _) = charged(&fake, north);
    population.blobs.put(&ZEROS).unwrap();
    drop(population);
    let node = north.run();
    fake.until(finished).await;
    north.until(one_acknowledged).await;
    node.end().await.unwrap();
    assert!(!fake.core().vectors.contains(&ZEROS.to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_release_sends_the_same_bytes() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let (mut population, reservation) = charged(&fake, north);
    let Population { ledger, blobs } = &mut population;
    ledger.release(clock::now(), &reservation, ZEROS.to_vec(), blobs).unwrap();
    drop(population);
    let node = north.run();
    fake.until(finished).await;
    let report = north.until(one_acknowledged).await;
    assert_eq!(report.charges.iter().map(|c| c.recomputed).collect::<Vec<_>>(), [0]);
    node.end().await.unwrap();
    assert_eq!(fake.core().vectors, [ZEROS.to_vec()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_was_lost_comes_from_the_log_or_from_the_same_bytes() {
    let (fake, banks) = consortium(&["north", "south"], 1, "asap").await;
    let [north, south] = &*banks else { panic!("two banks") };
    fake.core().faults.lost_receipts = 1;
    let first = north.run();
    north.until(one_acknowledged).await;
    first.end().await.unwrap();
    assert_eq!(north.receipts(), 1);
    let sent = fake.core().vectors.clone();
    assert!(sent.iter().all(|vector| *vector == sent[0]), "other bytes were sent");

    // And after a crash between the acceptance and the receipt.
    fake.core().faults.lost_receipts = u32::MAX;
    let (mut population, reservation) = charged(&fake, south);
    let Population { ledger, blobs } = &mut population;
    ledger.release(clock::now(), &reservation, ZEROS.to_vec(), blobs).unwrap();
    drop(population);
    let second = south.run();
    fake.until(finished).await;
    second.end().await.unwrap();
    fake.core().faults.lost_receipts = 0;
    let second = south.run();
    south.until(one_acknowledged).await;
    second.end().await.unwrap();
    assert_eq!(south.receipts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_of_another_record_is_not_kept() {
    let (fake, banks) = consortium(&["north", "south"], 1, "asap").await;
    let [north, _] = &*banks else { panic!("two banks") };
    fake.core().faults.wrong_receipts = 1;
    let node = north.run();
    north.until(one_acknowledged).await;
    node.end().await.unwrap();
    let receipts = north.verify_receipts();
    assert!(receipts.iter().all(|receipt| receipt.error.is_none()), "{receipts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computation_that_was_interrupted_too_often_stays_charged_and_unreleased() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let (mut population, _) = charged(&fake, north);
    for _ in 0..RECOMPUTES_MAX {
        let round = open_round(&fake);
        let request = population.request(&round, 8.0).unwrap();
        let again = population.ledger.reserve(clock::now(), request).unwrap();
        let ReserveOutcome::Interrupted(interrupted) = again else { panic!("interrupted") };
        population.ledger.recompute(clock::now(), &interrupted).unwrap();
    }
    drop(population);
    let node = north.run();
    north.until_status(|status| status.connected && status.expected).await;
    let report = north.until(|_| true).await;
    assert_eq!(report.charges.iter().map(|c| &*c.standing).collect::<Vec<_>>(), ["unreleased"]);
    node.end().await.unwrap();
    assert!(fake.core().vectors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_went_back_releases_nothing_more() {
    let (fake, banks) = consortium(&["north"], 2, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    north.until(|r| r.charges.len() == 2).await;
    node.end().await.unwrap();
    // Yesterday's backup: the ledger as it was before it was ever used.
    std::fs::remove_dir_all(north.path().join("population")).unwrap();
    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), client::Exit::Tampered, "{error}");
    // And again, though nothing new has come.
    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), client::Exit::Tampered, "{error}");
    assert_eq!(fake.core().vectors.len(), 2);
}

/// Copies the files of a directory, and of those in it.
pub(crate) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_restored_from_a_backup_ends_the_node_before_it_charges() {
    let (fake, banks) = consortium(&["north"], 2, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let elsewhere = tempfile::tempdir().unwrap();
    let place = format!("delta = 1e-5\nsecond_place = {:?}\n[allow]", elsewhere.path());
    let policy =
        crate::world::policy_text(&fake.genesis()).replace("delta = 1e-5\n[allow]", &place);
    north.write("policy.toml", &policy);
    drop(north.population());
    let (ledger, backup) = (north.path().join("population"), north.path().join("backup"));
    copy(&ledger, &backup);
    drop(charged(&fake, north));
    std::fs::remove_dir_all(&ledger).unwrap();
    copy(&backup, &ledger);

    let error = north.run().ended().await.unwrap_err();
    assert_eq!(error.exit(), client::Exit::Tampered, "{error}");
    assert!(error.to_string().contains("restored from a backup"), "{error}");
    assert!(fake.core().vectors.is_empty(), "nothing left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_second_place_works_from_the_first_day() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let elsewhere = tempfile::tempdir().unwrap();
    let place = format!("delta = 1e-5\nsecond_place = {:?}\n[allow]", elsewhere.path());
    let policy =
        crate::world::policy_text(&fake.genesis()).replace("delta = 1e-5\n[allow]", &place);
    north.write("policy.toml", &policy);
    let node = north.run();
    fake.until(finished).await;
    north.until(one_acknowledged).await;
    node.end().await.unwrap();
    let kept = std::fs::read_to_string(elsewhere.path().join("ledger.head")).unwrap();
    let size: u64 = kept.lines().nth(1).unwrap().parse().unwrap();
    assert!(size >= 4, "opened, cap, reserved, released: {kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_at_rest_is_checked_and_damage_is_named() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    north.until(one_acknowledged).await;
    node.end().await.unwrap();
    let checked = client::commands::ledger::check(north.path()).unwrap();
    assert_eq!((&checked.data["charges"], &checked.data["vectors"]), (&1.into(), &1.into()));
    let elsewhere = tempfile::tempdir().unwrap();
    let mirrored = client::commands::ledger::mirror(north.path(), elsewhere.path()).unwrap();
    assert!(mirrored.data["leaves"].as_u64().unwrap() >= 4);
    // One byte of one leaf.
    let database = north.path().join("population").join("log.sqlite");
    let connection = rusqlite::Connection::open(database).unwrap();
    let changed = "UPDATE leaf SET bytes = zeroblob(length(bytes)) WHERE position = 1";
    assert_eq!(connection.execute(changed, []).unwrap(), 1);
    drop(connection);
    let damaged = client::commands::ledger::check(north.path()).unwrap_err();
    assert_eq!(damaged.exit(), client::Exit::Tampered, "{damaged}");
}
