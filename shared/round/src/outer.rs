//! The outer update: one optimizer step over the sum of the accepted contributions.
//!
//! Only + − × ÷ √ on f64 in a fixed order, so that every machine and every auditor gets the same bits.

use crate::plan::{OptimizerSpec, Plan};
use ledger::record::Institution;

/// The master weights and the optimizer's state, from which the next meta-initialization follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    weights: Vec<f64>,
    optimizer: Optimizer,
}

#[derive(Debug, Clone, PartialEq)]
enum Optimizer {
    Sgd { learning_rate: f64 },
    Momentum { learning_rate: f64, momentum: f64, velocity: Vec<f64> },
    Adaptive(Box<Adaptive>),
}

/// Adam or Yogi.
#[derive(Debug, Clone, PartialEq)]
struct Adaptive {
    yogi: bool,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    first: Vec<f64>,
    second: Vec<f64>,
    beta1_power: f64,
    beta2_power: f64,
}

/// Bytes that are not the master state of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes of master state, got {got}")]
pub struct MasterError {
    /// The length that the plan's model and optimizer need.
    pub expected: usize,
    /// The length that came.
    pub got: usize,
}

/// The factor from the integer sum to the mean gradient: unit / (rate · tasks).
///
/// Both parts are public constants of the plan: the grid's unit, and the sampling rate times the
/// declared tasks of the survivors. No realised count is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    unit: f64,
    normaliser: f64,
}

impl Scale {
    /// The scale of a round that `survivors` contributed to.
    pub fn of<'a>(plan: &Plan, survivors: impl IntoIterator<Item = &'a Institution>) -> Self {
        Self { unit: plan.grid().unit(), normaliser: plan.expected_tasks(survivors) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum of 512 vectors of i32 is below 2^41")]
    fn gradient(self, sum: i64) -> f64 {
        (sum as f64 * self.unit) / self.normaliser
    }
}

impl Master {
    /// The state before the first round.
    pub fn new(weights: Vec<f64>, spec: &OptimizerSpec) -> Self {
        let optimizer = Optimizer::new(spec, weights.len());
        Self { weights, optimizer }
    }

    /// The weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One step along the integer sum's [gradient](crate::metrics::Encoding::gradient), which is as
    /// long as the weights: whoever reads a sum from bytes has compared its length with
    /// [`Plan::contribution_dimension`]. In a pilot it is empty, and nothing moves.
    pub fn step(&mut self, gradient: &[i64], scale: Scale) {
        if gradient.is_empty() {
            return;
        }
        debug_assert_eq!(gradient.len(), self.weights.len(), "one sum a weight");
        let gradients = gradient.iter().map(|sum| scale.gradient(*sum));
        match &mut self.optimizer {
            Optimizer::Sgd { learning_rate } => {
                for (w, g) in self.weights.iter_mut().zip(gradients) {
                    *w -= *learning_rate * g;
                }
            }
            Optimizer::Momentum { learning_rate, momentum, velocity } => {
                for ((w, v), g) in self.weights.iter_mut().zip(velocity).zip(gradients) {
                    *v = *momentum * *v + g;
                    *w -= *learning_rate * *v;
                }
            }
            Optimizer::Adaptive(adaptive) => adaptive.step(&mut self.weights, gradients),
        }
    }

    /// The meta-initialization that clients get: f32 little-endian.
    pub fn theta_bytes(&self) -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "clients start from f32 weights")]
        self.weights.iter().flat_map(|w| (*w as f32).to_le_bytes()).collect()
    }

    /// The master blob: weights, then the optimizer's vectors, then its two powers; f64 little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.weights.len() * 24 + 16);
        let mut put = |values: &[f64]| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        put(&self.weights);
        match &self.optimizer {
            Optimizer::Sgd { .. } => {}
            Optimizer::Momentum { velocity, .. } => put(velocity),
            Optimizer::Adaptive(a) => {
                put(&a.first);
                put(&a.second);
                put(&[a.beta1_power, a.beta2_power]);
            }
        }
        bytes
    }

    /// Reads a master blob back.
    ///
    /// # Errors
    ///
    /// [`MasterError`] if the length is not that of `dimension` weights under the optimizer.
    pub fn from_bytes(
        bytes: &[u8],
        dimension: usize,
        spec: &OptimizerSpec,
    ) -> Result<Self, MasterError> {
        let numbers = match spec {
            OptimizerSpec::Sgd { .. } => dimension,
            OptimizerSpec::Momentum { .. } => 2 * dimension,
            OptimizerSpec::Adam { .. } | OptimizerSpec::Yogi { .. } => 3 * dimension + 2,
        };
        let (chunks, rest) = bytes.as_chunks::<8>();
        if chunks.len() != numbers || !rest.is_empty() {
            return Err(MasterError { expected: 8 * numbers, got: bytes.len() });
        }
        let mut values = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk));
        let mut master = Self::new(values.by_ref().take(dimension).collect(), spec);
        let mut fill = |to: &mut [f64]| {
            to.iter_mut().zip(values.by_ref()).for_each(|(to, value)| *to = value);
        };
        match &mut master.optimizer {
            Optimizer::Sgd { .. } => {}
            Optimizer::Momentum { velocity, .. } => fill(velocity),
            Optimizer::Adaptive(a) => {
                fill(&mut a.first);
                fill(&mut a.second);
                fill(std::slice::from_mut(&mut a.beta1_power));
                fill(std::slice::from_mut(&mut a.beta2_power));
            }
        }
        Ok(master)
    }
}

impl Optimizer {
    fn new(spec: &OptimizerSpec, dimension: usize) -> Self {
        let adaptive = |yogi, learning_rate, beta1, beta2, epsilon| {
            Self::Adaptive(Box::new(Adaptive {
                yogi,
                learning_rate,
                beta1,
                beta2,
                epsilon,
                first: vec![0.0; dimension],
                second: vec![0.0; dimension],
                beta1_power: 1.0,
                beta2_power: 1.0,
            }))
        };
        match *spec {
            OptimizerSpec::Sgd { learning_rate } => Self::Sgd { learning_rate },
            OptimizerSpec::Momentum { learning_rate, momentum } => {
                Self::Momentum { learning_rate, momentum, velocity: vec![0.0; dimension] }
            }
            OptimizerSpec::Adam { learning_rate, beta1, beta2, epsilon } => {
                adaptive(false, learning_rate, beta1, beta2, epsilon)
            }
            OptimizerSpec::Yogi { learning_rate, beta1, beta2, epsilon } => {
                adaptive(true, learning_rate, beta1, beta2, epsilon)
            }
        }
    }
}

impl Adaptive {
    fn step(&mut self, weights: &mut [f64], gradients: impl Iterator<Item = f64>) {
        self.beta1_power *= self.beta1;
        self.beta2_power *= self.beta2;
        let (bias1, bias2) = (1.0 - self.beta1_power, 1.0 - self.beta2_power);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, (m, v)), g) in weights.iter_mut().zip(moments).zip(gradients) {
            let square = g * g;
            *m = self.beta1 * *m + (1.0 - self.beta1) * g;
            *v = if self.yogi {
                *v - (1.0 - self.beta2) * sign(*v - square) * square
            } else {
                self.beta2 * *v + (1.0 - self.beta2) * square
            };
            *w -= self.learning_rate * (*m / bias1) / ((*v / bias2).sqrt() + self.epsilon);
        }
    }
}

/// −1, 0 or 1; `f64::signum` has no zero.
fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}
