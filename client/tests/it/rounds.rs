//! Whole rounds between a node and a coordinator.

use ledger::checkpoint::SignedCheckpoint;
use ledger::receipt::Receipt;
use ledger::record::Body;
use ledger::tree::Head;

use crate::world::{Bank, consortium, finished};

const ALL_ACKNOWLEDGED: fn(&client::population::LedgerReport) -> bool =
    |report| report.charges.iter().all(|charge| charge.standing == "acknowledged");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_charged_once_a_round_and_every_release_has_its_receipt() {
    let (fake, banks) = consortium(&["north"], 3, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    let report = north.until(|r| r.charges.len() == 3 && ALL_ACKNOWLEDGED(r)).await;
    node.end().await.unwrap();

    assert!(report.spent > 0.0 && report.spent <= report.cap.unwrap());
    assert_eq!(report.charges.iter().map(|c| c.round).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(fake.core().vectors.len(), 3);
    let receipts = north.verify_receipts();
    assert_eq!(receipts.len(), 3);
    assert!(receipts.iter().all(|receipt| receipt.error.is_none()), "{receipts:?}");

    // The same leaf under another head that the log's key signed: by itself it proves as much, beside the copy it is another log's.
    let file = std::fs::read_dir(north.path().join("receipts")).unwrap().next().unwrap().unwrap();
    let honest = Receipt::from_text(&std::fs::read_to_string(file.path()).unwrap()).unwrap();
    let forked = Head { size: 1, root: ledger::tree::leaf_hash(honest.leaf.as_slice()) };
    let core = fake.core();
    let signed = SignedCheckpoint::sign(&core.identity().genesis, forked, &core.log_key).unwrap();
    let checkpoint = signed.text().to_owned();
    let receipt = Receipt { index: 0, proof: vec![], checkpoint, ..honest };
    receipt.verify::<Body>(&core.identity()).unwrap();
    std::fs::write(file.path(), receipt.to_text()).unwrap();
    let errors: Vec<_> = north.verify_receipts().into_iter().filter_map(|r| r.error).collect();
    assert!(errors.len() == 1 && errors[0].contains("another history"), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn banks_train_together_and_send_at_the_end_of_the_slot() {
    let (fake, banks) = consortium(&["north", "south"], 2, "slot-end").await;
    let nodes: Vec<_> = banks.iter().map(Bank::run).collect();
    fake.until(finished).await;
    for bank in &banks {
        bank.until(|r| r.charges.len() == 2 && ALL_ACKNOWLEDGED(r)).await;
    }
    for node in nodes {
        node.end().await.unwrap();
    }
    assert_eq!(fake.core().vectors.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again() {
    let (fake, banks) = consortium(&["north", "south"], 2, "asap").await;
    let [north, south] = &*banks else { panic!("two banks") };
    let first = north.run();
    fake.until(|core| core.vectors.len() == 1).await;
    fake.disconnect();
    let second = south.run();
    fake.until(finished).await;
    north.until(|r| r.charges.len() == 2 && ALL_ACKNOWLEDGED(r)).await;
    first.end().await.unwrap();
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_that_was_left_out_enters_the_next_round_and_is_charged_for_both() {
    let (fake, banks) = consortium(&["north", "south"], 2, "asap").await;
    let [north, south] = &*banks else { panic!("two banks") };
    // South alone is there at the deadline; the quorum is one.
    let second = south.run();
    fake.until(|core| core.vectors.len() == 1).await;
    fake.advance_ms(4_000_000);
    fake.ask(round::Request::Tick).unwrap();
    fake.until(|core| core.state.round().is_some_and(|round| round.number == 1)).await;
    let first = north.run();
    fake.until(finished).await;
    let report = north.until(|r| r.charges.len() == 1 && ALL_ACKNOWLEDGED(r)).await;
    assert_eq!(report.charges.iter().map(|c| c.round).collect::<Vec<_>>(), [1]);
    first.end().await.unwrap();
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_at_half_life_and_work_goes_on() {
    let fake = crate::coordinator::Fake::start().await;
    let bank = crate::world::Bank::new("north");
    fake.core().faults.old_certificates = true;
    bank.join(&fake).await.unwrap();
    bank.write("policy.toml", &crate::world::policy_text(&fake.genesis()));
    let before = client::joined::Joined::load(&bank.state).unwrap().certificate().to_vec();
    let node = bank.run();
    fake.until(|core| core.renewed > 0).await;
    let banks = [bank];
    crate::world::start_run(&fake, &banks, 1, "asap");
    fake.until(finished).await;
    let [bank] = &banks;
    node.end().await.unwrap();
    let after = client::joined::Joined::load(&bank.state).unwrap();
    assert!(after.certificate() != before);
}
