//! Clipping on a grid of integers, where the bound on one task's contribution is exact.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{ClipNorm, NoiseMultiplier, PrivacyError};

/// Fewest and most bits of a grid.
const BITS: core::ops::RangeInclusive<u32> = 16..=20;
/// The factor of a clipped task is rounded down by this part: far more than the rounding of a norm over 2³⁰ coordinates.
const ROUNDED_DOWN: f64 = 1.0 - 1.0 / 4_194_304.0 / 1024.0;

/// What became of one task. It depends on rows: counted at the bank, never reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The norm was within the bound.
    Kept,
    /// The norm was above the bound, and the vector was shortened.
    Clipped,
    /// The integer check failed after rounding, and the integers were shortened again.
    Rescaled,
    /// The gradient or its square was not finite (a coordinate beyond 1.3e154 has diverged), or its length wrong: the task
    /// contributes zero.
    Zeroed,
}

/// The grid of step C/2ᵇ on which contributions are added.
///
/// Every task's integer vector x has Σx² ≤ 4ᵇ, checked in integers, so its norm is at most C exactly, whatever happened in
/// floating point before. Sums of integers are exact and do not depend on the order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Grid {
    clip: ClipNorm,
    bits: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    clip: ClipNorm,
    bits: u32,
}

impl TryFrom<Parts> for Grid {
    type Error = PrivacyError;

    fn try_from(parts: Parts) -> Result<Self, PrivacyError> {
        Self::new(parts.clip, parts.bits)
    }
}

impl From<Grid> for Parts {
    fn from(grid: Grid) -> Self {
        Self { clip: grid.clip, bits: grid.bits }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clipping norm {} on {} bits", self.clip, self.bits)
    }
}

/// Checks the number of bits of a grid.
pub(crate) fn check_bits(bits: u32) -> Result<u32, PrivacyError> {
    if BITS.contains(&bits) {
        Ok(bits)
    } else {
        Err(PrivacyError::OutOfRange {
            quantity: "grid bits",
            expected: "between 16 and 20",
            value: f64::from(bits),
        })
    }
}

impl Grid {
    /// The grid of 2^`bits` steps to the clipping norm.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::OutOfRange`] unless `bits` is between 16 and 20.
    pub fn new(clip: ClipNorm, bits: u32) -> Result<Self, PrivacyError> {
        Ok(Self { clip, bits: check_bits(bits)? })
    }

    /// The clipping norm C.
    pub const fn clip(&self) -> ClipNorm {
        self.clip
    }

    /// The number of bits b.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// One grid step, C/2ᵇ: what one unit of an integer contribution means.
    pub fn unit(&self) -> f64 {
        self.clip.get() / self.radius()
    }

    /// Adds one task's clipped integer vector to `sum`.
    ///
    /// Total: it neither fails nor panics, whatever the gradient; one that is not finite, or not as long as `sum`, adds zero.
    /// The integers depend on the gradient and the grid alone.
    pub fn contribute<F: Copy + Into<f64>>(&self, gradient: &[F], sum: &mut [i64]) -> Outcome {
        if gradient.len() != sum.len() {
            return Outcome::Zeroed;
        }
        let (scaling, outcome) = self.scaling(gradient);
        for (total, &value) in sum.iter_mut().zip(gradient) {
            // 2⁴³ tasks would be needed to wrap.
            *total = total.wrapping_add(scaling.integer(value.into()));
        }
        outcome
    }

    /// One task's clipped integer vector alone.
    pub fn integers<F: Copy + Into<f64>>(&self, gradient: &[F]) -> (Vec<i64>, Outcome) {
        let mut vector = vec![0; gradient.len()];
        let outcome = self.contribute(gradient, &mut vector);
        (vector, outcome)
    }

    /// The clipping norm in grid units, 2ᵇ.
    pub fn radius(&self) -> f64 {
        f64::from(1u32 << self.bits)
    }

    /// How the coordinates of this gradient become integers within the bound.
    fn scaling<F: Copy + Into<f64>>(&self, gradient: &[F]) -> (Scaling, Outcome) {
        let square = gradient.iter().fold(0.0, |sum: f64, &value| {
            let value: f64 = value.into();
            sum + value * value
        });
        if !square.is_finite() {
            return (Scaling::ZERO, Outcome::Zeroed);
        }
        let norm = libm::sqrt(square);
        let clipped = norm > self.clip.get();
        let first = if clipped {
            self.radius() / norm * ROUNDED_DOWN
        } else {
            self.radius() / self.clip.get()
        };
        let scaling = Scaling { first, second: None };
        let bound = 1u128 << (2 * self.bits);
        let square = scaling.square(gradient);
        if square <= bound {
            return (scaling, if clipped { Outcome::Clipped } else { Outcome::Kept });
        }
        let second = self.radius() / libm::sqrt(wide(square)) * ROUNDED_DOWN;
        let scaling = Scaling { first, second: Some(second) };
        if scaling.square(gradient) <= bound {
            (scaling, Outcome::Rescaled)
        } else {
            (Scaling::ZERO, Outcome::Zeroed)
        }
    }
}

/// Multiply, truncate toward zero; once, or a second time on the integers.
#[derive(Clone, Copy)]
struct Scaling {
    first: f64,
    second: Option<f64>,
}

impl Scaling {
    const ZERO: Self = Self { first: 0.0, second: None };

    fn integer(self, value: f64) -> i64 {
        // A non-finite value can only meet the factor 0 here, and `truncated` makes 0 of a NaN.
        let integer = truncated(value * self.first);
        self.second.map_or(integer, |second| truncated(real_of(integer) * second))
    }

    fn square<F: Copy + Into<f64>>(self, gradient: &[F]) -> u128 {
        gradient.iter().fold(0, |sum: u128, &value| {
            let integer = u128::from(self.integer(value.into()).unsigned_abs());
            sum.saturating_add(integer * integer)
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "truncation toward zero is the purpose; NaN becomes 0"
)]
const fn truncated(value: f64) -> i64 {
    value as i64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the result only shortens, and is checked in integers"
)]
const fn real_of(integer: i64) -> f64 {
    integer as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the result only shortens, and is checked in integers"
)]
const fn wide(integer: u128) -> f64 {
    integer as f64
}

/// The standard deviation of the noise in grid units, `noise_multiplier` × 2^`bits` rounded up to an integer: rounding adds
/// noise, never removes it.
///
/// # Errors
///
/// [`PrivacyError::OutOfRange`] if `bits` is not a grid's, or the scale would exceed 2³¹.
pub fn noise_scale(noise_multiplier: NoiseMultiplier, bits: u32) -> Result<u64, PrivacyError> {
    let scale = libm::ceil(noise_multiplier.get() * f64::from(1u32 << check_bits(bits)?));
    if scale <= f64::from(1u32 << 31) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an integer from 1 to 2³¹"
        )]
        let scale = scale as u64;
        Ok(scale)
    } else {
        Err(PrivacyError::OutOfRange {
            quantity: "noise scale",
            expected: "at most 2^31 grid units",
            value: scale,
        })
    }
}
