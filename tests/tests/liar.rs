//! A coordinator that lies. It has the operator's and the log's keys and every record of a run that really was; whoever catches it has
//! public data and one bank's receipts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

#[path = "liar/forger.rs"]
mod forger;

use std::path::{Path, PathBuf};
use std::process::Command;

use client::mirror::Mirror;
use conformance::consortium::{Consortium, until};
use conformance::export::receipts;
use conformance::member::Member;
use conformance::plans;
use conformance::program::{Daemon, auditor};
use forger::Forger;
use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::record::{Body, Leaf};
use ledger::time::Timestamp;

const NAMES: [&str; 3] = ["east", "north", "south"];
const ROUNDS: u32 = 2;

/// A run that was, as one bank knows it.
struct Truth {
    honest: Forger,
    north: Member,
    receipts: Vec<PathBuf>,
    consortium: Consortium,
}

/// How a lie came out.
#[derive(Debug, PartialEq, Eq)]
struct Caught {
    /// The auditor's exit code with public data alone.
    alone: i32,
    /// The auditor's exit code with north's receipts.
    with_receipts: i32,
    /// Whether a node that has verified the true log up to north's last contribution takes what it is served.
    known_goes_on: bool,
    /// Whether a node that has verified nothing yet does.
    new_goes_on: bool,
}

fn plan(consortium: &Consortium) -> String {
    let text = plans::text(&consortium.genesis, &NAMES, ROUNDS);
    text.replace("quorum = 3", "quorum = 2")
}

impl Truth {
    async fn find() -> Self {
        let consortium = Consortium::start().await;
        let mut banks = vec![];
        for name in NAMES {
            let bank = Member::join(&consortium, name, "bank").await;
            bank.prepare();
            banks.push(bank);
        }
        let auditor = Member::join(&consortium, "owl", "auditor").await;
        let digest = consortium.propose(&plan(&consortium)).await;
        for bank in &banks {
            bank.approve(digest).await;
        }
        let nodes: Vec<_> = banks.iter().map(|b| Daemon::start("client", b.state.root())).collect();
        until(async || consortium.finished().await.then_some(())).await;
        let north = banks.remove(1);
        let held = || receipts(north.state.root());
        until(async || (held().len() == ROUNDS as usize).then_some(())).await;
        drop(nodes);
        let (_, leaves) = auditor.state().await;
        let keys = consortium.path("coordinator").join("keys");
        let honest = Forger::of(&keys, consortium.genesis, leaves, &consortium.export().await);
        let receipts = held();
        Self { honest, north, receipts, consortium }
    }

    /// The auditor's program over what `liar` exports.
    fn verify(&self, export: &Path, receipts: &[PathBuf]) -> i32 {
        let mut command = Command::new(auditor());
        command.arg("verify").arg(export).arg("--genesis").arg(self.consortium.genesis.to_string());
        command.args(receipts.iter().flat_map(|file| [Path::new("--receipts"), file.as_path()]));
        command.output().unwrap().status.code().unwrap()
    }

    fn catch(&self, name: &str, liar: &Forger) -> Caught {
        let export = self.consortium.path(name);
        liar.export(&export);
        Caught {
            alone: self.verify(&export, &[]),
            with_receipts: self.verify(&export, &self.receipts),
            known_goes_on: self.goes_on(liar, self.honest.accepted("north", 1) + 1),
            new_goes_on: self.goes_on(liar, 0),
        }
    }

    /// Whether a node that has verified `known` records of the true log takes what the liar serves it.
    fn goes_on(&self, liar: &Forger, known: usize) -> bool {
        let (institution, key) = (self.north.institution(), self.north.keys.record.public());
        let log = self.north.joined.log();
        let mut mirror = Mirror::open(MemoryLog::default(), log, institution, key).unwrap();
        if known > 0 {
            let known = self.honest.cut(known);
            mirror.take(known.bytes(0), Some(known.checkpoint().text())).unwrap();
        }
        // It asks for what follows its own size; a log that is shorter has only its head to show.
        let taken = mirror.take(liar.bytes(known), Some(liar.checkpoint().text()));
        matches!(taken, Ok(true))
    }
}

const fn caught(alone: i32, with_receipts: i32, known_goes_on: bool, new_goes_on: bool) -> Caught {
    Caught { alone, with_receipts, known_goes_on, new_goes_on }
}

/// One test for all, since the truth takes a whole consortium.
#[tokio::test]
async fn every_lie_is_caught_by_public_data_and_one_banks_receipts() {
    let truth = Truth::find().await;
    let honest = &truth.honest;
    assert_eq!(truth.catch("honest", honest), caught(0, 0, true, true));

    // North's contribution to round 0 was acknowledged, and the liar goes on as if it had never come.
    let mut omits = honest.cut(honest.accepted("north", 0));
    omits.finish_without("north", honest);
    assert_eq!(truth.catch("omits", &omits), caught(0, 7, false, true));

    // The same in one record alone: the sum leaves out what the log says was accepted.
    let mut leaves_out = honest.cut(honest.closed(0));
    let closed = leaves_out.close_without("north");
    leaves_out.lie(Body::Closed(closed));
    assert_eq!(truth.catch("leaves-out", &leaves_out), caught(7, 7, false, false));

    let rolled_back = honest.cut(honest.accepted("north", 0));
    assert_eq!(truth.catch("rolled-back", &rolled_back), caught(0, 7, false, true));

    // Two histories of one size: north's receipt is of one, everybody else is shown the other.
    let mut forked = honest.cut(honest.accepted("north", 1));
    while forked.leaves.len() <= honest.leaves.len() {
        let name = format!("a plan {}", forked.leaves.len());
        forked.propose(&plan(&truth.consortium).replacen("a test", &name, 1));
    }
    assert_eq!(truth.catch("forked", &forked), caught(0, 7, false, true));

    // A plan that promises less than its mechanism costs.
    let mut promises = honest.cut(honest.leaves.len());
    let cheap = plan(&truth.consortium).replacen("a test", "cheap", 1);
    promises.lie_with_plan(&cheap.replace("epsilon = 8.0", "epsilon = 0.1"));
    assert_eq!(truth.catch("promises", &promises), caught(6, 6, false, false));

    // A contribution whose charge is not the plan's: only north could have signed that.
    let mut charges = honest.cut(honest.accepted("north", 1));
    charges.lie(Body::Accepted(Forger::cheaper(honest.contribution("north", 1))));
    assert_eq!(truth.catch("charges", &charges), caught(6, 7, false, false));

    // A model that is not the aggregate's.
    let mut other_model = honest.cut(honest.model(1));
    other_model.lie_with_model(honest.model_record(1), b"weights of the liar's own");
    assert_eq!(truth.catch("other-model", &other_model), caught(6, 7, false, true));

    // The plan has run; its signatures are shown again, in a proposal and in the start of a run.
    let mut again = honest.cut(honest.leaves.len());
    again.lie_with_plan(&plan(&truth.consortium));
    assert_eq!(truth.catch("again", &again), caught(6, 6, false, false));
    let mut spent = honest.cut(honest.leaves.len());
    spent.lie(honest.started().clone());
    assert_eq!(truth.catch("spent", &spent), caught(6, 6, false, false));

    // Back-dated: before the record that stands before it.
    let mut early = honest.cut(honest.leaves.len());
    early.at = Timestamp::from_millis(1);
    early.lie(honest.started().clone());
    assert_eq!(truth.catch("early", &early), caught(6, 6, false, false));
}

/// The log in the order of its records, for the tests of this file.
fn position(leaves: &[Leaf], is: impl Fn(&Body) -> bool) -> usize {
    leaves.iter().position(|leaf| is(leaf.body())).unwrap()
}

fn log_of(leaves: &[Leaf]) -> MemoryLog {
    let mut log = MemoryLog::default();
    let bytes: Vec<_> = leaves.iter().map(|leaf| leaf.clone().into_bytes()).collect();
    log.append(&log.head(), &bytes, &[]).unwrap();
    log
}
