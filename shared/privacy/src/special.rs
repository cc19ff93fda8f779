//! The few special functions that privacy accounting needs, in log space, the same bits on every machine.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// ln √(2π).
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_7;

/// `count` as a real number. Above 2⁵³ it is rounded, by less than one part in 10¹⁵.
#[expect(
    clippy::cast_precision_loss,
    reason = "stated above; callers carry a larger safety margin"
)]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// ln(eᵃ + eᵇ).
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY || high == f64::INFINITY {
        // Infinity less infinity would be no number.
        return if a.is_nan() || b.is_nan() { f64::NAN } else { high };
    }
    high + libm::log1p(libm::exp(low - high))
}

/// The larger of `x` and 0. What is no number stays none: a bound must not vanish in `f64::max`, which passes over it.
pub(crate) const fn at_least_zero(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

/// ln Σ exp(terms), in the order of the slice; no number if a term is none.
pub(crate) fn log_sum(terms: &[f64]) -> f64 {
    if terms.iter().any(|term| term.is_nan()) {
        return f64::NAN;
    }
    let high = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !high.is_finite() {
        return high;
    }
    let sum = terms.iter().fold(0.0, |sum, term| sum + libm::exp(term - high));
    high + libm::log(sum)
}

/// ln(1 + eˣ).
pub(crate) fn log1p_exp(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

/// Mills' ratio Φ(−x)/φ(x) for x ≥ 0: by erfc near zero, by Laplace's continued fraction beyond 8.
pub(crate) fn mills(x: f64) -> f64 {
    if x < 8.0 {
        0.5 * libm::sqrt(2.0 * PI) * libm::exp(0.5 * x * x) * libm::erfc(x * FRAC_1_SQRT_2)
    } else {
        let fraction = (1..=60u32).rev().fold(x, |tail, level| x + f64::from(level) / tail);
        1.0 / fraction
    }
}

/// ln Φ(x), the logarithm of the standard normal distribution function, without underflow.
pub(crate) fn log_normal_cdf(x: f64) -> f64 {
    if x >= 0.0 {
        libm::log1p(-0.5 * libm::erfc(x * FRAC_1_SQRT_2))
    } else if x > -8.0 {
        libm::log(0.5 * libm::erfc(-x * FRAC_1_SQRT_2))
    } else {
        -0.5 * x * x - LN_SQRT_2PI + libm::log(mills(-x))
    }
}

/// The place in `[low, high]` where golden-section search, `steps` evaluations long, saw the least of `f`.
///
/// It is the minimum if `f` has one valley; callers use it only where every place is valid and the least is merely the best.
pub(crate) fn least(
    mut low: f64,
    mut high: f64,
    steps: u32,
    mut f: impl FnMut(f64) -> f64,
) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let mut left = high - RATIO * (high - low);
    let mut right = low + RATIO * (high - low);
    let mut at_left = f(left);
    let mut at_right = f(right);
    for _ in 2..steps {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - RATIO * (high - low);
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + RATIO * (high - low);
            at_right = f(right);
        }
    }
    if at_left <= at_right { (left, at_left) } else { (right, at_right) }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::LN_2;

    use super::*;

    #[test]
    fn the_normal_tail_is_continuous_where_the_formula_changes() {
        for (x, truth) in [
            (-8.0, -35.013_437_159_914_55),
            (-40.0, -804.608_442_013_753_8),
            (-1.0, -1.841_021_645_009_263_7),
            (0.0, -LN_2),
            (3.0, -1.350_809_964_748_202_5e-3),
        ] {
            assert!((log_normal_cdf(x) / truth - 1.0).abs() < 1e-12, "{x}: {}", log_normal_cdf(x));
        }
        let below = mills(8.0_f64.next_down());
        assert!((below / mills(8.0) - 1.0).abs() < 1e-13);
    }
}
