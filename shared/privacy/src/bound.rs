//! The public bound on a contribution: what a bank clamps to and the coordinator checks.

use crate::PrivacyError;
use crate::grid::check_bits;
use crate::special::{log_normal_cdf, real};

/// The noise exceeds each of the two bounds with at most this probability, 2⁻⁴¹ per vector; 2⁻⁴⁰ for both.
const LOG_FAILURE: f64 = -41.0 * core::f64::consts::LN_2;
/// The first absolute value that a plan may not reach.
const LIMIT: u64 = 1 << 31;

/// A vector lies outside the public bound: it does not come from an honest bank, save once in 2⁴⁰ vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBound {
    /// The vector has the wrong length.
    #[error("expected {expected} coordinates, got {got}")]
    Dimension {
        /// The plan's dimension.
        expected: usize,
        /// The vector's.
        got: usize,
    },
    /// One coordinate is too large.
    #[error("coordinate {index} is {value}, beyond the public bound of {bound}")]
    Coordinate {
        /// Its place.
        index: usize,
        /// Its value.
        value: i32,
        /// The largest absolute value allowed.
        bound: u32,
    },
    /// The vector is too long.
    #[error("the squared norm is {square}, beyond the public bound of {bound}")]
    Norm {
        /// The squared norm.
        square: u128,
        /// The largest allowed.
        bound: u128,
    },
}

/// Bounds on a noised sum of M tasks on a grid of b bits: |x| ≤ M·2ᵇ + k·s and ‖x‖ ≤ M·2ᵇ + s·r.
///
/// k is the normal quantile over all coordinates by the union bound; r² = d + 2√(dt) + 2t with t = 41 ln 2 is the chi-square
/// tail bound of [Laurent & Massart 2000], lemma 1. A rounding of ½ a coordinate is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicBound {
    dimension: usize,
    coordinate: u32,
    square: u128,
}

impl PublicBound {
    /// The bound for `tasks` tasks on a grid of `bits` bits, noise of standard deviation `scale` grid units, and vectors of
    /// `dimension` coordinates.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::OutOfRange`] if a parameter is none; [`PrivacyError::DoesNotFit`] unless M·2ᵇ + k·s < 2³¹.
    pub fn new(bits: u32, tasks: u64, scale: u64, dimension: usize) -> Result<Self, PrivacyError> {
        let bits = check_bits(bits)?;
        if dimension == 0 {
            return Err(PrivacyError::OutOfRange {
                quantity: "dimension",
                expected: "at least 1",
                value: 0.0,
            });
        }
        let d = real(dimension as u64);
        let shift = real(tasks) * f64::from(1u32 << bits);
        let noise = real(scale);
        let coordinate = libm::ceil(shift + noise * quantile(d) + 0.5);
        if coordinate >= real(LIMIT) {
            let largest = saturated(coordinate);
            return Err(PrivacyError::DoesNotFit { largest, limit: LIMIT });
        }
        let t = -LOG_FAILURE;
        let chi = libm::sqrt(d + 2.0 * libm::sqrt(d * t) + 2.0 * t);
        let norm = (shift + noise * chi + 0.5 * libm::sqrt(d)) * (1.0 + 1e-12);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and below 2³¹"
        )]
        let coordinate = coordinate as u32;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and far below 2¹²⁸"
        )]
        let square = libm::ceil(norm * norm) as u128;
        Ok(Self { dimension, coordinate, square })
    }

    /// The number of coordinates.
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The largest absolute value of a coordinate.
    pub const fn coordinate(&self) -> u32 {
        self.coordinate
    }

    /// The largest squared norm.
    pub const fn square(&self) -> u128 {
        self.square
    }

    /// The nearest value within the coordinate bound.
    pub fn clamp(&self, value: i64) -> i32 {
        let bound = i64::from(self.coordinate);
        let clamped = value.clamp(-bound, bound);
        i32::try_from(clamped).unwrap_or(if clamped < 0 { i32::MIN } else { i32::MAX })
    }

    /// The vector that leaves the bank for a noised sum: each coordinate clamped, and once in 2⁴¹ vectors all of them shortened,
    /// so that [`check`](Self::check) always accepts. Post-processing of the noised sum, and so free.
    pub fn fit(&self, noised: &[i64]) -> Vec<i32> {
        let clamped: Vec<i32> = noised.iter().map(|&value| self.clamp(value)).collect();
        let square = square(&clamped);
        if square <= self.square {
            return clamped;
        }
        let factor = libm::sqrt(wide(self.square) / wide(square)) * (1.0 - 1e-9);
        clamped.iter().map(|&value| shortened(value, factor)).collect()
    }

    /// Checks a contribution as it arrives.
    ///
    /// # Errors
    ///
    /// [`OutOfBound`] with what is out of bound.
    pub fn check(&self, contribution: &[i32]) -> Result<(), OutOfBound> {
        if contribution.len() != self.dimension {
            let (expected, got) = (self.dimension, contribution.len());
            return Err(OutOfBound::Dimension { expected, got });
        }
        let beyond = |value: &i32| value.unsigned_abs() > self.coordinate;
        if let Some((index, &value)) = contribution.iter().enumerate().find(|(_, v)| beyond(v)) {
            return Err(OutOfBound::Coordinate { index, value, bound: self.coordinate });
        }
        let square = square(contribution);
        if square <= self.square {
            Ok(())
        } else {
            Err(OutOfBound::Norm { square, bound: self.square })
        }
    }
}

/// k with 2d·Φ(−k) ≤ 2⁻⁴¹, at most a part in 10⁸ above the least.
fn quantile(dimension: f64) -> f64 {
    let log_tail = |k: f64| libm::log(2.0 * dimension) + log_normal_cdf(-k) - LOG_FAILURE;
    let (mut low, mut high) = (0.0, 64.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if log_tail(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high * (1.0 + 1e-12)
}

fn square(vector: &[i32]) -> u128 {
    vector.iter().fold(0, |sum, &value| {
        let value = u128::from(value.unsigned_abs());
        sum + value * value
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the result is rounded down by more than this loses"
)]
const fn wide(integer: u128) -> f64 {
    integer as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "shorter than an i32; truncation toward zero is the purpose"
)]
fn shortened(value: i32, factor: f64) -> i32 {
    (f64::from(value) * factor) as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, for a message only"
)]
const fn saturated(value: f64) -> u64 {
    value as u64
}
