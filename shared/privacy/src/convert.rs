//! From Rényi divergence to (ε, δ), and the order that converts best.

use crate::special::{at_least_zero, least};
use crate::{Delta, Order, PrivacyError};

/// Smallest and largest binary logarithm of α − 1 in the scan for the best order.
const SCAN: core::ops::RangeInclusive<i32> = -6..=24;
/// Evaluations of the final search between two neighbours of the scan.
const REFINEMENT: u32 = 22;

/// ε = ρ + ln(1 − 1/α) − ln(δα)/(α − 1) ([Canonne, Kamath & Steinke 2020], proposition 12), at least 0 and rounded up.
///
/// It is 0 where the total variation is already at most δ: that is at most √(1 − e^−KL) ([Bretagnolle & Huber 1979]), and
/// KL ≤ ρ at every order above 1.
pub(crate) fn epsilon_at(rho: f64, order: Order, delta: Delta) -> f64 {
    if rho <= 0.0 || -libm::expm1(-rho) * (1.0 + 1e-14) <= delta.get() * delta.get() {
        return 0.0;
    }
    let overhead = overhead(order, delta);
    at_least_zero(rho + overhead + 1e-14 * (1.0 + rho + overhead.abs()))
}

/// What the conversion adds to ρ.
pub(crate) fn overhead(order: Order, delta: Delta) -> f64 {
    let order = order.get();
    libm::log1p(-1.0 / order) - (libm::log(delta.get()) + libm::log(order)) / (order - 1.0)
}

/// The order with the least `figure` found, and that figure. Every order is valid, so a missed minimum costs only tightness.
///
/// # Errors
///
/// The last error of `figure` if it fails at every order.
pub(crate) fn best_order(
    figure: impl Fn(Order) -> Result<f64, PrivacyError>,
) -> Result<(Order, f64), PrivacyError> {
    let mut best: Option<(i32, Order, f64)> = None;
    let mut failure = PrivacyError::NotFinite { figure: "order search" };
    for exponent in SCAN {
        let order = Order::new(1.0 + libm::exp2(f64::from(exponent)))?;
        match figure(order) {
            Ok(value) if best.is_none_or(|(_, _, least)| value < least) => {
                best = Some((exponent, order, value));
            }
            // Past the valley: the figure only grows from here.
            Ok(_) if best.is_some_and(|(at, _, _)| exponent > at + 3) => break,
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    let (exponent, order, value) = best.ok_or(failure)?;
    let at = |log: f64| Order::new(1.0 + libm::exp2(log));
    let (low, high) = (f64::from(exponent) - 1.0, f64::from(exponent) + 1.0);
    let (log, refined) =
        least(low, high, REFINEMENT, |log| at(log).and_then(&figure).unwrap_or(f64::INFINITY));
    if refined < value { Ok((at(log)?, refined)) } else { Ok((order, value)) }
}
