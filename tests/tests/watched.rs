//! A witness that is no bank: an auditor's process that follows the log, cosigns, and convicts a log that shows it two histories.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use conformance::consortium::{Consortium, until};
use conformance::member::Member;
use conformance::plans;
use conformance::program::{Daemon, auditor, run};
use conformance::raw::Raw;
use ledger::checkpoint::Contradiction;
use ledger::record::{Canonical as _, Contradicted};
use serde_json::Value;

/// Exit code and printed JSON of a command of the client's program.
fn client(member: &Member, command: &[&str]) -> (i32, Value) {
    let mut all = vec![OsStr::new("client"), OsStr::new("--json"), OsStr::new("--state")];
    all.push(member.state.root().as_os_str());
    all.extend(command.iter().map(OsStr::new));
    let output = run(&all);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_default())
}

/// Exit code and output of the auditor's program.
fn audit(arguments: &[&OsStr]) -> (i32, String) {
    let output = Command::new(auditor()).args(arguments).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

fn watch(member: &Member) -> Daemon {
    Daemon::start_as("client", member.state.root(), "witness")
}

/// Waits until the coordinator's checkpoint is cosigned by `name`.
async fn cosigned(reader: &Member, name: &str) -> String {
    until(async || {
        // The coordinator may be on its way up.
        let text = Raw::member(reader).await.ok()?.get("/checkpoint").await.text();
        text.contains(&format!("/{name} ")).then_some(text)
    })
    .await
}

async fn ended(daemon: &mut Daemon) -> i32 {
    let daemon = std::sync::Mutex::new(daemon);
    until(async || daemon.lock().unwrap().code()).await
}

#[tokio::test]
async fn an_auditor_cosigns_without_policy_rows_or_ledger() {
    let mut consortium = Consortium::start().await;
    let north = Member::join(&consortium, "north", "bank").await;
    let owl = Member::join(&consortium, "owl", "auditor").await;
    let mut witness = watch(&owl);
    let first = cosigned(&north, "owl").await;
    consortium.propose(&plans::text(&consortium.genesis, &["north"], 1)).await;
    // What is new is cosigned too.
    until(async || (cosigned(&north, "owl").await != first).then_some(())).await;

    let export = consortium.export().await;
    let genesis = consortium.genesis.to_string();
    let verify = ["verify".as_ref(), export.as_os_str(), "--genesis".as_ref(), genesis.as_ref()];
    let (code, text) = audit(&verify);
    assert!(code == 0 && text.contains("cosigned by  owl"), "{text}");

    let (code, status) = client(&owl, &["status"]);
    assert_eq!((code, &status["data"]["running"]), (0, &Value::Bool(true)), "{status}");
    assert_eq!(status["data"]["verified_records"], 4);
    // It has nothing to charge, to stop, or to export.
    assert_eq!(client(&owl, &["stop"]).0, 64);
    assert_eq!(client(&owl, &["ledger", "show"]).0, 64);
    assert!(!owl.state.path("population").exists() && !owl.state.path("receipts").exists());

    // A coordinator that starts again has forgotten; the witness has not, and hands in anew.
    consortium.daemon.kill_and_restart();
    cosigned(&north, "owl").await;
    witness.terminate();
    assert_eq!(ended(&mut witness).await, 0, "{}", witness.written());
    assert!(!owl.state.path("control.sock").exists());
    let kept = std::fs::read_to_string(owl.state.path("cosigned.log")).unwrap();
    assert_eq!(kept.lines().count(), 2);

    // Once more, and told to end by its socket; the same head is not cosigned as another.
    consortium.daemon.kill_and_restart();
    let mut witness = watch(&owl);
    cosigned(&north, "owl").await;
    assert_eq!(client(&owl, &["shutdown"]).0, 0);
    assert_eq!(ended(&mut witness).await, 0, "{}", witness.written());
    assert_eq!(std::fs::read_to_string(owl.state.path("cosigned.log")).unwrap(), kept);
}

/// Copies a folder; of a coordinator that is at rest it is a backup that can be started.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// The operator starts a backup with the log's key as if the records since had never been, and goes on from there. `more` records later
/// its log is as long as, or longer than, the one that was watched.
async fn forked(more: usize, watch_as: &str) {
    let mut consortium = Consortium::start().await;
    let owl = Member::join(&consortium, "owl", "auditor").await;
    let north = Member::join(&consortium, "north", "bank").await;
    north.prepare();
    let (watching, reader, command) =
        if watch_as == "witness" { (&owl, &north, "witness") } else { (&north, &owl, "run") };
    let (folder, backup, other) =
        (consortium.path("coordinator"), consortium.path("backup"), consortium.path("other"));
    consortium.daemon.kill();
    copy(&folder, &backup);
    consortium.daemon.kill_and_restart();
    let plan =
        |name: &str| plans::text(&consortium.genesis, &["north"], 1).replacen("a test", name, 1);
    consortium.propose(&plan("the first")).await;
    consortium.propose(&plan("the second")).await;
    let mut witness = Daemon::start_as("client", watching.state.root(), command);
    cosigned(reader, watching.institution().as_str()).await;

    // The plans of the other history wait in a coordinator that nobody follows, until it is as long as it should be.
    consortium.daemon.kill();
    witness.kill();
    std::fs::rename(&folder, &other).unwrap();
    std::fs::rename(&backup, &folder).unwrap();
    consortium.daemon.kill_and_restart();
    for at in 0..2 + more {
        consortium.propose(&plan(&format!("another {at}"))).await;
    }
    witness.kill_and_restart();
    assert_eq!(ended(&mut witness).await, 6, "{}", witness.written());

    let file = watching.state.path("contradiction.json");
    let genesis = consortium.genesis.to_string();
    let check = |file: &Path| {
        audit(&["check".as_ref(), file.as_os_str(), "--genesis".as_ref(), genesis.as_ref()])
    };
    // It convicts by itself, and no longer once anything in it is changed.
    assert_eq!(check(&file).0, 8, "{}", check(&file).1);
    let proof = std::fs::read_to_string(&file).unwrap();
    let changed = watching.state.path("changed.json");
    for (old, new) in
        [("\\n5\\n", "\\n6\\n"), ("counterfoil/", "counterfoil-"), ("\"smaller\"", "\"larger\"")]
    {
        assert!(proof.contains(old), "{proof}");
        std::fs::write(&changed, proof.replacen(old, new, 1)).unwrap();
        assert_eq!(check(&changed).0, 6, "{old}");
    }
    on_record(&consortium, watching, &file).await;
    // It does not begin again until somebody has looked.
    witness.kill_and_restart();
    assert_eq!(ended(&mut witness).await, 6);
    assert!(watching.state.path("tampered.json").exists());
    let kept = std::fs::read_to_string(watching.state.path("cosigned.log")).unwrap();
    assert_eq!(kept.lines().count(), 1, "nothing of the other history was cosigned: {kept}");
}

/// Whoever was shown the other history has the file; a member whose copy goes on puts it on record, where it stands for all.
async fn on_record(consortium: &Consortium, victim: &Member, file: &Path) {
    let report = |member: &Member, file: &Path| {
        client(member, &["report-contradiction", file.to_str().unwrap()])
    };
    assert_eq!(report(victim, file).0, 6, "its own copy is of the other history");
    let crow = Member::join(consortium, "crow", "auditor").await;
    let (code, said) = report(&crow, file);
    assert_eq!((code, &said["data"]["by"]), (0, &Value::from("crow")), "{said}");
    let jay = Member::join(consortium, "jay", "auditor").await;
    let (code, again) = report(&jay, file);
    assert_eq!(code, 0, "{again}");
    assert_eq!(again["data"], said["data"], "once a pair, as it was handed in first");

    // A file that convicts nobody is not sent, and a report in another's name not taken.
    let text = std::fs::read_to_string(file).unwrap();
    let useless = crow.state.path("useless.json");
    std::fs::write(&useless, text.replacen("counterfoil/", "counterfoil-", 1)).unwrap();
    assert_eq!(report(&crow, &useless).0, 64);
    assert_eq!(report(&crow, Path::new("nowhere.json")).0, 64);
    let shown = Contradiction::from_text(&text).unwrap();
    let found = Contradicted::hand_in(crow.institution(), &shown).unwrap();
    let sign = |member: &Member, found: &Contradicted| {
        let key = &member.keys.record;
        let signature = key.sign_body(Contradicted::TYPE, &consortium.genesis, &found.encode());
        signature.as_bytes().to_vec()
    };
    let connection = jay.connect().await.unwrap();
    let refused = connection.report_contradiction(found.encode(), sign(&crow, &found)).await;
    assert!(refused.unwrap_err().to_string().contains("another institution"));
    let mut honest = Contradicted { institution: jay.institution(), ..found };
    honest.larger.head.size += 1;
    let refused = connection.report_contradiction(honest.encode(), sign(&jay, &honest)).await;
    assert!(refused.is_err(), "the heads are not those that were signed");

    let log = consortium.path("reported");
    let told = client(&crow, &["fetch", log.to_str().unwrap()]);
    assert_eq!(told.0, 0, "{}", told.1);
    let genesis = consortium.genesis.to_string();
    let (code, text) = audit(&[
        "verify".as_ref(),
        log.as_os_str(),
        "--genesis".as_ref(),
        genesis.as_ref(),
        "--json".as_ref(),
    ]);
    let verified: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0, "{text}");
    let convicted = &verified["data"]["convicted_log_keys"];
    assert_eq!(convicted[0]["leaf"], said["data"]["leaf"], "{verified}");
    assert_eq!(convicted[0]["log_key"], said["data"]["log_key"]);
    let leaf = said["data"]["leaf"].as_u64().unwrap();
    let page = async |path: &str| Raw::member(&crow).await.unwrap().get(path).await.text();
    // Pages are a moment behind the log.
    let key = said["data"]["log_key"].as_str().unwrap();
    until(async || {
        let health: Value = serde_json::from_str(&page("/health.json").await).unwrap();
        let sections = health["sections"].as_array().unwrap();
        let of = sections.iter().find(|section| section["name"] == "contradictions").unwrap();
        (of["rows"][0]["log_key"] == key).then_some(())
    })
    .await;
    let record = page(&format!("/evidence/{leaf}.json")).await;
    assert!(record.contains(key) && record.contains("larger_root"), "{record}");
}

#[tokio::test]
async fn a_witness_that_is_shown_two_histories_of_one_size_convicts_the_log() {
    forked(0, "witness").await;
}

#[tokio::test]
async fn a_witness_that_is_shown_a_longer_history_asks_for_all_of_it_and_convicts_the_log() {
    forked(3, "witness").await;
}

#[tokio::test]
async fn a_banks_node_writes_the_same_file() {
    forked(1, "node").await;
}
