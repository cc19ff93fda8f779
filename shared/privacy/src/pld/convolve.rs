//! The distribution of a sum by one transform there and one back, with a bound on what rounding does to it.

use crate::pld::fft::{Complex, Fft};
use crate::pld::tilt::{Side, Tilted};
use crate::special::real;

/// Half of the distance between 1 and the next number.
const ROUNDING: f64 = 0.5 * f64::EPSILON;

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

/// The tilted masses of the sums, above and below, from the point `first` on around the circle.
pub(crate) fn convolved(tilted: &[Tilted], fft: &Fft, first: i64) -> (Moved, Moved) {
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
pub(crate) type Moved = (Vec<f64>, f64);

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
