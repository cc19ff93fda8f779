//! Where each weight lies in the one flat vector that is trained, sent and stored.

use crate::plan::ModelSpec;

/// One dense layer's place: weights row-major `[outputs, inputs]`, then `outputs` biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// The index of its first weight.
    pub offset: usize,
    /// The width that comes in.
    pub inputs: usize,
    /// The width that goes out.
    pub outputs: usize,
}

impl Layer {
    /// Weights and biases.
    pub fn len(&self) -> usize {
        self.outputs * (self.inputs + 1)
    }

    /// True for a layer without weights; a checked plan has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The layers in order, input first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    layers: Vec<Layer>,
}

impl Layout {
    /// The layout of a model over `features` inputs.
    pub fn of(features: usize, model: &ModelSpec) -> Self {
        let widths = model.hidden.iter().copied().chain([model.head.outputs()]);
        let (mut offset, mut inputs) = (0, features);
        let layers = widths
            .map(|outputs| {
                let layer = Layer { offset, inputs, outputs: outputs as usize };
                offset += layer.len();
                inputs = layer.outputs;
                layer
            })
            .collect();
        Self { layers }
    }

    /// The layers, input first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The length of the flat vector.
    pub fn dimension(&self) -> usize {
        self.layers.iter().map(Layer::len).sum()
    }
}
