//! What the rounds of a run measured, read back from the log and its sums.
//!
//! Post-processing of aggregates that every member may read: it costs nothing and tells nobody more.

use std::ops::Range;

use audit::RoundMetrics;
use ledger::digest::Digest;
use ledger::record::{Body, Closed, Leaf, LeafBytes, RunId};
use round::Plan;
use round::state::State;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How many leaves are read at once.
const READ_MAX: u64 = 1024;
/// The most rounds of one answer.
pub(crate) const ROUNDS_MAX: u32 = 200;

/// Which rounds are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// The run; the one whose round was closed last if none is named.
    pub(crate) run: Option<RunId>,
    /// How many of its newest rounds, at most [`ROUNDS_MAX`].
    pub(crate) last: u32,
}

/// What the rounds of a run measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunMetrics {
    /// The run, in hex.
    pub(crate) run: String,
    /// The plan's digest, in hex.
    pub(crate) plan: String,
    /// The plan's name.
    pub(crate) name: String,
    /// What the measures cost, in words.
    pub(crate) price: String,
    /// The rounds, oldest first.
    pub(crate) rounds: Vec<RoundMetrics>,
}

/// Reads what was measured; `leaves` and `blob` give the log's leaves and blobs.
///
/// # Errors
///
/// [`Error::NotFound`] if there is no such run, none of its rounds is closed, or its plan measures
/// nothing; [`Error::Damaged`] if a sum is missing or has the wrong length; or what reading gives.
pub(crate) fn read(
    state: &State,
    asked: Asked,
    leaves: impl FnMut(Range<u64>) -> Result<Vec<LeafBytes>, Error>,
    blob: impl Fn(&Digest) -> Result<Option<Vec<u8>>, Error>,
) -> Result<RunMetrics, Error> {
    let closed = newest_closed(state.size, asked, leaves)?;
    let newest = closed.first().ok_or_else(|| {
        let whose = asked.run.map_or("any run".to_owned(), |run| format!("run {run}"));
        Error::NotFound(format!("expected a closed round of {whose}, got none"))
    })?;
    let run = newest.run;
    let plan =
        state.plan_of(&run).ok_or_else(|| Error::NotFound(format!("there is no run {run}")))?;
    if plan.text().metrics.measures.is_empty() {
        return Err(Error::NotFound(format!(
            "run {run} measures nothing: expected a metrics.share above 0 in its plan"
        )));
    }
    let rounds = closed.iter().rev().map(|closed| estimated(plan, closed, &blob));
    Ok(RunMetrics {
        run: run.to_string(),
        plan: plan.digest().to_string(),
        name: plan.text().name.clone(),
        price: plan.metrics_price().to_string(),
        rounds: rounds.collect::<Result<_, _>>()?,
    })
}

/// The run's closed rounds, newest first.
fn newest_closed(
    size: u64,
    asked: Asked,
    mut leaves: impl FnMut(Range<u64>) -> Result<Vec<LeafBytes>, Error>,
) -> Result<Vec<Closed>, Error> {
    let (mut run, last) = (asked.run, asked.last.clamp(1, ROUNDS_MAX) as usize);
    let (mut end, mut found) = (size, vec![]);
    while end > 0 {
        let start = end.saturating_sub(READ_MAX);
        let page: Vec<_> = (start..end).zip(leaves(start..end)?).collect();
        for (index, bytes) in page.into_iter().rev() {
            let leaf: Leaf = Leaf::decode(bytes.into_vec())
                .map_err(|error| Error::Damaged(format!("leaf {index}: {error}")))?;
            if let Body::Closed(closed) = leaf.body()
                && run.is_none_or(|run| run == closed.run)
            {
                run = Some(closed.run);
                found.push(closed.clone());
            }
            let begins = matches!(leaf.body(), Body::RunStarted(started)
                if run == Some(RunId::derive(&started.plan, index)));
            if begins || found.len() == last {
                return Ok(found);
            }
        }
        end = start;
    }
    Ok(found)
}

/// What a closed round measured.
///
/// # Errors
///
/// [`Error::Damaged`] if the sum is missing or has the wrong length; or what reading gives.
pub(crate) fn estimated(
    plan: &Plan,
    closed: &Closed,
    blob: impl Fn(&Digest) -> Result<Option<Vec<u8>>, Error>,
) -> Result<RoundMetrics, Error> {
    let digest = &closed.aggregate;
    let bytes = blob(digest)?.ok_or_else(|| Error::Damaged(format!("blob {digest} is missing")))?;
    let (words, rest) = bytes.as_chunks::<8>();
    let sum: Vec<i64> = words.iter().map(|word| i64::from_le_bytes(*word)).collect();
    let estimates = plan.estimates(&closed.survivors, &sum).filter(|_| rest.is_empty());
    let estimates = estimates.ok_or_else(|| {
        let expected = 8 * plan.contribution_dimension();
        Error::Damaged(format!("expected a sum of {expected} bytes, got {}", bytes.len()))
    })?;
    Ok(RoundMetrics { round: closed.round, estimates })
}
