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
    assert!(figure("lower") <= exact && exact <= figure("upper"), "{data}");
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
