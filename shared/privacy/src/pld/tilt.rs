//! A loss tilted by e^(θl) and centred, and the window that holds a sum of such losses.

use crate::PrivacyError;
use crate::pld::compose::Repeated;
use crate::pld::mesh::Discrete;
use crate::special::{least, real};

/// ln of the largest moment that is tried.
const LOG_MOMENT_MAX: f64 = 600.0;
/// Evaluations spent on each end of the window; any exponent gives a valid end.
const WINDOW_STEPS: u32 = 16;

/// One loss, tilted and centred.
pub(crate) struct Tilted {
    pub(crate) upper: Side,
    pub(crate) lower: Side,
    /// The point that becomes number 0.
    pub(crate) centre: i64,
    pub(crate) count: u64,
}

pub(crate) struct Side {
    /// Mass 1 in all.
    pub(crate) mass: Vec<f64>,
    /// The number of the first point, from the centre.
    pub(crate) first: i64,
    pub(crate) log_moment: f64,
    /// The size of the terms that `log_moment` is a sum of.
    pub(crate) log_size: f64,
}

impl Tilted {
    pub(crate) fn new(of: &Repeated, step: f64, tilt: f64) -> Result<Self, PrivacyError> {
        let Discrete { first, upper, lower, .. } = &of.loss;
        let weights = weights(upper.len(), *first, of.offset, step, tilt);
        let centre = centre(upper, &weights, *first)?;
        let side = |mass: &[f64], safe: f64| -> Result<Side, PrivacyError> {
            let mut tilted: Vec<f64> =
                mass.iter().zip(&weights.relative).map(|(p, w)| p * w * safe).collect();
            let sum = tilted.iter().fold(0.0, |sum, p| sum + p);
            if !(sum > 0.0 && sum.is_finite()) {
                return Err(PrivacyError::NotFinite { figure: "privacy loss distribution" });
            }
            for p in &mut tilted {
                *p /= sum;
            }
            let log_moment = weights.log_scale + libm::log(sum);
            let log_size = weights.log_scale.abs() + libm::log(sum).abs();
            Ok(Side { mass: tilted, first: first - centre, log_moment, log_size })
        };
        // The weights round by their exponent's rounding.
        let rounding = 1e-12 + 4.0 * f64::EPSILON * weights.exponent;
        Ok(Self {
            upper: side(upper, 1.0 + rounding)?,
            lower: side(lower, 1.0 - rounding)?,
            centre,
            count: of.count,
        })
    }
}

/// e^(θl) at each point, over the greatest of them.
struct Weights {
    relative: Vec<f64>,
    log_scale: f64,
    /// The largest exponent, in size.
    exponent: f64,
}

fn weights(points: usize, first: i64, offset: f64, step: f64, tilt: f64) -> Weights {
    let loss = |point: usize| offset + (integer(first) + real(point as u64)) * step;
    let log_scale = tilt * loss(points.max(1) - 1);
    let relative = (0..points).map(|point| libm::exp(tilt * loss(point) - log_scale)).collect();
    let exponent = (tilt * loss(0)).abs().max(log_scale.abs());
    Weights { relative, log_scale, exponent }
}

/// The point nearest to the tilted mean.
fn centre(mass: &[f64], weights: &Weights, first: i64) -> Result<i64, PrivacyError> {
    let (mut sum, mut moment) = (0.0, 0.0);
    for (point, (p, weight)) in mass.iter().zip(&weights.relative).enumerate() {
        sum += p * weight;
        moment += p * weight * real(point as u64);
    }
    let mean = moment / sum;
    if mean.is_finite() {
        Ok(first + whole(mean + 0.5))
    } else {
        Err(PrivacyError::NotFinite { figure: "privacy loss distribution" })
    }
}

impl Side {
    /// ln E\[e^(sk)\] over the numbers k of the points; infinite if it overflows.
    fn cumulant(&self, s: f64) -> f64 {
        // From the greatest term down: what underflows is nothing beside it.
        let decay = libm::exp(-s.abs());
        let last = integer(self.first) + real(self.mass.len().max(1) as u64 - 1);
        let mut power = libm::exp(if s > 0.0 { s * last } else { s * integer(self.first) });
        let mut sum = 0.0;
        let mut add = |p: &f64| {
            sum += p * power;
            power *= decay;
        };
        if s > 0.0 {
            self.mass.iter().rev().for_each(&mut add);
        } else {
            self.mass.iter().for_each(&mut add);
        }
        libm::log(sum)
    }

    fn moments(&self) -> (f64, f64) {
        let mut sums = (0.0, 0.0);
        for (point, p) in self.mass.iter().enumerate() {
            let k = integer(self.first) + real(point as u64);
            sums = (sums.0 + p * k, sums.1 + p * k * k);
        }
        sums
    }
}

/// The first and last number of the sum's points, but for e^−`log_window` of the mass on either side.
///
/// For any s > 0, P(K ≥ k) ≤ exp(Λ(s) − sk): the end is (Λ(s) + window)/s at the best s tried.
pub(crate) fn window(tilted: &[Tilted], log_window: f64) -> (f64, f64) {
    let variance = tilted.iter().fold(0.0, |sum, one| {
        let (mean, square) = one.upper.moments();
        sum + real(one.count) * (square - mean * mean).max(0.0)
    });
    let deviation = libm::sqrt(variance).max(0.25);
    let guess = libm::log(libm::sqrt(2.0 * log_window) / deviation);
    let widest = tilted.iter().map(|one| one.upper.mass.len()).max().unwrap_or(1);
    let limit = libm::log(LOG_MOMENT_MAX / real(widest as u64));
    let end = |side: fn(&Tilted) -> &Side, sign: f64| {
        let reach = |log_s: f64| {
            let s = libm::exp(log_s);
            // The recurrence in the cumulant rounds; a part in 10^9 of its terms is far more.
            let cumulant = tilted.iter().fold(0.0, |sum, one| {
                let one = real(one.count) * side(one).cumulant(sign * s);
                sum + one + 1e-9 * one.abs()
            });
            let end = (cumulant + log_window + 1e-6) / s;
            if end.is_nan() { f64::INFINITY } else { end }
        };
        // Beyond `limit` the moments of a wide and skewed loss overflow.
        let top = (guess + 2.0).min(limit);
        least((guess - 3.0).min(top - 4.0), top, WINDOW_STEPS, reach).1
    };
    let high = f64::max(end(|one| &one.upper, 1.0), end(|one| &one.lower, 1.0));
    let low = f64::max(end(|one| &one.upper, -1.0), end(|one| &one.lower, -1.0));
    (-libm::ceil(low) - 1.0, libm::ceil(high) + 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "bounded by the number of points")]
pub(crate) fn integer(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the number of points")]
pub(crate) fn whole(number: f64) -> i64 {
    libm::floor(number) as i64
}
