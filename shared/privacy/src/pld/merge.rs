//! A pair that is told apart no better than a given one, and whose losses are points of a mesh.
//!
//! Outcomes are thrown together, some of them by a coin, into groups whose loss is a point's: what is done to an outcome afterwards tells
//! nothing new. A group of exactly the point's loss needs a little more or a little less than its own half steps, and takes it from its
//! neighbours: from either end toward the heaviest group, because that way the corrections die out. What the last group cannot
//! balance is given away by adding to q, which only makes the sides more alike.

use core::ops::Range;

/// A group's masses of p and q.
type Masses = (f64, f64);

/// The part by which a balance is missed on the safe side, so that rounding cannot tip it.
const BALANCE: f64 = 1e-9;
/// How far a group's loss may be below its point's, for the same reason: rounding must not make an atom's own point too high for it.
pub(super) const SUNK: f64 = 1e-12;
/// How many points away the heaviest group looks for its balance: what comes from farther costs more than a gift.
const NEAR: usize = 32;

/// p at each point of a pair below the one in `cells`, which are half a step wide but for the first and last: point k lies between cell
/// 2k and cell 2k + 1, and `loss(k)`, less at most twice [`SUNK`], is its loss. p is rounded down in `cells`, and q up.
pub(super) fn merged(cells: Vec<Masses>, loss: impl Fn(usize) -> f64) -> Vec<f64> {
    let Met { mut groups, heights, at, left, right } = met(cells, loss);
    settle(&mut groups, &heights, at, left, right);
    groups
}

/// How far the loss of the heaviest group is above its point's, before anything is done about it.
pub(super) fn mismatch(cells: Vec<Masses>, loss: impl Fn(usize) -> f64) -> f64 {
    let Met { heights, at, left, right, .. } = met(cells, loss);
    let (p, q) = (left.0 + right.0, left.1 + right.1);
    heights.get(at).map_or(0.0, |height| libm::log(p / (q * height)))
}

/// All groups but the heaviest.
struct Met {
    /// p of each group.
    groups: Vec<f64>,
    /// e^loss of each point.
    heights: Vec<f64>,
    /// The heaviest point.
    at: usize,
    /// What is left for it on either side.
    left: Masses,
    right: Masses,
}

fn met(cells: Vec<Masses>, loss: impl Fn(usize) -> f64) -> Met {
    let points = cells.len() / 2;
    let heights: Vec<f64> =
        (0..points).map(|point| libm::exp(loss(point)) * (1.0 - SUNK)).collect();
    let own = |pair: &[Masses]| pair.iter().map(|cell| cell.0).sum::<f64>();
    let heaviest = cells
        .chunks_exact(2)
        .enumerate()
        .max_by(|a, b| own(a.1).total_cmp(&own(b.1)))
        .map_or(0, |(point, _)| point);
    let mut groups = vec![0.0; points];
    let mut stock = Stock { left: 0, left_part: 1.0, right: cells.len(), right_part: 1.0, cells };
    let (mut low, mut high) = ((0.0, 0.0), (0.0, 0.0));
    for (point, (group, &height)) in groups.iter_mut().zip(&heights).enumerate().take(heaviest) {
        stock.all_left(&mut low, 2 * point + 1);
        stock.lift(&mut low, 2 * heaviest + 1, height);
        if low.0 >= low.1 * height {
            *group = core::mem::take(&mut low).0;
        }
    }
    let after = heaviest + 1;
    for (point, (group, &height)) in groups.iter_mut().zip(&heights).enumerate().skip(after).rev() {
        stock.all_right(&mut high, 2 * point + 1);
        stock.lower(&mut high, 2 * heaviest + 1, height);
        if high.0 >= high.1 * height {
            *group = core::mem::take(&mut high).0;
        }
    }
    stock.all_left(&mut low, 2 * heaviest + 1);
    stock.all_right(&mut high, 0);
    Met { groups, heights, at: heaviest, left: low, right: high }
}

/// Puts the `last` masses at the point `at`, balanced with parts of the groups near it, or at a point beside it.
///
/// What cannot be balanced is given away, the part left of the point at the point below.
fn settle(groups: &mut [f64], heights: &[f64], at: usize, left: Masses, right: Masses) {
    let last = (left.0 + right.0, left.1 + right.1);
    let excess_at = |point: usize| {
        heights.get(point).map_or(f64::NEG_INFINITY, |height| last.0 - last.1 * height)
    };
    let offered = |near: Range<usize>, point: usize| -> f64 {
        let Some(height) = heights.get(point) else { return 0.0 };
        let pairs = groups.iter().zip(heights).skip(near.start).take(near.len());
        pairs.map(|(group, other)| group * (1.0 - height / other).abs()).sum()
    };
    let below = |point: usize| point.saturating_sub(NEAR)..point;
    let above = |point: usize| point + 1..point + 1 + NEAR;
    let is_high = excess_at(at) >= 0.0;
    let balanced_below = is_high && offered(below(at), at) > excess_at(at);
    let fits = |point: usize| offered(above(point), point) > -excess_at(point) * (1.0 + BALANCE);
    let point = match (is_high, balanced_below) {
        // More from below brings it down; or it goes up a point and is brought up from above.
        (true, false) if fits(at + 1) => at + 1,
        (true, _) => at,
        (false, _) if fits(at) => at,
        (false, _) => {
            let mut give = |point: usize, (p, q): Masses| {
                let slot = groups.get_mut(point).zip(heights.get(point));
                if let Some((group, _)) = slot.filter(|(_, height)| p >= q * **height) {
                    *group += p;
                }
            };
            give(at, right);
            give(at.saturating_sub(1), left);
            return;
        }
    };
    let Some(&height) = heights.get(point) else { return };
    let (mut p, mut q) = last;
    let near: Vec<usize> =
        if p >= q * height { below(point).rev().collect() } else { above(point).collect() };
    for other in near {
        let (Some(group), Some(&level)) = (groups.get_mut(other), heights.get(other)) else {
            continue;
        };
        let excess = p - q * height;
        // An excess is brought down to just above the point's loss, a lack up to it.
        let aim = if excess >= 0.0 { 1.0 - BALANCE } else { 1.0 + BALANCE };
        let part = (excess / (*group * (height / level - 1.0)) * aim).min(1.0);
        if *group > 0.0 && part > 0.0 {
            (p, q) = (p + part * *group, q + part * *group / level);
            *group *= 1.0 - part;
        }
        if part < 1.0 {
            break;
        }
    }
    if p >= q * height * (1.0 - SUNK)
        && let Some(group) = groups.get_mut(point)
    {
        *group += p;
    }
}

/// Cells that are taken from either end, the outermost ones begun.
struct Stock {
    cells: Vec<Masses>,
    left: usize,
    left_part: f64,
    right: usize,
    right_part: f64,
}

impl Stock {
    /// Takes all that is left of the cells before `end`.
    fn all_left(&mut self, into: &mut Masses, end: usize) {
        while self.left < end.min(self.right) {
            self.take_left(into, 1.0);
        }
    }

    /// Takes all that is left of the cells from `start` on.
    fn all_right(&mut self, into: &mut Masses, start: usize) {
        while self.right > start.max(self.left) {
            self.take_right(into, 1.0);
        }
    }

    /// Takes from the cells before `end` until p is at least q·`height`.
    fn lift(&mut self, into: &mut Masses, end: usize, height: f64) {
        while self.left < end.min(self.right) && into.0 < into.1 * height {
            let (p, q) = self.next_left();
            let part = (into.1 * height - into.0) / (p - q * height) * (1.0 + BALANCE);
            self.take_left(into, if part > 0.0 { part } else { 1.0 });
        }
    }

    /// Takes from the cells from `start` on until p is hardly more than q·`height`.
    fn lower(&mut self, into: &mut Masses, start: usize, height: f64) {
        while self.right > start.max(self.left) && into.0 > into.1 * height * (1.0 + BALANCE) {
            let (p, q) = self.next_right();
            let part = (into.0 - into.1 * height) / (q * height - p) * (1.0 - BALANCE);
            let part = if part > 0.0 { part } else { 1.0 };
            self.take_right(into, part);
            if part < 1.0 {
                break;
            }
        }
    }

    fn next_left(&self) -> Masses {
        let last = if self.left + 1 == self.right { self.right_part } else { 1.0 };
        let part = self.left_part * last;
        self.cells.get(self.left).map_or((0.0, 0.0), |(p, q)| (p * part, q * part))
    }

    fn next_right(&self) -> Masses {
        let first = if self.left + 1 == self.right { self.left_part } else { 1.0 };
        let part = self.right_part * first;
        self.cells.get(self.right - 1).map_or((0.0, 0.0), |(p, q)| (p * part, q * part))
    }

    fn take_left(&mut self, into: &mut Masses, part: f64) {
        let (p, q) = self.next_left();
        if part < 1.0 {
            *into = (into.0 + part * p, into.1 + part * q);
            self.left_part *= 1.0 - part;
        } else {
            *into = (into.0 + p, into.1 + q);
            self.left += 1;
            self.left_part = 1.0;
        }
    }

    fn take_right(&mut self, into: &mut Masses, part: f64) {
        let (p, q) = self.next_right();
        if part < 1.0 {
            *into = (into.0 + part * p, into.1 + part * q);
            self.right_part *= 1.0 - part;
        } else {
            *into = (into.0 + p, into.1 + q);
            self.right -= 1;
            self.right_part = 1.0;
        }
    }
}
