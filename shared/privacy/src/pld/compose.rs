//! Many losses together: tilted, transformed, multiplied, transformed back, and every error on the safe side.
//!
//! The loss of independent releases is the sum of theirs. Its distribution is wanted far in the tail, where a transform's rounding,
//! relative to the whole mass, would drown it. So each loss is first tilted by e^(θl) (Esscher): the sum's middle moves to where δ
//! is decided, and the tilt is taken off again at the end. The four errors that remain have a term each:
//!
//! - the *mesh*: [`Discrete`] lies above and below;
//! - *truncation*: what a mesh leaves out above is an infinite loss, and counts in full;
//! - *wrap-around*: the tilted mass outside the window is at most e^−`log_window` on either side (Chernoff); above, it counts as
//!   lost in full; below, all of it is taken away where it hurts most;
//! - *rounding*: each frequency carries the bound of its transform, its power and its inverse, and each point of the result is moved
//!   by their sum.

use crate::PrivacyError;
use crate::pld::fft::{Complex, Fft};
use crate::pld::merge::SUNK;
use crate::pld::mesh::Discrete;
use crate::special::{least, real};

/// ln of the largest factor that takes a tilt off.
const LOG_SCALE_MAX: f64 = 600.0;
/// ln of the largest moment that is tried.
const LOG_MOMENT_MAX: f64 = 600.0;
/// The longest transform, as a binary logarithm.
const LOG_LENGTH_MAX: u32 = 21;
/// Evaluations spent on each end of the window; any exponent gives a valid end.
const WINDOW_STEPS: u32 = 16;
/// Half of the distance between 1 and the next number.
const ROUNDING: f64 = 0.5 * f64::EPSILON;
/// Figures are moved to the safe side by this part and [`Profile::slack`]: above the rounding of sums of two million terms.
const SAFETY: f64 = 1e-8;

/// How a sum is tilted, and how much of it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tilt {
    /// θ of the factor e^(θl).
    pub(crate) exponent: f64,
    /// ln of the tilted mass that the window may leave out on either side, negated.
    pub(crate) log_window: f64,
}

/// A loss and how often it is met.
#[derive(Clone, Debug)]
pub(crate) struct Repeated {
    pub(crate) loss: Discrete,
    pub(crate) offset: f64,
    pub(crate) count: u64,
}

/// The composed loss around where it is tilted to.
#[derive(Debug)]
pub(crate) struct Profile {
    step: f64,
    tilt: f64,
    log_window: f64,
    /// What lies above the window, at most.
    beyond: f64,
    /// The loss of the window's first point.
    start: f64,
    /// How far the composed loss may be above its point in the pair above, and below it in the pair below.
    loss_error: f64,
    sunk: f64,
    /// The part by which any δ may be off, from the rounding of the moments.
    slack: f64,
    upper: Bound,
    lower: Bound,
}

/// Tilted mass at each point of the window, on the safe side.
#[derive(Debug)]
struct Bound {
    tilted: Vec<f64>,
    /// ln of the composed moment generating function at the tilt.
    log_moment: f64,
    /// What belongs to δ whatever ε is, at most or at least.
    infinite: f64,
    /// By how much the rounding of transforms has moved each point.
    moved: f64,
}

/// One loss, tilted and centred.
struct Tilted {
    upper: Side,
    lower: Side,
    /// The point that becomes number 0.
    centre: i64,
    count: u64,
}

struct Side {
    /// Mass 1 in all.
    mass: Vec<f64>,
    /// The number of the first point, from the centre.
    first: i64,
    log_moment: f64,
    /// The size of the terms that `log_moment` is a sum of.
    log_size: f64,
}

/// The product of the spectra so far at one frequency, and at its negative by conjugation.
#[derive(Clone, Copy, Debug)]
struct Frequency {
    upper: Complex,
    lower: Complex,
    upper_size: Size,
    lower_size: Size,
}

/// A bound on the modulus of a product, and on the error of the product over that bound.
#[derive(Clone, Copy, Debug)]
struct Size {
    bound: f64,
    error: f64,
}

impl Profile {
    /// The sum of `losses` on one mesh of `step`, tilted. `transforms` keeps the tables from one call to the next.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::TooFine`] if the window has too many points, [`PrivacyError::NotFinite`] if a mass is not a number.
    pub(crate) fn new(
        losses: &[Repeated],
        step: f64,
        Tilt { exponent: tilt, log_window }: Tilt,
        transforms: &mut Vec<Fft>,
    ) -> Result<Self, PrivacyError> {
        let tilted = losses
            .iter()
            .map(|loss| Tilted::new(loss, step, tilt))
            .collect::<Result<Vec<_>, _>>()?;
        let (low, high) = window(&tilted, log_window);
        let points = high - low + 1.0;
        let log_length = (4..=LOG_LENGTH_MAX).find(|&log| libm::exp2(f64::from(log)) >= points);
        let log_length = log_length.ok_or(PrivacyError::TooFine)?;
        let length = 1_usize << log_length;
        let first = whole(low - 0.5 * (real(length as u64) - points));
        if !transforms.iter().any(|fft| fft.length() == length) {
            transforms.push(Fft::new(log_length));
        }
        let fft =
            transforms.iter().find(|fft| fft.length() == length).ok_or(PrivacyError::TooFine)?;
        let ((upper, upper_moved), (lower, lower_moved)) = convolved(&tilted, fft, first);

        let centres = losses
            .iter()
            .zip(&tilted)
            .map(|(loss, tilted)| real(loss.count) * (loss.offset + integer(tilted.centre) * step));
        let (base, all) = centres.fold((0.0, 0.0), |(sum, all), at| (sum + at, all + at.abs()));
        let start = base + integer(first) * step;
        let moment = |side: fn(&Tilted) -> &Side| {
            tilted.iter().fold(0.0, |sum, one| sum + real(one.count) * side(one).log_moment)
        };
        let (log_upper, log_lower) = (moment(|one| &one.upper), moment(|one| &one.lower));
        let infinite =
            losses.iter().fold(0.0, |sum, one| sum + real(one.count) * one.loss.infinite);
        let end = start + real(length as u64) * step;
        let beyond = libm::exp(log_upper - tilt * end - log_window);
        let loss_error =
            losses.iter().fold(0.0, |sum, one| sum + real(one.count) * one.loss.edge_error)
                + 32.0 * ROUNDING * (1.0 + all + end.abs());
        let sunk = losses.iter().fold(loss_error, |sum, one| sum + 4.0 * SUNK * real(one.count));
        let slack = SAFETY
            + tilted.iter().fold(0.0, |sum, one| {
                let size = one.upper.log_size.max(one.lower.log_size);
                sum + 8.0 * ROUNDING * real(one.count) * (1.0 + size)
            });
        if !(log_upper.is_finite() && log_lower.is_finite() && infinite.is_finite()) {
            return Err(PrivacyError::NotFinite { figure: "privacy loss distribution" });
        }
        Ok(Self {
            step,
            tilt,
            log_window,
            beyond,
            start,
            loss_error,
            sunk,
            slack,
            upper: Bound {
                tilted: upper,
                log_moment: log_upper,
                infinite: infinite + beyond,
                moved: upper_moved,
            },
            lower: Bound {
                tilted: lower,
                log_moment: log_lower,
                infinite: 0.0,
                moved: lower_moved,
            },
        })
    }

    /// δ at ε: a bound from above and one from below.
    pub(crate) fn delta(&self, epsilon: f64) -> (f64, f64) {
        let shifted = epsilon - self.loss_error;
        // Below the window nothing is known from above, and from below that δ is no less than at its first point.
        let upper =
            if shifted < self.start { 1.0 } else { self.tail(&self.upper, shifted).unwrap_or(1.0) };
        let raised = (epsilon + self.sunk).max(self.start);
        let lower = self.tail(&self.lower, raised).unwrap_or(0.0) - self.wrapped(raised);
        let above = upper + self.upper.infinite;
        ((above * (1.0 + self.slack)).min(1.0), (lower * (1.0 - self.slack)).max(0.0))
    }

    /// ε at δ: a bound from above, none if δ cannot be certified, and one from below.
    pub(crate) fn epsilon(&self, delta: f64) -> (Option<f64>, f64) {
        let left = delta * (1.0 - self.slack) - self.upper.infinite * (1.0 + self.slack);
        let crossing = (left > 0.0).then(|| self.crossing(&self.upper, |_| left)).and_then(|at| {
            // Below δ in the whole window: its first point is a bound, if it can be read.
            at.or_else(|| self.is_readable().then_some(self.start))
        });
        let upper = crossing.map(|crossing| (crossing + self.loss_error).max(0.0));
        let lower = self
            .crossing(&self.lower, |epsilon| delta * (1.0 + self.slack) + self.wrapped(epsilon));
        (upper, lower.map_or(0.0, |lower| (lower - self.sunk).max(0.0)))
    }

    /// About how much of the bounds of δ at ε is the rounding of transforms and what lies outside the window.
    pub(crate) fn doubt(&self, epsilon: f64) -> f64 {
        let points = real(self.upper.tilted.len() as u64).min(1.0 / (self.tilt * self.step));
        let of = |bound: &Bound| bound.moved * libm::exp(bound.log_moment - self.tilt * epsilon);
        points * of(&self.upper).max(of(&self.lower)) + self.beyond + self.wrapped(epsilon)
    }

    /// Whether the tilt can be taken off everywhere in the window.
    fn is_readable(&self) -> bool {
        self.upper.log_moment - self.tilt * (self.start - self.step) <= LOG_SCALE_MAX
    }

    /// What wrap-around can have added to δ of the pair below, at ε.
    fn wrapped(&self, epsilon: f64) -> f64 {
        2.0 * libm::exp(self.lower.log_moment - self.tilt * epsilon - self.log_window)
    }

    /// Σ p(l)(1 − e^(ε−l)) over the points l above ε; none if the tilt is too strong to be taken off.
    fn tail(&self, bound: &Bound, epsilon: f64) -> Option<f64> {
        let mut sums = Sums::new(self.step, self.tilt);
        let mut loss = self.at(bound.tilted.len());
        for (point, &mass) in bound.tilted.iter().enumerate().rev() {
            loss = self.at(point);
            if loss <= epsilon {
                break;
            }
            sums.step_down(mass);
            loss -= self.step;
        }
        // `loss` is now the point at ε or below, and the sums are of those above it.
        let inside = (epsilon - loss).max(0.0);
        let tail = sums.hockey_stick - libm::expm1(inside) * sums.weight;
        let log_scale = bound.log_moment - self.tilt * loss;
        (log_scale < LOG_SCALE_MAX).then(|| tail.max(0.0) * libm::exp(log_scale))
    }

    /// The ε at which the tail is `target(ε)`, a function that does not rise; none if the tail is below it in the whole window, or if
    /// the tilt is too strong to be taken off.
    fn crossing(&self, bound: &Bound, target: impl Fn(f64) -> f64) -> Option<f64> {
        let mut sums = Sums::new(self.step, self.tilt);
        for (point, &mass) in bound.tilted.iter().enumerate().rev() {
            sums.step_down(mass);
            let loss = self.at(point) - self.step;
            let log_scale = bound.log_moment - self.tilt * loss;
            if log_scale > LOG_SCALE_MAX {
                return None;
            }
            let wanted = target(loss) / libm::exp(log_scale);
            if sums.hockey_stick >= wanted {
                let inside = libm::log1p((sums.hockey_stick - wanted) / sums.weight);
                return Some(loss + inside.min(self.step));
            }
            if loss < 0.0 {
                return Some(0.0);
            }
        }
        None
    }

    /// The loss of a point of the window.
    fn at(&self, point: usize) -> f64 {
        self.start + real(point as u64) * self.step
    }
}

/// Running sums over the points above a loss l, relative to e^(θl): nothing cancels, nothing overflows.
struct Sums {
    /// Σ p(m) e^(θl)(1 − e^(l−m)).
    hockey_stick: f64,
    /// Σ p(m) e^(θl) e^(l−m).
    weight: f64,
    one_less_decay: f64,
    decay: f64,
    tilt_decay: f64,
}

impl Sums {
    fn new(step: f64, tilt: f64) -> Self {
        Self {
            hockey_stick: 0.0,
            weight: 0.0,
            one_less_decay: -libm::expm1(-step),
            decay: libm::exp(-step),
            tilt_decay: libm::exp(-tilt * step),
        }
    }

    /// Goes from one point, with its `mass`, to the one below it.
    fn step_down(&mut self, mass: f64) {
        let reached = self.weight + mass;
        self.hockey_stick = (self.hockey_stick + reached * self.one_less_decay) * self.tilt_decay;
        self.weight = reached * self.decay * self.tilt_decay;
    }
}

impl Tilted {
    fn new(of: &Repeated, step: f64, tilt: f64) -> Result<Self, PrivacyError> {
        let Discrete { first, upper, lower, .. } = &of.loss;
        let weights = weights(upper.len(), *first, of.offset, step, tilt);
        let centre = centre(upper, &weights, *first)?;
        let side = |mass: &[f64], safe: f64| -> Result<Side, PrivacyError> {
            let mut tilted: Vec<f64> =
                mass.iter().zip(&weights.relative).map(|(p, w)| p * w * safe).collect();
            let sum = tilted.iter().fold(0.0, |sum, p| sum + p);
            if !(sum > 0.0 && sum.is_finite()) {
                return Err(PrivacyError::NotFinite { figure: "privacy loss distribution" });
            }
            for p in &mut tilted {
                *p /= sum;
            }
            let log_moment = weights.log_scale + libm::log(sum);
            let log_size = weights.log_scale.abs() + libm::log(sum).abs();
            Ok(Side { mass: tilted, first: first - centre, log_moment, log_size })
        };
        // The weights round by their exponent's rounding: a part in 10^12 covers an exponent of a thousand.
        Ok(Self {
            upper: side(upper, 1.0 + 1e-12)?,
            lower: side(lower, 1.0 - 1e-12)?,
            centre,
            count: of.count,
        })
    }
}

/// e^(θl) at each point, over the greatest of them.
struct Weights {
    relative: Vec<f64>,
    log_scale: f64,
}

fn weights(points: usize, first: i64, offset: f64, step: f64, tilt: f64) -> Weights {
    let loss = |point: usize| offset + (integer(first) + real(point as u64)) * step;
    let log_scale = tilt * loss(points.max(1) - 1);
    let relative = (0..points).map(|point| libm::exp(tilt * loss(point) - log_scale)).collect();
    Weights { relative, log_scale }
}

/// The point nearest to the tilted mean.
fn centre(mass: &[f64], weights: &Weights, first: i64) -> Result<i64, PrivacyError> {
    let (mut sum, mut moment) = (0.0, 0.0);
    for (point, (p, weight)) in mass.iter().zip(&weights.relative).enumerate() {
        sum += p * weight;
        moment += p * weight * real(point as u64);
    }
    let mean = moment / sum;
    if mean.is_finite() {
        Ok(first + whole(mean + 0.5))
    } else {
        Err(PrivacyError::NotFinite { figure: "privacy loss distribution" })
    }
}

impl Side {
    /// ln E\[e^(sk)\] over the numbers k of the points; infinite if it overflows.
    fn cumulant(&self, s: f64) -> f64 {
        // From the greatest term down: what underflows is nothing beside it.
        let decay = libm::exp(-s.abs());
        let last = integer(self.first) + real(self.mass.len().max(1) as u64 - 1);
        let mut power = libm::exp(if s > 0.0 { s * last } else { s * integer(self.first) });
        let mut sum = 0.0;
        let mut add = |p: &f64| {
            sum += p * power;
            power *= decay;
        };
        if s > 0.0 {
            self.mass.iter().rev().for_each(&mut add);
        } else {
            self.mass.iter().for_each(&mut add);
        }
        libm::log(sum)
    }

    fn moments(&self) -> (f64, f64) {
        let mut sums = (0.0, 0.0);
        for (point, p) in self.mass.iter().enumerate() {
            let k = integer(self.first) + real(point as u64);
            sums = (sums.0 + p * k, sums.1 + p * k * k);
        }
        sums
    }
}

/// The first and last number of the sum's points, but for e^−`log_window` of the mass on either side.
///
/// For any s > 0, P(K ≥ k) ≤ exp(Λ(s) − sk): the end is (Λ(s) + window)/s at the best s tried.
fn window(tilted: &[Tilted], log_window: f64) -> (f64, f64) {
    let variance = tilted.iter().fold(0.0, |sum, one| {
        let (mean, square) = one.upper.moments();
        sum + real(one.count) * (square - mean * mean).max(0.0)
    });
    let deviation = libm::sqrt(variance).max(0.25);
    let guess = libm::log(libm::sqrt(2.0 * log_window) / deviation);
    let widest = tilted.iter().map(|one| one.upper.mass.len()).max().unwrap_or(1);
    let limit = libm::log(LOG_MOMENT_MAX / real(widest as u64));
    let end = |side: fn(&Tilted) -> &Side, sign: f64| {
        let reach = |log_s: f64| {
            let s = libm::exp(log_s);
            let cumulant = tilted
                .iter()
                .fold(0.0, |sum, one| sum + real(one.count) * side(one).cumulant(sign * s));
            // The recurrence in the cumulant rounds; a part in 10^9 of its terms is far more.
            let end = (cumulant * (1.0 + 1e-9) + log_window + 1e-6) / s;
            if end.is_nan() { f64::INFINITY } else { end }
        };
        // Beyond `limit` the moments of a wide and skewed loss overflow.
        let top = (guess + 2.0).min(limit);
        least((guess - 3.0).min(top - 4.0), top, WINDOW_STEPS, reach).1
    };
    let high = f64::max(end(|one| &one.upper, 1.0), end(|one| &one.lower, 1.0));
    let low = f64::max(end(|one| &one.upper, -1.0), end(|one| &one.lower, -1.0));
    (-libm::ceil(low) - 1.0, libm::ceil(high) + 1.0)
}

/// The tilted masses of the sums, above and below, from the point `first` on around the circle.
fn convolved(tilted: &[Tilted], fft: &Fft, first: i64) -> (Moved, Moved) {
    let length = fft.length();
    if let [Tilted { upper, lower, count: 1, .. }] = tilted {
        let mut circle = vec![Complex::default(); length];
        place(upper, &mut circle, |slot, p| slot.re += p);
        place(lower, &mut circle, |slot, p| slot.im += p);
        circle.rotate_left(around(first, length));
        let upper = circle.iter().map(|v| v.re).collect();
        return ((upper, 0.0), (circle.iter().map(|v| v.im).collect(), 0.0));
    }
    let start = Frequency::new();
    let mut product = vec![start; length / 2 + 1];
    // Both sides have mass 1 and travel as the two parts of one complex vector.
    let forward_error = 2.0 * fft.relative_error() + 4.0 * ROUNDING;
    let mut buffer = vec![Complex::default(); length];
    for one in tilted {
        buffer.fill(Complex::default());
        place(&one.upper, &mut buffer, |slot, p| slot.re += p);
        place(&one.lower, &mut buffer, |slot, p| slot.im += p);
        fft.forward(&mut buffer);
        let mut frequencies = product.iter_mut();
        pairs(&mut buffer, |here, there| {
            let (upper, lower) = parts(*here, *there);
            if let Some(frequency) = frequencies.next() {
                frequency.multiply(upper, lower, one.count, forward_error);
            }
        });
    }
    let (mut upper_error, mut lower_error, mut size) = (0.0, 0.0, 0.0);
    let mut frequencies = product.iter();
    pairs(&mut buffer, |here, there| {
        let Some(of) = frequencies.next() else { return };
        *here = of.upper + of.lower.rotated();
        *there = of.upper.conj() + of.lower.conj().rotated();
        upper_error += 2.0 * of.upper_size.bound * of.upper_size.error;
        lower_error += 2.0 * of.lower_size.bound * of.lower_size.error;
        size += 2.0 * (of.upper_size.bound + of.lower_size.bound);
    });
    fft.backward(&mut buffer);
    let scale = 1.0 / real(length as u64);
    let rounding = size * (fft.relative_error() + 4.0 * ROUNDING) + f64::MIN_POSITIVE;
    let (upper_error, lower_error) =
        (scale * (upper_error + rounding), scale * (lower_error + rounding));
    let turn = around(first, length);
    buffer.rotate_left(turn);
    let (up, down) = (upper_error * (1.0 + 1e-6), lower_error * (1.0 + 1e-6));
    let upper = buffer.iter().map(|v| (v.re * scale).max(0.0) + up).collect();
    let lower = buffer.iter().map(|v| (v.im * scale - down).max(0.0)).collect();
    ((upper, up), (lower, down))
}

/// Masses, and by how much each was moved to its safe side.
type Moved = (Vec<f64>, f64);

/// The slot of a point on a circle of `length` slots.
fn around(point: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    usize::try_from(point.rem_euclid(length)).unwrap_or(0)
}

/// Adds a side's masses to the circle.
fn place(side: &Side, circle: &mut [Complex], add: impl Fn(&mut Complex, f64)) {
    let length = circle.len();
    let start = around(side.first, length);
    let mut rest = side.mass.as_slice();
    let mut from = start;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(length - from));
        for (slot, &p) in circle.iter_mut().skip(from).zip(now) {
            add(slot, p);
        }
        (rest, from) = (later, 0);
    }
}

/// Visits each frequency together with its negative, in bit-reversed order; 0 and the highest are their own negatives.
fn pairs(spectrum: &mut [Complex], mut visit: impl FnMut(&mut Complex, &mut Complex)) {
    let (own, mut rest) = spectrum.split_at_mut(2);
    for value in own {
        let mut twin = *value;
        visit(value, &mut twin);
    }
    let mut block = 2;
    while !rest.is_empty() {
        let (these, after) = rest.split_at_mut(block);
        let (low, high) = these.split_at_mut(block / 2);
        for (here, there) in low.iter_mut().zip(high.iter_mut().rev()) {
            visit(here, there);
        }
        rest = after;
        block *= 2;
    }
}

/// The spectra of the real and of the imaginary part, at a frequency, from those of both at it and at its negative.
fn parts(here: Complex, there: Complex) -> (Complex, Complex) {
    let (sum, difference) = (here + there.conj(), here - there.conj());
    (sum.scaled(0.5), Complex::new(0.5 * difference.im, -0.5 * difference.re))
}

impl Frequency {
    const fn new() -> Self {
        let size = Size { bound: 1.0, error: 0.0 };
        Self { upper: Complex::ONE, lower: Complex::ONE, upper_size: size, lower_size: size }
    }

    fn multiply(&mut self, upper: Complex, lower: Complex, count: u64, error: f64) {
        self.upper = self.upper * power(upper, count);
        self.lower = self.lower * power(lower, count);
        self.upper_size.multiply(upper, count, error);
        self.lower_size.multiply(lower, count, error);
    }
}

impl Size {
    /// Multiplies by a number to the power `count`, where the number itself is off by `error` at most.
    ///
    /// (x + η)^n − x^n ≤ nη(x + η)^(n−1), and each of the fewer than 2n products rounds by less than 3u.
    fn multiply(&mut self, number: Complex, count: u64, error: f64) {
        let bound = number.modulus() * (1.0 + 4.0 * ROUNDING) + error;
        let times = real(count);
        self.bound *= real_power(bound, count);
        self.error += times * (error / bound + 8.0 * ROUNDING);
    }
}

/// A complex number to a whole power, by squaring.
fn power(mut base: Complex, mut exponent: u64) -> Complex {
    let mut result = Complex::ONE;
    loop {
        if exponent & 1 == 1 {
            result = result * base;
        }
        exponent >>= 1;
        if exponent == 0 {
            return result;
        }
        base = base * base;
        // Subnormal numbers would be slow, and are nothing beside the bounds.
        if base.re.abs() + base.im.abs() < 1e-150 {
            return Complex::default();
        }
    }
}

/// A positive number to a whole power, rounded up, and at least 10^−150.
fn real_power(mut base: f64, mut exponent: u64) -> f64 {
    let mut result = 1.0;
    loop {
        if exponent & 1 == 1 {
            result = (result * base).next_up().max(1e-150);
        }
        exponent >>= 1;
        if exponent == 0 {
            return result;
        }
        base = (base * base).next_up().max(1e-150);
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounded by the number of points")]
fn integer(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the number of points")]
fn whole(number: f64) -> i64 {
    libm::floor(number) as i64
}
