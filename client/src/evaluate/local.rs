use meta::Examples;

use super::EvaluateError;
use super::logistic::Logistic;

/// The fixed penalty: so strong that the model is a difference of class means, the best that was
/// found for a handful of examples.
const PENALTY_FIXED: f64 = 1_000.0;
/// The penalties that cross-validation chooses from.
const PENALTIES: [f64; 6] = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0];
/// The most folds; fewer where a class has fewer examples.
const FOLDS_MAX: usize = 5;

/// Learning alone: logistic regressions on the support and nothing else.
pub(super) struct Local {
    /// With the fixed penalty.
    pub(super) fixed: Logistic,
    /// With the penalty of the least held-out log loss over the folds of the support.
    pub(super) chosen: Logistic,
}

impl Local {
    pub(super) fn fit(support: &Examples) -> Result<Self, EvaluateError> {
        let penalty = cross_validated(support)?;
        Ok(Self {
            fixed: Logistic::fit(support, PENALTY_FIXED),
            chosen: Logistic::fit(support, penalty),
        })
    }
}

fn cross_validated(support: &Examples) -> Result<f64, EvaluateError> {
    let positives = support.labels().iter().filter(|label| **label > 0.5).count();
    let folds = FOLDS_MAX.min(positives).min(support.len() - positives);
    if folds < 2 {
        return Ok(PENALTY_FIXED);
    }
    let mut best = (f64::INFINITY, PENALTY_FIXED);
    let folds =
        (0..folds).map(|fold| split(support, folds, fold)).collect::<Result<Vec<_>, _>>()?;
    // From the strongest down, so that the simpler model wins a tie.
    for penalty in PENALTIES.into_iter().rev() {
        let loss =
            folds.iter().map(|(rest, held)| Logistic::fit(rest, penalty).loss(held)).sum::<f64>();
        if loss < best.0 {
            best = (loss, penalty);
        }
    }
    Ok(best.1)
}

/// The support without one fold, and that fold; each fold has its share of either class.
fn split(
    support: &Examples,
    folds: usize,
    fold: usize,
) -> Result<(Examples, Examples), EvaluateError> {
    let mut parts = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    let mut seen = [0_usize; 2];
    for (row, label) in support.iter() {
        let [negatives, positives] = &mut seen;
        let rank = if label > 0.5 { positives } else { negatives };
        let [rest, held] = &mut parts;
        let (features, labels) = if *rank % folds == fold { held } else { rest };
        features.extend_from_slice(row);
        labels.push(label);
        *rank += 1;
    }
    let [rest, held] = parts.map(|(x, y)| Examples::new(support.columns(), x, y));
    Ok((rest?, held?))
}
