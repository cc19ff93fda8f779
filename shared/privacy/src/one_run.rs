//! What one run of a mechanism proves about its ε: an empirical lower bound.

use crate::special::real;
use crate::{Delta, PrivacyError};

/// ε beyond this is not told apart.
const EPSILON_MAX: f64 = 60.0;
/// Bisections of the search: more than enough for the last bit.
const STEPS: u32 = 60;
/// The part by which a tail is rounded up: above the rounding of logarithmic gamma functions of numbers up to 10⁸.
const ROUNDING: f64 = 1e-6;

/// The largest ε that one run refutes at `confidence`, or 0: a mechanism that is (ε, `delta`)-private for any smaller ε lets an
/// auditor guess so well with probability at most 1 − `confidence`.
///
/// Each of `canaries` takes part by a fair coin of its own; from what the mechanism releases, the auditor guesses the coins of
/// `guesses` of them, abstains on the others, and is right `correct` times. With q = e^ε/(1+e^ε) and X of Binomial(`guesses`, q), the
/// probability of that is at most P(X ≥ v) + 2mδ · max over i of P(v > X ≥ v−i)/i ([Steinke, Nasr & Jagielski 2023], theorem 5.2;
/// the paper was not read again for this text, its published code agrees).
///
/// It is a bound from below with an error rate, never a guarantee: with all guesses right it is at most ln(p/(1−p)) for
/// p = (1−confidence)^(1/guesses).
///
/// ```
/// use privacy::{Delta, one_run_epsilon};
/// let found = one_run_epsilon(1000, 100, 100, Delta::new(1e-5)?, 0.95)?;
/// assert!((found - 3.465).abs() < 1e-3);
/// # Ok::<(), privacy::PrivacyError>(())
/// ```
///
/// # Errors
///
/// [`PrivacyError::OutOfRange`] unless `correct` ≤ `guesses` ≤ `canaries` and `confidence` lies between 0 and 1.
pub fn one_run_epsilon(
    canaries: u64,
    guesses: u64,
    correct: u64,
    delta: Delta,
    confidence: f64,
) -> Result<f64, PrivacyError> {
    let refuse = |quantity, expected, value| PrivacyError::OutOfRange { quantity, expected, value };
    if correct > guesses {
        return Err(refuse("number of correct guesses", "at most the guesses", real(correct)));
    }
    if guesses > canaries {
        return Err(refuse("number of guesses", "at most the canaries", real(guesses)));
    }
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(refuse("confidence", "above 0 and below 1", confidence));
    }
    let is_refuted = |epsilon: f64| {
        probability(canaries, guesses, correct, delta.get(), epsilon) <= 1.0 - confidence
    };
    if !is_refuted(0.0) {
        return Ok(0.0);
    }
    let (mut low, mut high) = (0.0, EPSILON_MAX);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if is_refuted(middle) { low = middle } else { high = middle }
    }
    Ok(low)
}

/// An upper bound on the probability of so many correct guesses under (`epsilon`, `delta`)-privacy.
fn probability(canaries: u64, guesses: u64, correct: u64, delta: f64, epsilon: f64) -> f64 {
    let log_right = -libm::log1p(libm::exp(-epsilon));
    let log_wrong = -epsilon + log_right;
    let n = real(guesses);
    let log_factorial = libm::lgamma(n + 1.0);
    let mass = |k: u64| {
        let k = real(k);
        let choose = log_factorial - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
        libm::exp(choose + k * log_right + (n - k) * log_wrong)
    };
    // From the smallest terms of the tail up.
    let tail = (correct..=guesses).rev().fold(0.0, |sum, k| sum + mass(k));
    let (mut below, mut steepest) = (0.0, 0.0_f64);
    for back in 1..=correct {
        below += mass(correct - back);
        steepest = steepest.max(below / real(back));
    }
    (tail + 2.0 * real(canaries) * delta * steepest) * (1.0 + ROUNDING)
}
