//! Many losses together: tilted, transformed, multiplied, transformed back, and every error on the safe side.
//!
//! The loss of independent releases is the sum of theirs. Its distribution is wanted far in the tail, where a transform's rounding,
//! relative to the whole mass, would drown it. So each loss is first tilted by e^(θl) (Esscher): the sum's middle moves to where δ
//! is decided, and the tilt is taken off again at the end. The four errors that remain have a term each:
//!
//! - the *mesh*: [`Discrete`] lies above and below;
//! - *truncation*: what a mesh leaves out above is an infinite loss, and counts in full;
//! - *wrap-around*: the tilted mass outside the window is at most e^−`log_window` on either side (Chernoff); above, it counts as
//!   lost in full; below, all of it is taken away where it hurts most;
//! - *rounding*: each frequency carries the bound of its transform, its power and its inverse, and each point of the result is moved
//!   by their sum.

use crate::PrivacyError;
use crate::pld::convolve::convolved;
use crate::pld::fft::Fft;
use crate::pld::merge::SUNK;
use crate::pld::mesh::Discrete;
use crate::pld::tilt::{Side, Tilted, integer, whole, window};
use crate::special::real;

/// ln of the largest factor that takes a tilt off.
const LOG_SCALE_MAX: f64 = 600.0;
/// The longest transform, as a binary logarithm.
const LOG_LENGTH_MAX: u32 = 21;
/// Half of the distance between 1 and the next number.
const ROUNDING: f64 = 0.5 * f64::EPSILON;
/// Figures are moved to the safe side by this part and [`Profile::slack`]: above the rounding of sums of two million terms.
const SAFETY: f64 = 1e-8;

/// How a sum is tilted, and how much of it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tilt {
    /// θ of the factor e^(θl).
    pub(crate) exponent: f64,
    /// ln of the tilted mass that the window may leave out on either side, negated.
    pub(crate) log_window: f64,
}

/// A loss and how often it is met.
#[derive(Clone, Debug)]
pub(crate) struct Repeated {
    pub(crate) loss: Discrete,
    pub(crate) offset: f64,
    pub(crate) count: u64,
}

/// The composed loss around where it is tilted to.
#[derive(Debug)]
pub(crate) struct Profile {
    step: f64,
    tilt: f64,
    log_window: f64,
    /// What lies above the window, at most.
    beyond: f64,
    /// The loss of the window's first point.
    start: f64,
    /// How far the composed loss may be above its point in the pair above, and below it in the pair below.
    loss_error: f64,
    sunk: f64,
    /// The part by which any δ may be off, from the rounding of the moments.
    slack: f64,
    upper: Bound,
    lower: Bound,
}

/// Tilted mass at each point of the window, on the safe side.
#[derive(Debug)]
struct Bound {
    tilted: Vec<f64>,
    /// ln of the composed moment generating function at the tilt.
    log_moment: f64,
    /// What belongs to δ whatever ε is, at most or at least.
    infinite: f64,
    /// By how much the rounding of transforms has moved each point.
    moved: f64,
}

impl Profile {
    /// The sum of `losses` on one mesh of `step`, tilted. `transforms` keeps the tables from one call to the next.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::TooFine`] if the window has too many points, [`PrivacyError::NotFinite`] if a mass is not a number.
    pub(crate) fn new(
        losses: &[Repeated],
        step: f64,
        Tilt { exponent: tilt, log_window }: Tilt,
        transforms: &mut Vec<Fft>,
    ) -> Result<Self, PrivacyError> {
        let tilted = losses
            .iter()
            .map(|loss| Tilted::new(loss, step, tilt))
            .collect::<Result<Vec<_>, _>>()?;
        let (low, high) = window(&tilted, log_window);
        let points = high - low + 1.0;
        let log_length = (4..=LOG_LENGTH_MAX).find(|&log| libm::exp2(f64::from(log)) >= points);
        let log_length = log_length.ok_or(PrivacyError::TooFine)?;
        let length = 1_usize << log_length;
        let first = whole(low - 0.5 * (real(length as u64) - points));
        if !transforms.iter().any(|fft| fft.length() == length) {
            transforms.push(Fft::new(log_length));
        }
        let fft =
            transforms.iter().find(|fft| fft.length() == length).ok_or(PrivacyError::TooFine)?;
        let ((upper, upper_moved), (lower, lower_moved)) = convolved(&tilted, fft, first);

        let centres = losses
            .iter()
            .zip(&tilted)
            .map(|(loss, tilted)| real(loss.count) * (loss.offset + integer(tilted.centre) * step));
        let (base, all) = centres.fold((0.0, 0.0), |(sum, all), at| (sum + at, all + at.abs()));
        let start = base + integer(first) * step;
        let moment = |side: fn(&Tilted) -> &Side| {
            tilted.iter().fold(0.0, |sum, one| sum + real(one.count) * side(one).log_moment)
        };
        let (log_upper, log_lower) = (moment(|one| &one.upper), moment(|one| &one.lower));
        let infinite =
            losses.iter().fold(0.0, |sum, one| sum + real(one.count) * one.loss.infinite);
        let end = start + real(length as u64) * step;
        let beyond = libm::exp(log_upper - tilt * end - log_window);
        let loss_error =
            losses.iter().fold(0.0, |sum, one| sum + real(one.count) * one.loss.edge_error)
                + 32.0 * ROUNDING * (1.0 + all + end.abs());
        let sunk = losses.iter().fold(loss_error, |sum, one| sum + 4.0 * SUNK * real(one.count));
        let slack = SAFETY
            + tilted.iter().fold(0.0, |sum, one| {
                let size = one.upper.log_size.max(one.lower.log_size);
                sum + 8.0 * ROUNDING * real(one.count) * (1.0 + size)
            });
        if !(log_upper.is_finite() && log_lower.is_finite() && infinite.is_finite()) {
            return Err(PrivacyError::NotFinite { figure: "privacy loss distribution" });
        }
        Ok(Self {
            step,
            tilt,
            log_window,
            beyond,
            start,
            loss_error,
            sunk,
            slack,
            upper: Bound {
                tilted: upper,
                log_moment: log_upper,
                infinite: infinite + beyond,
                moved: upper_moved,
            },
            lower: Bound {
                tilted: lower,
                log_moment: log_lower,
                infinite: 0.0,
                moved: lower_moved,
            },
        })
    }

    /// δ at ε: a bound from above and one from below.
    pub(crate) fn delta(&self, epsilon: f64) -> (f64, f64) {
        let shifted = epsilon - self.loss_error;
        // Below the window nothing is known from above, and from below that δ is no less than at its first point.
        let upper =
            if shifted < self.start { 1.0 } else { self.tail(&self.upper, shifted).unwrap_or(1.0) };
        let raised = (epsilon + self.sunk).max(self.start);
        let lower = self.tail(&self.lower, raised).unwrap_or(0.0) - self.wrapped(raised);
        let above = upper + self.upper.infinite;
        ((above * (1.0 + self.slack)).min(1.0), (lower * (1.0 - self.slack)).max(0.0))
    }

    /// ε at δ: a bound from above, none if δ cannot be certified, and one from below.
    pub(crate) fn epsilon(&self, delta: f64) -> (Option<f64>, f64) {
        let left = delta * (1.0 - self.slack) - self.upper.infinite * (1.0 + self.slack);
        let crossing = (left > 0.0).then(|| self.crossing(&self.upper, |_| left)).and_then(|at| {
            // Below δ in the whole window: its first point is a bound, if it can be read.
            at.or_else(|| self.is_readable().then_some(self.start))
        });
        let upper = crossing.map(|crossing| (crossing + self.loss_error).max(0.0));
        let lower = self
            .crossing(&self.lower, |epsilon| delta * (1.0 + self.slack) + self.wrapped(epsilon));
        (upper, lower.map_or(0.0, |lower| (lower - self.sunk).max(0.0)))
    }

    /// About how much of the bounds of δ at ε is the rounding of transforms and what lies outside the window.
    pub(crate) fn doubt(&self, epsilon: f64) -> f64 {
        let points = real(self.upper.tilted.len() as u64).min(1.0 / (self.tilt * self.step));
        let of = |bound: &Bound| bound.moved * libm::exp(bound.log_moment - self.tilt * epsilon);
        points * of(&self.upper).max(of(&self.lower)) + self.beyond + self.wrapped(epsilon)
    }

    /// Whether the tilt can be taken off everywhere in the window.
    fn is_readable(&self) -> bool {
        self.upper.log_moment - self.tilt * (self.start - self.step) <= LOG_SCALE_MAX
    }

    /// What wrap-around can have added to δ of the pair below, at ε.
    fn wrapped(&self, epsilon: f64) -> f64 {
        2.0 * libm::exp(self.lower.log_moment - self.tilt * epsilon - self.log_window)
    }

    /// Σ p(l)(1 − e^(ε−l)) over the points l above ε; none if the tilt is too strong to be taken off.
    fn tail(&self, bound: &Bound, epsilon: f64) -> Option<f64> {
        let mut sums = Sums::new(self.step, self.tilt);
        let mut loss = self.at(bound.tilted.len());
        for (point, &mass) in bound.tilted.iter().enumerate().rev() {
            loss = self.at(point);
            if loss <= epsilon {
                break;
            }
            sums.step_down(mass);
            loss -= self.step;
        }
        // `loss` is now the point at ε or below, and the sums are of those above it.
        let inside = (epsilon - loss).max(0.0);
        let tail = sums.hockey_stick - libm::expm1(inside) * sums.weight;
        let log_scale = bound.log_moment - self.tilt * loss;
        (log_scale < LOG_SCALE_MAX).then(|| tail.max(0.0) * libm::exp(log_scale))
    }

    /// The ε at which the tail is `target(ε)`, a function that does not rise; none if the tail is below it in the whole window, or if
    /// the tilt is too strong to be taken off.
    fn crossing(&self, bound: &Bound, target: impl Fn(f64) -> f64) -> Option<f64> {
        let mut sums = Sums::new(self.step, self.tilt);
        for (point, &mass) in bound.tilted.iter().enumerate().rev() {
            sums.step_down(mass);
            let loss = self.at(point) - self.step;
            let log_scale = bound.log_moment - self.tilt * loss;
            if log_scale > LOG_SCALE_MAX {
                return None;
            }
            let wanted = target(loss) / libm::exp(log_scale);
            if sums.hockey_stick >= wanted {
                let inside = libm::log1p((sums.hockey_stick - wanted) / sums.weight);
                return Some(loss + inside.min(self.step));
            }
            if loss < 0.0 {
                return Some(0.0);
            }
        }
        None
    }

    /// The loss of a point of the window.
    fn at(&self, point: usize) -> f64 {
        self.start + real(point as u64) * self.step
    }
}

/// Running sums over the points above a loss l, relative to e^(θl): nothing cancels, nothing overflows.
struct Sums {
    /// Σ p(m) e^(θl)(1 − e^(l−m)).
    hockey_stick: f64,
    /// Σ p(m) e^(θl) e^(l−m).
    weight: f64,
    one_less_decay: f64,
    decay: f64,
    tilt_decay: f64,
}

impl Sums {
    fn new(step: f64, tilt: f64) -> Self {
        Self {
            hockey_stick: 0.0,
            weight: 0.0,
            one_less_decay: -libm::expm1(-step),
            decay: libm::exp(-step),
            tilt_decay: libm::exp(-tilt * step),
        }
    }

    /// Goes from one point, with its `mass`, to the one below it.
    fn step_down(&mut self, mass: f64) {
        let reached = self.weight + mass;
        self.hockey_stick = (self.hockey_stick + reached * self.one_less_decay) * self.tilt_decay;
        self.weight = reached * self.decay * self.tilt_decay;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_of_a_composition_lies_between_its_bounds() {
        // A thousand fair coins: the truth is binomial, and far below the transform's rounding at most points of the window.
        const COINS: u32 = 1000;
        let fair = vec![0.5, 0.5];
        let loss = Discrete { upper: fair.clone(), lower: fair, ..Discrete::default() };
        let coins = Repeated { loss, offset: 0.0, count: u64::from(COINS) };
        for exponent in [0.0, 20.0] {
            let tilt = Tilt { exponent, log_window: 200.0 };
            let profile =
                Profile::new(core::slice::from_ref(&coins), 0.01, tilt, &mut Vec::new()).unwrap();
            let mut inside = 0;
            for heads in 0..=COINS {
                let (n, k) = (f64::from(COINS), f64::from(heads));
                let choose =
                    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
                let log_truth = choose - n * core::f64::consts::LN_2 + exponent * 0.01 * k;
                let point = libm::round(k - profile.start / 0.01);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a point of the window or beyond it"
                )]
                let at = |bound: &Bound| bound.tilted.get(point.max(0.0) as usize).copied();
                let (Some(upper), Some(lower)) = (at(&profile.upper), at(&profile.lower)) else {
                    continue;
                };
                if point < 0.0 {
                    continue;
                }
                inside += 1;
                let truth = |bound: &Bound| libm::exp(log_truth - bound.log_moment);
                assert!(
                    upper >= truth(&profile.upper) * (1.0 - 1e-9),
                    "{exponent} {heads}: {upper}"
                );
                assert!(
                    lower <= truth(&profile.lower) * (1.0 + 1e-9),
                    "{exponent} {heads}: {lower}"
                );
            }
            assert!(inside > 500, "{inside}");
        }
    }
}
