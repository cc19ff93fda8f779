//! Rényi divergences between Gaussian mixtures on the line, by quadrature with a known error.

use core::f64::consts::PI;

use crate::special::{LN_SQRT_2PI, at_least_zero, log_add, log_sum, log1p_exp};

/// Every divergence from here is rounded up by this factor, far above the rounding of its evaluation (about 10⁻¹²)...
const RELATIVE_SLACK: f64 = 1e-10;
/// ...and its moment by this much times the order, above the error of discretization and truncation (2e⁻⁶⁰ of each part).
const ABSOLUTE_SLACK: f64 = 1e-24;
/// The logarithm of the discretization error that the step is chosen for.
const LOG_ACCURACY: f64 = 60.0;
/// How far the quadrature goes beyond the outermost place where the integrand can peak.
const MARGIN: f64 = 14.0;
/// Beyond this many nodes a closed bound takes over.
const NODES_MAX: f64 = 16_384.0;

/// A mixture of unit-variance Gaussians, one of them at zero.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    at_zero: f64,
    /// Weight and shift, in standard deviations, of the other components.
    shifted: Vec<(f64, f64)>,
}

impl Mixture {
    /// The components in `side`: weights and shifts.
    pub(crate) fn of(side: &[(f64, f64)]) -> Self {
        let at_zero = side.iter().filter(|part| part.1 == 0.0).map(|part| part.0).sum();
        Self { at_zero, shifted: side.iter().copied().filter(|part| part.1 != 0.0).collect() }
    }

    /// ln of the density over the standard normal density at `x`.
    fn log_ratio(&self, x: f64) -> f64 {
        let excess = self.shifted.iter().fold(0.0, |sum, &(weight, shift)| {
            sum + weight * libm::expm1(shift * (x - 0.5 * shift))
        });
        if excess > -0.5 && excess < 1.0 {
            return libm::log1p(excess);
        }
        self.shifted.iter().fold(libm::log(self.at_zero), |sum, &(weight, shift)| {
            log_add(sum, libm::log(weight) + shift * (x - 0.5 * shift))
        })
    }

    fn range(&self) -> (f64, f64) {
        self.shifted.iter().fold((0.0, 0.0), |(low, high), &(_, shift)| {
            (f64::min(low, shift), f64::max(high, shift))
        })
    }

    /// An upper bound of the divergence, either way, between two mixtures with these weights whose components lie `factor`
    /// times as far apart as these lie from zero: joint convexity of exp((α−1)D), component by component.
    pub(crate) fn convexity_bound(&self, order: f64, factor: f64) -> f64 {
        let log_moment =
            self.shifted.iter().fold(libm::log(self.at_zero), |sum, &(weight, shift)| {
                let gap = factor * shift;
                log_add(sum, libm::log(weight) + 0.5 * order * (order - 1.0) * gap * gap)
            });
        rounded_up(at_least_zero(log_moment) / (order - 1.0), order)
    }
}

/// D_α(P‖Q), rounded up; `None` if the quadrature would take too many nodes.
///
/// With g(r) = rᵅ − 1 − α(r − 1) ≥ 0 and E_Q\[P/Q\] = 1, exp((α−1)D) − 1 = E_Q\[g(P/Q)\]: nothing cancels when the
/// divergence is tiny. The trapezoid rule errs by at most 2M/(exp(2πy/h) − 1), M the integral of |integrand| on the lines
/// Im x = ±y inside the strip of analyticity (Trefethen and Weideman 2014, theorem 5.1). There |P| grows by at most exp(y²/2)
/// and |Q| shrinks by at most cos(y·spread/2), so h follows from y. Stationary points lie in the hull of αp − (α−1)q over
/// the means p, q of the components; beyond it the integrand falls like a Gaussian.
pub(crate) fn divergence(p: &Mixture, q: &Mixture, order: f64) -> Option<f64> {
    let ((p_low, p_high), (q_low, q_high)) = (p.range(), q.range());
    let low = (order * p_low - (order - 1.0) * q_high).min(p_low).min(q_low) - MARGIN;
    let high = (order * p_high - (order - 1.0) * q_low).max(p_high).max(q_high) + MARGIN;
    let step = step(p_high - p_low, q_high - q_low, order);
    let count = libm::ceil((high - low) / step);
    if count.is_nan() || count > NODES_MAX {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and NODES_MAX"
    )]
    let count = count as u32;
    let terms: Vec<f64> = (0..=count)
        .map(|node| {
            let x = low + step * f64::from(node);
            let log_q = q.log_ratio(x);
            log_excess(order, p.log_ratio(x) - log_q) + log_q - 0.5 * x * x
        })
        .collect();
    let log_moment_less_one = log_sum(&terms) + libm::log(step) - LN_SQRT_2PI;
    Some(rounded_up(log1p_exp(log_moment_less_one) / (order - 1.0), order))
}

fn rounded_up(divergence: f64, order: f64) -> f64 {
    divergence * (1.0 + RELATIVE_SLACK) + ABSOLUTE_SLACK * order / (order - 1.0)
}

/// The widest step with discretization error below exp(−[`LOG_ACCURACY`]) of the moment.
fn step(p_spread: f64, q_spread: f64, order: f64) -> f64 {
    // cos(θ)^−(α−1) is at most exp(0.62(α−1)θ²) for θ ≤ 1; the widest step spends as much on it as on the accuracy.
    let angle = libm::sqrt(LOG_ACCURACY / (0.62 * (order - 1.0))).min(1.0);
    let height = (0.95 * PI / p_spread).min(2.0 * angle / q_spread).min(4.0);
    let penalty = if q_spread > 0.0 { 0.62 * (order - 1.0) * angle * angle } else { 0.0 };
    2.0 * PI * height / (LOG_ACCURACY + penalty + 0.5 * height * height)
}

/// ln(rᵅ − 1 − α(r − 1)) at r = eˡ, without cancellation near r = 1.
fn log_excess(order: f64, log_r: f64) -> f64 {
    let power = order * log_r;
    if power.abs() < 0.25 {
        // α(α−1) Σ_{k≥2} lᵏ/k! (1 + α + … + α^(k−2)).
        let (mut sum, mut term, mut powers) = (0.0, 0.5, 1.0);
        for k in 3..=18u32 {
            sum += term * powers;
            term *= log_r / f64::from(k);
            powers = powers * order + 1.0;
        }
        return libm::log(order * (order - 1.0) * sum) + 2.0 * libm::log(log_r.abs());
    }
    if power > 30.0 {
        let rest = order * libm::exp((1.0 - order) * log_r) - (order - 1.0) * libm::exp(-power);
        return power + libm::log1p(-rest);
    }
    libm::log(at_least_zero(libm::expm1(power) - order * libm::expm1(log_r)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appearing_dominates_disappearing() {
        for noise in [0.4, 1.0, 5.0] {
            for rate in [1e-4, 0.05, 0.6, 0.99] {
                for order in [1.01, 1.7, 4.0, 33.3] {
                    let with = Mixture::of(&[(1.0 - rate, 0.0), (rate, 1.0 / noise)]);
                    let without = Mixture::of(&[(1.0, 0.0)]);
                    let appears = divergence(&with, &without, order).unwrap();
                    let disappears = divergence(&without, &with, order).unwrap();
                    assert!(disappears <= appears * (1.0 + 1e-9), "{noise} {rate} {order}");
                    assert!(appears <= with.convexity_bound(order, 1.0) * (1.0 + 1e-9));
                }
            }
        }
    }

    #[test]
    fn the_excess_is_continuous_where_its_formula_changes() {
        for order in [1.001, 1.5, 2.0, 40.0, 1e4] {
            for power in [0.25, -0.25, 30.0] {
                let log_r = power / order;
                let (inner, outer) =
                    (log_excess(order, log_r * 0.999_999_999), log_excess(order, log_r));
                assert!((inner - outer).abs() < 1e-7, "{order} {power}: {inner} {outer}");
            }
        }
    }
}
