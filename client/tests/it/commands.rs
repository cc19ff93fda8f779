//! Commands that work on a node's own files and on the log.

use client::cli::Output;
use client::{Exit, commands};
use ledger::digest::sha256;
use round::Request as Ask;
use serde_json::Value;

use crate::coordinator::Fake;
use crate::plans;
use crate::world::{Bank, consortium, finished, policy_text};

/// Runs a command as the command line does: on a thread with a runtime of its own.
async fn command(
    work: impl FnOnce() -> Result<Output, client::ClientError> + Send + 'static,
) -> Result<Output, client::ClientError> {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn proposed() -> (Fake, Bank, String) {
    let fake = Fake::start().await;
    let bank = Bank::joined(&fake, "north").await;
    let text = plans::text(&fake.genesis(), &["north"], 2, "asap");
    fake.ask(Ask::Propose(text.clone().into_bytes())).unwrap();
    (fake, bank, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_listed_shown_checked_and_signed() {
    let (fake, bank, text) = proposed().await;
    let digest = sha256(text.as_bytes()).to_string();
    let state = bank.path().to_owned();

    let (dir, prefix) = (state.clone(), digest[..8].to_owned());
    let listed = command(move || commands::plan::list(&dir)).await.unwrap();
    assert_eq!(listed.data["plans"][0]["digest"], Value::from(&*digest));
    let dir = state.clone();
    let shown = command(move || commands::plan::show(&dir, &prefix)).await.unwrap();
    assert_eq!(shown.data["text"], Value::from(&*text));
    let (dir, wanted) = (state.clone(), digest.clone());
    let checked = command(move || commands::plan::check(&dir, &wanted)).await.unwrap();
    assert_eq!((checked.exit, &checked.data["allowed"]), (Exit::Ok, &Value::from(true)));
    assert!(checked.text.contains("allowed  allow.rounds_max: plan 2, policy at most 10"));

    let (dir, wanted) = (state.clone(), digest.clone());
    let signed = command(move || commands::plan::sign(&dir, &wanted, None)).await.unwrap();
    assert!(signed.data["leaf"].as_u64().is_some());
    assert!(fake.core().state.run().is_some());
    let gone = command(move || commands::plan::show(&state, &digest)).await.unwrap_err();
    assert_eq!(gone.exit(), Exit::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_policy_refuses_is_not_signed() {
    let (fake, bank, text) = proposed().await;
    let digest = sha256(text.as_bytes()).to_string();
    let policy = policy_text(&fake.genesis());
    bank.write("policy.toml", &policy.replace("rounds_max = 10", "rounds_max = 1"));
    let (dir, wanted) = (bank.path().to_owned(), digest.clone());
    let checked = command(move || commands::plan::check(&dir, &wanted)).await.unwrap();
    assert_eq!(checked.exit, Exit::Refused);
    let dir = bank.path().to_owned();
    let refused = command(move || commands::plan::sign(&dir, &digest, None)).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(fake.core().state.run().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_rows_do_not_fit_is_not_signed() {
    let (fake, bank, text) = proposed().await;
    let digest = sha256(text.as_bytes()).to_string();
    let before = fake.core().state.size;
    for rows in ["id,x\nc1,1\n", "id,x,y\nc1,1,0\nc2,many,0\n", "id,x,y\nc1,1,\n"] {
        bank.write("rows.csv", rows);
        let (dir, wanted) = (bank.path().to_owned(), digest.clone());
        let refused = command(move || commands::plan::sign(&dir, &wanted, None)).await.unwrap_err();
        assert!(matches!(refused, client::ClientError::Data(_)), "{refused}");
    }
    assert_eq!(fake.core().state.size, before, "nothing was handed in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_can_be_carried_in_a_file() {
    let (fake, bank, text) = proposed().await;
    let digest = sha256(text.as_bytes()).to_string();
    let (dir, file) = (bank.path().to_owned(), bank.path().join("signature.json"));
    let out = file.clone();
    command(move || commands::plan::sign(&dir, &digest, Some(&out))).await.unwrap();
    let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(written["approval"].is_string() && written["signature"].is_string());
    assert!(fake.core().state.run().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_at_rest_is_stopped_shown_and_resumed() {
    let (fake, banks) = consortium(&["north"], 1, "asap").await;
    let [north] = &*banks else { panic!("one bank") };
    let node = north.run();
    fake.until(finished).await;
    north.until(|r| r.charges.iter().all(|c| c.standing == "acknowledged")).await;
    node.end().await.unwrap();

    let state = north.path();
    let dir = state.to_owned();
    command(move || commands::stop(&dir, "holiday")).await.unwrap();
    let dir = state.to_owned();
    let shown = command(move || commands::ledger::show(&dir)).await.unwrap();
    assert_eq!(shown.data["stopped"], Value::from("holiday"));
    assert_eq!(shown.data["charges"][0]["standing"], Value::from("acknowledged"));
    assert!(shown.text.contains("cap 20"), "{}", shown.text);
    let dir = state.to_owned();
    let status = command(move || commands::status(&dir)).await.unwrap();
    assert_eq!(status.data["running"], Value::from(false));
    assert_eq!(status.data["stopped"], Value::from("holiday"));
    let dir = state.to_owned();
    command(move || commands::resume(&dir, "")).await.unwrap();
    let dir = state.to_owned();
    let status = command(move || commands::status(&dir)).await.unwrap();
    assert_eq!(status.data["stopped"], Value::Null);

    let dir = state.to_owned();
    let receipts = command(move || commands::receipts_verify(&dir)).await.unwrap();
    assert_eq!((receipts.exit, &receipts.data["wrong"]), (Exit::Ok, &Value::from(0)));
    let file = std::fs::read_dir(state.join("receipts")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("index ", "index 1", 1)).unwrap();
    let dir = state.to_owned();
    let receipts = command(move || commands::receipts_verify(&dir)).await.unwrap();
    assert_eq!(receipts.exit, Exit::Tampered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_joined_and_has_no_policy_yet_says_where_it_stands() {
    let fake = Fake::start().await;
    let bank = Bank::new("north");
    bank.join(&fake).await.unwrap();
    let dir = bank.path().to_owned();
    let status = command(move || commands::status(&dir)).await.unwrap();
    assert_eq!(status.data["stopped"], Value::Null);
    for asked in [commands::ledger::show, commands::ledger::check] {
        let dir = bank.path().to_owned();
        let refused = command(move || asked(&dir)).await.unwrap_err();
        assert_eq!(refused.exit(), Exit::NotFound, "{refused}");
    }
}

#[test]
fn what_is_not_understood_is_usage_and_what_is_missing_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_str().unwrap();
    let run = |arguments: &[&str]| client::cli::main([&["counterfoil-client"], arguments].concat());
    assert_eq!(run(&["fly"]), Exit::Usage.code());
    assert_eq!(run(&["--state", state, "--json", "status"]), Exit::NotFound.code());
    assert_eq!(run(&["--state", "/nowhere", "run"]), Exit::NotFound.code());
    let invitation = ["--state", state, "join", "--invitation", "counterfoil1:!"];
    assert_eq!(run(&invitation), Exit::Usage.code());
}

#[test]
fn the_envelope_has_its_four_keys() {
    let output = Output::new(serde_json::json!({ "a": 1 }), "a is 1");
    let expected = serde_json::json!({
        "schema_version": 1, "status": "ok", "exit_code": 0, "data": { "a": 1 },
    });
    assert_eq!(output.envelope(), expected);
}
