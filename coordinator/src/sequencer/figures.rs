//! How fast records are appended, and how fast a long log is started from.
//!
//!     cargo test --release -p coordinator --lib figures -- --ignored --nocapture
//!
//! `COUNTERFOIL_ROUNDS` rounds (2,000 if it is not set: a million records) of 500 banks go through the sequencer: signatures verified,
//! rules applied, grouped commits on disk, a receipt made for each. `COUNTERFOIL_FIGURES` names the directory that the log is left in.

use std::path::PathBuf;
use std::time::Instant;

use ledger::digest::sha256;
use ledger::log_store::SmallBlob;
use ledger::record::{
    Approval, Canonical, Charge, Contribution, Institution, MemberAdded, MemberKeys, RunId,
    TaskChange,
};
use round::Plan;
use round::decide::NewModel;
use round::initialization::initial_weights;
use round::outer::Master;

use super::tests::{found_with, generate, parts};
use super::*;
use crate::recovery::{Recovered, recover};

const BANKS: usize = 500;

fn text(genesis: &Digest, rounds: u32) -> String {
    let bank = |i| format!("{{institution=\"b{i:03}\",declared_units=100,tasks=8}}");
    let cohort: Vec<String> = (0..BANKS).map(bank).collect();
    include_str!("../../examples/figures.toml")
        .replace("NAME", "a long log")
        .replace("CONSORTIUM", &genesis.to_string())
        .replace("ROUNDS", &rounds.to_string())
        .replace("QUORUM", &BANKS.to_string())
        .replace("COHORT", &cohort.join(","))
}

fn digest(what: &str, round: u32, bank: usize) -> Digest {
    sha256(format!("{what} {round} {bank}").as_bytes())
}

/// A request whose answer, with its receipt, is made and read by nobody.
fn asked(request: Request) -> Command {
    with(request, &[])
}

fn with(request: Request, blobs: &[&[u8]]) -> Command {
    let (reply, _) = tokio::sync::oneshot::channel();
    let blobs = blobs.iter().map(|bytes| SmallBlob::new(bytes.to_vec()).expect("small")).collect();
    Command::Submit(Submission { request, blobs, vector: None, reply: Some(reply) })
}

struct Bank {
    name: Institution,
    record: SigningKey,
    cosign: SigningKey,
}

/// Everything that is asked of the sequencer, in order.
fn ask(genesis: &Digest, rounds: u32, send: &mut dyn FnMut(Command)) {
    let banks: Vec<Bank> = (0..BANKS)
        .map(|i| Bank {
            name: format!("b{i:03}").parse().expect("a name"),
            record: generate(),
            cosign: generate(),
        })
        .collect();
    for bank in &banks {
        let keys = MemberKeys {
            institution: bank.name.clone(),
            tls_key_digest: sha256(bank.name.as_str().as_bytes()),
            record_key: bank.record.public(),
            cosign_key: bank.cosign.public(),
        };
        let role = ledger::record::Role::Bank;
        let added = MemberAdded::prove(keys, role, &bank.record, &bank.cosign, genesis);
        send(asked(Request::Admit(added)));
    }
    let text = text(genesis, rounds);
    let parsed = Plan::parse(text.as_bytes()).expect("a plan");
    let plan = parsed.digest();
    send(asked(Request::Propose(text.into_bytes())));
    for bank in &banks {
        let approval = Approval { institution: bank.name.clone(), plan };
        let signature = bank.record.sign_body(Approval::TYPE, genesis, &approval.encode());
        send(asked(Request::Approve(approval, signature)));
    }
    // Genesis, the members, the plan and its signatures stand before it.
    let run = RunId::derive(&plan, 2 + 2 * BANKS as u64);
    // Everybody sends zeros: so every model is the first one, and an auditor can replay them all.
    let zeros = vec![0; 4 * parsed.contribution_dimension()];
    let sum = vec![0; 8 * parsed.contribution_dimension()];
    let weights = initial_weights(parsed.layout(), &parsed.text().model.initialization);
    let master = Master::new(weights, &parsed.text().optimizer);
    let (theta, master) = (master.theta_bytes(), master.to_bytes());
    let model = NewModel { run, theta: sha256(&theta), master: sha256(&master) };
    send(with(Request::Begin(model), &[&theta, &master, &zeros, &sum]));
    let charge = Charge::new(8.0, 0.05, TaskChange::Content).expect("in range");
    for round in 0..rounds {
        for (bank, number) in banks.iter().zip(0..) {
            let contribution = Contribution {
                run,
                round,
                plan,
                model: model.theta,
                institution: bank.name.clone(),
                vector: sha256(&zeros),
                ledger_head: digest("head", round, number),
                charge,
            };
            let signature = bank.record.sign_body("accepted", genesis, &contribution.encode());
            send(asked(Request::Contribute(contribution, signature)));
        }
        send(asked(Request::Close {
            round,
            survivors: banks.iter().map(|bank| bank.name.clone()).collect(),
            aggregate: sha256(&sum),
            model,
        }));
    }
}

#[test]
#[ignore = "takes minutes, and is of use in a release build alone"]
#[expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]
fn figures_of_a_long_log() {
    let rounds = std::env::var("COUNTERFOIL_ROUNDS").map_or(2_000, |text| text.parse().unwrap());
    let kept = std::env::var_os("COUNTERFOIL_FIGURES").map(PathBuf::from);
    let folder = tempfile::tempdir().expect("a directory");
    let root = kept.unwrap_or_else(|| folder.path().to_owned());
    std::fs::create_dir_all(root.join("keys")).expect("a directory");
    let (keys, genesis, pem) = found_with(&root);
    std::fs::write(root.join("log.pem"), &*pem).expect("written");
    let log_keys = keys.log.public();
    let (requests, inbox) = std::sync::mpsc::sync_channel(4096);
    let (sequencer, _window) = Sequencer::new(parts(&root, keys, genesis, inbox)).expect("new");
    let (begun, first) = std::sync::mpsc::channel();
    let feeder = std::thread::spawn(move || {
        let mut sent = 0;
        ask(&genesis, rounds, &mut |command| {
            if sent == 2 * BANKS + 2 {
                begun.send(Instant::now()).expect("read");
            }
            sent += 1;
            requests.send(command).expect("the sequencer runs");
        });
    });
    sequencer.run().expect("it ends because nobody asks any more");
    let ended = Instant::now();
    feeder.join().expect("it has asked for everything");
    let seconds = (ended - first.recv().expect("begun")).as_secs_f64();

    let (log, _) = store::open(&root).expect("opened again");
    let size = log.head().size;
    let appended = u64::from(rounds) * (BANKS as u64 + 3);
    println!("{size} records; {:.0} appended a second", appended as f64 / seconds);
    let start = Instant::now();
    let Recovered { state, covered, .. } = recover(&log, &log_keys).expect("recovered");
    println!("started with a snapshot of {covered} records: {:.2?}", start.elapsed());
    let start = Instant::now();
    let without = recover(&log, &[]).expect("recovered");
    println!("started without a snapshot: {:.2?}", start.elapsed());
    let start = Instant::now();
    without.scrub.run(|range| Ok(log.leaves(range).expect("read"))).expect("as the log says");
    println!("checked behind the start: {:.2?}", start.elapsed());
    assert!(state == without.state, "one log, one state");
}
