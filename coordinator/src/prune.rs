//! Contributions that their plan no longer asks to keep.

use std::collections::{BTreeMap, BTreeSet};

use ledger::digest::Digest;
use ledger::log_store::BlobStore as _;
use ledger::record::{Body, Leaf, RunId};
use round::{State, apply_signed};
use store::{Blobs, SqliteLog};

use crate::error::Error;

/// What was, or would be, erased.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// How many vectors.
    pub(crate) vectors: u64,
    /// How many bytes.
    pub(crate) bytes: u64,
}

/// Erases, unless it is a `rehearsal`, the vectors of rounds that lie more than their plan's `keep_contributions_rounds` closed rounds back. Sums
/// and models are kept for ever; so is a vector that another record still needs. The log stays as it is: an audit says that it is incomplete.
///
/// # Errors
///
/// [`Error::Damaged`] if the log does not fold, [`Error::Storage`] if storage fails.
pub(crate) fn prune(log: &mut SqliteLog, blobs: &Blobs, rehearsal: bool) -> Result<Pruned, Error> {
    let storage = |error: store::StoreError| Error::storage(&error);
    let (sent, kept) = named(log)?;
    let old: BTreeSet<Digest> = sent.difference(&kept).copied().collect();
    let mut pruned = Pruned::default();
    for digest in &old {
        let Some(length) = blobs.len(digest).map_err(storage)? else { continue };
        pruned.vectors += 1;
        pruned.bytes += length;
        if !rehearsal {
            log.remove_blob(digest).map_err(storage)?;
            blobs.files().remove(digest).map_err(storage)?;
        }
    }
    Ok(pruned)
}

/// The vectors of old rounds, and every blob that is to be kept.
fn named(log: &SqliteLog) -> Result<(BTreeSet<Digest>, BTreeSet<Digest>), Error> {
    let mut state = State::empty();
    let mut rounds: BTreeMap<(RunId, u32), BTreeSet<Digest>> = BTreeMap::new();
    let mut closed: BTreeMap<RunId, u32> = BTreeMap::new();
    let mut kept = BTreeSet::new();
    for bytes in audit::export::leaves_of(log) {
        let bytes = bytes.map_err(|error| Error::storage(&error))?;
        let damaged = |why: &dyn std::fmt::Display| {
            Error::Damaged(format!("leaf {} does not follow: {why}", state.size))
        };
        let leaf: Leaf = Leaf::decode(bytes.into_vec()).map_err(|error| damaged(&error))?;
        let at = state.size;
        apply_signed(&mut state, &leaf)
            .map_err(|error| Error::Damaged(format!("leaf {at} does not follow: {error}")))?;
        if let Body::Accepted(sent) = leaf.body() {
            rounds.entry((sent.run, sent.round)).or_default().insert(sent.vector);
        }
        if let Body::Closed(round) = leaf.body() {
            closed.insert(round.run, round.round);
            kept.insert(round.aggregate);
        }
        if let Body::Model(model) = leaf.body() {
            kept.extend([model.theta, model.master]);
        }
    }
    let is_old = |(run, round): &(RunId, u32)| {
        let keep = state.plan_of(run).map(|p| p.text().schedule.keep_contributions_rounds);
        let newest = closed.get(run);
        keep.zip(newest).is_some_and(|(keep, newest)| round.saturating_add(keep) <= *newest)
    };
    let mut old = BTreeSet::new();
    for (round, vectors) in rounds {
        if is_old(&round) { &mut old } else { &mut kept }.extend(vectors);
    }
    Ok((old, kept))
}
