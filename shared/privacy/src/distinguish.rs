//! A lower bound on ε: a test that tells two neighbouring data sets apart.

use crate::special::{least, log_add, log_normal_cdf, log_sum, real};
use crate::{Delta, PrivacyEvent, TaskChange};

/// The test watches at most this many releases; watching fewer is still a valid test.
const RELEASES_MAX: u64 = 100_000;
/// Counts with a smaller logarithm of probability than the mode's by this much are dropped, on the safe side.
const LOG_WINDOW: f64 = 90.0;
/// Probabilities are moved to the safe side by this part: far more than the rounding of their evaluation.
const SAFETY: f64 = 1e-9;
/// Thresholds scanned, and evaluations of the search around the best of them.
const SCAN: u32 = 48;
const REFINEMENT: u32 = 18;

/// An ε below which `event` is not (ε, δ)-private: at least 0, and 0 when the test finds nothing.
///
/// The neighbours: one changing task whose contribution is the unit vector u, against no task (`Appears`) or −u (content
/// changes); two such tasks for two contents. The test adds up ⟨u, release⟩ and compares with a threshold t, so
/// ε ≥ ln((P(S > t) − δ)/Q(S > t)). The shift is binomial, the noise Gaussian; one release and all of them are both tried.
pub(crate) fn epsilon_lower(event: &PrivacyEvent, delta: Delta) -> f64 {
    let watched = event.count.min(RELEASES_MAX);
    [1, watched]
        .into_iter()
        .filter(|&releases| releases > 0 && releases <= watched)
        .map(|releases| Sums::new(event, releases).epsilon(delta))
        .fold(0.0, f64::max)
}

/// The distribution of the sum over some releases, in standard deviations of the noise.
struct Sums {
    /// ln probability and shift of each number of draws of the changing tasks, dropped ones left out.
    shifts: Vec<(f64, f64)>,
    /// ln of a bound on the probability of the dropped ones.
    log_dropped: f64,
    /// The other side moves by the opposite shift, or not at all.
    antipodal: bool,
}

impl Sums {
    fn new(event: &PrivacyEvent, releases: u64) -> Self {
        let noise = event.mechanism.noise_multiplier().get() * libm::sqrt(real(releases));
        let rate = event.mechanism.sampling_rate().get();
        let (tasks, antipodal) = match event.change {
            TaskChange::Appears => (1, false),
            TaskChange::ContentChanges => (1, true),
            TaskChange::TwoContentsChange => (2, true),
        };
        let (weights, log_dropped) = binomial(releases * tasks, rate);
        let shifts = weights.into_iter().map(|(draws, weight)| (weight, real(draws) / noise));
        Self { shifts: shifts.collect(), log_dropped, antipodal }
    }

    /// The best ε over thresholds, in both directions unless they mirror one another.
    fn epsilon(&self, delta: Delta) -> f64 {
        let high = self.shifts.iter().fold(0.0, |high, &(_, shift)| f64::max(high, shift)) + 12.0;
        let forward = best(-12.0, high, |t| self.forward(t, delta));
        if self.antipodal {
            forward
        } else {
            forward.max(best(-40.0, 12.0, |t| self.backward(t, delta)))
        }
    }

    /// The test S > t with the shifted side as P.
    fn forward(&self, t: f64, delta: Delta) -> f64 {
        let p = self.log_mix(|shift| log_normal_cdf(shift - t));
        let q = if self.antipodal {
            log_add(self.log_mix(|shift| log_normal_cdf(-shift - t)), self.log_dropped)
        } else {
            log_normal_cdf(-t)
        };
        log_odds(p, q, delta)
    }

    /// The test S < t with the side that does not move as P.
    fn backward(&self, t: f64, delta: Delta) -> f64 {
        let q = log_add(self.log_mix(|shift| log_normal_cdf(t - shift)), self.log_dropped);
        log_odds(log_normal_cdf(t), q, delta)
    }

    fn log_mix(&self, log_probability: impl Fn(f64) -> f64) -> f64 {
        let terms: Vec<f64> =
            self.shifts.iter().map(|&(weight, shift)| weight + log_probability(shift)).collect();
        log_sum(&terms)
    }
}

/// ln((P − δ)/Q), each probability moved to the safe side.
fn log_odds(log_p: f64, log_q: f64, delta: Delta) -> f64 {
    let excess = libm::exp(log_p) * (1.0 - SAFETY) - delta.get();
    if excess <= 0.0 || !log_q.is_finite() {
        return 0.0;
    }
    (libm::log(excess * (1.0 - SAFETY)) - log_q - SAFETY * (1.0 - log_q)).max(0.0)
}

fn best(low: f64, high: f64, figure: impl Fn(f64) -> f64) -> f64 {
    let pace = (high - low) / f64::from(SCAN);
    let (place, found) = (0..=SCAN)
        .map(|index| low + pace * f64::from(index))
        .map(|t| (t, figure(t)))
        .fold((low, 0.0), |best, next| if next.1 > best.1 { next } else { best });
    let (_, refined) = least(place - pace, place + pace, REFINEMENT, |t| -figure(t));
    f64::max(found, -refined)
}

/// ln probabilities of Binomial(`trials`, `rate`) around its mode, and ln of a bound on those left out.
///
/// Ratios of neighbours are multiplied up from the mode and normalized by their sum, so no factorial is needed. The
/// probabilities fall from the mode, so each one left out is at most e^−[`LOG_WINDOW`] of it.
fn binomial(trials: u64, rate: f64) -> (Vec<(u64, f64)>, f64) {
    if rate >= 1.0 {
        return (vec![(trials, 0.0)], f64::NEG_INFINITY);
    }
    let log_odds = libm::log(rate) - libm::log1p(-rate);
    let rise = |draws: u64| log_odds + libm::log(real(trials - draws) / real(draws + 1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and trials"
    )]
    let mode = (libm::floor(real(trials + 1) * rate) as u64).min(trials);
    let mut weights = vec![(mode, 0.0)];
    let mut weight = 0.0;
    for draws in mode..trials {
        weight += rise(draws);
        if weight < -LOG_WINDOW {
            break;
        }
        weights.push((draws + 1, weight));
    }
    weight = 0.0;
    for draws in (0..mode).rev() {
        weight -= rise(draws);
        if weight < -LOG_WINDOW {
            break;
        }
        weights.push((draws, weight));
    }
    let logs: Vec<f64> = weights.iter().map(|&(_, weight)| weight).collect();
    let total = log_sum(&logs);
    for (_, weight) in &mut weights {
        *weight -= total;
    }
    (weights, libm::log(real(trials)) - LOG_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_probabilities_are_those_of_small_cases() {
        let (weights, _) = binomial(3, 0.25);
        let of = |draws| weights.iter().find(|w| w.0 == draws).map(|w| libm::exp(w.1)).unwrap();
        assert!((of(0) - 27.0 / 64.0).abs() < 1e-14);
        assert!((of(3) - 1.0 / 64.0).abs() < 1e-14);
    }
}
