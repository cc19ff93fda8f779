//! The shape of the model, and where each weight lies in the flat vector.

use round::layout::{Layer, Layout};
use round::plan::{Activation, ModelSpec};

use crate::LearnerError;

/// A multilayer perceptron; without hidden layers a linear model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Network {
    layout: Layout,
    activation: Activation,
    weights: usize,
}

/// One layer's part of the flat vector.
#[derive(Clone, Copy)]
pub(crate) struct LayerWeights<'a> {
    pub(crate) shape: Layer,
    pub(crate) weights: &'a [f64],
    pub(crate) bias: &'a [f64],
}

impl Network {
    pub(crate) fn new(model: &ModelSpec, inputs: usize) -> Result<Self, LearnerError> {
        let layout = Layout::of(inputs, model);
        if layout.layers().iter().any(|l| l.inputs == 0 || l.outputs == 0) {
            return Err(LearnerError::Unsupported(
                "expected at least one feature and one unit in each layer".to_owned(),
            ));
        }
        let weights = layout.dimension();
        Ok(Self { layout, activation: model.activation, weights })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.layout.layers().first().map_or(0, |l| l.inputs)
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        self.layout.layers()
    }

    pub(crate) fn activation(&self) -> Activation {
        self.activation
    }

    /// The length of the flat vector.
    pub(crate) fn weights(&self) -> usize {
        self.weights
    }

    /// Each layer's weights and bias, from the input on.
    pub(crate) fn split<'a>(&self, flat: &'a [f64]) -> Result<Vec<LayerWeights<'a>>, LearnerError> {
        let wrong = || LearnerError::WeightCount { expected: self.weights, got: flat.len() };
        let mut rest = flat;
        let mut parts = Vec::with_capacity(self.layers().len());
        for &shape in self.layers() {
            let (weights, after) =
                rest.split_at_checked(shape.inputs * shape.outputs).ok_or_else(wrong)?;
            let (bias, after) = after.split_at_checked(shape.outputs).ok_or_else(wrong)?;
            parts.push(LayerWeights { shape, weights, bias });
            rest = after;
        }
        if rest.is_empty() { Ok(parts) } else { Err(wrong()) }
    }
}

impl LayerWeights<'_> {
    /// Weights · input + bias, each sum in the order of the inputs.
    pub(crate) fn apply(&self, input: &[f64], output: &mut Vec<f64>) {
        output.clear();
        output.extend(self.weights.chunks_exact(self.shape.inputs).zip(self.bias).map(
            |(row, bias)| row.iter().zip(input).fold(*bias, |sum, (weight, x)| sum + weight * x),
        ));
    }
}

/// The activation of `z`.
pub(crate) fn activate(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Relu => {
            if z > 0.0 {
                z
            } else {
                relu_of_not_positive(z)
            }
        }
        Activation::Tanh => libm::tanh(z),
    }
}

/// Zero, but a NaN stays a NaN: a task whose rows are not finite must be found out, not learned from.
fn relu_of_not_positive(z: f64) -> f64 {
    if z.is_nan() { z } else { 0.0 }
}

/// The derivative of the activation, from its value; for `Relu` zero at zero.
pub(crate) fn slope(activation: Activation, value: f64) -> f64 {
    match activation {
        Activation::Relu => f64::from(u8::from(value > 0.0)),
        Activation::Tanh => 1.0 - value * value,
    }
}
