//! The discrete Fourier transform of a power-of-two length, with a bound on its rounding.
//!
//! Ours, and not a library's, for two reasons: its bits must be the same on every machine (no instruction sets chosen at run time, no
//! platform's sine), and its error must be one that a proof can name.

use core::f64::consts::PI;
use core::ops::{Add, Mul, Sub};

/// The rounding of one level of butterflies relative to the sum of the moduli that enter it.
///
/// With u = 2⁻⁵³: the twiddle factor is off by less than 2u (an argument of at most π/4, a function good to one unit in the last
/// place), the product by √2·2u, the sum by u. 8u is above all of it.
const LEVEL_ERROR: f64 = 8.0 * 0.5 * f64::EPSILON;
/// Below this length a transform goes level by level; above it, half by half, so that each half stays in the cache.
const IN_CACHE: usize = 2048;

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) const ONE: Self = Self { re: 1.0, im: 0.0 };

    pub(crate) const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    pub(crate) const fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    pub(crate) const fn scaled(self, factor: f64) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }

    /// The number times the imaginary unit.
    pub(crate) const fn rotated(self) -> Self {
        Self { re: -self.im, im: self.re }
    }

    pub(crate) fn modulus(self) -> f64 {
        libm::sqrt(self.re * self.re + self.im * self.im)
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

/// Transforms of one length.
///
/// Frequencies come out, and go in, in bit-reversed order: what is done to them here, number by number, does not care.
#[derive(Debug)]
pub(crate) struct Fft {
    length: usize,
    /// For each level, the longest first: e^(−2πi·j/2m) for j < m.
    twiddles: Vec<Vec<Complex>>,
}

impl Fft {
    /// For vectors of `2^log_length` numbers.
    pub(crate) fn new(log_length: u32) -> Self {
        let length = 1_usize << log_length;
        let mut twiddles = Vec::new();
        let mut half = length / 2;
        let mut longest: Vec<Complex> = (0..half).map(|j| turn(j, length)).collect();
        while half > 0 {
            let next = longest.iter().step_by(2).copied().collect();
            twiddles.push(core::mem::replace(&mut longest, next));
            half /= 2;
        }
        Self { length, twiddles }
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Σⱼ xⱼ e^(−2πi·jk/n) for all k, in place, in bit-reversed order. `values` has the transform's length.
    pub(crate) fn forward(&self, values: &mut [Complex]) {
        forward(values, &self.twiddles);
    }

    /// Σₖ yₖ e^(2πi·jk/n) for all j, from bit-reversed order, in place and not divided by the length.
    pub(crate) fn backward(&self, values: &mut [Complex]) {
        backward(values, &self.twiddles);
    }

    /// A bound on the error of every output number, either way, over the sum of the moduli of all inputs.
    ///
    /// Each output is a sum along a tree: by induction over the levels, an error relative to the sum of the moduli of the inputs below.
    pub(crate) fn relative_error(&self) -> f64 {
        let levels = f64::from(self.length.trailing_zeros());
        levels * LEVEL_ERROR * (1.0 + 1e-9)
    }
}

fn forward(values: &mut [Complex], twiddles: &[Vec<Complex>]) {
    let Some((first, rest)) = twiddles.split_first() else { return };
    if values.len() > IN_CACHE {
        let (low, high) = values.split_at_mut(first.len());
        decimate_frequency(low, high, first);
        forward(low, rest);
        forward(high, rest);
        return;
    }
    for level in twiddles {
        for block in values.chunks_exact_mut(2 * level.len()) {
            let (low, high) = block.split_at_mut(level.len());
            decimate_frequency(low, high, level);
        }
    }
}

fn backward(values: &mut [Complex], twiddles: &[Vec<Complex>]) {
    let Some((first, rest)) = twiddles.split_first() else { return };
    if values.len() > IN_CACHE {
        let (low, high) = values.split_at_mut(first.len());
        backward(low, rest);
        backward(high, rest);
        decimate_time(low, high, first);
        return;
    }
    for level in twiddles.iter().rev() {
        for block in values.chunks_exact_mut(2 * level.len()) {
            let (low, high) = block.split_at_mut(level.len());
            decimate_time(low, high, level);
        }
    }
}

fn decimate_frequency(low: &mut [Complex], high: &mut [Complex], twiddles: &[Complex]) {
    for ((a, b), &twiddle) in low.iter_mut().zip(high).zip(twiddles) {
        let (sum, difference) = (*a + *b, *a - *b);
        *a = sum;
        *b = difference * twiddle;
    }
}

fn decimate_time(low: &mut [Complex], high: &mut [Complex], twiddles: &[Complex]) {
    for ((a, b), &twiddle) in low.iter_mut().zip(high).zip(twiddles) {
        let turned = *b * twiddle.conj();
        let (sum, difference) = (*a + turned, *a - turned);
        *a = sum;
        *b = difference;
    }
}

/// e^(−2πi·j/n) for j < n/2 and n a power of two, from an angle of at most π/4.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
fn turn(j: usize, n: usize) -> Complex {
    // The quarter turns are taken off in integers: n/2 − j mirrors at the vertical axis, n/4 − j at the diagonal.
    let mirrored = 4 * j > n;
    let folded = if mirrored { n / 2 - j } else { j };
    let swapped = 8 * folded > n;
    let eighth = if swapped { n / 4 - folded } else { folded };
    let angle = 2.0 * PI * (eighth as f64 / n as f64);
    let (sine, cosine) = libm::sincos(angle);
    let (cosine, sine) = if swapped { (sine, cosine) } else { (cosine, sine) };
    Complex::new(if mirrored { -cosine } else { cosine }, -sine)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn reversed(k: usize, log_length: u32) -> usize {
        k.reverse_bits() >> (usize::BITS - log_length)
    }

    fn sample(length: usize) -> Vec<Complex> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from(u32::try_from(state >> 40).unwrap()) / 16_777_216.0 - 0.5
        };
        (0..length).map(|_| Complex::new(next(), next())).collect()
    }

    #[test]
    fn every_frequency_is_the_sum_that_defines_it_within_the_bound() {
        for log_length in 1..=9 {
            let fft = Fft::new(log_length);
            let values = sample(fft.length());
            let mut found = values.clone();
            fft.forward(&mut found);
            let mass: f64 = values.iter().map(|v| v.modulus()).sum();
            for k in 0..fft.length() {
                let truth = values.iter().enumerate().fold(Complex::default(), |sum, (j, &v)| {
                    #[expect(clippy::cast_precision_loss, reason = "small")]
                    let angle = -2.0 * PI * ((j * k) % fft.length()) as f64 / fft.length() as f64;
                    sum + v * Complex::new(angle.cos(), angle.sin())
                });
                let error = (found[reversed(k, log_length)] - truth).modulus();
                // The sum itself rounds, too.
                assert!(error <= mass * (fft.relative_error() + 1e-14), "{log_length} {k}");
            }
        }
    }

    #[test]
    fn there_and_back_again_is_the_length_times_the_start() {
        for log_length in [0, 1, 2, 11, 12, 15] {
            let fft = Fft::new(log_length);
            let values = sample(fft.length());
            let mut found = values.clone();
            fft.forward(&mut found);
            fft.backward(&mut found);
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let length = fft.length() as f64;
            let mass: f64 = values.iter().map(|v| v.modulus()).sum();
            for (found, value) in found.iter().zip(&values) {
                let error = (found.scaled(1.0 / length) - *value).modulus();
                assert!(error <= 2.0 * mass * fft.relative_error() + 1e-16, "{log_length}");
            }
        }
    }

    #[test]
    fn twiddles_are_on_the_circle() {
        for j in 0..512 {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let angle = -2.0 * PI * j as f64 / 1024.0;
            let ours = turn(j, 1024);
            assert!((ours - Complex::new(angle.cos(), angle.sin())).modulus() < 5e-16, "{j}");
            assert!((ours.modulus() - 1.0).abs() < 3e-16, "{j}");
        }
    }
}
