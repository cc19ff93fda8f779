//! A model adapted to one task.

use crate::gradient::outputs;
use crate::network::Network;
use crate::{Examples, LearnerError};

/// A model adapted to one task. It answers; it does not learn any more.
#[derive(Clone)]
pub struct Predictor {
    network: Network,
    weights: Vec<f64>,
}

impl Predictor {
    pub(crate) fn new(network: Network, weights: Vec<f64>) -> Result<Self, LearnerError> {
        if weights.iter().all(|w| w.is_finite()) {
            Ok(Self { network, weights })
        } else {
            Err(LearnerError::NotFinite)
        }
    }

    /// The adapted weights, laid out as the meta-initialization is. They come from the rows of the
    /// support and are as private as those.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The model's outputs for each example, row-major: a logit for a binary model, a logit a class,
    /// or the value of a regression. The labels of the examples are not read.
    ///
    /// # Errors
    ///
    /// [`LearnerError::Columns`] if the examples are not as wide as the model's input.
    pub fn outputs(&self, examples: &Examples) -> Result<Vec<f64>, LearnerError> {
        outputs(&self.network, &self.weights, examples)
    }
}
