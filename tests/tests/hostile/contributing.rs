//! Contributions that no honest bank sends.

use client::receipts::receipt_of;
use conformance::consortium::until;
use conformance::member::Member;
use conformance::raw::{Raw, data, header};
use ledger::digest::Digest;
use ledger::record::{Body, Canonical as _, Charge, Contribution, Fault, RunId, TaskChange};
use tonic::Code;

use crate::round_of::Round;

#[tokio::test]
async fn a_malformed_upload_is_refused_and_leaves_nothing() {
    let round = Round::open(2).await;
    let bank = &round.banks[0];
    let honest = round.honest(bank, 1).await;
    let bad = [Code::InvalidArgument];
    let too_long = [Code::ResourceExhausted];

    let short = honest.clone().carrying(honest.vector[4..].to_vec());
    round.refused("a coordinate too few", &bad, bank, short.messages(bank)).await;
    let long = honest.clone().carrying([honest.vector.as_slice(), &[0; 4]].concat());
    round.refused("a coordinate too many", &too_long, bank, long.messages(bank)).await;
    let other = honest.clone().saying(|body| body.vector = Digest::from_bytes([1; 32]));
    round.refused("a vector with another digest", &bad, bank, other.messages(bank)).await;
    let cut = vec![honest.header(bank), data(honest.vector[..2].to_vec())];
    round.refused("half of an upload", &bad, bank, cut).await;
    round.refused("a header alone", &bad, bank, vec![honest.header(bank)]).await;
    round.refused("no message at all", &bad, bank, vec![]).await;
    let headless = vec![data(honest.vector.clone())];
    round.refused("a vector without header", &bad, bank, headless).await;
    let twice = vec![honest.header(bank), honest.header(bank)];
    round.refused("two headers", &bad, bank, twice).await;
    let large = vec![honest.header(bank), data(vec![0; 300 * 1024])];
    round.refused("a chunk above its limit", &too_long, bank, large).await;
    let huge = vec![honest.header(bank), data(vec![0; 5 * 1024 * 1024])];
    let codes = [Code::InvalidArgument, Code::OutOfRange, Code::ResourceExhausted];
    round.refused("a message above its limit", &codes, bank, huge).await;
    let noise = header(vec![0xff; 100], vec![0; 64]);
    round.refused("a header of noise", &bad, bank, vec![noise]).await;
    let padded = [honest.body.encode(), vec![0x98, 0x06, 0x01]].concat();
    let padded = header(padded, vec![0; 64]);
    round.refused("an unknown field", &bad, bank, vec![padded]).await;

    let raw = Raw::member(bank).await.unwrap();
    raw.abandon(vec![honest.header(bank), data(honest.vector[..2].to_vec())]).await;
    round.unchanged("an upload broken off").await;
    drop(raw);
    round.unchanged("a connection broken off").await;

    honest_still_served(&round, bank).await;
}

#[tokio::test]
async fn a_contribution_that_says_anything_but_the_truth_is_refused() {
    let round = Round::open(2).await;
    let (bank, other) = (&round.banks[0], &round.banks[1]);
    let honest = round.honest(bank, 1).await;
    let wrong = [Code::FailedPrecondition];
    let stranger = Digest::from_bytes([3; 32]);

    let later = honest.clone().saying(|body| body.round = 1);
    round.refused("a round that is not open", &wrong, bank, later.messages(bank)).await;
    let run = RunId::derive(&stranger, 1);
    let elsewhere = honest.clone().saying(|body| body.run = run);
    round.refused("an unknown run", &[Code::NotFound], bank, elsewhere.messages(bank)).await;
    let plan = honest.clone().saying(|body| body.plan = stranger);
    round.refused("another plan", &wrong, bank, plan.messages(bank)).await;
    let model = honest.clone().saying(|body| body.model = stranger);
    round.refused("another model", &wrong, bank, model.messages(bank)).await;
    for (noise, rate, change) in [
        (7.0, 0.5, TaskChange::Appears),
        (8.0, 0.25, TaskChange::Appears),
        (8.0, 0.5, TaskChange::TwoContents),
    ] {
        let charge = Charge::new(noise, rate, change).unwrap();
        assert_ne!(charge, round.plan.charge());
        let cheap = honest.clone().saying(|body| body.charge = charge);
        round.refused("another charge", &wrong, bank, cheap.messages(bank)).await;
    }

    let denied = [Code::PermissionDenied];
    let posing = round.honest(other, 1).await;
    round.refused("another's name, own key", &denied, bank, posing.messages(bank)).await;
    round.refused("another's name and key", &denied, bank, posing.messages(other)).await;
    let bad = [Code::InvalidArgument];
    round.refused("another's signature", &bad, bank, honest.messages(other)).await;
    let short = header(honest.body.encode(), vec![0; 63]);
    round.refused("a short signature", &bad, bank, vec![short]).await;
    let zero = header(honest.body.encode(), vec![0; 64]);
    round.refused("a signature of zeros", &bad, bank, vec![zero, data(honest.vector)]).await;

    let outside = round.honest(&round.outsider, 1).await;
    let messages = outside.messages(&round.outsider);
    round.refused("a bank without a part", &denied, &round.outsider, messages).await;
    let watching = round.honest(&round.auditor, 1).await;
    let messages = watching.messages(&round.auditor);
    round.refused("an auditor's contribution", &denied, &round.auditor, messages).await;

    honest_still_served(&round, bank).await;
}

#[tokio::test]
async fn two_contributions_to_one_round_convict_their_signer() {
    let mut round = Round::open(2).await;
    let bank = round.banks.remove(1);
    let honest = round.honest(&bank, 1).await;
    round.send(&bank, honest.messages(&bank)).await.unwrap();
    round.look().await;

    let second = round.honest(&bank, 2).await;
    let answer = round.send(&bank, second.messages(&bank)).await;
    assert_eq!(answer.unwrap_err().code(), Code::AlreadyExists);
    round.convicted(&bank, Fault::Equivocation).await;
    let again = [Code::AlreadyExists];
    round.refused("the same contradiction", &again, &bank, second.messages(&bank)).await;

    let forged = round.honest(&bank, 3).await;
    let bad = [Code::InvalidArgument];
    let messages = forged.messages(&round.banks[0]);
    round.refused("evidence that nobody signed", &bad, &bank, messages).await;
}

#[tokio::test]
async fn a_vector_beyond_the_public_bound_convicts_its_signer() {
    let mut round = Round::open(2).await;
    let bank = round.banks.remove(1);
    let mut vector = i32::MIN.to_le_bytes().to_vec();
    vector.resize(4 * round.plan.contribution_dimension(), 0);
    let monster = round.honest(&bank, 1).await.carrying(vector);
    let answer = round.send(&bank, monster.messages(&bank)).await;
    assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
    round.convicted(&bank, Fault::OutOfBound).await;
    let answer = round.send(&bank, monster.messages(&bank)).await;
    assert!(answer.is_err());
    round.unchanged("the same vector again").await;

    honest_still_served(&round, &bank).await;
}

#[tokio::test]
async fn the_same_contribution_again_gets_the_same_leaf_and_a_fresh_proof_even_after_the_round() {
    let round = Round::open(1).await;
    let mut sent = vec![];
    for (salt, bank) in (1..).zip(&round.banks) {
        let honest = round.honest(bank, salt).await;
        let receipt = round.send(bank, honest.messages(bank)).await.unwrap();
        if salt < 3 {
            let again = round.send(bank, honest.messages(bank)).await.unwrap();
            assert_eq!((again.index, &again.leaf), (receipt.index, &receipt.leaf));
        }
        sent.push((honest, receipt));
    }
    until(async || round.consortium.finished().await.then_some(())).await;
    let (state, leaves) = round.banks[0].state().await;
    for (bank, (honest, receipt)) in round.banks.iter().zip(&sent) {
        let again = round.send(bank, honest.messages(bank)).await.unwrap();
        assert_eq!((again.index, &again.leaf), (receipt.index, &receipt.leaf));
        let proven = receipt_of(&again).unwrap().verify::<Body>(&bank.joined.log()).unwrap();
        assert_eq!(proven.checkpoint.head().size, state.size, "the proof is a fresh one");
        assert_eq!(leaves[usize::try_from(again.index).unwrap()], proven.leaf);
        let late = honest.clone().saying(|body| body.ledger_head = Digest::ZERO);
        let answer = round.send(bank, late.messages(bank)).await;
        assert_eq!(answer.unwrap_err().code(), Code::FailedPrecondition);
    }
    assert_eq!(round.banks[0].state().await.1, leaves, "late attacks leave nothing");
}

#[tokio::test]
async fn a_contribution_is_read_by_auditors_and_by_no_bank() {
    let round = Round::open(2).await;
    let bank = &round.banks[0];
    let honest = round.honest(bank, 1).await;
    round.send(bank, honest.messages(bank)).await.unwrap();
    let digest = honest.body.vector;
    let read = Raw::member(&round.auditor).await.unwrap().fetch(digest.as_bytes()).await;
    assert_eq!(read.unwrap(), honest.vector);
    for bank in round.banks.iter().chain([&round.outsider]) {
        let raw = Raw::member(bank).await.unwrap();
        let answer = raw.fetch(digest.as_bytes()).await;
        assert_eq!(answer.unwrap_err().code(), Code::NotFound);
        raw.fetch(honest.body.model.as_bytes()).await.unwrap();
        assert_eq!(raw.fetch(&[1, 2]).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let stranger = Raw::stranger(bank).await;
    let answer = stranger.fetch(honest.body.model.as_bytes()).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
    assert!(stranger.contribute(honest.messages(bank)).await.is_err());
}

/// An honest contribution goes through, and its receipt proves it.
async fn honest_still_served(round: &Round, bank: &Member) {
    let honest = round.honest(bank, 5).await;
    let receipt = round.send(bank, honest.messages(bank)).await.unwrap();
    let proven = receipt_of(&receipt).unwrap().verify::<Body>(&bank.joined.log()).unwrap();
    let Body::Accepted(accepted) = proven.leaf.body() else { panic!("not a contribution") };
    assert_eq!(accepted.encode(), Contribution::encode(&honest.body));
}
