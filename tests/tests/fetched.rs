//! The log, written out over the network by those who may read it, with a real coordinator and the programs' own commands.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::ffi::OsStr;
use std::path::Path;

use conformance::consortium::{Consortium, until};
use conformance::export::audit;
use conformance::member::Member;
use conformance::plans;
use conformance::program::{Daemon, run};

const NAMES: [&str; 3] = ["east", "north", "south"];

/// Exit code and output of `fetch`.
fn fetch(member: &Member, directory: &Path) -> (Option<i32>, String) {
    let all = [
        OsStr::new("client"),
        OsStr::new("--state"),
        member.state.root().as_os_str(),
        OsStr::new("fetch"),
        directory.as_os_str(),
    ];
    let output = run(&all);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn an_auditor_writes_out_all_of_the_log_and_a_bank_no_contributions() {
    let consortium = Consortium::start().await;
    let mut banks = vec![];
    for name in NAMES {
        let member = Member::join(&consortium, name, "bank").await;
        member.prepare();
        banks.push(member);
    }
    let auditor = Member::join(&consortium, "owl", "auditor").await;
    let plan = consortium.propose(&plans::text(&consortium.genesis, &NAMES, 2)).await;
    for bank in &banks {
        bank.approve(plan).await;
    }
    let nodes: Vec<_> = banks.iter().map(|b| Daemon::start("client", b.state.root())).collect();
    until(async || consortium.finished().await.then_some(())).await;

    let states: Vec<_> = banks.iter().map(|bank| bank.state.root()).collect();
    let export = consortium.export().await;
    let own = audit(&export, consortium.genesis, states.clone());
    let copy = consortium.path("copy");
    let (code, text) = fetch(&auditor, &copy);
    assert_eq!(code, Some(0), "{text}");
    let fetched = audit(&copy, consortium.genesis, states.clone());
    assert!(fetched.verified && own.verified, "{:?}", fetched.finding);
    assert_eq!((fetched.records, fetched.models_replayed), (own.records, 3));
    assert_eq!(fetched.institutions, own.institutions);
    let (code, text) = fetch(&auditor, &copy);
    assert!(code == Some(1) && text.contains("expected no "), "{text}");

    let less = consortium.path("less");
    let (code, text) = fetch(&banks[0], &less);
    // Six contributions, and the master states of three models.
    assert!(code == Some(9) && text.contains("9 blobs that they name were not given"), "{text}");
    let fetched = audit(&less, consortium.genesis, states);
    assert_eq!(fetched.exit_code(), 9, "{:?}", fetched.finding);
    assert_eq!(fetched.institutions, own.institutions);
    drop(nodes);
}
