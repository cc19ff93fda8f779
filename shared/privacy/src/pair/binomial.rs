//! Tails of the binomial distribution between two bounds.

use crate::special::real;

/// The most terms that are summed; the rest of a tail is bounded by a geometric series.
const TERMS_MAX: u32 = 1 << 20;
/// Terms below this part of the sum before them are bounded like that too.
const SMALL: f64 = 1e-18;

/// A probability between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Probability {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// P(X ≥ `least`) for X of Binomial(`trials`, `rate`).
///
/// The tail beyond the mean is summed from its greatest term on; that below it is what the other tail leaves, so nothing under- or
/// overflows on the way to a probability near 1.
pub(super) fn tail(trials: u64, rate: f64, least: u64) -> Probability {
    if least > trials {
        return Probability { lower: 0.0, upper: 0.0 };
    }
    if least == 0 || rate >= 1.0 {
        return Probability { lower: 1.0, upper: 1.0 };
    }
    if real(least) > (real(trials) + 1.0) * rate {
        return far_tail(trials, rate, least);
    }
    // P(X ≥ least) = 1 − P(trials − X ≥ trials − least + 1).
    let other = far_tail(trials, 1.0 - rate, trials - least + 1);
    Probability {
        lower: (1.0 - other.upper - f64::EPSILON).max(0.0),
        upper: (1.0 - other.lower + f64::EPSILON).min(1.0),
    }
}

/// The same for a `least` beyond the mean, from which on the terms fall.
fn far_tail(trials: u64, rate: f64, least: u64) -> Probability {
    let (n, k) = (real(trials), real(least));
    let log_first = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
        + k * libm::log(rate)
        + (n - k) * libm::log1p(-rate);
    // The logarithms are as large as lgamma(n + 1), a rate that was subtracted from 1 moves them by a part in 10^16 a trial, and a
    // term is known up to the rounding of the ratios before it.
    let error = 1e-14 * (100.0 + libm::lgamma(n + 1.0));
    if error.is_nan() || error >= 0.5 {
        return Probability { lower: 0.0, upper: 1.0 };
    }
    let odds = rate / (1.0 - rate);
    let (mut term, mut sum, mut drawn) = (1.0, 0.0, least);
    for _ in 0..TERMS_MAX {
        sum += term;
        if drawn == trials || term < sum * SMALL {
            break;
        }
        term *= odds * real(trials - drawn) / real(drawn + 1);
        drawn += 1;
    }
    // The ratio of neighbours falls, so what was not summed is at most a geometric series; where it does not fall yet, all there is.
    let ratio = odds * real(trials - drawn) / real(drawn + 1);
    let rest =
        if drawn == trials { 0.0 } else { term * ratio / (1.0 - ratio).max(f64::MIN_POSITIVE) };
    let first = libm::exp(log_first);
    let lower = (first * sum * (1.0 - 2.0 * error)).clamp(0.0, 1.0);
    // What underflows is not nothing.
    let upper = (first * (sum + rest) * (1.0 + 2.0 * error)).clamp(f64::MIN_POSITIVE, 1.0);
    Probability { lower, upper: if upper.is_nan() { 1.0 } else { upper } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Pascal's rule: all sums of positive numbers.
    fn exact(trials: u64, rate: f64, least: u64) -> f64 {
        let mut masses = vec![1.0];
        for _ in 0..trials {
            let stays = masses.iter().map(|mass| mass * (1.0 - rate)).chain([0.0]);
            let rises = [0.0].into_iter().chain(masses.iter().map(|mass| mass * rate));
            masses = stays.zip(rises).map(|(stays, rises)| stays + rises).collect();
        }
        masses.iter().skip(usize::try_from(least).unwrap()).rev().sum::<f64>()
    }

    #[test]
    fn tails_hold_the_probability_on_both_sides_of_the_mean() {
        for trials in [1, 2, 9, 60, 499, 1500] {
            for rate in [1e-6, 0.01, 0.3, 0.5, 0.9, 0.999_999] {
                for least in (0..=trials + 1).step_by(1 + usize::try_from(trials / 23).unwrap()) {
                    let (found, truth) = (tail(trials, rate, least), exact(trials, rate, least));
                    // Pascal's rule loses what underflows on the way.
                    if truth < 1e-250 {
                        assert!(found.upper < 1e-240 && found.upper > 0.0 || least > trials);
                        continue;
                    }
                    assert!(found.lower <= truth * (1.0 + 1e-12), "{trials} {rate} {least}");
                    assert!(truth * (1.0 - 1e-12) <= found.upper, "{trials} {rate} {least}");
                    let near = found.upper - found.lower <= 1e-9 * found.upper + 1e-15;
                    assert!(near, "{trials} {rate} {least}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_batch_that_is_surely_full_is_full() {
        for (trials, rate, least) in [(36_000, 0.5, 14_400), (99_999, 0.1, 5000), (500, 0.9, 50)] {
            assert!(tail(trials, rate, least).lower > 0.999_999, "{trials}");
        }
    }

    #[test]
    fn numbers_of_any_size_are_answered() {
        for trials in [u64::MAX - 1, 1 << 62, 1 << 53, 1 << 40] {
            for least in [1, trials / 2, trials] {
                for rate in [1e-300, 1e-9, 0.5, 1.0 - 1e-9] {
                    let found = tail(trials, rate, least);
                    assert!(0.0 <= found.lower && found.lower <= found.upper && found.upper <= 1.0);
                }
            }
        }
    }
}
