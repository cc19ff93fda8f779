//! What a meta-learner does, and the gradient-based families.

use crate::clipped::{ClippedSum, clipped_sum};
use crate::gradient::{gradient, mean_loss};
use crate::inner::{Steps, adapt};
use crate::loss::Loss;
use crate::network::Network;
use crate::predictor::Predictor;
use crate::second_order;
use crate::{Examples, LearnerError, Task};
use round::metrics::Encoding;
use round::plan::{Family, LearnerSpec, LossSpec, ModelSpec};

/// What the coordinator's protocol needs of a learner: one vector a task, and adaptation.
///
/// A task's vector is a function of the meta-initialization and of this task alone: the same bits
/// whatever the other tasks, the batch and the number of threads.
pub trait MetaLearner: Send + Sync {
    /// The number of weights.
    fn dimension(&self) -> usize;

    /// The number of features of an example.
    fn features(&self) -> usize;

    /// Refuses a meta-initialization that does not fit, before a row is read or a budget charged.
    ///
    /// # Errors
    ///
    /// [`LearnerError::WeightCount`] or [`LearnerError::WeightNotFinite`].
    fn check_theta(&self, theta: &[f32]) -> Result<(), LearnerError>;

    /// How the task would move the meta-initialization, and if `with_loss` its loss as well.
    ///
    /// # Errors
    ///
    /// As [`check_theta`](Self::check_theta), or because of the task's rows; the latter must not be
    /// told apart outside the bank ([`clipped_sum`](Self::clipped_sum) makes them zero).
    fn judge(&self, theta: &[f32], task: &Task, with_loss: bool) -> Result<Judged, LearnerError>;

    /// The vector to clip: how the task would move the meta-initialization. Always finite.
    ///
    /// # Errors
    ///
    /// As [`judge`](Self::judge).
    fn meta_gradient(&self, theta: &[f32], task: &Task) -> Result<Vec<f64>, LearnerError> {
        Ok(self.judge(theta, task, false)?.gradient)
    }

    /// The model after `steps` adaptation steps on an institution's own support; 0 is allowed.
    ///
    /// The loss is the mean over the support, as nothing is released.
    ///
    /// # Errors
    ///
    /// As [`meta_gradient`](Self::meta_gradient).
    fn adapt(
        &self,
        theta: &[f32],
        support: &Examples,
        steps: u32,
    ) -> Result<Predictor, LearnerError>;

    /// The sum of the tasks' vectors on the grid: each one's clipped meta-gradient, and its metrics.
    ///
    /// Tasks are taken in micro-batches and dropped. It is total: a task that fails or whose vector is
    /// not finite adds zero. The sum is exact, so the order of the tasks and the threads do not matter.
    ///
    /// # Errors
    ///
    /// Those of [`check_theta`](Self::check_theta), or an encoding of another size, before the first
    /// task is taken; never because of rows.
    fn clipped_sum(
        &self,
        theta: &[f32],
        tasks: &mut dyn Iterator<Item = Task>,
        encoding: &Encoding,
    ) -> Result<ClippedSum, LearnerError> {
        self.check_theta(theta)?;
        let (expected, got) = (self.dimension(), encoding.parameters());
        if expected != got {
            return Err(LearnerError::WeightCount { expected, got });
        }
        let judge = |task: &Task| self.judge(theta, task, encoding.asks_for_loss()).ok();
        Ok(clipped_sum(tasks, encoding, &judge))
    }
}

/// What one task says of a meta-initialization. It is a statistic of private rows, so it implements
/// neither `Debug` nor `Serialize`.
#[derive(Clone, PartialEq)]
pub struct Judged {
    /// The meta-gradient, one number a weight. Always finite.
    pub gradient: Vec<f64>,
    /// The loss of the query after the inner loop, divided by the public number of units that a query
    /// has nominally; 0 if it was not asked for.
    pub query_loss: f64,
}

/// The public shape of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeShape {
    /// How many features an example has.
    pub features: usize,
    /// The public number of units in one task. Losses are divided by it, never by a realised count.
    pub nominal_units: u32,
    /// The share of a task's units in the support; 0 when there is no inner step.
    pub support_share: f64,
}

/// MAML, FOMAML and zero-step federated SGD over a multilayer perceptron or a linear model.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientLearner {
    network: Network,
    loss: Loss,
    family: Family,
    inner: Steps,
    adaptation_rate: f64,
    query_normaliser: f64,
}

/// The learner that a plan describes.
///
/// A task's loss is Σ w_y·loss over its examples, divided by the public number of units that the
/// support (or the query) has nominally.
///
/// # Errors
///
/// [`LearnerError::Unsupported`] for a combination that cannot work; all of it is public.
pub fn learner(
    model: &ModelSpec,
    learner: &LearnerSpec,
    loss: &LossSpec,
    shape: EpisodeShape,
) -> Result<GradientLearner, LearnerError> {
    let positive = |what: &str, x: f64| {
        let fits = x.is_finite() && x > 0.0;
        fits.then_some(x).ok_or_else(|| {
            LearnerError::Unsupported(format!("expected a finite positive {what}, got {x}"))
        })
    };
    let network = Network::new(model, shape.features)?;
    let loss = Loss::new(model.head, loss)?;
    let steps = inner_steps(learner)?;
    let units = positive("number of units in a task", f64::from(shape.nominal_units))?;
    let query_normaliser = positive("share of the query", units * (1.0 - shape.support_share))?;
    let normaliser = match steps {
        0 => units,
        _ => positive("share of the support", units * shape.support_share)?,
    };
    let inner = Steps {
        count: steps,
        rate: positive("inner rate", learner.inner_rate)?,
        norm_max: positive("inner step norm", learner.inner_step_norm_max)?,
        normaliser,
    };
    let adaptation_rate = positive("adaptation rate", learner.adaptation_rate)?;
    let family = learner.family;
    Ok(GradientLearner { network, loss, family, inner, adaptation_rate, query_normaliser })
}

fn inner_steps(learner: &LearnerSpec) -> Result<u32, LearnerError> {
    match (learner.family, learner.inner_steps) {
        (Family::Fedsgd, 0) => Ok(0),
        (Family::Fedsgd, steps) => Err(LearnerError::Unsupported(format!(
            "expected 0 inner steps with fedsgd, got {steps}"
        ))),
        (Family::Maml | Family::Fomaml, steps) => Ok(steps),
    }
}

impl MetaLearner for GradientLearner {
    fn dimension(&self) -> usize {
        self.network.weights()
    }

    fn features(&self) -> usize {
        self.network.inputs()
    }

    fn check_theta(&self, theta: &[f32]) -> Result<(), LearnerError> {
        let (expected, got) = (self.dimension(), theta.len());
        if expected != got {
            return Err(LearnerError::WeightCount { expected, got });
        }
        match theta.iter().position(|w| !w.is_finite()) {
            Some(index) => Err(LearnerError::WeightNotFinite { index }),
            None => Ok(()),
        }
    }

    fn judge(&self, theta: &[f32], task: &Task, with_loss: bool) -> Result<Judged, LearnerError> {
        self.check_theta(theta)?;
        let weights: Vec<f64> = theta.iter().copied().map(f64::from).collect();
        let judged = self.judged(&weights, task, with_loss)?;
        let finite = judged.gradient.iter().all(|x| x.is_finite());
        if finite { Ok(judged) } else { Err(LearnerError::NotFinite) }
    }

    fn adapt(
        &self,
        theta: &[f32],
        support: &Examples,
        steps: u32,
    ) -> Result<Predictor, LearnerError> {
        self.check_theta(theta)?;
        let weights: Vec<f64> = theta.iter().copied().map(f64::from).collect();
        #[expect(clippy::cast_precision_loss, reason = "a support is far smaller than 2^52 rows")]
        let normaliser = support.len().max(1) as f64;
        let steps = Steps { count: steps, rate: self.adaptation_rate, normaliser, ..self.inner };
        let adapted = adapt(&self.network, &self.loss, steps, &weights, support)?;
        Predictor::new(self.network.clone(), adapted)
    }
}

impl GradientLearner {
    /// What a task says of weights in f64.
    fn judged(&self, weights: &[f64], task: &Task, loss: bool) -> Result<Judged, LearnerError> {
        let normaliser = self.query_normaliser;
        let (gradient, adapted) = if self.family == Family::Maml && self.inner.count > 0 {
            let pulled = second_order::meta_gradient(
                &self.network,
                &self.loss,
                self.inner,
                weights,
                task,
                normaliser,
            )?;
            (pulled.gradient, pulled.adapted)
        } else {
            let adapted = adapt(&self.network, &self.loss, self.inner, weights, &task.support)?;
            let gradient = gradient(&self.network, &self.loss, &adapted, &task.query, normaliser)?;
            (gradient, adapted)
        };
        let query_loss = if loss {
            mean_loss(&self.network, &self.loss, &adapted, &task.query, normaliser)?
        } else {
            0.0
        };
        Ok(Judged { gradient, query_loss })
    }
}

#[cfg(test)]
impl GradientLearner {
    fn vector(&self, weights: &[f64], task: &Task) -> Result<Vec<f64>, LearnerError> {
        Ok(self.judged(weights, task, false)?.gradient)
    }

    pub(crate) fn into_parts(self) -> (Network, Loss, Steps) {
        (self.network, self.loss, self.inner)
    }
}

#[cfg(test)]
mod tests;
