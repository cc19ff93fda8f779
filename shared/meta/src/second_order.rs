//! Exact second order on candle: the inner loop as forward tensor operations, so that one ordinary
//! backward pass differentiates through it.
//!
//! candle detaches gradients, so a gradient cannot be differentiated again; written out as forward
//! operations it can. The gradient at the adapted weights needs no second derivative and comes from
//! the direct engine. Only operations whose gradient is checked against finite differences are used;
//! values that must not be differentiated are detached first.

use candle_core::{DType, Device, Tensor, Var};

use crate::gradient::gradient;
use crate::inner::Steps;
use crate::loss::Loss;
use crate::network::Network;
use crate::{Examples, LearnerError, Task};
use round::plan::Activation;

/// d L_Q(φ_K(θ)) / dθ, with φ_K the weights after the inner loop on the support
/// ([Finn, Abbeel & Levine 2017], algorithm 1).
///
/// With v = ∇L_Q(φ_K), the gradient of ⟨φ_K(θ), v⟩ by θ is the vector-Jacobian product wanted. φ_K
/// itself comes with it.
///
/// # Errors
///
/// [`LearnerError::MissingGradient`] if an operation has none; otherwise as [`gradient`].
pub(crate) fn meta_gradient(
    network: &Network,
    loss: &Loss,
    steps: Steps,
    weights: &[f64],
    task: &Task,
    query_normaliser: f64,
) -> Result<Pulled, LearnerError> {
    let initial = variables(network, weights)?;
    let mut adapted: Vec<LayerTensors> = initial.iter().map(LayerVariables::tensors).collect();
    if !task.support.is_empty() {
        let batch = Batch::new(network, loss, &task.support, steps.normaliser)?;
        for _ in 0..steps.count {
            adapted = step(network, loss, &adapted, &batch, steps)?;
        }
    }
    let adapted_weights = flat(&adapted)?;
    let judged = gradient(network, loss, &adapted_weights, &task.query, query_normaliser)?;
    let gradient = pull_back(network, &initial, &adapted, &judged)?;
    Ok(Pulled { gradient, adapted: adapted_weights })
}

/// A meta-gradient, and the weights after the inner loop.
pub(crate) struct Pulled {
    pub(crate) gradient: Vec<f64>,
    pub(crate) adapted: Vec<f64>,
}

struct LayerVariables {
    weights: Var,
    bias: Var,
}

/// Weights `[outputs, inputs]` and bias `[1, outputs]` of a layer, or their gradients.
struct LayerTensors {
    weights: Tensor,
    bias: Tensor,
}

impl LayerVariables {
    fn tensors(&self) -> LayerTensors {
        LayerTensors {
            weights: self.weights.as_tensor().clone(),
            bias: self.bias.as_tensor().clone(),
        }
    }
}

/// A support set as tensors: one row an example.
struct Batch {
    inputs: Tensor,
    /// The label, or one column a class with 1 in the label's.
    targets: Tensor,
    /// The weight of each example divided by the normaliser, `[rows, 1]`.
    weights: Tensor,
}

impl Batch {
    fn new(
        network: &Network,
        loss: &Loss,
        examples: &Examples,
        normaliser: f64,
    ) -> Result<Self, LearnerError> {
        let (expected, got) = (network.inputs(), examples.columns());
        if expected != got {
            return Err(LearnerError::Columns { expected, got });
        }
        let rows = examples.len();
        let outputs = network.layers().last().map_or(0, |l| l.outputs);
        let mut targets = Vec::with_capacity(rows * outputs);
        let mut weights = Vec::with_capacity(rows);
        for &label in examples.labels() {
            let (class, weight) = loss.class(label)?;
            weights.push(weight / normaliser);
            match loss {
                Loss::Classes { .. } => {
                    targets.extend((0..outputs).map(|k| f64::from(u8::from(k == class))));
                }
                Loss::Binary { .. } | Loss::SquaredError => targets.push(f64::from(label)),
            }
        }
        let inputs: Vec<f64> = examples.features().iter().copied().map(f64::from).collect();
        Ok(Self {
            inputs: Tensor::from_vec(inputs, (rows, expected), &Device::Cpu)?,
            targets: Tensor::from_vec(targets, (rows, outputs), &Device::Cpu)?,
            weights: Tensor::from_vec(weights, (rows, 1), &Device::Cpu)?,
        })
    }
}

fn variables(network: &Network, weights: &[f64]) -> Result<Vec<LayerVariables>, LearnerError> {
    let parts = network.split(weights)?;
    let layers = parts.iter().map(|part| {
        let (inputs, outputs) = (part.shape.inputs, part.shape.outputs);
        Ok(LayerVariables {
            weights: Var::from_slice(part.weights, (outputs, inputs), &Device::Cpu)?,
            bias: Var::from_slice(part.bias, (1, outputs), &Device::Cpu)?,
        })
    });
    layers.collect()
}

fn flat(layers: &[LayerTensors]) -> Result<Vec<f64>, LearnerError> {
    let mut all = Vec::new();
    for layer in layers {
        all.extend(layer.weights.flatten_all()?.to_vec1::<f64>()?);
        all.extend(layer.bias.flatten_all()?.to_vec1::<f64>()?);
    }
    Ok(all)
}

/// One guarded step, as forward operations: φ − rate · min(1, norm_max / ‖rate·g‖) · g.
fn step(
    network: &Network,
    loss: &Loss,
    layers: &[LayerTensors],
    batch: &Batch,
    steps: Steps,
) -> Result<Vec<LayerTensors>, LearnerError> {
    let gradients = support_gradient(network, loss, layers, batch)?;
    let mut square = Tensor::zeros((), DType::F64, &Device::Cpu)?;
    for g in &gradients {
        square = square.add(&g.weights.mul(&g.weights)?.sum_all()?)?;
        square = square.add(&g.bias.mul(&g.bias)?.sum_all()?)?;
    }
    let squared_length = steps.rate * steps.rate * square.to_scalar::<f64>()?;
    // Which side of the guard holds is a constant almost everywhere; the scaled side is differentiated.
    let guarded = squared_length.sqrt() > steps.norm_max;
    let factor = if guarded {
        Tensor::new(steps.norm_max, &Device::Cpu)?.div(&square.sqrt()?)?
    } else {
        Tensor::new(steps.rate, &Device::Cpu)?
    };
    let moved = layers.iter().zip(&gradients).map(|(w, g)| {
        Ok(LayerTensors {
            weights: w.weights.sub(&g.weights.broadcast_mul(&factor)?)?,
            bias: w.bias.sub(&g.bias.broadcast_mul(&factor)?)?,
        })
    });
    moved.collect()
}

/// Backpropagation of the support loss, written as forward operations.
fn support_gradient(
    network: &Network,
    loss: &Loss,
    layers: &[LayerTensors],
    batch: &Batch,
) -> Result<Vec<LayerTensors>, LearnerError> {
    let mut inputs = vec![batch.inputs.clone()];
    let mut slopes = Vec::new();
    let mut value = batch.inputs.clone();
    for (depth, layer) in layers.iter().enumerate() {
        value = value.matmul(&layer.weights.t()?)?.broadcast_add(&layer.bias)?;
        if depth + 1 < layers.len() {
            let slope;
            (value, slope) = activate(network.activation(), &value)?;
            inputs.push(value.clone());
            slopes.push(slope);
        }
    }
    let mut error = error_of_outputs(loss, &value, batch)?;
    let mut gradients = Vec::with_capacity(layers.len());
    for (layer, input) in layers.iter().zip(&inputs).rev() {
        gradients
            .push(LayerTensors { weights: error.t()?.matmul(input)?, bias: error.sum_keepdim(0)? });
        if let Some(slope) = slopes.pop() {
            error = error.matmul(&layer.weights)?.mul(&slope)?;
        }
    }
    gradients.reverse();
    Ok(gradients)
}

/// The activation and its derivative, both as functions that can be differentiated.
fn activate(activation: Activation, z: &Tensor) -> Result<(Tensor, Tensor), LearnerError> {
    match activation {
        Activation::Relu => {
            // A comparison has no gradient and must not be reached by a backward pass.
            let open = z.detach().gt(0.0)?.to_dtype(DType::F64)?;
            Ok((z.mul(&open)?, open))
        }
        Activation::Tanh => {
            let value = z.tanh()?;
            let slope = value.mul(&value)?.affine(-1.0, 1.0)?;
            Ok((value, slope))
        }
    }
}

/// The derivative of the weighted, normalised loss by the outputs.
fn error_of_outputs(loss: &Loss, outputs: &Tensor, batch: &Batch) -> Result<Tensor, LearnerError> {
    let plain = match loss {
        // σ(f) = (1 + tanh(f/2)) / 2 overflows nowhere.
        Loss::Binary { .. } => {
            outputs.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)?.sub(&batch.targets)?
        }
        Loss::Classes { .. } => {
            // Softmax does not change with the shift, so the shift is a constant.
            let shift = outputs.detach().max_keepdim(1)?;
            let odds = outputs.broadcast_sub(&shift)?.exp()?;
            odds.broadcast_div(&odds.sum_keepdim(1)?)?.sub(&batch.targets)?
        }
        Loss::SquaredError => outputs.sub(&batch.targets)?.affine(2.0, 0.0)?,
    };
    Ok(plain.broadcast_mul(&batch.weights)?)
}

/// The gradient of ⟨adapted, judged⟩ by the initial weights.
fn pull_back(
    network: &Network,
    initial: &[LayerVariables],
    adapted: &[LayerTensors],
    judged: &[f64],
) -> Result<Vec<f64>, LearnerError> {
    let mut product = Tensor::zeros((), DType::F64, &Device::Cpu)?;
    for (layer, v) in adapted.iter().zip(network.split(judged)?) {
        let (inputs, outputs) = (v.shape.inputs, v.shape.outputs);
        let weights = Tensor::from_slice(v.weights, (outputs, inputs), &Device::Cpu)?;
        let bias = Tensor::from_slice(v.bias, (1, outputs), &Device::Cpu)?;
        product = product.add(&layer.weights.mul(&weights)?.sum_all()?)?;
        product = product.add(&layer.bias.mul(&bias)?.sum_all()?)?;
    }
    let found = product.backward()?;
    let mut gradients = Vec::with_capacity(initial.len());
    for (layer, variables) in initial.iter().enumerate() {
        let missing = || LearnerError::MissingGradient { layer };
        gradients.push(LayerTensors {
            weights: found.get(&variables.weights).ok_or_else(missing)?.clone(),
            bias: found.get(&variables.bias).ok_or_else(missing)?.clone(),
        });
    }
    flat(&gradients)
}

#[cfg(test)]
mod tests;
