//! The direct engine: the gradient of a task's loss in plain f64, example by example.
//!
//! Every sum runs in one fixed order over one task's rows, so the bits depend on nothing but the
//! weights and the rows.

use crate::loss::Loss;
use crate::network::{LayerWeights, Network, activate, slope};
use crate::{Examples, LearnerError};

/// The gradient of Σ loss / `normaliser` over the examples, laid out as the weights are.
///
/// # Errors
///
/// [`LearnerError::Columns`], [`LearnerError::WeightCount`] or [`LearnerError::Label`]. Values that
/// are not finite pass through, for the caller to find.
pub(crate) fn gradient(
    network: &Network,
    loss: &Loss,
    weights: &[f64],
    examples: &Examples,
    normaliser: f64,
) -> Result<Vec<f64>, LearnerError> {
    let layers = network.split(weights)?;
    let mut flat = vec![0.0; weights.len()];
    let mut pass = Pass::new(network, examples)?;
    for (row, label) in examples.iter() {
        pass.forward(network, &layers, row);
        pass.backward(network, loss, &layers, label, &mut flat)?;
    }
    for g in &mut flat {
        *g /= normaliser;
    }
    Ok(flat)
}

/// Σ loss / `normaliser` over the examples.
///
/// # Errors
///
/// As [`gradient`].
pub(crate) fn mean_loss(
    network: &Network,
    loss: &Loss,
    weights: &[f64],
    examples: &Examples,
    normaliser: f64,
) -> Result<f64, LearnerError> {
    let layers = network.split(weights)?;
    let mut pass = Pass::new(network, examples)?;
    let mut sum = 0.0;
    for (row, label) in examples.iter() {
        pass.forward(network, &layers, row);
        sum += loss.value(pass.values.last().map_or(&[], Vec::as_slice), label)?;
    }
    Ok(sum / normaliser)
}

/// The model's outputs for each example, row-major.
///
/// # Errors
///
/// [`LearnerError::Columns`] or [`LearnerError::WeightCount`].
pub(crate) fn outputs(
    network: &Network,
    weights: &[f64],
    examples: &Examples,
) -> Result<Vec<f64>, LearnerError> {
    let layers = network.split(weights)?;
    let mut pass = Pass::new(network, examples)?;
    let mut all = Vec::new();
    for (row, _) in examples.iter() {
        pass.forward(network, &layers, row);
        all.extend_from_slice(pass.values.last().map_or(&[], Vec::as_slice));
    }
    Ok(all)
}

/// The buffers of one pass through the network: the input and each layer's value.
struct Pass {
    values: Vec<Vec<f64>>,
    error: Vec<f64>,
    error_below: Vec<f64>,
}

impl Pass {
    fn new(network: &Network, examples: &Examples) -> Result<Self, LearnerError> {
        let (expected, got) = (network.inputs(), examples.columns());
        if expected != got {
            return Err(LearnerError::Columns { expected, got });
        }
        let values = vec![Vec::new(); network.layers().len() + 1];
        Ok(Self { values, error: Vec::new(), error_below: Vec::new() })
    }

    fn forward(&mut self, network: &Network, layers: &[LayerWeights<'_>], row: &[f32]) {
        let mut values = self.values.iter_mut();
        let Some(mut input) = values.next() else { return };
        input.clear();
        input.extend(row.iter().copied().map(f64::from));
        for (depth, (layer, output)) in layers.iter().zip(values).enumerate() {
            layer.apply(input, output);
            if depth + 1 < layers.len() {
                for z in output.iter_mut() {
                    *z = activate(network.activation(), *z);
                }
            }
            input = output;
        }
    }

    /// Adds the example's gradient to `flat`, from the last layer down.
    fn backward(
        &mut self,
        network: &Network,
        loss: &Loss,
        layers: &[LayerWeights<'_>],
        label: f32,
        flat: &mut [f64],
    ) -> Result<(), LearnerError> {
        let Some((outputs, inputs)) = self.values.split_last() else { return Ok(()) };
        self.error.clone_from(outputs);
        loss.derivative(&mut self.error, label)?;
        let mut flat = flat;
        for (depth, (layer, input)) in layers.iter().zip(inputs).enumerate().rev() {
            let above = flat.len().saturating_sub(layer.bias.len());
            let (rest, bias) = flat.split_at_mut(above);
            bias.iter_mut().zip(&self.error).for_each(|(g, e)| *g += e);
            let below = rest.len().saturating_sub(layer.weights.len());
            let (rest, own) = rest.split_at_mut(below);
            for (row, e) in own.chunks_exact_mut(layer.shape.inputs).zip(&self.error) {
                row.iter_mut().zip(input).for_each(|(g, x)| *g += e * x);
            }
            if depth > 0 {
                self.error_below.clear();
                self.error_below.resize(layer.shape.inputs, 0.0);
                for (row, e) in layer.weights.chunks_exact(layer.shape.inputs).zip(&self.error) {
                    self.error_below.iter_mut().zip(row).for_each(|(b, w)| *b += e * w);
                }
                for (b, value) in self.error_below.iter_mut().zip(input) {
                    *b *= slope(network.activation(), *value);
                }
                std::mem::swap(&mut self.error, &mut self.error_below);
            }
            flat = rest;
        }
        Ok(())
    }
}
