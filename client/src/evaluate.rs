//! How an institution that never trained does with a few labelled examples: the shared model, adapted
//! or as it is, against learning alone.
//!
//! One episode draws K examples of each class as support and another set as query. Every method sees
//! the same support and is judged on the same query, so that gains are paired. No statistic of the
//! query reaches a method.

mod auc;
mod draw;
mod interval;
mod local;
mod logistic;

pub use auc::auc;
use draw::{Draw, Episode};
use interval::interval95;
use local::Local;
use meta::{Examples, LearnerError, MetaLearner};
use serde::Serialize;
use thiserror::Error;

use crate::data::Rows;

/// How episodes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpisodeSpec {
    /// K: labelled examples of each class in the support.
    pub shots: u32,
    /// Examples of class 1 in the query.
    pub query_positive: u32,
    /// Examples of class 0 in the query.
    pub query_negative: u32,
    /// How many episodes.
    pub episodes: u32,
    /// Fixes every episode and the bootstrap.
    pub seed: u64,
}

/// What the episodes of one K gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// "auc": the chance that a positive scores above a negative.
    pub metric: &'static str,
    /// K.
    pub shots: u32,
    /// The mean over episodes of the shared model after `steps` steps on the support.
    pub adapted: f64,
    /// The mean of logistic regression on the support alone: the better of a fixed and a
    /// cross-validated penalty.
    pub local_only: f64,
    /// The mean of the shared model as it is.
    pub unadapted: f64,
    /// The 95 % bootstrap interval over episodes of the paired gain, adapted − local_only. It says
    /// nothing of other institutions.
    pub interval95: [f64; 2],
    /// How many episodes.
    pub episodes: u32,
    /// How many adaptation steps; chosen elsewhere, never on these rows.
    pub steps: u32,
}

/// Why there is nothing to evaluate.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// There are too few rows for one episode.
    #[error("expected at least {needed} rows of class {class} for an episode, got {got}")]
    TooFewRows {
        /// The class.
        class: u8,
        /// Support and query together.
        needed: u64,
        /// What there is, leaving out units of the support.
        got: usize,
    },
    /// The labels are not two classes.
    #[error("expected labels 0 and 1")]
    NotBinary,
    /// An evaluation without episodes, shots or query.
    #[error("expected at least one episode, one shot, and a query of both classes")]
    NoEpisode,
    /// There is no number of steps to choose from.
    #[error("expected at least one number of adaptation steps")]
    NoCandidate,
    /// The learner refused the meta-initialization or the model does not fit the features.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// The seeded stream ended.
    #[error(transparent)]
    Exhausted(#[from] privacy::SourceExhausted),
}

/// Evaluates a meta-initialization at an institution.
///
/// # Errors
///
/// [`EvaluateError`] if the rows do not give such episodes, or the model does not fit them. An episode
/// whose adaptation diverges is not an error: the unadapted model answers in its place.
pub fn evaluate(
    learner: &dyn MetaLearner,
    theta: &[f32],
    rows: &Rows,
    steps: u32,
    spec: EpisodeSpec,
) -> Result<Evaluation, EvaluateError> {
    let mut scores = Scores::default();
    each_episode(rows, spec, |episode| {
        let (support, query) = (&episode.support, &episode.query);
        let local = Local::fit(support)?;
        scores.unadapted.push(score(learner, theta, support, query, 0)?);
        scores.adapted.push(score(learner, theta, support, query, steps)?);
        scores.fixed.push(auc(&local.fixed.scores(query), query.labels()));
        scores.chosen.push(auc(&local.chosen.scores(query), query.labels()));
        Ok(())
    })?;
    let local =
        if mean(&scores.fixed) >= mean(&scores.chosen) { &scores.fixed } else { &scores.chosen };
    let gains: Vec<f64> = scores.adapted.iter().zip(local).map(|(a, l)| a - l).collect();
    Ok(Evaluation {
        metric: "auc",
        shots: spec.shots,
        adapted: mean(&scores.adapted),
        local_only: mean(local),
        unadapted: mean(&scores.unadapted),
        interval95: interval95(&gains, &mut Draw::new(spec.seed, "bootstrap", spec.shots))?,
        episodes: spec.episodes,
        steps,
    })
}

/// The number of adaptation steps that a tuning institution prefers: the best mean over its episodes,
/// the smallest among equals.
///
/// Chosen on the few examples of a support, the number over-adapts; so an institution that does
/// nothing else chooses it once.
///
/// # Errors
///
/// As [`evaluate`]; [`EvaluateError::NoCandidate`] if there is nothing to choose from.
pub fn choose_steps(
    learner: &dyn MetaLearner,
    theta: &[f32],
    rows: &Rows,
    candidates: &[u32],
    spec: EpisodeSpec,
) -> Result<u32, EvaluateError> {
    let mut candidates = candidates.to_vec();
    candidates.sort_unstable();
    candidates.dedup();
    let mut totals = vec![0.0; candidates.len()];
    each_episode(rows, spec, |episode| {
        for (total, &steps) in totals.iter_mut().zip(&candidates) {
            *total += score(learner, theta, &episode.support, &episode.query, steps)?;
        }
        Ok(())
    })?;
    let better = |best: Option<(u32, f64)>, (steps, total): (u32, f64)| match best {
        Some((_, most)) if total <= most => best,
        _ => Some((steps, total)),
    };
    let best = candidates.into_iter().zip(totals).fold(None, better);
    best.map(|(steps, _)| steps).ok_or(EvaluateError::NoCandidate)
}

/// The scores of the methods, episode by episode.
#[derive(Default)]
struct Scores {
    adapted: Vec<f64>,
    unadapted: Vec<f64>,
    fixed: Vec<f64>,
    chosen: Vec<f64>,
}

fn each_episode(
    rows: &Rows,
    spec: EpisodeSpec,
    mut with: impl FnMut(&Episode) -> Result<(), EvaluateError>,
) -> Result<(), EvaluateError> {
    if [spec.episodes, spec.shots, spec.query_positive, spec.query_negative].contains(&0) {
        return Err(EvaluateError::NoEpisode);
    }
    let mut draw = Draw::new(spec.seed, "episodes", spec.shots);
    for _ in 0..spec.episodes {
        with(&Episode::draw(rows, spec, &mut draw)?)?;
    }
    Ok(())
}

/// The AUC of the model after `steps` steps on the support.
fn score(
    learner: &dyn MetaLearner,
    theta: &[f32],
    support: &Examples,
    query: &Examples,
    steps: u32,
) -> Result<f64, EvaluateError> {
    let predictor = match learner.adapt(theta, support, steps) {
        Err(LearnerError::NotFinite) => learner.adapt(theta, support, 0)?,
        other => other?,
    };
    Ok(auc(&predictor.outputs(query)?, query.labels()))
}

#[expect(clippy::cast_precision_loss, reason = "episodes are far fewer than 2^52")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
