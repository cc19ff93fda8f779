//! The loss of one example and its derivative by the model's outputs.

use crate::LearnerError;
use round::plan::{Head, LossSpec};

/// A loss that fits its head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Loss {
    /// −w_y ln p_y with p = σ(f).
    Binary { weights: [f64; 2] },
    /// −w_y ln p_y with p = softmax(f).
    Classes { weights: Vec<f64> },
    /// (f − y)².
    SquaredError,
}

impl Loss {
    pub(crate) fn new(head: Head, spec: &LossSpec) -> Result<Self, LearnerError> {
        let unsupported = |why: String| Err(LearnerError::Unsupported(why));
        if let LossSpec::LogLoss { class_weights } = spec
            && class_weights.iter().any(|w| !(w.is_finite() && *w > 0.0))
        {
            return unsupported("expected finite positive class weights".to_owned());
        }
        match (head, spec) {
            (Head::Binary {}, LossSpec::LogLoss { class_weights }) => {
                match class_weights.as_slice() {
                    &[zero, one] => Ok(Self::Binary { weights: [zero, one] }),
                    other => unsupported(format!("expected 2 class weights, got {}", other.len())),
                }
            }
            (Head::Classes { count }, LossSpec::LogLoss { class_weights }) => {
                if count >= 2 && u32::try_from(class_weights.len()) == Ok(count) {
                    return Ok(Self::Classes { weights: class_weights.clone() });
                }
                let got = class_weights.len();
                unsupported(format!("expected a weight for each of {count} classes, got {got}"))
            }
            (Head::Regression {}, LossSpec::SquaredError {}) => Ok(Self::SquaredError),
            (Head::Binary {} | Head::Classes { .. }, LossSpec::SquaredError {})
            | (Head::Regression {}, LossSpec::LogLoss { .. }) => unsupported(
                "expected log loss with classes and squared error with regression".to_owned(),
            ),
        }
    }

    /// The example's class and its weight; class 0 of weight 1 for a regression.
    pub(crate) fn class(&self, label: f32) -> Result<(usize, f64), LearnerError> {
        let weights: &[f64] = match self {
            Self::Binary { weights } => weights,
            Self::Classes { weights } => weights,
            Self::SquaredError => return Ok((0, 1.0)),
        };
        #[expect(clippy::cast_precision_loss, reason = "class numbers are far below 2^24")]
        #[expect(clippy::float_cmp, reason = "a class is a whole number, held exactly")]
        let found = weights.iter().enumerate().find(|(class, _)| *class as f32 == label);
        let (class, weight) =
            found.ok_or(LearnerError::Label { largest: weights.len().saturating_sub(1) })?;
        Ok((class, *weight))
    }

    /// Replaces the outputs f of one example by the derivative of its loss by f.
    pub(crate) fn derivative(&self, outputs: &mut [f64], label: f32) -> Result<(), LearnerError> {
        let (class, weight) = self.class(label)?;
        match self {
            Self::Binary { .. } => {
                let target = f64::from(label);
                for f in outputs {
                    *f = weight * (sigmoid(*f) - target);
                }
            }
            Self::Classes { .. } => {
                softmax(outputs);
                for (k, p) in outputs.iter_mut().enumerate() {
                    *p = weight * (*p - f64::from(u8::from(k == class)));
                }
            }
            Self::SquaredError => {
                for f in outputs {
                    *f = 2.0 * (*f - f64::from(label));
                }
            }
        }
        Ok(())
    }
}

/// 1 / (1 + e⁻ˣ), without overflow.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// Softmax in place, shifted by the largest so that nothing overflows.
fn softmax(outputs: &mut [f64]) {
    let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for f in outputs.iter_mut() {
        *f = libm::exp(*f - largest);
    }
    let total: f64 = outputs.iter().sum();
    for p in outputs.iter_mut() {
        *p /= total;
    }
}
