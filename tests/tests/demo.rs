//! The demo from outside: what it prints, what it leaves, and what an auditor makes of that.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use conformance::export::{audit, files, while_damaged};
use conformance::program::run;
use ledger::digest::Digest;
use serde_json::Value;

const BANKS: u64 = 3;
const ROUNDS: u64 = 4;

#[test]
fn the_demo_ends_with_an_export_that_verifies_and_that_no_flipped_bit_survives() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let arguments = "demo --banks 3 --rounds 4 --episodes 10 --json --keep";
    let mut arguments: Vec<&OsStr> = arguments.split(' ').map(OsStr::new).collect();
    arguments.push(kept.as_os_str());
    let output = run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");

    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(envelope["schema_version"], 1);
    assert_eq!(envelope["status"], "ok");
    assert_eq!(envelope["exit_code"], 0);
    let data = &envelope["data"];
    assert_eq!(data["rounds"], ROUNDS);
    assert_eq!(Path::new(data["dir"].as_str().unwrap()), kept);
    check_institutions(data["institutions"].as_array().unwrap());
    check_evaluation(data["evaluation"].as_array().unwrap());

    let genesis: Digest = data["genesis"].as_str().unwrap().parse().unwrap();
    check_export(&kept, genesis, &data["audit"]);

    let again = run(&arguments);
    assert_eq!(again.status.code(), Some(64), "a folder that holds a demo is not written again");
}

fn check_institutions(institutions: &[Value]) {
    assert_eq!(institutions.len() as u64, BANKS);
    for bank in institutions {
        assert!(bank["name"].as_str().is_some_and(|name| !name.is_empty()), "{bank}");
        assert_eq!(bank["unit"], "customer");
        assert_eq!(bank["relation"], "add-remove");
        let figure = |pointer: &str| bank.pointer(pointer).and_then(Value::as_f64).unwrap();
        let (lower, upper) = (figure("/epsilon/lower"), figure("/epsilon/upper"));
        assert!(0.0 < lower && lower <= upper, "{bank}");
        assert!(upper <= figure("/cap"), "{bank}");
        assert!((figure("/delta") - 1e-6).abs() < 1e-12, "{bank}");
    }
}

fn check_evaluation(evaluation: &[Value]) {
    let shots: Vec<u64> = evaluation.iter().map(|row| row["shots"].as_u64().unwrap()).collect();
    assert_eq!(shots, [5, 10, 20]);
    for row in evaluation {
        assert!(row["metric"].is_string(), "{row}");
        assert_eq!(row["episodes"], 10);
        for key in ["adapted", "local_only", "unadapted"] {
            assert!(row[key].as_f64().is_some_and(|auc| (0.0..=1.0).contains(&auc)), "{row}");
        }
        let interval: Vec<f64> =
            row["interval95"].as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
        assert!(interval.len() == 2 && interval[0] <= interval[1], "{row}");
    }
}

fn check_export(kept: &Path, genesis: Digest, said: &Value) {
    let export = kept.join("export");
    let names = std::fs::read_dir(kept.join("banks")).unwrap();
    let banks: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
    let judge = || audit(&export, genesis, banks.iter().map(PathBuf::as_path));
    let report = judge();
    assert_eq!(report.exit_code(), 0, "{:?}", report.finding);
    assert!(report.verified && report.anchored);
    assert_eq!(report.receipts, BANKS * ROUNDS);
    assert_eq!(report.models_replayed, ROUNDS + 1);
    assert_eq!(said["verified"], true);
    assert_eq!(said["records"], report.records);
    assert_eq!(said["models_replayed"], report.models_replayed);

    for file in files(&export) {
        let report = while_damaged(&file, judge);
        assert_ne!(report.exit_code(), 0, "a flipped bit in {} went unseen", file.display());
        assert!(!report.verified);
    }
    let other = audit(&export, Digest::from_bytes([7; 32]), []);
    assert_ne!(other.exit_code(), 0, "another consortium's genesis was taken");
    assert_eq!(judge().exit_code(), 0);
}
