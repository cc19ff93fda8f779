//! The commands, as a person or a script runs them.

use std::process::{Command, Output};

use privacy::{Delta, NoiseMultiplier, analytic_gaussian_epsilon};
use serde_json::Value;

use crate::world::{HONEST, genesis_digest};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_counterfoil-audit")).args(args).output().expect("it runs")
}

fn envelope(output: &Output) -> Value {
    let value: Value = serde_json::from_slice(&output.stdout).expect("an envelope");
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["exit_code"], output.status.code().expect("a code"));
    assert_eq!(value["status"], if output.status.success() { "ok" } else { "failed" });
    value["data"].clone()
}

#[test]
fn verify_says_whose_figures_they_are_within_a_screenful() {
    let export = HONEST.export();
    let path = export.path.to_str().expect("text");
    let plain = run(&["verify", path]);
    assert_eq!(plain.status.code(), Some(0));
    let text = String::from_utf8(plain.stdout).expect("text");
    assert!(text.starts_with("consistent, anchor not given"), "{text}");
    for word in [
        "customer",
        "add-remove",
        "replace-one: ε in",
        "a customer of 2 institutions",
        "δ = 1e-6",
        "method pld",
        "4 replayed bit for bit",
    ] {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert!(text.lines().count() <= 24, "{text}");
    let anchored = run(&["verify", path, "--genesis", &genesis_digest().to_string()]);
    assert!(String::from_utf8_lossy(&anchored.stdout).starts_with("verified"));
}

#[test]
fn verify_answers_in_one_envelope() {
    let export = HONEST.export();
    let path = export.path.to_str().expect("text");
    let data = envelope(&run(&["verify", path, "--json"]));
    assert_eq!((&data["verified"], &data["models_replayed"]), (&true.into(), &4.into()));
}

#[test]
fn verify_names_the_wrong_thing() {
    let export = HONEST.export();
    export.write("note.txt", b"hello");
    let path = export.path.to_str().expect("text");
    let output = run(&["verify", path]);
    assert_eq!(output.status.code(), Some(6));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("tampered (exit 6)") && text.contains("note.txt"), "{text}");
    let data = envelope(&run(&["--json", "verify", path]));
    assert_eq!(data["finding"]["kind"], "tampered");
}

#[test]
fn epsilon_reads_events_and_brackets_a_known_figure() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.json");
    let events = r#"[{"mechanism": "gaussian", "noise_multiplier": 5.0, "count": 1}]"#;
    std::fs::write(&path, events).expect("written");
    let path = path.to_str().expect("text");
    let args = ["epsilon", "--events", path, "--delta", "1e-6", "--change", "appears", "--json"];
    let data = envelope(&run(&args));
    let figure = |name: &str| data["epsilon"][name].as_f64().expect("a number");
    let noise = NoiseMultiplier::new(5.0).expect("in range");
    let exact = analytic_gaussian_epsilon(noise, Delta::new(1e-6).expect("in range"));
    // The library's figure is on the safe side of the last bits.
    assert!(figure("lower") <= exact && exact <= figure("upper") * (1.0 + 1e-12), "{data}");
    let without = envelope(&run(&["epsilon", "--events", path, "--delta", "1e-6", "--json"]));
    assert_eq!(without["change"], "appears", "the default");
    let nowhere = run(&["epsilon", "--events", "nowhere", "--delta", "1e-6"]);
    assert_eq!(nowhere.status.code(), Some(5));
    let wrong = run(&["epsilon", "--events", path, "--delta", "2"]);
    assert_eq!(wrong.status.code(), Some(64));
}

#[test]
fn an_event_that_says_its_change_is_not_overruled() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.json");
    let events =
        r#"[{"mechanism": "gaussian", "noise_multiplier": 5.0, "count": 1, "change": "appears"}]"#;
    std::fs::write(&path, events).expect("written");
    let path = path.to_str().expect("text");
    let args = ["epsilon", "--events", path, "--delta", "1e-6", "--change", "content", "--json"];
    assert_eq!(envelope(&run(&args))["change"], "appears");
}

#[test]
fn epsilon_refuses_events_that_it_does_not_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.json");
    let code = |events: &str| {
        std::fs::write(&path, events).expect("written");
        let path = path.to_str().expect("text");
        run(&["epsilon", "--events", path, "--delta", "1e-6", "--change", "content"]).status.code()
    };
    let poisson = r#""mechanism": "poisson-gaussian", "noise_multiplier": 9.0, "count": 2"#;
    assert_eq!(code(&format!(r#"[{{{poisson}, "sampling_rate": 0.5}}]"#)), Some(0));
    assert_eq!(
        code(&format!(r#"[{{{poisson}, "sampling_rate": 0.5, "change": "appears"}}]"#)),
        Some(0)
    );
    for wrong in [
        format!("[{{{poisson}}}]"),
        format!(r#"[{{{poisson}, "sampling_rate": 1.5}}]"#),
        format!(r#"[{{{poisson}, "sampling_rate": 0.5, "rate": 0.5}}]"#),
        r#"[{"mechanism": "shuffle", "scale": 1.0, "count": 1}]"#.to_owned(),
        r#"[{"mechanism": "laplace", "noise_multiplier": 1.0, "count": 1}]"#.to_owned(),
        r#"[{"mechanism": "gaussian", "noise_multiplier": 0.0, "count": 1}]"#.to_owned(),
        "{}".to_owned(),
        String::new(),
    ] {
        assert_eq!(code(&wrong), Some(64), "{wrong}");
    }
}

#[test]
fn every_code_is_explained_and_every_misuse_ends_with_64() {
    for code in (0..=10).chain([64]) {
        let output = run(&["explain", &code.to_string()]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).starts_with(&format!("{code} ")));
    }
    for args in [&["explain", "11"][..], &[], &["verify"], &["verify", ".", "--genesis", "xy"]] {
        assert_eq!(run(args).status.code(), Some(64), "{args:?}");
    }
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

/// Runs with `input` on standard input.
fn run_with(args: &[&str], input: &str) -> std::process::Output {
    run_with_bytes(args, input.as_bytes())
}

fn run_with_bytes(args: &[&str], input: &[u8]) -> std::process::Output {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"))
        .args(args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    child.stdin.take().expect("piped").write_all(input).expect("written");
    child.wait_with_output().expect("ended")
}

const SAMPLED: &str =
    r#"{"mechanism":"poisson-gaussian","noise_multiplier":1.0,"sampling_rate":0.01,"count":1000}"#;

#[test]
fn a_batch_answers_every_line_and_no_line_ends_it() {
    let laplace = r#"{"mechanism":"laplace","scale":2.0,"count":1}"#;
    let questions = [
        format!(r#"{{"events":[{SAMPLED}],"delta":1e-5}}"#),
        format!(r#"{{"events":[{SAMPLED}],"delta":1e-5,"change":"content","method":"rdp"}}"#),
        "rubbish".to_owned(),
        format!(r#"{{"events":[{SAMPLED}],"delta":2}}"#),
        r#"{"events":[{"mechanism":"shuffle","count":1}],"delta":1e-5}"#.to_owned(),
        format!(r#"{{"events":[{laplace}],"delta":1e-5}}"#),
        r#"{"events":[],"delta":1e-5}"#.to_owned(),
    ];
    let output = run_with(&["epsilon", "--batch"], &questions.join("\n"));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(answers.len(), questions.len());
    let bounds = |index: usize| {
        let epsilon = &answers[index]["epsilon"];
        (epsilon["lower"].as_f64().expect("lower"), epsilon["upper"].as_f64().expect("upper"))
    };
    // 1.8282 by two other accountants.
    assert!(bounds(0).0 <= 1.8282 && 1.8282 <= bounds(0).1 && bounds(0).1 < 1.83, "{text}");
    assert_eq!(
        (answers[1]["method"].as_str(), answers[1]["change"].as_str()),
        (Some("rdp"), Some("content"))
    );
    for (index, word) in [(2, "expected value"), (3, "below 1"), (4, "unknown variant")] {
        let error = answers[index]["error"].as_str().expect("an error");
        assert!(error.contains(word), "{error}");
    }
    // One Laplace release of scale 2 loses at most a half, and a little less at a δ.
    assert!(bounds(5).0 > 0.49 && bounds(5).1 <= 0.5, "{text}");
    assert_eq!(bounds(6), (0.0, 0.0));
}

#[test]
fn delta_inverts_epsilon_and_calibration_keeps_the_promise() {
    let list = format!("[{SAMPLED}]");
    let delta = envelope(&run_with(&["delta", "--epsilon", "1.8282", "--json"], &list));
    let (lower, upper) = (&delta["delta"]["lower"], &delta["delta"]["upper"]);
    let near = |value: &serde_json::Value| (value.as_f64().expect("a number") / 1e-5 - 1.0).abs();
    assert!(near(lower) < 5e-3 && near(upper) < 5e-3, "{delta}");
    for (search, field) in
        [("noise", "noise_multiplier"), ("rate", "sampling_rate"), ("count", "count")]
    {
        let args = ["calibrate", "--epsilon", "2", "--delta", "1e-5", "--search", search, "--json"];
        let found = envelope(&run_with(&args, &list));
        let upper = found["certificate"]["epsilon"]["upper"].as_f64().expect("a number");
        assert!(upper <= 2.0 && upper > 1.99, "{search}: {found}");
        assert!(found["event"][field].as_f64().is_some(), "{found}");
    }
    let two = format!("[{SAMPLED},{SAMPLED}]");
    let refused = run_with(&["calibrate", "--epsilon", "2", "--delta", "1e-5"], &two);
    assert_eq!(refused.status.code(), Some(64));
}

#[test]
fn curves_hold_each_point_that_was_asked_for() {
    let list = format!("[{SAMPLED}]");
    let args = ["curve", "--method", "rdp", "--orders", "1.1,8,9.6", "--json"];
    let rdp = envelope(&run_with(&args, &list));
    let orders: Vec<f64> =
        rdp["rdp"].as_array().expect("a list").iter().filter_map(|p| p["order"].as_f64()).collect();
    assert_eq!(orders, [1.1, 8.0, 9.6]);
    let pld = envelope(&run_with(&["curve", "--deltas", "1e-3,1e-9", "--json"], &list));
    let upper = |index: usize| pld["pld"][index]["epsilon"]["upper"].as_f64().expect("a number");
    assert!(upper(0) < upper(1), "{pld}");
    assert_eq!(run_with(&["curve", "--method", "rdp"], &list).status.code(), Some(64));
}

#[test]
fn a_plan_is_priced_under_both_relations_before_anybody_signs() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../round/tests/it/support/plan.toml");
    let price = envelope(&run(&["plan", plan, "--json"]));
    let relations = price["relations"].as_array().expect("a list");
    assert_eq!(relations.len(), 2);
    for related in relations {
        let upper = related["epsilon"]["upper"].as_f64().expect("a number");
        let lifetime = related["lifetime"]["epsilon"].as_f64().expect("a number");
        assert!(0.0 < upper && upper <= lifetime, "{price}");
    }
    assert_eq!(run(&["plan", "nowhere.toml"]).status.code(), Some(5));
    assert_eq!(
        run(&["plan", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]).status.code(),
        Some(64)
    );
    let text = String::from_utf8(run(&["plan", plan]).stdout).expect("text");
    assert!(text.contains("replace-one") && text.contains("of a lifetime"), "{text}");
}

#[test]
fn no_line_of_a_batch_keeps_the_next_one_from_its_answer() {
    let good =
        r#"{"events":[{"mechanism":"gaussian","noise_multiplier":4,"count":1}],"delta":1e-6}"#;
    let long = format!("{}{good}", "x".repeat(1 << 20));
    let lines: [&[u8]; 9] = [
        b"\xff\xfe",
        long.as_bytes(),
        br#"{"events":[{"mechanism":"gaussian","noise_multiplier":1,"noise_multiplier":9,"count":1}],"delta":1e-6}"#,
        br#"{"events":[{"mechanism":"gaussian","noise_multiplier":4,"count":1}],"delta":1e-6,"change":null}"#,
        br#"{"events":{},"delta":1e-6}"#,
        br#"{"events":[{"mechanism":"gaussian","noise_multiplier":1e-154,"count":1}],"delta":1e-6}"#,
        br#"{"events":[{"mechanism":"group-poisson-gaussian","noise_multiplier":1,"sampling_rate":0.1,"tasks_per_unit":2147483648,"count":1}],"delta":1e-6,"change":"two-contents"}"#,
        br#"{"events":[{"mechanism":"group-poisson-gaussian","noise_multiplier":1,"sampling_rate":0.1,"tasks_per_unit":3000000000,"count":1}],"delta":1e-6}"#,
        br#"{"events":[],"delta":1e-6,"delta":0.5}"#,
    ];
    for bad in lines {
        let text = [good.as_bytes(), bad, good.as_bytes()].join(&b'\n');
        let output = run_with_bytes(&["epsilon", "--batch"], &text);
        let text = String::from_utf8(output.stdout).expect("text");
        let answers: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let [before, error, after] = answers.as_slice() else { panic!("three answers: {text}") };
        assert!(error["error"].is_string() && error["epsilon"].is_null(), "{error}");
        assert_eq!(before, after);
    }
}
