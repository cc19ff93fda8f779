//! Power cuts: the coordinator and the banks' nodes are killed and started again, over and over.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::control::{Answer, Command, socket};
use client::population::LedgerReport;
use conformance::consortium::{Consortium, until};
use conformance::export::{audit, receipts};
use conformance::member::Member;
use conformance::plans;
use conformance::program::Daemon;
use ledger::receipt::Receipt;
use ledger::record::Body;

const NAMES: [&str; 3] = ["east", "north", "south"];
const ROUNDS: u32 = 12;
const KILLS: u64 = 16;
const SEED: u64 = 0x5eed_c0de;

/// A bank and its node.
struct Bank {
    member: Member,
    node: Daemon,
}

#[tokio::test]
async fn nothing_is_charged_twice_or_lost_when_processes_are_killed_again_and_again() {
    let mut consortium = Consortium::start().await;
    let mut members = vec![];
    for name in NAMES {
        let member = Member::join(&consortium, name, "bank").await;
        member.prepare();
        members.push(member);
    }
    let plan = consortium.propose(&plans::text(&consortium.genesis, &NAMES, ROUNDS)).await;
    for member in &members {
        member.approve(plan).await;
    }
    let start = |member: Member| {
        let node = Daemon::start("client", member.state.root());
        Bank { member, node }
    };
    let mut banks: Vec<Bank> = members.into_iter().map(start).collect();

    let acknowledged = kill_over_and_over(&mut consortium, &mut banks).await;
    until(async || consortium.finished().await.then_some(())).await;

    for bank in &banks {
        let report = settled(&bank.member).await;
        assert_eq!(report.charges.len(), ROUNDS as usize, "one charge a round, never more");
        for (round, charge) in (0..).zip(&report.charges) {
            assert_eq!(charge.round, round, "{report:?}");
            assert_eq!(charge.standing, "acknowledged", "{report:?}");
        }
        assert!(report.stopped.is_none());
    }
    check_log(&consortium, &banks, &acknowledged).await;
}

/// Kills a process drawn by the seed whenever the log has reached a size drawn by the seed. Gives
/// the receipts that banks held before the kills.
async fn kill_over_and_over(
    consortium: &mut Consortium,
    banks: &mut [Bank],
) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut draws = Draws(SEED);
    let mut acknowledged = BTreeMap::new();
    let mut size = consortium.status().await["records"].as_u64().unwrap();
    for _ in 0..KILLS {
        // A round is six records: the run has 72, and is not over before the last kill.
        size += draws.below(5);
        until(async || {
            let reached = consortium.status().await["records"].as_u64().unwrap() >= size;
            (reached || consortium.finished().await).then_some(())
        })
        .await;
        // Somewhere within the round, not always right after a commit.
        tokio::time::sleep(Duration::from_micros(draws.below(20_000))).await;
        for path in banks.iter().flat_map(|bank| receipts(bank.member.state.root())) {
            acknowledged.entry(path.clone()).or_insert_with(|| fs::read(&path).unwrap());
        }
        match draws.below(4) {
            0 => consortium.daemon.kill_and_restart(),
            bank => banks[usize::try_from(bank).unwrap() - 1].node.kill_and_restart(),
        }
    }
    acknowledged
}

/// The bank's own ledger once every charge is acknowledged.
async fn settled(member: &Member) -> LedgerReport {
    let path = socket(&member.state);
    until(async || match wire::control::call(&path, &Command::Ledger {}).await {
        Ok(Answer::Ledger(report)) => {
            let open = report.charges.iter().any(|charge| charge.standing != "acknowledged");
            (!open && report.charges.len() >= ROUNDS as usize).then_some(*report)
        }
        Ok(Answer::Failed { message, .. }) => panic!("{message}"),
        Ok(Answer::Status(_) | Answer::Receipts(_) | Answer::Done {} | Answer::Exported { .. })
        | Err(_) => None,
    })
    .await
}

/// Every receipt is in the log, the audit holds, and the log has each contribution once.
async fn check_log(
    consortium: &Consortium,
    banks: &[Bank],
    acknowledged: &BTreeMap<PathBuf, Vec<u8>>,
) {
    let export = consortium.export().await;
    let states: Vec<&Path> = banks.iter().map(|bank| bank.member.state.root()).collect();
    let report = audit(&export, consortium.genesis, states.iter().copied());
    assert_eq!(report.exit_code(), 0, "{:?}", report.finding);
    assert_eq!(report.receipts, u64::from(ROUNDS) * NAMES.len() as u64);
    assert_eq!(report.models_replayed, u64::from(ROUNDS) + 1);
    assert!(report.evidence.is_empty(), "an honest bank was convicted: {:?}", report.evidence);
    let (state, leaves) = banks[0].member.state().await;
    assert!(state.run().is_none());
    let accepted = leaves.iter().filter(|leaf| matches!(leaf.body(), Body::Accepted(_))).count();
    assert_eq!(accepted, ROUNDS as usize * NAMES.len());
    let log = banks[0].member.joined.log();
    for (path, text) in acknowledged {
        let receipt = Receipt::from_text(std::str::from_utf8(text).unwrap()).unwrap();
        let proven = receipt.verify::<Body>(&log).unwrap();
        let leaf = &leaves[usize::try_from(proven.index).unwrap()];
        assert_eq!(*leaf, proven.leaf, "{}", path.display());
        assert!(path.exists(), "{} was lost", path.display());
    }
}

/// SplitMix64: the same kills each time, as far as the machine allows.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
