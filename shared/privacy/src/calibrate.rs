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
/// Smaller figures are equal to the search's secants, not to its promise.
const FLOOR: f64 = 1e-12;
/// A guess is moved by this much, up and down in turn, so that both ends of the bracket close in.
const NUDGE: f64 = 2e-7;
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
        // On a logarithmic scale the figure is nearly straight. Its sign alone decides, and 0 counts as enough.
        let excess = libm::log(upper.max(FLOOR)) - libm::log(target.get().max(FLOOR));
        Ok(if upper <= target.get() { excess.min(0.0) } else { excess.max(f64::MIN_POSITIVE) })
    };
    let (smallest, largest) = (libm::log(SMALLEST), libm::log(LARGEST));
    if count == 0 {
        return NoiseMultiplier::new(SMALLEST);
    }
    // From noise 1 outward by factors of e, until too little at `low` and enough at `high`; that stays true below.
    let (mut low, mut high) = (0.0, 0.0);
    let at_one = excess(0.0)?;
    let (mut at_low, mut at_high) = (at_one, at_one);
    while at_high > 0.0 {
        (low, at_low) = (high, at_high);
        if high >= largest {
            return Err(PrivacyError::Unattainable {
                target: target.get(),
                delta: delta.get(),
                largest: LARGEST,
            });
        }
        high = (high + 1.0).min(largest);
        at_high = excess(high)?;
    }
    while at_low <= 0.0 {
        (high, at_high) = (low, at_low);
        if low <= smallest {
            return NoiseMultiplier::new(libm::exp(low));
        }
        low = (low - 1.0).max(smallest);
        at_low = excess(low)?;
    }
    let (mut last, mut before) = ((high, at_high), (low, at_low));
    for step in 0..STEPS {
        if high - low <= TOLERANCE {
            break;
        }
        let middle = 0.5 * (low + high);
        let guess = secant(last, before) + if step % 2 == 0 { NUDGE } else { -NUDGE };
        let inside = guess > low && guess < high;
        let place = if inside && step % 4 != 3 { guess } else { middle };
        let found = excess(place)?;
        if found <= 0.0 {
            high = place;
        } else {
            low = place;
        }
        (before, last) = (last, (place, found));
    }
    NoiseMultiplier::new(libm::exp(high))
}

/// Where the line through two points is zero; not a number if it is level.
fn secant((x, at_x): (f64, f64), (y, at_y): (f64, f64)) -> f64 {
    x - at_x * (x - y) / (at_x - at_y)
}
