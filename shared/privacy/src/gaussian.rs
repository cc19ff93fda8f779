//! The Gaussian mechanism exactly, without sampling ([Balle & Wang 2018]).

use crate::special::{LN_SQRT_2PI, log_normal_cdf, log1m_exp, mills};
use crate::{Delta, Epsilon, NoiseMultiplier, PrivacyError};

/// Bisections between neighbours of a bracket: enough for the last bit.
const BISECTIONS: u32 = 200;

/// The smallest δ of one Gaussian release of sensitivity 1 at `epsilon`:
/// Φ(1/2σ − εσ) − e^ε Φ(−1/2σ − εσ) ([Balle & Wang 2018], theorem 8).
///
/// T releases of one σ are a single one of σ/√T. Underflow to 0 begins below δ = 10⁻³⁰⁷.
pub fn analytic_gaussian_delta(noise: NoiseMultiplier, epsilon: Epsilon) -> f64 {
    libm::exp(log_delta(1.0 / noise.get(), epsilon.get()))
}

/// The smallest ε of one Gaussian release of sensitivity 1 at `delta`, on the safe side of the last few bits.
pub fn analytic_gaussian_epsilon(noise: NoiseMultiplier, delta: Delta) -> f64 {
    let (mu, target) = (1.0 / noise.get(), libm::log(delta.get()));
    if log_delta(mu, 0.0) <= target {
        return 0.0;
    }
    let mut high = 1.0;
    while log_delta(mu, high) > target && high < f64::MAX {
        high *= 2.0;
    }
    bisect(0.0, high, |epsilon| log_delta(mu, epsilon) > target).1
}

/// The smallest noise multiplier with which one Gaussian release of sensitivity 1 is (ε, δ)-private.
///
/// # Errors
///
/// [`PrivacyError::OutOfRange`] if no finite noise does it.
pub fn analytic_gaussian_sigma(
    epsilon: Epsilon,
    delta: Delta,
) -> Result<NoiseMultiplier, PrivacyError> {
    NoiseMultiplier::new((1.0 / gaussian_mu(epsilon, delta)).next_up())
}

/// The μ of Gaussian differential privacy that (ε, δ) buys: the largest ratio of sensitivity to noise that is (ε, δ)-private.
///
/// ```
/// use privacy::{Delta, Epsilon, gaussian_mu};
/// let mu = gaussian_mu(Epsilon::new(3.0)?, Delta::new(1e-6)?);
/// assert!((mu - 0.6477).abs() < 1e-4);
/// # Ok::<(), privacy::PrivacyError>(())
/// ```
pub fn gaussian_mu(epsilon: Epsilon, delta: Delta) -> f64 {
    let target = libm::log(delta.get());
    let mut high = 1.0;
    while log_delta(high, epsilon.get()) <= target && high < 1e150 {
        high *= 2.0;
    }
    bisect(0.0, high, |mu| log_delta(mu, epsilon.get()) <= target).0
}

/// ln δ of N(μ, 1) against N(0, 1) at ε. With a, b = ε/μ ∓ μ/2, φ(a) = e^ε φ(b), so δ = φ(a)(M(a) − M(b)) with M = Φ(−·)/φ.
fn log_delta(mu: f64, epsilon: f64) -> f64 {
    let (a, b) = (epsilon / mu - 0.5 * mu, epsilon / mu + 0.5 * mu);
    if mu <= 0.0 || a.is_nan() || a.is_infinite() {
        return f64::NEG_INFINITY;
    }
    if a >= 0.0 {
        let gap = mills(a) - mills(b);
        return -0.5 * a * a - LN_SQRT_2PI + libm::log(gap.max(0.0));
    }
    let (first, second) = (log_normal_cdf(-a), epsilon + log_normal_cdf(-b));
    if first > second { first + log1m_exp(second - first) } else { f64::NEG_INFINITY }
}

/// The neighbours between which `below` turns from true (at `low`) to false (at `high`).
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> (f64, f64) {
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, high)
}
