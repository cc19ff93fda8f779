//! The noise, the sampling rate or the number of releases that just keep a promise.

use crate::{
    Delta, Epsilon, Method, NoiseMultiplier, PrivacyError, PrivacyEvent, SamplingRate, epsilon_by,
};

/// The noise multipliers that are searched.
const SMALLEST_NOISE: f64 = 1e-2;
const LARGEST_NOISE: f64 = 1e7;
/// The sampling rates that are searched, up to 1.
const SMALLEST_RATE: f64 = 1e-12;
/// The most releases that are searched.
const COUNT_MAX: u64 = 1 << 40;
/// The result is at most this part away from a value that was seen to break the promise.
const TOLERANCE: f64 = 1e-4;
/// A search that has not closed by then ends at its safe side; bisection alone would need fewer.
const STEPS: u32 = 60;
/// Smaller figures count as equal for the secants, not for the promise.
const FLOOR: f64 = 1e-12;

/// The smallest noise multiplier with which `event`, whatever its own, stays within `target` at `delta`.
///
/// The returned side is the safe one: its certificate's upper bound is at most `target`, and one of a noise smaller by a part in ten
/// thousand was seen to exceed it (unless the smallest noise searched, 0.01, already suffices).
///
/// # Errors
///
/// [`PrivacyError::Unattainable`] if no noise multiplier up to 10⁷ suffices, or the certificate's own error.
pub fn calibrate_noise(
    target: Epsilon,
    delta: Delta,
    event: &PrivacyEvent,
) -> Result<NoiseMultiplier, PrivacyError> {
    let at = |noise: f64| -> Result<PrivacyEvent, PrivacyError> {
        let mechanism = event.mechanism.with_noise(NoiseMultiplier::new(noise)?);
        Ok(PrivacyEvent { mechanism, ..*event })
    };
    // Less noise costs more: the search is over its inverse.
    let range = (1.0 / LARGEST_NOISE, 1.0 / SMALLEST_NOISE);
    let inverse = greatest(range, 1.0, target, delta, |inverse| at(1.0 / inverse))?;
    NoiseMultiplier::new(1.0 / inverse)
}

/// The largest sampling rate with which `event`, whatever its own, stays within `target` at `delta`.
///
/// The returned side is the safe one, as of [`calibrate_noise`].
///
/// # Errors
///
/// [`PrivacyError::Unattainable`] if no rate down to 10⁻¹² suffices, or the certificate's own error.
pub fn calibrate_rate(
    target: Epsilon,
    delta: Delta,
    event: &PrivacyEvent,
) -> Result<SamplingRate, PrivacyError> {
    let at = |rate: f64| -> Result<PrivacyEvent, PrivacyError> {
        let mechanism = event.mechanism.with_rate(SamplingRate::new(rate.min(1.0))?);
        Ok(PrivacyEvent { mechanism, ..*event })
    };
    let rate = greatest((SMALLEST_RATE, 1.0), 0.01, target, delta, at)?;
    SamplingRate::new(rate.min(1.0))
}

/// The largest number of releases of `event`'s mechanism that stay within `target` at `delta`; at most 2⁴⁰.
///
/// # Errors
///
/// The certificate's own error.
pub fn calibrate_count(
    target: Epsilon,
    delta: Delta,
    event: &PrivacyEvent,
) -> Result<u64, PrivacyError> {
    let within = |method, count| {
        Ok(upper(method, &PrivacyEvent { count, ..*event }, delta)? <= target.get())
    };
    // What Rényi divergences allow is allowed, and near: from there on by the certificate.
    let (mut good, _) = last(0, COUNT_MAX, |count| within(Method::Rdp, count))?;
    let mut stride = good / 16 + 1;
    while good < COUNT_MAX && within(Method::Pld, good + stride)? {
        good += stride;
        stride *= 2;
    }
    Ok(last(good, good + stride, |count| within(Method::Pld, count))?.0)
}

/// The last number from `good` on, and the first after it, where `holds` turns from true to false; `bad` if it holds throughout.
fn last(
    mut good: u64,
    mut bad: u64,
    holds: impl Fn(u64) -> Result<bool, PrivacyError>,
) -> Result<(u64, u64), PrivacyError> {
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(middle)? { good = middle } else { bad = middle }
    }
    Ok((good, bad))
}

/// The greatest parameter in `range`, from `start` outward, whose event stays within `target`. The figure rises with it.
fn greatest(
    (smallest, largest): (f64, f64),
    start: f64,
    target: Epsilon,
    delta: Delta,
    event: impl Fn(f64) -> Result<PrivacyEvent, PrivacyError>,
) -> Result<f64, PrivacyError> {
    let excess = |method, log: f64| -> Result<f64, PrivacyError> {
        let figure = match upper(method, &event(libm::exp(log))?, delta) {
            Ok(figure) => figure,
            // An overflow at little noise means "far too little", not a failure of the search.
            Err(PrivacyError::NotFinite { .. }) => f64::MAX,
            Err(error) => return Err(error),
        };
        // On logarithmic scales the figure is nearly straight. Its sign alone decides, and 0 counts as enough.
        let excess = libm::log(figure.max(FLOOR)) - libm::log(target.get().max(FLOOR));
        Ok(if figure <= target.get() { excess.min(0.0) } else { excess.max(f64::MIN_POSITIVE) })
    };
    let range = (libm::log(smallest), libm::log(largest));
    let unattainable = PrivacyError::Unattainable { target: target.get(), delta: delta.get() };
    // By Rényi divergences first, which is quick; a certificate is never above, so what they allow is the safe end.
    let by_rdp = |log| excess(Method::Rdp, log);
    let rough = closed(bracket(range, libm::log(start), 1.0, by_rdp)?, by_rdp)?;
    let by_pld = |log| excess(Method::Pld, log);
    let start = rough.ok_or(unattainable)?;
    closed(bracket(range, start, 0.02, by_pld)?, by_pld)?.map(libm::exp).ok_or(unattainable)
}

/// Two ends, and the excess there: the first is within the promise if any is, the second is not unless all are.
#[derive(Clone, Copy)]
struct Bracket {
    good: Option<(f64, f64)>,
    bad: Option<(f64, f64)>,
}

/// The ends of a step in which the excess becomes positive, from `start` outward by growing paces.
fn bracket(
    (low, high): (f64, f64),
    start: f64,
    mut pace: f64,
    excess: impl Fn(f64) -> Result<f64, PrivacyError>,
) -> Result<Bracket, PrivacyError> {
    let mut found = Bracket { good: None, bad: None };
    let mut at = start.clamp(low, high);
    loop {
        let value = excess(at)?;
        if value <= 0.0 {
            found.good = Some((at, value));
        } else {
            found.bad = Some((at, value));
        }
        let next = match found {
            Bracket { good: Some(_), bad: Some(_) } => return Ok(found),
            Bracket { bad: None, .. } => (at + pace).min(high),
            Bracket { .. } => (at - pace).max(low),
        };
        if (next - at).abs() <= 0.0 {
            return Ok(found);
        }
        at = next;
        pace *= 2.0;
    }
}

/// The good end of a bracket once it is narrow.
fn closed(
    Bracket { good, bad }: Bracket,
    excess: impl Fn(f64) -> Result<f64, PrivacyError>,
) -> Result<Option<f64>, PrivacyError> {
    let (Some((mut good, mut at_good)), Some((mut bad, mut at_bad))) = (good, bad) else {
        return Ok(good.map(|(at, _)| at));
    };
    for step in 0..STEPS {
        if (bad - good).abs() <= TOLERANCE {
            break;
        }
        // The secant's root, moved to either side in turn so that both ends close in; every third step halves.
        let root = good + (bad - good) * at_good / (at_good - at_bad);
        let nudge = 0.4 * TOLERANCE * if step % 2 == 0 { 1.0 } else { -1.0 };
        let guess = root + nudge;
        let inside = guess > good.min(bad) && guess < good.max(bad);
        let at = if inside && step % 3 != 2 { guess } else { 0.5 * (good + bad) };
        let value = excess(at)?;
        if value <= 0.0 { (good, at_good) = (at, value) } else { (bad, at_bad) = (at, value) }
    }
    Ok(Some(good))
}

fn upper(method: Method, event: &PrivacyEvent, delta: Delta) -> Result<f64, PrivacyError> {
    Ok(epsilon_by(method, core::slice::from_ref(event), delta)?.epsilon_upper)
}
