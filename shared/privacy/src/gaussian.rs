//! The Gaussian mechanism exactly, without sampling ([Balle & Wang 2018]).

use crate::special::{LN_SQRT_2PI, log_normal_cdf, mills};
use crate::{Delta, Epsilon, NoiseMultiplier, PrivacyError};

/// Bisections between neighbours of a bracket: enough for the last bit.
const BISECTIONS: u32 = 200;
/// Rounding of Mills' ratio and of the normal distribution function, relative; several times what was seen.
const FUNCTION: f64 = 2e-13;
/// Rounding of a shift that was composed, relative.
const SHIFT: f64 = 4e-15;

/// The smallest δ of one Gaussian release of sensitivity 1 at `epsilon`:
/// Φ(1/2σ − εσ) − e^ε Φ(−1/2σ − εσ) ([Balle & Wang 2018], theorem 8).
///
/// T releases of one σ are a single one of σ/√T. Underflow to 0 begins below δ = 10⁻³⁰⁷.
pub fn analytic_gaussian_delta(noise: NoiseMultiplier, epsilon: Epsilon) -> f64 {
    let (low, high) = log_delta(1.0 / noise.get(), epsilon.get());
    0.5 * (libm::exp(low) + libm::exp(high))
}

/// The smallest ε of one Gaussian release of sensitivity 1 at `delta`, on the safe side of the last few bits.
pub fn analytic_gaussian_epsilon(noise: NoiseMultiplier, delta: Delta) -> f64 {
    epsilon_bounds(1.0 / noise.get(), delta.get()).1
}

/// ε of one Gaussian release that moves by `mu` standard deviations: not above, and not below the truth.
pub(crate) fn epsilon_bounds(mu: f64, delta: f64) -> (f64, f64) {
    let target = libm::log(delta);
    let rounding = 2.0 * f64::EPSILON * target.abs();
    let least_with = |exceeds: &dyn Fn(f64) -> bool| {
        if !exceeds(0.0) {
            return (0.0, 0.0);
        }
        let mut high = 1.0;
        while exceeds(high) && high < f64::MAX {
            high *= 2.0;
        }
        bisect(0.0, high, exceeds)
    };
    let lower = least_with(&|epsilon| log_delta(mu, epsilon).0 > target + rounding).0;
    let upper = least_with(&|epsilon| log_delta(mu, epsilon).1 > target - rounding).1;
    (lower, upper)
}

/// δ of the same at `epsilon`: not above, and not below the truth.
pub(crate) fn delta_bounds(mu: f64, epsilon: f64) -> (f64, f64) {
    let (low, high) = log_delta(mu, epsilon);
    // What underflows is not nothing.
    let upper = (libm::exp(high) * (1.0 + 1e-12)).clamp(f64::MIN_POSITIVE, 1.0);
    (libm::exp(low) * (1.0 - 1e-12), upper)
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
    while log_delta(high, epsilon.get()).1 <= target && high < 1e150 {
        high *= 2.0;
    }
    bisect(0.0, high, |mu| log_delta(mu, epsilon.get()).1 <= target).0
}

/// ln δ of N(μ, 1) against N(0, 1) at ε, between bounds on its rounding.
///
/// With a, b = ε/μ ∓ μ/2, φ(a) = e^ε φ(b), so δ = Φ(−a) − φ(a)M(b) = φ(a)(M(a) − M(b)) with M = Φ(−·)/φ. The derivatives of Φ, of M
/// for b ≥ 0 and a ≥ 0, and of φ are below 1 in size, so the rounding of a and b and that of μ move δ/φ(a), or δ, by at most as much.
fn log_delta(mu: f64, epsilon: f64) -> (f64, f64) {
    const NOTHING: (f64, f64) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let (a, b) = (epsilon / mu - 0.5 * mu, epsilon / mu + 0.5 * mu);
    if mu <= 0.0 || a.is_nan() || a.is_infinite() {
        return NOTHING;
    }
    let moved = 4.0 * f64::EPSILON * (epsilon / mu + 0.5 * mu) + SHIFT * mu;
    let log_density = -0.5 * a * a - LN_SQRT_2PI;
    if a >= 0.0 {
        let (near, far) = (mills(a), mills(b));
        let (gap, error) = (near - far, FUNCTION * (near + far) + 2.0 * moved);
        let slack = moved * (a + 1.0) + 4.0 * f64::EPSILON * a * a;
        let low = libm::log((gap - error).max(0.0));
        return (log_density + low - slack, log_density + libm::log(gap + error) + slack);
    }
    let first = libm::exp(log_normal_cdf(-a));
    let second = libm::exp(log_density) * mills(b);
    let (gap, error) = (first - second, FUNCTION * (first + second) + 2.0 * moved);
    (libm::log((gap - error).max(0.0)), libm::log((gap + error).min(1.0)))
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
