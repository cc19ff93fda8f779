//! The fold: how one record changes the state, and the only way it ever does.
//!
//! The coordinator folds what it has just committed, recovery folds the log, a bank folds what it is
//! pushed, and the auditor folds the export: one function, so that all must agree.

mod governance;
mod roster;
mod round;
mod run;
mod violation;

use ledger::checkpoint::{LogIdentity, LogKeys};
use ledger::digest::Digest;
use ledger::record::{Body, Leaf, Payload};
use ledger::signing::PublicKey;
use ledger::time::Timestamp;
pub use violation::Violation;

use crate::state::{Consortium, State};

/// The state after `leaf`.
///
/// Checks everything that a record can be wrong in: its time, its author, its signature, its place
/// in the protocol, and every reference it makes. Blobs are not looked at: who has them compares
/// their digests, and recomputes what they should hold.
///
/// # Errors
///
/// A [`Violation`] that names what was expected and what came.
pub fn apply(mut state: State, leaf: &Leaf) -> Result<State, Violation> {
    advance(&mut state, leaf, Signatures::Verified)?;
    Ok(state)
}

/// [`apply`], without the two signatures over the leaf being computed: for whoever has verified the leaf's signature by the author that it
/// names, has just made it, or verifies it later and stops if it is wrong. Whether that author may write the record is checked here too.
///
/// # Errors
///
/// A [`Violation`] as [`apply`]; then the state is worthless.
pub fn apply_signed(state: &mut State, leaf: &Leaf) -> Result<(), Violation> {
    advance(state, leaf, Signatures::Known)
}

/// Who verifies the author's signature on a leaf.
#[derive(Clone, Copy)]
enum Signatures {
    Verified,
    Known,
}

fn advance(state: &mut State, leaf: &Leaf, signatures: Signatures) -> Result<(), Violation> {
    if leaf.at() < state.at {
        return Err(Violation::TimeGoesBack { last: state.at, got: leaf.at() });
    }
    match &mut state.consortium {
        None => state.consortium = Some(found(leaf, signatures)?),
        Some(consortium) => fold(consortium, leaf, state.size, signatures)?,
    }
    state.size += 1;
    state.at = leaf.at();
    Ok(())
}

/// Leaf 0.
fn found(leaf: &Leaf, signatures: Signatures) -> Result<Consortium, Violation> {
    let Body::Genesis(genesis) = leaf.body() else { return Err(Violation::NotGenesis) };
    authored(leaf, &genesis.operator_key, &Digest::ZERO, signatures)?;
    Ok(Consortium {
        digest: leaf.digest(),
        genesis: genesis.clone(),
        log_keys: LogKeys::new(LogIdentity { genesis: leaf.digest(), key: genesis.log_key }),
        members: std::collections::BTreeMap::new(),
        proposals: std::collections::BTreeMap::new(),
        run: None,
        ended: std::collections::BTreeMap::new(),
        convicted: std::collections::BTreeMap::new(),
    })
}

/// Every later leaf; `index` is its place in the log.
fn fold(
    consortium: &mut Consortium,
    leaf: &Leaf,
    index: u64,
    signatures: Signatures,
) -> Result<(), Violation> {
    let author = roster::author_of(consortium, leaf.body())?;
    authored(leaf, &author, &consortium.digest, signatures)?;
    change(consortium, leaf.body(), leaf.at(), index)
}

/// Whether a record would be allowed as leaf `index` if its author signed it.
pub(crate) fn allows(
    consortium: &Consortium,
    body: &Body,
    at: Timestamp,
    index: u64,
) -> Result<(), Violation> {
    roster::author_of(consortium, body)?;
    change(&mut consortium.clone(), body, at, index)
}

fn change(
    consortium: &mut Consortium,
    body: &Body,
    at: Timestamp,
    index: u64,
) -> Result<(), Violation> {
    match body {
        Body::Genesis(_) => Err(Violation::SecondGenesis),
        Body::Member(member) => roster::member(consortium, member, index),
        Body::PlanProposed(proposed) => run::proposed(consortium, proposed),
        Body::Approval(approval) => run::approval(consortium, approval, index),
        Body::RunStarted(started) => run::started(consortium, started, index),
        Body::Abandoned(abandoned) => run::abandoned(consortium, abandoned),
        Body::RunFinished(finished) => run::finished(consortium, finished),
        Body::RoundOpened(opened) => round::opened(consortium, opened, at, index),
        Body::Accepted(contribution) => round::accepted(consortium, contribution, index),
        Body::Extended(extended) => round::extended(consortium, extended, at),
        Body::Closed(closed) => round::closed(consortium, closed, at),
        Body::Model(model) => run::model(consortium, model),
        Body::Evidence(evidence) => round::evidence(consortium, evidence),
        Body::Paused(paused) => governance::paused(consortium, paused),
        Body::Recalled(recalled) => governance::recalled(consortium, recalled),
        Body::Decision(decision) => governance::decision(consortium, decision, index),
        Body::LogKey(log_key) => governance::log_key(consortium, log_key, index),
        Body::Contradiction(found) => governance::contradiction(consortium, found, index),
    }
}

fn authored(
    leaf: &Leaf,
    author: &PublicKey,
    genesis: &Digest,
    signatures: Signatures,
) -> Result<(), Violation> {
    if leaf.author() != author {
        return Err(Violation::WrongAuthor { kind: leaf.body().kind() });
    }
    match signatures {
        Signatures::Verified => leaf.verify_signature(genesis).map_err(Violation::Record),
        Signatures::Known => Ok(()),
    }
}
