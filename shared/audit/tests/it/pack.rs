//! The evidence in one file, unpacked by other people's programs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use audit::{Anchor, check};
use ledger::checkpoint::LogIdentity;
use serde_json::Value;

use crate::world::{Export, HONEST, KEYS, Story, World, genesis_digest};

fn pack(export: &Export, name: &str) -> (PathBuf, Output) {
    let out = export.path.with_file_name(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"));
    let genesis = genesis_digest().to_string();
    command.arg("pack").arg(&export.path).args(["--genesis", &genesis, "--out"]).arg(&out);
    let output = command.output().expect("it runs");
    (out, output)
}

/// The unpacked evidence, and the names of its files.
fn unpacked(file: &Path) -> (PathBuf, BTreeSet<String>) {
    let beside = file.parent().expect("a folder");
    let tar = |args: &[&str]| {
        let output = Command::new("tar").args(args).arg(file).arg("-C").arg(beside).output();
        let output = output.expect("tar is there");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let listed = tar(&["-tf"]);
    tar(&["-xf"]);
    let names = listed.lines().map(|name| name.replacen("evidence/", "", 1)).collect();
    (beside.join("evidence"), names)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn the_same_export_gives_the_same_bytes() {
    let export = HONEST.export();
    let (first, second) = (pack(&export, "first.tar"), pack(&HONEST.export(), "second.tar"));
    assert_eq!((first.1.status.code(), second.1.status.code()), (Some(0), Some(0)));
    let bytes = std::fs::read(&first.0).expect("a file");
    assert!(bytes.len() > 10_240 && bytes.len().is_multiple_of(512));
    let (again, output) = pack(&export, "again.tar");
    assert_eq!(output.status.code(), Some(0));
    assert!(bytes == std::fs::read(again).expect("a file"));
    assert_eq!(pack(&export, "first.tar").1.status.code(), Some(64), "never over another");
    assert!(bytes == std::fs::read(&first.0).expect("a file"));
}

#[test]
fn evidence_is_verified_by_what_is_in_it() {
    let export = HONEST.export();
    let (file, _) = pack(&export, "evidence.tar");
    let (folder, names) = unpacked(&file);
    for name in [
        "VERIFY.md",
        "report.html",
        "accountant.csv",
        "recompute.py",
        "roster.json",
        "models.csv",
        "program.json",
        "sbom.cdx.json",
        "log/genesis",
        "log/checkpoint",
        "SHA256SUMS",
    ] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "SHA256SUMS"]).current_dir(&folder);
    let sums = sums.output().expect("sha256sum is there");
    assert!(sums.status.success(), "{sums:?}");
    let listed = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("text");
    assert_eq!(listed.lines().count() + 1, names.len(), "every file but the list itself");

    // The log alone gives the same figures, and says that the blobs are not there.
    let options = audit::Options { genesis: Some(genesis_digest()), ..audit::Options::default() };
    let (whole, alone) =
        (audit::verify(&export.path, &options), audit::verify(&folder.join("log"), &options));
    assert_eq!((whole.exit_code(), alone.exit_code()), (0, 9));
    assert_eq!(whole.institutions, alone.institutions);

    let log = LogIdentity { genesis: genesis_digest(), key: KEYS.log.public() };
    let key = Some(log.verifier_key().expect("a key"));
    let proofs: Vec<_> = names.iter().filter(|name| name.starts_with("proofs/")).collect();
    assert_eq!(proofs.len(), 1 + 3 + 1 + 1, "plan, approvals, run, last model");
    for name in proofs {
        let anchor = Anchor { key: key.clone(), ..Anchor::default() };
        let checked = check(&folder.join(name), &anchor, None);
        let record = checked.record.expect("a record");
        assert_eq!(*name, format!("proofs/{}-{}.tlog-proof", record.leaf, record.kind));
    }
    let plan = &whole.runs.first().expect("a run").plan;
    let bytes = std::fs::read(folder.join(format!("plans/{plan}.toml"))).expect("a plan");
    assert_eq!(ledger::digest::sha256(&bytes).to_string(), *plan);
    let signed = json(&folder.join(format!("plans/{plan}.signatures.json")));
    assert_eq!(signed["approvals"].as_array().map(Vec::len), Some(3));
    let how = std::fs::read_to_string(folder.join("VERIFY.md")).expect("text");
    assert!(how.contains(&genesis_digest().to_string()) && !how.contains("GENESIS"), "{how}");
}

#[test]
fn an_export_that_is_wrong_is_not_packed() {
    let export = World::play(Story { sum_error: 1, ..Story::default() }).export();
    let out = export.path.with_file_name("evidence.tar");
    let output = Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"))
        .arg("pack")
        .arg(&export.path)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the sum of round 1"));
    assert!(!out.exists());
}

#[test]
fn what_is_missing_is_said_and_the_rest_packed() {
    let export = HONEST.export();
    let blob = export.files().into_iter().find(|name| name.starts_with("blob/")).expect("a blob");
    export.remove(&blob);
    let (file, output) = pack(&export, "evidence.tar");
    assert_eq!(output.status.code(), Some(9));
    let (folder, _) = unpacked(&file);
    assert_eq!(json(&folder.join("report.json"))["report"]["finding"]["kind"], "incomplete");
}

#[test]
fn the_bill_of_materials_is_what_the_program_is_built_from() {
    let export = HONEST.export();
    let (file, _) = pack(&export, "evidence.tar");
    let bill = json(&unpacked(&file).0.join("sbom.cdx.json"));
    let names: BTreeSet<_> = bill["components"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|of| of["name"].as_str())
        .collect();
    for needed in ["ledger", "privacy", "round", "clap", "prost", "ring", "serde_json", "thiserror"]
    {
        assert!(names.contains(needed), "{needed}");
    }
    for other in ["proptest", "insta", "tokio", "tonic", "candle-core", "audit"] {
        assert!(!names.contains(other), "{other}");
    }
    let known: BTreeSet<_> = bill["dependencies"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|of| &of["ref"])
        .map(Value::to_string)
        .collect();
    assert_eq!(known.len(), names.len().max(bill["components"].as_array().map_or(0, Vec::len)) + 1);
    for edge in bill["dependencies"].as_array().expect("a list") {
        for on in edge["dependsOn"].as_array().expect("a list") {
            assert!(known.contains(&on.to_string()), "{on}");
        }
    }
    let program = std::fs::read(env!("CARGO_BIN_EXE_counterfoil-audit")).expect("the program");
    let digest = ledger::digest::sha256(&program).to_string();
    assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], digest.as_str());
}
