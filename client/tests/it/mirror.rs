//! The verified copy of the log, against every way of serving another.

use client::mirror::{Mirror, MirrorError};
use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::record::{Institution, LogKey, LogKeyChange, Text};
use ledger::signing::SigningKey;
use ledger::tree::Head;
use proptest::prelude::*;
use round::Request as Ask;

use crate::coordinator::{Core, Fake, new_key};
use crate::world::{Bank, start_run};

fn empty(bank: &Bank) -> Mirror<MemoryLog> {
    let log = client::joined::Joined::load(&bank.state).unwrap().log();
    let institution = Institution::new(bank.name).unwrap();
    Mirror::open(MemoryLog::default(), log, institution, bank.keys().record.public()).unwrap()
}

fn leaves(core: &Core, from: u64) -> Vec<Vec<u8>> {
    let leaves = core.log.leaves(from..core.log.head().size).unwrap();
    leaves.into_iter().map(ledger::record::LeafBytes::into_vec).collect()
}

fn both(core: &Core) -> (Vec<Vec<u8>>, SignedCheckpoint) {
    (leaves(core, 0), core.checkpoint())
}

async fn world() -> (Fake, [Bank; 1]) {
    let fake = Fake::start().await;
    let banks = [Bank::joined(&fake, "north").await];
    start_run(&fake, &banks, 1, "asap");
    (fake, banks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_takes_a_log_in_any_pieces_and_says_what_the_log_says() {
    let (fake, [north]) = world().await;
    let core = fake.core();
    let checkpoint = core.checkpoint();
    let all = leaves(&core, 0);
    for piece in 1..all.len() {
        let mut mirror = empty(&north);
        let (left, right) = all.split_at(piece);
        assert!(!mirror.take(left.to_vec(), None).unwrap());
        assert_eq!(mirror.head().size, 0);
        assert!(mirror.take(right.to_vec(), Some(checkpoint.text())).unwrap());
        assert_eq!(mirror.facts().state(), &core.state);
        assert_eq!(mirror.head(), core.log.head());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_leaf_is_refused() {
    let (fake, [north]) = world().await;
    let mirror = std::cell::RefCell::new(empty(&north));
    let core = fake.core();
    let (all, checkpoint) = (leaves(&core, 0), core.checkpoint());
    let flips = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1);
    proptest!(ProptestConfig::with_cases(64), |(
        leaf in any::<prop::sample::Index>(),
        flip in flips,
    )| {
        let mut changed = all.clone();
        let at = leaf.index(changed.len());
        let (byte, bits) = flip[0];
        let byte = byte.index(changed[at].len());
        prop_assume!(bits != 0);
        changed[at][byte] ^= bits;
        let mut mirror = mirror.borrow_mut();
        let refused = mirror.take(changed, Some(checkpoint.text()));
        mirror.forget_waiting();
        prop_assert!(matches!(refused, Err(MirrorError::Tampered(_))), "{refused:?}");
        prop_assert_eq!(mirror.head().size, 0);
    });
    assert!(mirror.borrow_mut().take(all, Some(checkpoint.text())).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_over_other_leaves_than_came_is_asked_for_again() {
    let (fake, [north]) = world().await;
    let mut mirror = empty(&north);
    let core = fake.core();
    let (all, checkpoint) = (leaves(&core, 0), core.checkpoint());
    let short = all[..all.len() - 1].to_vec();
    let refused = mirror.take(short, Some(checkpoint.text()));
    assert!(matches!(refused, Err(MirrorError::Incomplete { .. })), "{refused:?}");
    mirror.forget_waiting();
    let unsigned = checkpoint.text().replacen("counterfoil", "counterfoit", 1);
    let refused = mirror.take(all.clone(), Some(&unsigned));
    assert!(matches!(refused, Err(MirrorError::Checkpoint(_))), "{refused:?}");
    mirror.forget_waiting();
    assert!(mirror.take(all, Some(checkpoint.text())).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shorter_log_and_an_earlier_checkpoint_that_does_not_fit_are_proof() {
    let (fake, [north]) = world().await;
    let mut mirror = empty(&north);
    let (all, newest) = both(&fake.core());
    mirror.take(all, Some(newest.text())).unwrap();
    fake.roll_back(2);
    let earlier = fake.core().checkpoint();
    mirror.check_extends(&earlier).unwrap();
    let refused = mirror.take(vec![], Some(earlier.text()));
    let Err(MirrorError::Tampered(tampered)) = refused else { panic!("{refused:?}") };
    assert!(tampered.reason().contains("went back"));
    // A log that was rewritten is longer and contradicts all the same.
    start_run(&fake, &[Bank { name: "north", ..north }], 2, "asap");
    let rewritten: SignedCheckpoint = fake.core().checkpoint();
    assert!(matches!(mirror.check_extends(&rewritten), Err(MirrorError::Tampered(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_gives_receipts_that_prove_themselves() {
    let (fake, [north]) = world().await;
    let mut mirror = empty(&north);
    assert_eq!(mirror.receipt(0).unwrap(), None);
    let (all, newest) = both(&fake.core());
    let size = u64::try_from(all.len()).unwrap();
    mirror.take(all, Some(newest.text())).unwrap();
    for index in 0..size {
        let receipt = mirror.receipt(index).unwrap().unwrap();
        receipt.verify_in::<ledger::record::Body>(&mirror.keys()).unwrap();
    }
    assert_eq!(mirror.receipt(size).unwrap(), None);
}

/// The bank and the old key hand the log over to `next`, and say that it had the head `anchor`.
fn hand_over(core: &Core, bank: &Bank, next: &SigningKey, anchor: Head) -> Ask {
    let change = LogKeyChange {
        old_key: core.log_key.public(),
        new_key: next.public(),
        anchor,
        reason: Text::new("yearly").unwrap(),
    };
    let sign = |key: &SigningKey| change.sign(key, &core.identity().genesis);
    Ask::ChangeLogKey(LogKey {
        key_proof: sign(next),
        handover: Some(sign(&core.log_key)),
        approvals: [(bank.institution(), sign(&bank.keys().record))].into(),
        change: change.clone(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_changes_with_the_record_that_says_so() {
    let fake = Fake::start().await;
    let north = Bank::joined(&fake, "north").await;
    let mut core = fake.core();
    let (before, old_checkpoint) = both(&core);
    let next = new_key();
    let request = hand_over(&core, &north, &next, core.log.head());
    core.ask(request).unwrap();
    let (all, by_the_old) = both(&core);
    core.log_key = next;
    let by_the_new = core.checkpoint();

    let mut mirror = empty(&north);
    let refused = mirror.take(all.clone(), Some(by_the_old.text()));
    assert!(matches!(refused, Err(MirrorError::Checkpoint(_))), "{refused:?}");
    mirror.forget_waiting();
    assert!(mirror.take(all.clone(), Some(by_the_new.text())).unwrap());
    assert_eq!(mirror.keys().newest().key, core.log_key.public());
    mirror.witness(old_checkpoint.text()).unwrap();

    let mut in_two = empty(&north);
    let (first, rest) = all.split_at(before.len());
    assert!(in_two.take(first.to_vec(), Some(old_checkpoint.text())).unwrap());
    assert!(in_two.take(rest.to_vec(), Some(by_the_new.text())).unwrap());
    assert_eq!(in_two.head(), mirror.head());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_not_changed_over_another_history() {
    for earlier in 0..2 {
        let fake = Fake::start().await;
        let north = Bank::joined(&fake, "north").await;
        let mut core = fake.core();
        let (before, old_checkpoint) = both(&core);
        let (next, head) = (new_key(), core.log.head());
        let anchor = Head { size: head.size - earlier, root: Digest::from_bytes([7; 32]) };
        let request = hand_over(&core, &north, &next, anchor);
        core.ask(request).unwrap();
        core.log_key = next;
        let (all, checkpoint) = both(&core);
        let refused = empty(&north).take(all.clone(), Some(checkpoint.text()));
        assert!(matches!(refused, Err(MirrorError::Tampered(_))), "{refused:?}");
        let mut in_two = empty(&north);
        let (first, rest) = all.split_at(before.len());
        in_two.take(first.to_vec(), Some(old_checkpoint.text())).unwrap();
        let refused = in_two.take(rest.to_vec(), Some(checkpoint.text()));
        assert!(matches!(refused, Err(MirrorError::Tampered(_))), "{refused:?}");
    }
}
