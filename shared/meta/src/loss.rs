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

    /// The loss of one example, weighted, at the outputs f.
    pub(crate) fn value(&self, outputs: &[f64], label: f32) -> Result<f64, LearnerError> {
        let (class, weight) = self.class(label)?;
        let output = |place: usize| outputs.get(place).copied().unwrap_or(f64::NAN);
        Ok(match self {
            // −ln σ(f) = ln(1 + e⁻ᶠ), and −ln(1 − σ(f)) the same at −f.
            Self::Binary { .. } => {
                weight * softplus(if class == 0 { output(0) } else { -output(0) })
            }
            Self::Classes { .. } => weight * (log_sum_exp(outputs) - output(class)),
            Self::SquaredError => {
                let error = output(0) - f64::from(label);
                error * error
            }
        })
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

/// ln(1 + eˣ), without overflow.
fn softplus(x: f64) -> f64 {
    let above = if x > 0.0 { x } else { 0.0 };
    above + libm::log1p(libm::exp(-x.abs()))
}

/// ln Σ eᶠ, shifted by the largest so that nothing overflows.
fn log_sum_exp(outputs: &[f64]) -> f64 {
    let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + libm::log(outputs.iter().map(|f| libm::exp(*f - largest)).sum())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_finite_for_every_finite_output_and_the_derivative_is_its_own() {
        let binary = Loss::Binary { weights: [0.7, 2.0] };
        let classes = Loss::Classes { weights: vec![0.7, 2.0, 1.1] };
        for f in [-700.0, -1e300, -3.0, 0.0, 0.5, 40.0, 1e300] {
            for label in [0.0, 1.0] {
                assert!(binary.value(&[f], label).unwrap().is_finite(), "{f}");
                assert!(classes.value(&[f, 0.0, 1.0], label).unwrap().is_finite(), "{f}");
            }
        }
        for loss in [&binary, &classes, &Loss::SquaredError] {
            for f in [-3.0, 0.2, 5.0] {
                let at = |f: f64| match loss {
                    Loss::Classes { .. } => vec![f, 0.4, -1.0],
                    Loss::Binary { .. } | Loss::SquaredError => vec![f],
                };
                let mut slope = at(f);
                loss.derivative(&mut slope, 1.0).unwrap();
                let value = |f: f64| loss.value(&at(f), 1.0).unwrap();
                let difference = (value(f + 1e-6) - value(f - 1e-6)) / 2e-6;
                assert!((slope[0] - difference).abs() < 1e-6, "{loss:?} at {f}");
            }
        }
        assert!(binary.value(&[f64::NAN], 1.0).unwrap().is_nan());
        assert!(binary.value(&[0.0], 0.5).is_err());
    }
}
