//! Rényi differential privacy of one release, for every way in which a unit can change the tasks.

use crate::pair::{Line, Noise, Part, parts};
use crate::pld::{Cells, Direction, Mesh};
use crate::renyi::{Mixture, divergence};
use crate::special::{at_least_zero, log_add, log_sum, real};
use crate::{Order, PrivacyError, PrivacyEvent};

/// Points of the mesh that the divergence of Laplace noise is bounded on.
const LAPLACE_POINTS: f64 = 512.0;

/// The Rényi divergence of one run of the event's mechanism, its `count` left aside, at `order`: an upper bound, rounded up.
///
/// With z the noise multiplier, q the sampling rate, R = N(0, z²) and P = (1−q)R + qN(1, z²):
///
/// - *a task appears*: D_α(P‖R), which dominates both directions ([Mironov, Talwar & Zhang 2019], theorem 5);
/// - *its content changes*: D_α(P‖P′) with P′ the mirror image of P, which dominates in any dimension (docs/privacy.md);
/// - *two contents change*, and *a unit has k tasks*: the same with Binomial(2, q) or Binomial(k, q) tasks on each side.
///
/// At q = 1 they are exact: s²α/2z² with s the sensitivity.
///
/// ```
/// use privacy::*;
/// let mechanism = Mechanism::Gaussian { noise_multiplier: NoiseMultiplier::new(2.0)? };
/// let event = PrivacyEvent { mechanism, change: TaskChange::ContentChanges, count: 1 };
/// assert!((rdp(&event, Order::new(8.0)?)? - 4.0 * 8.0 / 8.0).abs() < 1e-9);
/// # Ok::<(), PrivacyError>(())
/// ```
///
/// # Errors
///
/// [`PrivacyError::NotFinite`] if the noise is so small that the divergence overflows, [`PrivacyError::NotProved`] if no pair is
/// known to dominate the event.
pub fn rdp(event: &PrivacyEvent, order: Order) -> Result<f64, PrivacyError> {
    composed(&[PrivacyEvent { count: 1, ..*event }], order)
}

/// The Rényi divergence of all `events` together at each of `orders`: divergences add up under composition.
///
/// # Errors
///
/// As [`rdp`].
pub fn rdp_curve(events: &[PrivacyEvent], orders: &[Order]) -> Result<Vec<f64>, PrivacyError> {
    let parts = parts(events)?;
    orders.iter().map(|&order| sum(&parts, order)).collect()
}

/// The sum over `events`, each as often as it is run, rounded up.
pub(crate) fn composed(events: &[PrivacyEvent], order: Order) -> Result<f64, PrivacyError> {
    sum(&parts(events)?, order)
}

/// The sum over `parts`, each as often as it is run, rounded up.
pub(crate) fn sum(parts: &[Part], order: Order) -> Result<f64, PrivacyError> {
    let sum = parts.iter().try_fold(0.0, |sum: f64, part| {
        let once = of_part(part, order.get())?;
        Ok((sum + (once * real(part.count)).next_up()).next_up())
    })?;
    if sum.is_finite() {
        Ok(sum)
    } else {
        Err(PrivacyError::NotFinite { figure: "rényi divergence" })
    }
}

/// The divergence of one release: of a choice among lines that the adversary learns, the moments add up.
fn of_part(part: &Part, order: f64) -> Result<f64, PrivacyError> {
    if let [(_, line)] = part.dominating.as_slice() {
        return of_line(line, order);
    }
    let log_moment =
        part.dominating.iter().try_fold(f64::NEG_INFINITY, |sum, (weight, line)| {
            Ok(log_add(sum, libm::log(*weight) + (order - 1.0) * of_line(line, order)?))
        })?;
    Ok(at_least_zero(log_moment / (order - 1.0)) * (1.0 + 1e-12) + 1e-14)
}

fn of_line(line: &Line, order: f64) -> Result<f64, PrivacyError> {
    match line.sides() {
        (Noise::Laplace, ..) => laplace(line, order),
        (Noise::Gaussian, [(_, p)], [(_, q)]) => {
            Ok(0.5 * order * (p - q) * (p - q) * (1.0 + 1e-12))
        }
        (Noise::Gaussian, p, q) => {
            let (with, without) = (Mixture::of(p), Mixture::of(q));
            let gap = if line.is_symmetric() { 2.0 } else { 1.0 };
            let bound = || with.convexity_bound(order, gap);
            let forward = divergence(&with, &without, order).unwrap_or_else(bound);
            if line.is_symmetric() || p.len() == 2 {
                return Ok(forward);
            }
            let backward = divergence(&without, &with, order).unwrap_or_else(bound);
            // Of two bounds, one of which is no number, none is the larger.
            Ok(if backward.is_nan() || backward > forward { backward } else { forward })
        }
    }
}

/// The divergence of a pair under Laplace noise, from the pair above it on a mesh on which its atoms are points.
fn laplace(line: &Line, order: f64) -> Result<f64, PrivacyError> {
    let Some((low, high)) = line.atoms() else {
        return Err(PrivacyError::NotFinite { figure: "privacy loss" });
    };
    let step = (high - low) / LAPLACE_POINTS;
    let mesh = Mesh { step, offset: high - step * libm::floor(high / step) };
    let cells = Cells::new(line, mesh, 0.0)?;
    let worst = [Direction::Forward, Direction::Backward].map(|direction| {
        let loss = cells.loss(direction);
        let terms: Vec<f64> = loss
            .points(&mesh, direction)
            .zip(&loss.upper)
            .map(|(at, mass)| libm::log(*mass) + (order - 1.0) * (at + loss.edge_error))
            .collect();
        if loss.infinite > 0.0 { f64::INFINITY } else { log_sum(&terms) / (order - 1.0) }
    });
    let [forward, backward] = worst;
    if forward.is_nan() || backward.is_nan() {
        return Err(PrivacyError::NotFinite { figure: "rényi divergence" });
    }
    Ok(forward.max(backward).max(0.0) * (1.0 + 1e-12))
}
