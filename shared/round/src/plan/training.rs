//! The model, the learner, the loss and the outer optimizer, as the plan names them.

use serde::{Deserialize, Serialize};

/// A multilayer perceptron; without hidden layers a linear model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// What the last layer computes.
    pub head: Head,
    /// The widths of the hidden layers.
    pub hidden: Vec<u32>,
    /// The function between layers.
    pub activation: Activation,
    /// How the first meta-initialization is drawn.
    pub initialization: Initialization,
}

/// What the last layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Head {
    /// One logit; the loss is the binary log loss.
    Binary {},
    /// One logit a class; the loss is the log loss of the softmax.
    Classes {
        /// How many, at least 2.
        count: u32,
    },
    /// One number; the loss is the squared error.
    Regression {},
}

impl Head {
    /// The width of the last layer.
    pub fn outputs(self) -> u32 {
        match self {
            Self::Binary {} | Self::Regression {} => 1,
            Self::Classes { count } => count,
        }
    }
}

/// The function between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// tanh x
    Tanh,
}

/// Weights uniform in ±scale/√fan-in from a counter-based stream; biases zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Initialization {
    /// The stream's seed.
    pub seed: u64,
    /// 0 starts every weight at zero.
    pub scale: f64,
}

/// How a task's meta-gradient is computed and how an institution adapts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerSpec {
    /// The family.
    pub family: Family,
    /// Gradient steps on the support set; 0 for `fedsgd`.
    pub inner_steps: u32,
    /// The rate of each inner step.
    pub inner_rate: f64,
    /// An inner step longer than this Euclidean norm is scaled down to it.
    pub inner_step_norm_max: f64,
    /// The numbers of adaptation steps among which a tuning institution chooses; 0 is allowed.
    pub adaptation_steps: Vec<u32>,
    /// The rate of each adaptation step.
    pub adaptation_rate: f64,
}

/// A family of learners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Model-agnostic meta-learning, exact second order.
    Maml,
    /// Its first-order approximation.
    Fomaml,
    /// No inner step: federated stochastic gradient descent.
    Fedsgd,
}

/// The loss of one example; a task's loss is the sum over examples divided by a public constant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossSpec {
    /// −w_y ln p_y
    LogLoss {
        /// The weight of each class, from public priors.
        class_weights: Vec<f64>,
    },
    /// (f − y)²
    SquaredError {},
}

/// The outer update, computed in f64.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerSpec {
    /// θ ← θ − lr·g
    Sgd {
        /// lr
        learning_rate: f64,
    },
    /// v ← μ·v + g; θ ← θ − lr·v
    Momentum {
        /// lr
        learning_rate: f64,
        /// μ in [0, 1)
        momentum: f64,
    },
    /// [Kingma & Ba 2015, algorithm 1]
    Adam {
        /// lr
        learning_rate: f64,
        /// β₁ in [0, 1)
        beta1: f64,
        /// β₂ in [0, 1)
        beta2: f64,
        /// ε, positive
        epsilon: f64,
    },
    /// Adam with v ← v − (1−β₂)·sign(v − g²)·g² [Zaheer et al. 2018, algorithm 2]
    Yogi {
        /// lr
        learning_rate: f64,
        /// β₁ in [0, 1)
        beta1: f64,
        /// β₂ in [0, 1)
        beta2: f64,
        /// ε, positive
        epsilon: f64,
    },
}
