//! What a run measured, for people.

use std::fmt::Write as _;
use std::path::Path;

use round::metrics::{Histogram, NoQuantile, Quantile};
use serde_json::{Value, json};

use super::{Outcome, told};
use crate::control::Command;
use crate::directory::Directory;
use crate::error::Error;
use crate::log_keys::LogSigners;
use crate::recovery::recover;
use crate::run_metrics::{Asked, RunMetrics, read};

/// Through the daemon if it runs, else from the closed log.
pub(super) fn metrics(state: &Path, run: Option<&str>, last: u32, quantile: f64) -> Outcome {
    if !(quantile > 0.0 && quantile < 1.0) {
        return Err(Error::Usage(NoQuantile::Part(quantile).to_string()));
    }
    let mut data = if Directory::at(state).control().exists() {
        told(state, &Command::Metrics { run: run.map(str::to_owned), last }, |_| String::new())?.1
    } else {
        json!(from_closed_log(state, run, last)?)
    };
    let found: RunMetrics = serde_json::from_value(data.clone())
        .map_err(|error| Error::Damaged(format!("the answer cannot be read: {error}")))?;
    let histogram = together(&found);
    let chosen = histogram.as_ref().map(|histogram| histogram.quantile(quantile));
    if let (Some(fields), Some(chosen)) = (data.as_object_mut(), &chosen) {
        fields.insert("norm_histogram".to_owned(), json!(histogram));
        fields.insert("quantile".to_owned(), answer(quantile, chosen));
    }
    Ok((text(&found, histogram.as_ref(), quantile, chosen.as_ref()), data))
}

fn from_closed_log(state: &Path, run: Option<&str>, last: u32) -> Result<RunMetrics, Error> {
    let directory = Directory::at(state);
    let run = run.map(str::parse).transpose();
    let run = run.map_err(|error| Error::Usage(format!("{error}")))?;
    let (log, blobs) = store::open(state).map_err(|error| Error::storage(&error))?;
    let recovered = recover(&log, &LogSigners::of(&directory)?.public())?;
    let leaves = |range| {
        ledger::log_store::LogStore::leaves(&log, range).map_err(|error| Error::storage(&error))
    };
    let blob = |digest: &_| {
        ledger::log_store::BlobStore::get(&blobs, digest).map_err(|error| Error::storage(&error))
    };
    read(&recovered.state, Asked { run, last }, leaves, blob)
}

/// The histogram of all the rounds shown.
fn together(found: &RunMetrics) -> Option<Histogram> {
    let rounds: Vec<&Histogram> =
        found.rounds.iter().filter_map(|round| round.estimates.norm_histogram.as_ref()).collect();
    Histogram::mean(&rounds)
}

fn answer(quantile: f64, chosen: &Result<Quantile, NoQuantile>) -> Value {
    match chosen {
        Ok(Quantile { edge, reached, standard_error }) => json!({
            "part": quantile, "edge": edge, "reached": reached, "standard_error": standard_error,
        }),
        Err(why) => json!({ "part": quantile, "none": why.to_string() }),
    }
}

fn text(
    found: &RunMetrics,
    histogram: Option<&Histogram>,
    quantile: f64,
    chosen: Option<&Result<Quantile, NoQuantile>>,
) -> String {
    let mut text = format!(
        "run      {} {:?}\nmetrics  {}\nerrors   one standard deviation of the noise\n",
        found.run, found.name, found.price
    );
    // Writing to a string does not fail.
    for round in &found.rounds {
        let _ = writeln!(text, "round {:<6} {}", round.round, round.estimates);
    }
    if let Some(histogram) = histogram {
        let _ = write!(text, "norms over these rounds, ± {:.4}:", histogram.standard_error);
        let _ = writeln!(text, "\n{histogram}");
    }
    let _ = match chosen {
        Some(Ok(Quantile { edge, reached, standard_error })) => writeln!(
            text,
            "quantile {quantile}: {edge} ({reached:.3} ± {standard_error:.3} of the tasks lie at or \
             below it); a clip norm for gradients in the next plan"
        ),
        Some(Err(why)) => writeln!(text, "quantile {quantile}: none: {why}"),
        None => Ok(()),
    };
    text
}
