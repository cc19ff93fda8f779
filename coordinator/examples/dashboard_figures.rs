//! How long a page takes with 500 banks and 1,000 rounds, and what its projection keeps.
//!
//! `cargo run --release -p coordinator --example dashboard_figures`
#![expect(clippy::print_stdout, reason = "prints figures")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coordinator::dashboard::{Projection, Viewer, render};
use ledger::checkpoint::{LogIdentity, LogKeys};
use ledger::digest::{Digest, sha256};
use ledger::record::{
    Body, Charge, Closed, Contribution, Genesis, Institution, Leaf, Model, PlanProposed,
    QuorumRule, Record, Role, RoundOpened, RunFinished, RunId, RunStarted, TaskChange, Text,
};
use ledger::signing::{PublicKey, Signature};
use ledger::time::Timestamp;
use round::Plan;
use round::state::{Consortium, Ending, Membership, State};

const BANKS: u32 = 500;
const ROUNDS: u32 = 1000;
/// How often each page is rendered.
const REPEATS: usize = 50;
const START_MS: u64 = 1_700_000_000_000;
const ROUND_MS: u64 = 90_000;
/// Every how many rounds a bank is missing, so that many numbers of rounds occur.
const MISSING: u32 = 97;

fn text() -> String {
    let bank = |i| format!("{{institution=\"b{i:03}\",declared_units=100,tasks=8}}");
    let cohort: Vec<String> = (0..BANKS).map(bank).collect();
    include_str!("figures.toml")
        .replace("NAME", "a thousand rounds")
        .replace("CONSORTIUM", &Digest::ZERO.to_string())
        .replace("ROUNDS", &ROUNDS.to_string())
        .replace("QUORUM", &BANKS.to_string())
        .replace("COHORT", &cohort.join(","))
}

/// A log that nobody signed: pages do not ask for signatures until a record is looked at.
struct Written {
    leaves: u64,
    projection: Projection,
    state: State,
    folding: Duration,
}

impl Written {
    fn leaf(&mut self, at: u64, body: Body) -> Result<(), Box<dyn Error>> {
        let author = PublicKey::from_bytes([7; 32]);
        let record = Record { at: Timestamp::from_millis(at), author, body };
        let leaf: Leaf = record.with_signature(Signature::from_bytes([0; 64]))?;
        let begin = Instant::now();
        // As the updater does: from bytes.
        let leaf: Leaf = Leaf::decode(leaf.into_bytes().into_vec())?;
        self.projection.fold(&leaf, &self.state, None);
        self.folding += begin.elapsed();
        self.leaves += 1;
        self.state.size = self.leaves;
        Ok(())
    }
}

fn digest(what: &str, round: u32, bank: u32) -> Digest {
    sha256(format!("{what} {round} {bank}").as_bytes())
}

fn consortium(plan: &Arc<Plan>, genesis: Genesis, run: RunId) -> Consortium {
    let key = genesis.log_key;
    let member = |name: &Institution| {
        let member = Membership {
            role: Role::Bank,
            record_key: key,
            cosign_key: key,
            tls_key_digest: sha256(name.as_str().as_bytes()),
            admitted: 1,
            revoked: None,
            retired: vec![],
            decisions: 0,
            decided: None,
        };
        (name.clone(), member)
    };
    let approvals = plan.cohort().iter().map(|name| (name.clone(), 1)).collect();
    let ending = Ending {
        plan: Arc::clone(plan),
        model: None,
        finished: true,
        recalled: None,
        latest: BTreeMap::new(),
        approvals,
    };
    Consortium {
        digest: Digest::ZERO,
        log_keys: LogKeys::new(LogIdentity { genesis: Digest::ZERO, key }),
        genesis,
        members: plan.cohort().iter().map(member).collect(),
        proposals: BTreeMap::new(),
        run: None,
        ended: BTreeMap::from([(run, ending)]),
        convicted: BTreeMap::new(),
    }
}

fn write() -> Result<(Written, RunId), Box<dyn Error>> {
    let text = text();
    let plan = Arc::new(Plan::parse(text.as_bytes())?);
    let key = PublicKey::from_bytes([7; 32]);
    let genesis = Genesis {
        name: Text::new("Five hundred banks")?,
        operator_key: key,
        log_key: key,
        ca_digest: Digest::ZERO,
        quorum: QuorumRule::more_than(1, 2)?,
        nonce: [0; 32],
    };
    let run = RunId::derive(&plan.digest(), 2);
    let consortium = consortium(&plan, genesis.clone(), run);
    let state = State { size: 0, at: Timestamp::default(), consortium: Some(consortium) };
    let mut log =
        Written { leaves: 0, projection: Projection::default(), state, folding: Duration::ZERO };
    log.leaf(START_MS, Body::Genesis(genesis))?;
    let proposed = PlanProposed { plan: ledger::record::Plan::new(text)? };
    log.leaf(START_MS, Body::PlanProposed(proposed))?;
    let started = RunStarted { plan: plan.digest(), approvals: BTreeSet::new() };
    log.leaf(START_MS, Body::RunStarted(started))?;
    for number in 0..ROUNDS {
        round(&mut log, &plan, run, number)?;
    }
    let end = START_MS + u64::from(ROUNDS) * ROUND_MS;
    log.leaf(end, Body::RunFinished(RunFinished { run, model: ROUNDS }))?;
    Ok((log, run))
}

fn round(log: &mut Written, plan: &Plan, run: RunId, number: u32) -> Result<(), Box<dyn Error>> {
    let at = START_MS + u64::from(number) * ROUND_MS;
    let cohort: BTreeSet<Institution> = plan.cohort().iter().cloned().collect();
    let model = digest("model", number, 0);
    let deadline = Timestamp::from_millis(at + 3_600_000);
    let opened = RoundOpened { run, round: number, model, cohort: cohort.clone(), deadline };
    log.leaf(at, Body::RoundOpened(opened))?;
    let charge = Charge::new(8.0, 0.05, TaskChange::Content)?;
    for (bank, name) in (0..).zip(plan.cohort()) {
        if bank > 0 && number % MISSING < bank / 50 {
            continue;
        }
        let contribution = Contribution {
            run,
            round: number,
            plan: plan.digest(),
            model,
            institution: name.clone(),
            vector: digest("vector", number, bank),
            ledger_head: digest("head", number, bank),
            charge,
        };
        log.leaf(at + 60_000, Body::Accepted(contribution))?;
    }
    let aggregate = digest("sum", number, 0);
    log.leaf(
        at + 61_000,
        Body::Closed(Closed { run, round: number, survivors: cohort, aggregate }),
    )?;
    let (theta, master) = (digest("model", number + 1, 0), digest("master", number, 0));
    log.leaf(at + 61_000, Body::Model(Model { run, index: number + 1, theta, master }))
}

fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let before = resident_mib().unwrap_or(0);
    let (log, run) = write()?;
    let Written { leaves, mut projection, state, folding } = log;
    let kept = resident_mib().unwrap_or(0).saturating_sub(before);
    let each = folding.as_secs_f64() * 1e6 / f64::from(u32::try_from(leaves)?);
    println!(
        "{leaves} records, {BANKS} banks, {ROUNDS} rounds: folded in {folding:.1?}, {each:.1} µs each; {kept} MiB kept"
    );
    projection.stand(Arc::new(state), Arc::from("counterfoil/bench\n0\nroot\n"));
    let begin = Instant::now();
    projection.compute()?;
    println!("all certificates and the curve: {:.2?}", begin.elapsed());
    let begin = Instant::now();
    projection.compute()?;
    println!("again, all of them known: {:.2?}", begin.elapsed());
    let auditor = Viewer::Auditor(Institution::new("watch")?);
    let bank = Viewer::Bank(Institution::new("b007")?);
    println!("{:<9}{:<12}{:>12}{:>12}{:>12}", "who", "page", "median ms", "worst ms", "KiB");
    for (who, viewer) in [("auditor", &auditor), ("bank", &bank)] {
        for (name, path) in [
            ("budgets", "/budgets".to_owned()),
            ("  .json", "/budgets.json".to_owned()),
            ("  .csv", "/budgets.csv".to_owned()),
            ("runs", "/runs".to_owned()),
            ("run", format!("/runs/{run}")),
            ("  .json", format!("/runs/{run}.json")),
            ("approvals", "/approvals".to_owned()),
            ("health", "/health".to_owned()),
        ] {
            let mut times = vec![];
            let mut bytes = 0;
            for _ in 0..REPEATS {
                let begin = Instant::now();
                let page = black_box(render(&projection, viewer, &path)).ok_or("no such page")?;
                times.push(begin.elapsed().as_secs_f64() * 1e3);
                bytes = page.len();
            }
            times.sort_by(f64::total_cmp);
            let median = times.get(times.len() / 2).copied().unwrap_or(0.0);
            let worst = times.last().copied().unwrap_or(0.0);
            println!("{who:<9}{name:<12}{median:>12.2}{worst:>12.2}{:>12}", bytes / 1024);
        }
    }
    Ok(())
}
