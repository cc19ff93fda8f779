//! Privacy loss distributions, with a certificate: an ε or a δ between two proved bounds.
//!
//! Each release is a [`Line`], a pair on the line that no neighbours are told apart better than; each becomes a
//! [`Discrete`] loss, above and below, on one mesh; [`Profile`] composes them. The mesh is refined until the two bounds
//! are within [`GAP`] of one another.

mod compose;
mod convolve;
mod fft;
mod merge;
mod mesh;
#[cfg(test)]
mod tests;
mod tilt;

use compose::{Profile, Repeated, Tilt};
use fft::Fft;
use mesh::Discrete;
pub(crate) use mesh::{Cells, Direction, Mesh};

use serde::Serialize;

use crate::gaussian::{delta_bounds, epsilon_bounds};
use crate::pair::{Line, Part};
use crate::special::real;
use crate::{Delta, Epsilon, PrivacyError};

/// The distance between the bounds that a certificate aims at: this, or this part of the figure.
pub(crate) const GAP: f64 = 1e-3;
/// The share of the gap that the first mesh is chosen for; its prediction is good to a factor of two.
const FIRST_SHARE: f64 = 0.5;
/// How often the mesh is refined.
const REFINEMENTS: u32 = 8;
/// The ε below which the gap is not aimed at in proportion.
const FINEST: f64 = 1e-3;
/// The length of a transform from which on a mesh is not refined beyond the need.
const DEAR: usize = 1 << 19;
/// The share of δ that truncation may take.
const TRUNCATION: f64 = 1e-6;
/// How many steps of the mesh one tilt may shift, and so the widest step.
const TILT_STEPS: f64 = 0.5;
/// ln of the tail of a single release that needs no tilt, negated; the rounding of a power grows with the exponent.
const LOG_UNTILTED: f64 = 16.0;
/// The part of the exponent at which δ is decided that is added to the tilt at a time, and the most that it becomes: losses with a
/// heavy tail take more than what centres them.
const TILT_PACE: f64 = 0.4;
const TILT_MOST: f64 = 3.0;
/// The part of δ that rounding and the window may take before a stronger tilt is tried.
const DOUBT: f64 = 1e-3;
/// ln of the part of δ that a window may leave out.
const LOG_MARGIN: f64 = 16.0;

/// A figure between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The figure is no less than this.
    pub lower: f64,
    /// The figure is no more than this.
    pub upper: f64,
}

impl Interval {
    /// Whether the bounds are as near as a certificate aims at.
    pub(crate) fn is_tight(self) -> bool {
        self.upper - self.lower <= GAP.max(GAP * self.upper)
    }

    /// What two intervals of the same figure leave.
    fn meet(self, other: Self) -> Self {
        Self { lower: self.lower.max(other.lower), upper: self.upper.min(other.upper) }
    }

    /// The interval of the worse of two directions.
    fn join(self, other: Self) -> Self {
        Self { lower: self.lower.max(other.lower), upper: self.upper.max(other.upper) }
    }
}

/// ε at `delta` of `parts`; `rough` and `tilt` are a rough ε and the exponent at which δ is decided, both from Rényi divergences.
pub(crate) fn epsilon(
    parts: &[Part],
    delta: f64,
    rough: f64,
    tilt: f64,
) -> Result<Interval, PrivacyError> {
    let aim = Aim::new(delta, tilt, GAP.max(GAP * rough), count(parts));
    let wanted = |found: Interval| Wanted {
        gap: GAP * found.upper.max(FINEST),
        enough: GAP.max(GAP * found.upper),
    };
    refined(parts, aim, wanted, |profile| {
        let (upper, lower) = profile.epsilon(delta);
        let upper = upper.ok_or(PrivacyError::DeltaTooSmall { delta })?;
        // Where the upper bound is far off, it is far off because of the doubt.
        let near = if upper > 2.0 * lower + 0.1 { lower } else { upper };
        let doubt = profile.doubt(near) / delta;
        Ok(Figure { found: Interval { lower, upper }, doubt })
    })
}

/// δ at `epsilon` of `parts`, with a rough δ and the exponent at which it is decided.
pub(crate) fn delta(
    parts: &[Part],
    epsilon: f64,
    rough: f64,
    tilt: f64,
) -> Result<Interval, PrivacyError> {
    // A δ moves by about the tilt's part when ε moves by one.
    let aim = Aim::new(rough, tilt, GAP / (1.0 + tilt), count(parts));
    let wanted = |found: Interval| Wanted { gap: GAP * found.upper, enough: GAP * found.upper };
    refined(parts, aim, wanted, |profile| {
        let (upper, lower) = profile.delta(epsilon);
        let doubt = profile.doubt(epsilon) / upper;
        Ok(Figure { found: Interval { lower, upper }, doubt })
    })
}

/// What one profile says, and the part of δ that is its rounding and what lies outside its window.
struct Figure {
    found: Interval,
    doubt: f64,
}

/// The gap that is aimed at, and the one that is enough where the next mesh would be dear.
struct Wanted {
    gap: f64,
    enough: f64,
}

/// What a mesh and a tilt are chosen for.
#[derive(Clone, Copy)]
struct Aim {
    delta: f64,
    /// The exponent at which δ is decided.
    exponent: f64,
    /// The distance in ε that the mesh may cause.
    goal: f64,
    /// Forward and backward.
    tilts: [Tilt; 2],
}

impl Aim {
    /// A tilt only as strong as rounding asks for: in full, it would bring out rare large losses that δ does not need.
    ///
    /// A tilt by the part r of what centres δ leaves a tail of about δ^((1−r)²), and the window has to hold that.
    fn new(delta: f64, exponent: f64, goal: f64, count: f64) -> Self {
        let log_untilted = LOG_UNTILTED - libm::log(count.max(1.0));
        let log_delta = -libm::log(delta.clamp(f64::MIN_POSITIVE, 0.5));
        let part = (1.0 - log_untilted / log_delta).clamp(0.0, 1.0);
        let log_window = LOG_MARGIN + (1.0 - part) * (1.0 - part) * log_delta;
        let tilt = Tilt { exponent: part * exponent, log_window };
        Self { delta, exponent, goal, tilts: [tilt; 2] }
    }

    /// A stronger tilt with a window that holds all of δ; none if the tilt has become too strong.
    ///
    /// Heavy atoms and many points ask for it because of rounding, rare losses because of the window; a little may be enough.
    fn stronger(&self, tilt: Tilt) -> Option<Tilt> {
        let log_delta = -libm::log(self.delta.clamp(f64::MIN_POSITIVE, 0.5));
        let log_window = LOG_MARGIN + log_delta;
        if tilt.log_window < log_window {
            return Some(Tilt { log_window, ..tilt });
        }
        let exponent = tilt.exponent + TILT_PACE * self.exponent;
        (exponent <= TILT_MOST * self.exponent).then_some(Tilt { exponent, log_window })
    }
}

/// The best interval over meshes refined until it is as narrow as `wanted`, in both directions.
fn refined(
    parts: &[Part],
    mut aim: Aim,
    wanted: impl Fn(Interval) -> Wanted,
    figure: impl Fn(&Profile) -> Result<Figure, PrivacyError>,
) -> Result<Interval, PrivacyError> {
    // Over and above the loss's own spread, the mesh adds (θ+1)h²/12 a release to ε above and takes half of that below.
    let per_square = count(parts) * (aim.exponent + 1.0) / 8.0;
    let mut step =
        libm::sqrt(FIRST_SHARE * aim.goal / per_square).min(TILT_STEPS / (aim.exponent + 1.0));
    let mut transforms = Vec::new();
    let mut best: Option<Interval> = None;
    // Where the pair below is not the one above, no mesh brings the bounds together.
    let attained = parts.iter().all(|part| part.attained.is_none());
    for _ in 0..=if attained { REFINEMENTS } else { 1 } {
        let found = at_step(parts, step, &mut aim, &mut transforms, &figure);
        let found = match (found, best) {
            (Ok(found), _) => found,
            // A finer mesh than fits: what the coarser one proved stands.
            (Err(_), Some(best)) => return Ok(best),
            (Err(error), None) => return Err(error),
        };
        let joint = best.map_or(found, |best| best.meet(found));
        // Both are proved, so this would be a fault of the program: no figure is better than a wrong one.
        if joint.lower > joint.upper {
            return Err(PrivacyError::Contradiction);
        }
        best = Some(joint);
        let (gap, wanted) = (joint.upper - joint.lower, wanted(joint));
        let is_dear = transforms.iter().any(|fft: &Fft| fft.length() >= DEAR);
        if gap <= wanted.gap || (gap <= wanted.enough && is_dear) {
            break;
        }
        // The gap falls with the square of the step.
        let gap = (found.upper - found.lower).max(f64::MIN_POSITIVE);
        step *= libm::sqrt(0.7 * wanted.gap / gap).clamp(0.125, 0.7);
    }
    best.ok_or(PrivacyError::NotFinite { figure: "privacy loss distribution" })
}

/// The number of releases.
fn count(parts: &[Part]) -> f64 {
    parts.iter().fold(0.0, |sum, part| sum + real(part.count))
}

/// The interval on one mesh: the worse of the two directions, unless they mirror one another.
fn at_step(
    parts: &[Part],
    step: f64,
    aim: &mut Aim,
    transforms: &mut Vec<Fft>,
    figure: &impl Fn(&Profile) -> Result<Figure, PrivacyError>,
) -> Result<Interval, PrivacyError> {
    let tail = TRUNCATION * aim.delta / count(parts).max(1.0);
    let step = aligned(parts, step);
    let cut = parts.iter().map(|part| Cut::new(part, step, tail)).collect::<Result<Vec<_>, _>>()?;
    let mut along = |direction: Direction, enough: f64| {
        let losses: Vec<Repeated> = cut.iter().map(|cut| cut.loss(direction)).collect();
        best_tilt(aim, direction, enough, |tilt| {
            figure(&Profile::new(&losses, step, tilt, transforms)?)
        })
    };
    let forward = along(Direction::Forward, 0.0)?;
    if parts.iter().all(Part::is_symmetric) {
        return Ok(forward);
    }
    // The other direction matters only as far as it is worse.
    Ok(forward.join(along(Direction::Backward, forward.upper)?))
}

/// What all tilts prove that are tried until rounding and the window leave no doubt, or the figure is at most `enough`. The one that
/// leaves the least doubt is remembered.
fn best_tilt(
    aim: &mut Aim,
    direction: Direction,
    enough: f64,
    mut figure: impl FnMut(Tilt) -> Result<Figure, PrivacyError>,
) -> Result<Interval, PrivacyError> {
    let [forward, backward] = aim.tilts;
    let mut tilt = if direction == Direction::Forward { forward } else { backward };
    let (mut least, mut chosen, mut best) = (f64::INFINITY, tilt, None::<Interval>);
    let failure = loop {
        let stronger = aim.stronger(tilt);
        match figure(tilt) {
            Ok(Figure { found, doubt }) => {
                let joint = best.map_or(found, |best| best.meet(found));
                best = Some(joint);
                if doubt < least {
                    (least, chosen) = (doubt, tilt);
                }
                // A stronger tilt that leaves more doubt brings out losses that nobody asked for.
                if doubt <= DOUBT || doubt > 4.0 * least || joint.upper <= enough {
                    break None;
                }
            }
            Err(error) if stronger.is_none() => break Some(error),
            Err(_) => {}
        }
        let Some(next) = stronger else { break None };
        tilt = next;
    };
    aim.tilts = match direction {
        Direction::Forward => [chosen, backward],
        Direction::Backward => [forward, chosen],
    };
    best.ok_or_else(|| failure.unwrap_or(PrivacyError::DeltaTooSmall { delta: aim.delta }))
}

/// A step at most `step` on which all atoms of a lone event fall on points.
fn aligned(parts: &[Part], step: f64) -> f64 {
    let [part] = parts else { return step };
    let Some((low, high)) = part.atoms() else { return step };
    (high - low) / libm::ceil((high - low) / step)
}

/// A part's lines, cut on the mesh.
struct Cut {
    offset: f64,
    count: u64,
    above: Vec<(f64, Cells)>,
    /// What is attained, where that is not what is above.
    below: Option<Cells>,
}

impl Cut {
    fn new(part: &Part, step: f64, tail: f64) -> Result<Self, PrivacyError> {
        let heaviest = part.dominating.iter().max_by(|a, b| a.0.total_cmp(&b.0));
        let mesh = match heaviest {
            Some((_, line)) => Mesh::around(line, step)?,
            None => Mesh { step, offset: 0.0 },
        };
        let cells = |line: &Line| Cells::new(line, mesh, tail);
        let above = part
            .dominating
            .iter()
            .map(|(weight, line)| Ok((*weight, cells(line)?)))
            .collect::<Result<_, PrivacyError>>()?;
        let below = part.attained.as_ref().map(cells).transpose()?;
        Ok(Self { offset: mesh.offset, count: part.count, above, below })
    }

    fn loss(&self, direction: Direction) -> Repeated {
        let mut loss = Discrete::default();
        for (weight, cells) in &self.above {
            loss.mix(*weight, &cells.loss(direction));
        }
        if let Some(cells) = &self.below {
            loss.replace_lower(&cells.loss(direction));
        }
        let offset = match direction {
            Direction::Forward => self.offset,
            Direction::Backward => -self.offset,
        };
        Repeated { loss, offset, count: self.count }
    }
}

/// The noise of the one Gaussian release of sensitivity 1 that `parts` amount to, if they do.
pub(crate) fn gaussian_alone(parts: &[Part]) -> Option<f64> {
    let [part] = parts else { return None };
    part.gaussian_shift()
}

/// δ of one Gaussian release that moves by `shift` standard deviations, between bounds on its rounding.
pub(crate) fn gaussian_delta(shift: f64, epsilon: Epsilon) -> Interval {
    let (lower, upper) = delta_bounds(shift, epsilon.get());
    Interval { lower, upper }
}

/// ε of one Gaussian release that moves by `shift` standard deviations, between bounds on its rounding.
pub(crate) fn gaussian_epsilon(shift: f64, delta: Delta) -> Interval {
    let (lower, upper) = epsilon_bounds(shift, delta.get());
    Interval { lower, upper }
}
