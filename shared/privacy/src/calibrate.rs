//! The least noise that keeps a promise.

use crate::certificate::epsilon_upper;
use crate::{
    Delta, Epsilon, Mechanism, NoiseMultiplier, PrivacyError, PrivacyEvent, SamplingRate,
    TaskChange,
};

/// The noise multipliers that are searched.
const SMALLEST: f64 = 1e-2;
const LARGEST: f64 = 1e7;
/// The result is at most this part above the boundary.
const TOLERANCE: f64 = 5e-7;
/// A search that has not closed by then falls back on its safe end; bisection alone would need 45.
const STEPS: u32 = 80;

/// The smallest noise multiplier with which `count` releases at `rate` stay within `target` at `delta`.
///
/// The returned side is the safe one: its certificate's upper bound is at most `target`, and a noise smaller by one part in a
/// million exceeds it (unless the smallest noise searched, 0.01, already suffices).
///
/// # Errors
///
/// [`PrivacyError::Unattainable`] if no noise multiplier up to 10⁷ suffices.
pub fn calibrate_noise(
    target: Epsilon,
    delta: Delta,
    rate: SamplingRate,
    count: u64,
    change: TaskChange,
) -> Result<NoiseMultiplier, PrivacyError> {
    let excess = |log_noise: f64| -> Result<f64, PrivacyError> {
        let noise_multiplier = NoiseMultiplier::new(libm::exp(log_noise))?;
        let mechanism = Mechanism::PoissonGaussian { noise_multiplier, sampling_rate: rate };
        // An overflow at little noise means "far too little", not a failure of the search.
        let upper = epsilon_upper(&[PrivacyEvent { mechanism, change, count }], delta)
            .map_or(f64::MAX, |(_, epsilon)| epsilon);
        Ok(libm::log(upper) - libm::log(target.get()))
    };
    let unattainable =
        PrivacyError::Unattainable { target: target.get(), delta: delta.get(), largest: LARGEST };
    let (mut low, mut high) = (libm::log(SMALLEST), libm::log(LARGEST));
    if count == 0 || excess(low)? <= 0.0 {
        return NoiseMultiplier::new(libm::exp(low));
    }
    // Double the noise from 1 until it suffices, so that the search starts in the valley.
    let mut probe = 0.0;
    let mut at_high = excess(probe)?;
    while at_high > 0.0 {
        low = probe;
        if probe >= high {
            return Err(unattainable);
        }
        probe = (probe + 1.0).min(high);
        at_high = excess(probe)?;
    }
    high = probe;
    // Invariant: too little noise at `low`, enough at `high`.
    let mut at_low = excess(low)?;
    for step in 0..STEPS {
        if high - low <= TOLERANCE {
            break;
        }
        let middle = next_guess((low, at_low), (high, at_high), step);
        let found = excess(middle)?;
        if found <= 0.0 {
            (high, at_high) = (middle, found);
        } else {
            (low, at_low) = (middle, found);
        }
    }
    NoiseMultiplier::new(libm::exp(high))
}

/// The secant's guess moved by a fraction of the tolerance to either side in turn, so that both ends close in; every third
/// guess is the middle.
fn next_guess((low, at_low): (f64, f64), (high, at_high): (f64, f64), step: u32) -> f64 {
    let middle = 0.5 * (low + high);
    let secant = high - at_high * (high - low) / (at_high - at_low);
    let nudge = if step.is_multiple_of(3) { 0.4 * TOLERANCE } else { -0.4 * TOLERANCE };
    let guess = secant + nudge;
    let inside = guess > low && guess < high;
    if inside && step % 3 != 2 { guess } else { middle }
}
