//! Decisions, pauses, recalls and another key for the log, with a real coordinator and the programs' own commands.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::ffi::OsStr;
use std::path::Path;

use conformance::consortium::{Consortium, until};
use conformance::export::{audit, receipts};
use conformance::member::Member;
use conformance::plans;
use conformance::program::{Daemon, run};
use ledger::checkpoint::SignedCheckpoint;
use ledger::record::{Body, Leaf, Payload as _};

const NAMES: [&str; 3] = ["east", "north", "south"];

/// What one of the programs prints, or what it complains of.
fn told(program: &str, state: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut all = vec![OsStr::new(program), OsStr::new("--state"), state.as_os_str()];
    all.extend(arguments.iter().map(OsStr::new));
    let output = run(&all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

async fn members(consortium: &Consortium) -> Vec<Member> {
    let mut members = vec![];
    for name in NAMES {
        let member = Member::join(consortium, name, "bank").await;
        member.prepare();
        members.push(member);
    }
    members
}

/// Has the banks sign the change in `file`, and hands it in with what they printed.
fn change(
    consortium: &Consortium,
    banks: &[Member],
    file: &Path,
    lost: &[&str],
) -> Result<String, String> {
    let file = file.to_str().unwrap();
    let sign = |bank: &Member| told("client", bank.state.root(), &["log-key", "sign", file]);
    let signed: Vec<String> = banks.iter().map(sign).collect::<Result<_, _>>()?;
    let mut arguments = vec!["log-key", "change", file];
    arguments.extend(signed.iter().flat_map(|line| ["--approval", line]));
    arguments.extend(lost);
    told("coordinator", &consortium.path("coordinator"), &arguments)
}

/// Trains a run of one round under another name, and gives the newest run.
async fn train(consortium: &Consortium, banks: &[Member], name: &str) {
    let text = plans::text(&consortium.genesis, &NAMES, 1).replacen(
        "name = \"",
        &format!("name = \"{name} "),
        1,
    );
    let before = consortium.status().await["ended"].as_array().unwrap().len();
    let plan = consortium.propose(&text).await;
    for bank in banks {
        bank.approve(plan).await;
    }
    let nodes: Vec<_> = banks.iter().map(|b| Daemon::start("client", b.state.root())).collect();
    until(async || {
        let ended = consortium.status().await["ended"].as_array().unwrap().len();
        (ended > before).then_some(())
    })
    .await;
    for bank in banks {
        until(async || (receipts(bank.state.root()).len() > before).then_some(())).await;
        told("client", bank.state.root(), &["shutdown"]).unwrap();
    }
    drop(nodes);
}

#[tokio::test]
async fn the_logs_key_is_changed_by_a_quorum_and_everybody_follows() {
    let mut consortium = Consortium::start().await;
    let banks = members(&consortium).await;
    train(&consortium, &banks, "first").await;
    let operator = consortium.path("coordinator");
    let file = consortium.path("change.json");
    let output = file.to_str().unwrap();
    let new = ["log-key", "new", "--reason", "yearly", "--output", output];
    told("coordinator", &operator, &new).unwrap();
    let old = consortium.status().await["log_key"].as_str().unwrap().to_owned();

    // One bank of three is no quorum, and a change over another history is signed by nobody.
    let few = change(&consortium, &banks[..1], &file, &[]).unwrap_err();
    assert!(few.contains("no quorum"), "{few}");
    let text = std::fs::read_to_string(&file).unwrap();
    let draft: serde_json::Value = serde_json::from_str(&text).unwrap();
    let size = draft["size"].as_u64().unwrap();
    let other = SignedCheckpoint::sign(
        &consortium.genesis,
        ledger::tree::Head { size, root: ledger::digest::sha256(b"another history") },
        &key(&operator, "log"),
    );
    let elsewhere = consortium.path("elsewhere");
    std::fs::write(&elsewhere, other.unwrap().text()).unwrap();
    let forked = consortium.path("forked.json");
    let anchor = ["--anchor", elsewhere.to_str().unwrap(), "--output", forked.to_str().unwrap()];
    let arguments = ["log-key", "new", "--reason", "another history"];
    told("coordinator", &operator, &[&arguments[..], &anchor].concat()).unwrap();
    let refused = change(&consortium, &banks, &forked, &[]).unwrap_err();
    assert!(refused.contains("another history"), "{refused}");

    change(&consortium, &banks, &file, &[]).unwrap();
    let status = consortium.status().await;
    assert_ne!(status["log_key"].as_str().unwrap(), old);
    assert!(!operator.join("keys/log.next.pem").exists(), "nothing is left of the old key");
    assert_eq!(key(&operator, "log").public().to_string(), status["log_key"]);

    // The next start, the next member, the next run, and an auditor with receipts from before and after.
    consortium.daemon.kill_and_restart();
    let late = Member::join(&consortium, "west", "bank").await;
    assert!(late.state().await.1.iter().any(|leaf| matches!(leaf.body(), Body::LogKey(_))));
    train(&consortium, &banks, "second").await;
    for bank in &banks {
        let text = told("client", bank.state.root(), &["receipts", "verify"]).unwrap();
        assert!(text.contains("2 receipts, 0 of them prove nothing"), "{text}");
    }
    let export = consortium.export().await;
    let states: Vec<_> = banks.iter().map(|bank| bank.state.root()).collect();
    let report = audit(&export, consortium.genesis, states);
    assert!(report.verified, "{:?}", report.finding);
    assert_eq!(report.receipts, 6);

    // A receipt from before the change is proved anew under the new key, and the old one no longer opens it.
    let receipt = receipts(banks[0].state.root()).remove(0);
    let proved = ::audit::prove(&receipt, &export, Some(consortium.genesis));
    assert_eq!(proved.exit_code(), 0, "{:?}", proved.finding);
    let proof = consortium.path("record.tlog-proof");
    std::fs::write(&proof, proved.file.unwrap()).unwrap();
    let founding = Some(export.join("genesis"));
    let new = ::audit::Anchor { key: proved.key.unwrap().parse().ok(), ..Default::default() };
    let first = ::audit::Anchor { founding, ..Default::default() };
    assert_eq!(::audit::check(&proof, &new, None).exit_code(), 0);
    assert_eq!(::audit::check(&proof, &first, None).exit_code(), 6);
}

#[tokio::test]
async fn a_log_whose_key_is_lost_goes_on_under_another() {
    let mut consortium = Consortium::start().await;
    let banks = members(&consortium).await;
    let operator = consortium.path("coordinator");
    std::fs::remove_file(operator.join("keys/log.pem")).unwrap();
    consortium.daemon.kill_and_restart();
    let file = consortium.path("change.json");
    let output = file.to_str().unwrap();
    let new = ["log-key", "new", "--reason", "the disk broke", "--output", output];
    consortium.status().await;
    told("coordinator", &operator, &new).unwrap();
    change(&consortium, &banks, &file, &["--old-key-lost"]).unwrap();
    train(&consortium, &banks, "after").await;
    let export = consortium.export().await;
    let report = audit(&export, consortium.genesis, banks.iter().map(|bank| bank.state.root()));
    assert!(report.verified, "{:?}", report.finding);
}

#[tokio::test]
async fn a_member_changes_its_keys_between_runs_and_what_it_did_before_stays_its_own() {
    let consortium = Consortium::start().await;
    let banks = members(&consortium).await;
    let [_, north, _] = &*banks else { unreachable!("three banks") };
    train(&consortium, &banks, "first").await;
    let waiting = plans::text(&consortium.genesis, &NAMES, 1).replacen("a test", "waiting", 1);
    let waiting = consortium.propose(&waiting).await;
    north.approve(waiting).await;

    // A stranger's and another member's keys do not come this way, and a change is on record before anything is given up.
    let state = north.state.root();
    let before = std::fs::read(state.join("keys/record.pem")).unwrap();
    let said = told("client", state, &["rotate-keys"]).unwrap();
    assert!(said.contains("north signs with"), "{said}");
    assert_ne!(std::fs::read(state.join("keys/record.pem")).unwrap(), before);
    assert!(!state.join("keys/next").exists());
    let old = north.connect().await.unwrap().follow(0).await;
    assert!(old.is_err(), "the old TLS key opens nothing");

    // What it signed of a plan that has not run is void; a run after the change is as any other.
    let changed = Member {
        state: client::state_dir::StateDir::open(state).unwrap(),
        joined: client::joined::Joined::load(&north.state).unwrap(),
        keys: client::keys::Keys::load_or_create(&north.state).unwrap(),
    };
    let status = consortium.status().await;
    assert_eq!(status["proposals"][0]["signed"].as_array().unwrap().len(), 0);
    let mut banks = banks;
    banks[1] = changed;
    told("client", banks[0].state.root(), &["rotate-keys", "--only", "cosign"]).unwrap();
    banks[0].keys = client::keys::Keys::load_or_create(&banks[0].state).unwrap();
    train(&consortium, &banks, "second").await;
    let text = told("client", banks[1].state.root(), &["receipts", "verify"]).unwrap();
    assert!(text.contains("2 receipts, 0 of them prove nothing"), "{text}");
    let export = consortium.export().await;
    let states: Vec<_> = banks.iter().map(|bank| bank.state.root()).collect();
    let report = audit(&export, consortium.genesis, states);
    assert!(report.verified, "{:?}", report.finding);

    // While a run is open keys stay as they are, and the change that was begun is finished after it.
    for bank in &banks {
        bank.approve(waiting).await;
    }
    until(async || consortium.status().await["run"]["round"].as_u64()).await;
    let state = banks[2].state.root();
    let refused = told("client", state, &["rotate-keys"]).unwrap_err();
    assert!(refused.contains("a run is open"), "{refused}");
    let next = std::fs::read(state.join("keys/next/rotated")).unwrap();
    let run = consortium.status().await["run"]["run"].as_str().unwrap().to_owned();
    let named = ["abandon", "--run", &run, "--reason", "keys"];
    told("coordinator", &consortium.path("coordinator"), &named).unwrap();

    // The coordinator has it on record, and the answer is lost: the same again, with the key that was given up.
    let rotated: ledger::record::MemberRotated = ledger::record::Canonical::decode(&next).unwrap();
    let tls = std::fs::read_to_string(state.join("keys/next/tls.pem")).unwrap();
    let csr = wire::NodeKey::from_pem(&tls).unwrap().csr().unwrap();
    let connection = banks[2].connect().await.unwrap();
    connection.rotate(ledger::record::Canonical::encode(&rotated), csr).await.unwrap();
    assert!(connection.follow(0).await.is_err());
    told("client", state, &["rotate-keys"]).unwrap();
    told("client", state, &["status"]).unwrap();
}

#[tokio::test]
async fn members_decide_and_the_operator_pauses_and_recalls() {
    let consortium = Consortium::start().await;
    let banks = members(&consortium).await;
    let auditor = Member::join(&consortium, "owl", "auditor").await;
    let operator = consortium.path("coordinator");
    let said =
        told("client", auditor.state.root(), &["decide", "limits stay as they are"]).unwrap();
    assert_eq!(said, "the decision is leaf 5");
    told("client", auditor.state.root(), &["decide", "and so do prices"]).unwrap();
    let empty = told("client", auditor.state.root(), &["decide", ""]).unwrap_err();
    assert!(empty.contains("1 to 1024 characters"), "{empty}");

    let plan = consortium.propose(&plans::text(&consortium.genesis, &NAMES, 2)).await;
    for bank in &banks {
        bank.approve(plan).await;
    }
    let run =
        until(async || consortium.status().await["run"]["run"].as_str().map(str::to_owned)).await;
    until(async || consortium.status().await["run"]["round"].as_u64()).await;
    let named = ["--run", &run, "--reason", "looked at"];
    told("coordinator", &operator, &[&["pause"], &named[..]].concat()).unwrap();
    let nodes: Vec<_> = banks.iter().map(|b| Daemon::start("client", b.state.root())).collect();
    until(async || {
        let status = consortium.status().await;
        (status["run"]["model"] == 1 && status["run"]["round"].is_null()).then_some(())
    })
    .await;
    let recalled = ["recall", "--run", &run, "--from", "1", "--reason", "wrong data"];
    let refused = told("coordinator", &operator, &recalled).unwrap_err();
    assert!(refused.contains("has not ended"), "{refused}");
    told("coordinator", &operator, &[&["resume"], &named[..]].concat()).unwrap();
    until(async || consortium.finished().await.then_some(())).await;
    told("coordinator", &operator, &recalled).unwrap();
    drop(nodes);

    let (_, leaves) = auditor.state().await;
    let of = |kind: &str| leaves.iter().filter(|leaf: &&Leaf| leaf.body().kind() == kind).count();
    assert_eq!((of("decision"), of("paused"), of("recalled")), (2, 2, 1));
    assert_eq!(consortium.status().await["ended"][0]["recalled_from"], 1);
    let export = consortium.export().await;
    let report = audit(&export, consortium.genesis, []);
    assert!(report.verified, "{:?}", report.finding);
}

#[tokio::test]
async fn contributions_are_kept_for_as_many_rounds_as_the_plan_says() {
    let consortium = Consortium::start().await;
    let banks = members(&consortium).await;
    let text = plans::text(&consortium.genesis, &NAMES, 4);
    let text = text.replace("keep_contributions_rounds = 4", "keep_contributions_rounds = 3");
    let plan = consortium.propose(&text).await;
    for bank in &banks {
        bank.approve(plan).await;
    }
    let nodes: Vec<_> = banks.iter().map(|b| Daemon::start("client", b.state.root())).collect();
    until(async || consortium.finished().await.then_some(())).await;
    drop(nodes);
    let operator = consortium.path("coordinator");
    let running = told("coordinator", &operator, &["prune"]).unwrap_err();
    assert!(running.contains("another process"), "{running}");
    told("coordinator", &operator, &["stop"]).unwrap();
    until(async || told("coordinator", &operator, &["prune", "--rehearse"]).ok()).await;
    let whole = consortium.path("whole");
    told("coordinator", &operator, &["export", whole.to_str().unwrap()]).unwrap();
    assert!(audit(&whole, consortium.genesis, []).verified, "a rehearsal erases nothing");
    let said = told("coordinator", &operator, &["prune"]).unwrap();
    assert_eq!(said, "3 contributions of 24 bytes are erased");
    let again = told("coordinator", &operator, &["prune"]).unwrap();
    assert_eq!(again, "0 contributions of 0 bytes are erased");
    let pruned = consortium.path("pruned");
    told("coordinator", &operator, &["export", pruned.to_str().unwrap()]).unwrap();
    let states: Vec<_> = banks.iter().map(|bank| bank.state.root()).collect();
    let finding = audit(&pruned, consortium.genesis, states).finding.unwrap();
    assert_eq!(finding.kind.exit_code(), 9, "{finding}");
}

fn key(operator: &Path, name: &str) -> ledger::signing::SigningKey {
    let pem = std::fs::read_to_string(operator.join(format!("keys/{name}.pem"))).unwrap();
    let pkcs8 = ledger::signing::Pkcs8::from_pem(&pem).unwrap();
    ledger::signing::SigningKey::from_pkcs8(pkcs8.as_der()).unwrap()
}
