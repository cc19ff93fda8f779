//! A privacy loss on a mesh: one distribution above it and one below it, in the order of privacy.
//!
//! *Above* ([Doroshenko et al. 2022], "connect the dots"): the mass between two neighbouring points is split to them so that both
//! sides keep theirs. What is between the points could be told from the two points by throwing coins, so nothing is lost.
//!
//! *Below* (`merge.rs`): what is about half a step around a point becomes one outcome with the point's loss.
//!
//! Both are kept as p alone: q is p·e^(−loss) at each point, and never more than the true one above, never less below.

use crate::PrivacyError;
use crate::pair::{Line, Mass};
use crate::pld::merge::{merged, mismatch};
use crate::special::real;

/// Cells of half a step that a loss may have.
const CELLS_MAX: f64 = 4_194_304.0;
/// Losses beyond this have densities that f64 does not hold.
const LOSS_MAX: f64 = 600.0;
/// Every probability is moved to the safe side by this part beside its own bound: above the rounding of what follows.
const RELATIVE: f64 = 64.0 * 0.5 * f64::EPSILON;
/// Points beyond the last cell, for masses that rounding lifts out of it.
const BEYOND: usize = 2;
/// A loss this close to a cell's edge, in cells, is on it.
const ON_EDGE: f64 = 1e-9;
/// Half steps on either side of the middle, odd, and steps of the search that places the mesh.
const AROUND: i64 = 33;
const AROUND_STEPS: u32 = 6;

/// Which neighbour is p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As the pair says.
    Forward,
    /// The other way round.
    Backward,
}

/// The points offset + k·step for whole k.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mesh {
    pub(crate) step: f64,
    pub(crate) offset: f64,
}

impl Mesh {
    /// The points of `step` among which `line` can be merged best: its atoms, or its heaviest group, have a point's loss.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NotFinite`] if the losses are too large.
    pub(crate) fn around(line: &Line, step: f64) -> Result<Self, PrivacyError> {
        if let Some((_, high)) = line.atoms() {
            return Ok(Self { step, offset: high - step * libm::floor(high / step) });
        }
        let mut loss = line.loss(0.0);
        for _ in 0..AROUND_STEPS {
            // A narrow part of the mesh is enough: what is far away hardly moves the group in the middle.
            let edge =
                |at: i64| line.place(loss + integer(at) * 0.5 * step, 0.0).map(|x| line.cut(x));
            let edges = (1 - AROUND..AROUND).map(edge).collect::<Result<Vec<_>, _>>()?;
            let nothing = <(Mass, Mass)>::default();
            let inner = edges.windows(2).filter_map(|pair| match pair {
                [low, high] => Some(line.between(low, high)),
                _ => None,
            });
            let cells = [nothing].into_iter().chain(inner).chain([nothing]);
            let cells = cells.map(|(p, q)| (lowered(p), raised(q))).collect();
            let point = |point: usize| loss + (real(point as u64) - integer(AROUND / 2)) * step;
            let found = mismatch(cells, point);
            if !found.is_finite() {
                break;
            }
            loss += found.clamp(-0.5 * step, 0.5 * step);
            if found.abs() < 1e-6 * step {
                break;
            }
        }
        Ok(Self { step, offset: loss - step * libm::floor(loss / step) })
    }
}

/// A pair's masses on cells half a step wide.
#[derive(Debug)]
pub(crate) struct Cells {
    mesh: Mesh,
    /// The lower edge of the first cell, in half steps from the offset; even.
    first: i64,
    inner: Vec<(Mass, Mass)>,
    /// What is left of the first cell, and right of the last.
    below: (Mass, Mass),
    above: (Mass, Mass),
    /// How far a cell's edge may be from where it should be, in loss.
    edge_error: f64,
}

/// A loss on the mesh.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discrete {
    /// The number of the first point.
    pub(crate) first: i64,
    /// p at each point, of the pair above and of the pair below.
    pub(crate) upper: Vec<f64>,
    pub(crate) lower: Vec<f64>,
    /// p of the pair above where q is nothing.
    pub(crate) infinite: f64,
    /// How far any loss may be from its point beyond what the masses allow for.
    pub(crate) edge_error: f64,
}

impl Discrete {
    /// The losses of the points, on `mesh` as it was cut.
    pub(crate) fn points(&self, mesh: &Mesh, direction: Direction) -> impl Iterator<Item = f64> {
        let Mesh { step, offset } = *mesh;
        let offset = if direction == Direction::Backward { -offset } else { offset };
        let first = self.first;
        (0..self.upper.len())
            .map(move |point| offset + (integer(first) + real(point as u64)) * step)
    }

    /// Adds `weight` of `other`, a loss on the same points.
    pub(crate) fn mix(&mut self, weight: f64, other: &Self) {
        if self.upper.is_empty() {
            self.first = other.first;
        }
        self.widen(other.first, other.upper.len());
        let skip = usize::try_from(other.first - self.first).unwrap_or(0);
        for (sum, more) in self.upper.iter_mut().skip(skip).zip(&other.upper) {
            *sum += weight * more;
        }
        for (sum, more) in self.lower.iter_mut().skip(skip).zip(&other.lower) {
            *sum += weight * more;
        }
        self.infinite += weight * other.infinite;
        self.edge_error = self.edge_error.max(other.edge_error);
    }

    /// Takes the pair below from `other`.
    pub(crate) fn replace_lower(&mut self, other: &Self) {
        self.lower.fill(0.0);
        let only_lower =
            Self { upper: vec![0.0; other.upper.len()], infinite: 0.0, ..other.clone() };
        self.mix(1.0, &only_lower);
    }

    /// Makes room for `points` points from `first` on.
    fn widen(&mut self, first: i64, points: usize) {
        let before = usize::try_from(self.first - first).unwrap_or(0);
        for side in [&mut self.upper, &mut self.lower] {
            side.splice(0..0, core::iter::repeat_n(0.0, before));
        }
        self.first = self.first.min(first);
        let end = usize::try_from(first - self.first).unwrap_or(0) + points;
        let length = self.upper.len().max(end);
        self.upper.resize(length, 0.0);
        self.lower.resize(length, 0.0);
    }
}

impl Cells {
    /// Cuts `line` into cells on `mesh` and leaves out at most `tail` of p above and of q below.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::NotFinite`] if the losses are too large, [`PrivacyError::TooFine`] if there would be too many cells.
    pub(crate) fn new(line: &Line, mesh: Mesh, tail: f64) -> Result<Self, PrivacyError> {
        let (low, high) = range(line, tail);
        let half = 0.5 * mesh.step;
        let (first, last) = ((low - mesh.offset) / half, (high - mesh.offset) / half);
        let (first, last) = (libm::floor(first + ON_EDGE), libm::ceil(last - ON_EDGE));
        if !(first.abs() * half <= LOSS_MAX && last.abs() * half <= LOSS_MAX) {
            return Err(PrivacyError::NotFinite { figure: "privacy loss" });
        }
        if last - first > CELLS_MAX {
            return Err(PrivacyError::TooFine);
        }
        let (first, last) = (2 * whole(0.5 * first), 2 * whole(0.5 * last + 0.5));
        let last = last.max(first + 2);
        let atoms = line.atoms();
        // The atoms lie beyond the edges that have their losses, in cells of their own.
        let (first, last) = if atoms.is_some() { (first - 2, last + 2) } else { (first, last) };
        let edge = |at: i64| mesh.offset + integer(at) * half;
        let mut near = low_place(line, tail);
        let (mut cells, mut farthest) = (Vec::new(), 0.0_f64);
        let mut before = None;
        let mut below = <(Mass, Mass)>::default();
        for at in first..=last {
            let loss = edge(at);
            let place = match atoms {
                Some((_, top)) if loss > top + ON_EDGE * half => f64::INFINITY,
                Some((bottom, _)) if loss < bottom - ON_EDGE * half => f64::NEG_INFINITY,
                Some((bottom, top)) => line.place(loss.clamp(bottom, top), near)?,
                None => line.place(loss, near)?,
            };
            if place.is_finite() {
                farthest = farthest.max(place.abs());
                near = place;
            }
            let cut = line.cut(place);
            match &before {
                None => below = line.between(&line.cut(f64::NEG_INFINITY), &cut),
                Some(before) => cells.push(line.between(before, &cut)),
            }
            before = Some(cut);
        }
        let above = before
            .map_or_else(Default::default, |last| line.between(&last, &line.cut(f64::INFINITY)));
        let edge_error =
            line.place_error(farthest) + ON_EDGE * half * if atoms.is_some() { 1.0 } else { 0.0 };
        Ok(Self { mesh, first, inner: cells, below, above, edge_error })
    }

    /// The loss of `direction` on the mesh, whose points are those of this one or, backward, their negatives.
    pub(crate) fn loss(&self, direction: Direction) -> Discrete {
        let turned = |&(p, q): &(Mass, Mass)| match direction {
            Direction::Forward => (p, q),
            Direction::Backward => (q, p),
        };
        let mut cells: Vec<(Mass, Mass)> = self.inner.iter().map(turned).collect();
        let (mut below, mut above) = (turned(&self.below), turned(&self.above));
        let (mut first, mut offset) = (self.first / 2, self.mesh.offset);
        if direction == Direction::Backward {
            cells.reverse();
            (below, above) = (above, below);
            first = -(first + i64::try_from(cells.len() / 2).unwrap_or(i64::MAX));
            offset = -offset;
        }
        let loss = |point: usize| offset + (integer(first) + real(point as u64)) * self.mesh.step;
        let (upper, infinite) = pessimistic(&cells, below.0, above.0, self.mesh.step, loss);
        let all = [below].into_iter().chain(cells).chain([above]);
        let lower = merged(all.map(|cell| (lowered(cell.0), raised(cell.1))).collect(), loss);
        Discrete { first, upper, lower, infinite, edge_error: self.edge_error }
    }
}

/// The pair above: each whole cell's mass at its two ends.
fn pessimistic(
    cells: &[(Mass, Mass)],
    below: Mass,
    above: Mass,
    step: f64,
    loss: impl Fn(usize) -> f64,
) -> (Vec<f64>, f64) {
    let width = -libm::expm1(-step);
    let mut points = vec![0.0; cells.len() / 2 + 1 + BEYOND];
    let mut infinite = raised(above);
    if let Some(first) = points.first_mut() {
        *first += raised(below);
    }
    for (number, pair) in cells.chunks_exact(2).enumerate() {
        let (p, q) =
            pair.iter().fold((0.0, 0.0), |(p, q), cell| (p + raised(cell.0), q + lowered(cell.1)));
        // The mass at the upper end that keeps q: (p − q·eˡ)/(1 − e^(−h)). Where rounding makes it all of p or more, the
        // loss may be beyond the cell: one step further it is not.
        let share = |low: usize| (p - q * libm::exp(loss(low))) / width;
        let mut low = number;
        let mut top = share(low).max(0.0);
        while top > p && low < number + BEYOND {
            low += 1;
            top = share(low).max(0.0);
        }
        if top > p {
            infinite += p;
            continue;
        }
        for (point, mass) in [(low, p - top), (low + 1, top)] {
            if let Some(slot) = points.get_mut(point) {
                *slot += mass;
            }
        }
    }
    for mass in &mut points {
        *mass *= 1.0 + RELATIVE;
    }
    (points, infinite * (1.0 + RELATIVE))
}

fn raised(mass: Mass) -> f64 {
    mass.value * (1.0 + RELATIVE) + mass.error
}

fn lowered(mass: Mass) -> f64 {
    (mass.value * (1.0 - RELATIVE) - mass.error).max(0.0)
}

/// The losses between which all but `tail` of p above and of q below lies.
fn range(line: &Line, tail: f64) -> (f64, f64) {
    line.atoms()
        .unwrap_or_else(|| (line.loss(low_place(line, tail)), line.loss(high_place(line, tail))))
}

/// A place with at most `tail` of q below it.
fn low_place(line: &Line, tail: f64) -> f64 {
    let start = line.cut(f64::NEG_INFINITY);
    walk(-0.5, |place| line.between(&start, &line.cut(place)).1.value <= tail)
}

/// A place with at most `tail` of p above it.
fn high_place(line: &Line, tail: f64) -> f64 {
    let end = line.cut(f64::INFINITY);
    walk(0.5, |place| line.between(&line.cut(place), &end).0.value <= tail)
}

fn walk(pace: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let mut place = 0.0;
    // Past 100,000 scales there is nothing that f64 could tell from zero.
    while !enough(place) && f64::abs(place) < 1e5 {
        place += pace;
    }
    place
}

/// A number that is whole already, or its floor.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the number of cells")]
fn whole(number: f64) -> i64 {
    libm::floor(number) as i64
}

#[expect(clippy::cast_precision_loss, reason = "bounded by the number of cells")]
fn integer(number: i64) -> f64 {
    number as f64
}
