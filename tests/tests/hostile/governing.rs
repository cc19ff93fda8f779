//! Approvals, quorums and members that were put out.

use conformance::consortium::Consortium;
use conformance::member::Member;
use conformance::plans;
use conformance::raw::Raw;
use coordinator::control::Command;
use ledger::digest::Digest;
use tonic::Code;

use crate::round_of::{NAMES, Round};

fn code(error: &wire::Error) -> Option<Code> {
    if let wire::Error::Status(status) = error { Some(status.code()) } else { None }
}

#[tokio::test]
async fn a_plan_runs_only_with_the_signatures_of_its_quorum() {
    let consortium = Consortium::start().await;
    let mut banks = vec![];
    for name in NAMES {
        banks.push(Member::join(&consortium, name, "bank").await);
    }
    let auditor = Member::join(&consortium, "watch", "auditor").await;
    let plan = consortium.propose(&plans::text(&consortium.genesis, &NAMES, 2)).await;
    let before = consortium.facts().await;

    let unknown = banks[0].approve_as(banks[0].institution(), Digest::from_bytes([4; 32])).await;
    assert_eq!(code(&unknown.unwrap_err()), Some(Code::NotFound));
    let posing = banks[0].approve_as(banks[1].institution(), plan).await;
    assert_eq!(code(&posing.unwrap_err()), Some(Code::PermissionDenied));
    let watching = auditor.approve_as(auditor.institution(), plan).await;
    assert_eq!(code(&watching.unwrap_err()), Some(Code::PermissionDenied));
    assert_eq!(consortium.facts().await, before);

    banks[0].approve(plan).await;
    let signed = consortium.facts().await;
    banks[0].approve(plan).await;
    let status = consortium.facts().await;
    assert_eq!(status, signed, "a signature counts once");
    assert!(status["run"].is_null(), "one of three is no quorum");

    let foreign = plans::text(&Digest::from_bytes([5; 32]), &NAMES, 2);
    let answer = consortium.command(&Command::Propose { plan: foreign }).await;
    assert!(answer.is_err(), "a plan of another consortium");
    let crowd = plans::text(&consortium.genesis, &["east", "nobody"], 2);
    assert!(consortium.command(&Command::Propose { plan: crowd }).await.is_err());
    assert_eq!(consortium.facts().await, status);
}

#[tokio::test]
async fn who_is_put_out_loses_the_connection_and_gets_no_other() {
    let round = Round::open(2).await;
    let bank = &round.outsider;
    let connection = bank.connect().await.unwrap();
    let (state, _) = bank.state().await;
    let mut updates = connection.follow(state.size).await.unwrap();
    let (institution, reason) = ("west".to_owned(), "a test".to_owned());
    let revoke = Command::Revoke { institution, reason };
    round.consortium.command(&revoke).await.unwrap();

    // The record of the revocation may still come; then the stream breaks.
    let ended = async {
        loop {
            match updates.next().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), ended).await.unwrap();
    let facts = round.consortium.facts().await;
    assert!(bank.connect().await.is_err(), "the handshake must be refused");
    assert!(connection.follow(0).await.is_err());
    if let Ok(raw) = Raw::member(bank).await {
        assert!(raw.fetch(round.plan.digest().as_bytes()).await.is_err());
    }
    let members = facts["members"].as_array().unwrap();
    let out = members.iter().find(|member| member["institution"] == "west").unwrap();
    assert_eq!(out["active"], false);
    assert_eq!(round.consortium.facts().await, facts);
    round.banks[0].connect().await.unwrap();
}
