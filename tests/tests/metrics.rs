//! The recipe of docs/privacy.md from outside: a pilot asks for norms, its quantile becomes the clipping
//! norm of the plan that trains, and that run is watched at the price that its plan names.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Mutex;

use conformance::consortium::{Consortium, until};
use conformance::export::audit;
use conformance::member::Member;
use conformance::plans;
use conformance::program::{Daemon, run};
use ledger::record::Body;
use serde_json::Value;

const NAMES: [&str; 3] = ["east", "north", "south"];
const NO_METRICS: &str = "share = 0.0\nmeasures = []";
const EDGES: &str = "[0.05, 0.1, 0.2, 0.4, 0.8, 1.6]";

/// The tests' plan with so little noise that few tasks say something, and every task in every round.
fn text(consortium: &Consortium, name: &str, rounds: u32, clip_norm: f64, metrics: &str) -> String {
    plans::text(&consortium.genesis, &NAMES, rounds)
        .replace("\"a test\"", &format!("{name:?}"))
        .replace("epsilon = 8.0", "epsilon = 400.0")
        .replace("noise_multiplier = 8.0", "noise_multiplier = 0.25")
        .replace("sampling_rate = 0.5", "sampling_rate = 1.0")
        .replace("clip_norm = 0.5", &format!("clip_norm = {clip_norm:?}"))
        .replace(NO_METRICS, metrics)
}

/// A policy that allows both plans.
fn policy(member: &Member) -> String {
    let policy = plans::policy(&member.joined.genesis_digest())
        .replace("\nepsilon = 20.0", "\nepsilon = 5000.0")
        .replace("noise_multiplier_min = 8.0", "noise_multiplier_min = 0.25")
        .replace("clip_norm_max = 0.5", "clip_norm_max = 2.0")
        .replace("sampling_rate_max = 0.5", "sampling_rate_max = 1.0")
        .replace("epsilon_per_run_max = 8.0", "epsilon_per_run_max = 400.0");
    policy + "metrics = [\"query-loss\", \"clipped\", \"norm-histogram\"]\n"
}

/// The answer of `counterfoil-coordinator metrics`, and what it prints for people.
fn metrics(state: &Path, more: &[&str]) -> (Value, String) {
    let ask = |json: &[&str]| {
        let head = [OsStr::new("coordinator"), OsStr::new("--state"), state.as_os_str()];
        let tail = ["metrics"].iter().chain(more).chain(json).map(OsStr::new);
        let output = run(&head.into_iter().chain(tail).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let answer: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    (answer["data"].clone(), ask(&[]))
}

async fn train(consortium: &Consortium, members: &[Member], text: &str, runs: usize) {
    let digest = consortium.propose(text).await;
    for member in members {
        member.approve(digest).await;
    }
    until(async || {
        let status = consortium.status().await;
        (status["ended"].as_array().unwrap().len() == runs).then_some(())
    })
    .await;
}

fn figure(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

#[tokio::test]
async fn a_pilot_chooses_the_clipping_norm_and_the_run_is_watched() {
    let consortium = Consortium::start().await;
    let state = consortium.path("coordinator");
    let (mut members, mut nodes) = (vec![], vec![]);
    for name in NAMES {
        let member = Member::join(&consortium, name, "bank").await;
        member.prepare();
        std::fs::write(member.state.path("policy.toml"), policy(&member)).unwrap();
        nodes.push(Daemon::start("client", member.state.root()));
        members.push(member);
    }
    let ask = format!("share = 1.0\nmeasures = [{{ norm-histogram = {{ edges = {EDGES} }} }}]");
    train(&consortium, &members, &text(&consortium, "pilot", 2, 0.5, &ask), 1).await;
    let (pilot, told) = metrics(&state, &["--quantile", "0.6"]);
    let total: f64 = pilot["norm_histogram"]["shares"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_f64)
        .sum();
    // 24 tasks of five customers each, few of them without a query, and √7 errors of about 0.013.
    let error = figure(&pilot, "/norm_histogram/standard_error");
    assert!((error - 0.25 * (1.5_f64).sqrt() / 24.0).abs() < 1e-4, "{error}");
    assert!((0.7..1.2).contains(&total), "{pilot}");
    let clip = figure(&pilot, "/quantile/edge");
    assert!(EDGES.contains(&clip.to_string()), "{pilot}");
    assert!(told.contains(&format!("quantile 0.6: {clip} (")), "{told}");

    let watch = format!(
        "share = 0.6\nmeasures = [{{ query-loss = {{ max = 2.0 }} }}, {{ clipped = {{}} }}, \
         {{ norm-histogram = {{ edges = {EDGES} }} }}]"
    );
    train(&consortium, &members, &text(&consortium, "training", 3, clip / 0.8, &watch), 2).await;
    let (trained, _) = metrics(&state, &[]);
    assert_eq!(trained["rounds"].as_array().unwrap().len(), 3);
    let loss = figure(&trained, "/rounds/0/query_loss/value");
    // ln 2 a customer at first, two or three customers a query over 2.5.
    assert!((0.3..1.2).contains(&loss), "{trained}");
    let clipped = figure(&trained, "/rounds/0/clipped/value");
    let above = 1.0 - figure(&pilot, "/quantile/reached");
    assert!((clipped - above).abs() < 0.35, "{clipped} clipped, {above} above the quantile");
    let (last, _) = metrics(&state, &["--last", "1", "--run", trained["run"].as_str().unwrap()]);
    assert_eq!(last["rounds"][0], trained["rounds"][2]);
    let (by_name, _) = metrics(&state, &["--run", pilot["run"].as_str().unwrap()]);
    assert_eq!(by_name["rounds"], pilot["rounds"]);

    check_audit(&consortium, &members, &pilot, &trained).await;
    stopped(consortium, &state, &trained).await;
}

/// The auditor reads the same from the export, and a pilot moved nothing.
async fn check_audit(consortium: &Consortium, members: &[Member], pilot: &Value, trained: &Value) {
    let export = consortium.export().await;
    let banks = members.iter().map(|member| member.state.root());
    let report = audit(&export, consortium.genesis, banks);
    assert_eq!(report.exit_code(), 0, "{:?}", report.finding);
    assert_eq!(report.models_replayed, 3 + 4);
    for (run, said) in report.runs.iter().zip([pilot, trained]) {
        let rounds = serde_json::to_value(&run.metrics).unwrap();
        assert_eq!(rounds.to_string(), said["rounds"].to_string());
    }
    let (_, leaves) = members[0].state().await;
    let thetas = leaves.iter().filter_map(|leaf| {
        let Body::Model(model) = leaf.body() else { return None };
        Some(model.theta)
    });
    let thetas: Vec<_> = thetas.collect();
    assert_eq!(thetas[..2], thetas[1..3], "a pilot moves nothing");
    assert_ne!(thetas[3], thetas[4]);
}

/// The closed log says the same as the daemon did; a run that is not there is not found.
async fn stopped(mut consortium: Consortium, state: &Path, trained: &Value) {
    consortium.command(&coordinator::control::Command::Stop {}).await.unwrap();
    let daemon = Mutex::new(&mut consortium.daemon);
    until(async || daemon.lock().unwrap().ended().then_some(())).await;
    assert_eq!(metrics(state, &[]).0, *trained);
    let nobody = "00".repeat(32);
    let arguments =
        ["coordinator", "--state", state.to_str().unwrap(), "metrics", "--run", &nobody];
    let missing = run(&arguments.map(OsStr::new));
    assert_eq!(missing.status.code(), Some(5));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.contains("expected a closed round of run 0000"), "{said}");
    let wrong = [&arguments[..4], &["--quantile", "1.5"]].concat();
    let usage = run(&wrong.into_iter().map(OsStr::new).collect::<Vec<_>>());
    assert_eq!(usage.status.code(), Some(64));
}
