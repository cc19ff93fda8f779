//! The inner loop: guarded gradient steps on a task's support.

use crate::gradient::gradient;
use crate::loss::Loss;
use crate::network::Network;
use crate::{Examples, LearnerError};

/// How one inner loop steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    pub(crate) count: u32,
    pub(crate) rate: f64,
    /// A step longer than this Euclidean norm is scaled down to it: unguarded inner loops diverge on
    /// real rows.
    pub(crate) norm_max: f64,
    /// What the sum of the support's losses is divided by.
    pub(crate) normaliser: f64,
}

/// The weights after the inner loop. An empty support changes nothing.
///
/// # Errors
///
/// As [`gradient`].
pub(crate) fn adapt(
    network: &Network,
    loss: &Loss,
    steps: Steps,
    weights: &[f64],
    support: &Examples,
) -> Result<Vec<f64>, LearnerError> {
    let mut adapted = weights.to_vec();
    if support.is_empty() {
        return Ok(adapted);
    }
    for _ in 0..steps.count {
        let direction = gradient(network, loss, &adapted, support, steps.normaliser)?;
        let length = steps.rate * norm(&direction);
        let guard = if length > steps.norm_max { steps.norm_max / length } else { 1.0 };
        let factor = steps.rate * guard;
        adapted.iter_mut().zip(&direction).for_each(|(w, g)| *w -= factor * g);
    }
    Ok(adapted)
}

/// The Euclidean norm, summed in f64.
pub(crate) fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
