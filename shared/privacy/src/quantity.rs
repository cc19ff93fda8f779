//! Numbers with a meaning, checked once. A value of these types is never NaN, infinite or out of range.

use serde::{Deserialize, Serialize};

use crate::PrivacyError;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $label:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            #[doc = concat!("Checks that `value` is ", $expected, ".")]
            ///
            /// # Errors
            ///
            /// [`PrivacyError::OutOfRange`] if it is anything else, NaN included.
            pub fn new(value: f64) -> Result<Self, PrivacyError> {
                let valid: fn(f64) -> bool = $valid;
                if value.is_finite() && valid(value) {
                    Ok(Self(value))
                } else {
                    Err(PrivacyError::OutOfRange { quantity: $label, expected: $expected, value })
                }
            }

            /// The number itself.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = PrivacyError;

            fn try_from(value: f64) -> Result<Self, PrivacyError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

quantity!(
    /// The ε of (ε, δ)-differential privacy, in natural logarithms.
    Epsilon,
    "epsilon",
    "finite and at least 0",
    |value| value >= 0.0
);
quantity!(
    /// The δ of (ε, δ)-differential privacy.
    Delta,
    "delta",
    "above 0 and below 1",
    |value| value > 0.0 && value < 1.0
);
quantity!(
    /// The standard deviation of the noise in units of the clipping norm. Outside the range squares and their sums would overflow.
    NoiseMultiplier,
    "noise multiplier",
    "between 1e-9 and 1e15",
    |value| (1e-9..=1e15).contains(&value)
);
quantity!(
    /// The probability with which each task joins a round, independently of all others.
    SamplingRate,
    "sampling rate",
    "above 0 and at most 1",
    |value| value > 0.0 && value <= 1.0
);
quantity!(
    /// The largest Euclidean norm of one task's contribution. The range keeps every grid unit a normal number.
    ClipNorm,
    "clipping norm",
    "between 1e-18 and 1e18",
    |value| (1e-18..=1e18).contains(&value)
);
quantity!(
    /// The order α of a Rényi divergence. Outside the range the quadrature's error bound would not hold.
    Order,
    "order",
    "between 1.001 and 1e9",
    |value| (1.001..=1e9).contains(&value)
);

impl SamplingRate {
    /// The rate at which every task joins every round.
    pub const ALL: Self = Self(1.0);
}
