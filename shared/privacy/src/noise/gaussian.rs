use super::cell::{Cells, Lazy, exact};
use super::{RandomSource, SourceExhausted, word};
use crate::PrivacyError;

/// Above the error of an acceptance probability computed in f64: 20 roundings of 2⁻⁵³ for cells up to [`QUICK_CELLS`].
const MARGIN: f64 = 1.0 / 35_184_372_088_832.0;
/// Beyond these cells, 16 standard deviations out, everything is decided exactly.
const QUICK_CELLS: u32 = 64;
/// The largest standard deviation, in grid units.
const SCALE_MAX: u64 = 1 << 31;

/// Noise that is exactly round(N(0, s²)), s an integer: no probability is off by even one part in 10³⁰⁰.
///
/// After [Karney 2016]: the integer part of a normal number is drawn by its weight, its fraction is a uniform number whose digits
/// are drawn as they are needed, accepted with the probability that makes the density right. Here the cells are a quarter of a
/// standard deviation, which accepts 91 % of the time. Every decision is first taken in 64 bits with a margin that covers
/// all rounding; the rare one that falls within the margin (about one in 10¹³) is taken again in interval arithmetic with as many
/// digits as it needs. Since the sum of contributions S is an integer, S + round(N) = round(S + N): the release is a function of
/// the continuous Gaussian mechanism's.
///
/// The time a draw takes depends on the draw, never on the data.
pub struct RoundedGaussian {
    scale: u64,
    cells: Cells,
    margin: f64,
}

impl RoundedGaussian {
    /// The noise of standard deviation `scale` grid units.
    ///
    /// # Errors
    ///
    /// [`PrivacyError::OutOfRange`] unless `scale` is from 1 to 2³¹.
    pub fn new(scale: u64) -> Result<Self, PrivacyError> {
        Self::with_margin(scale, MARGIN)
    }

    /// A wider margin sends more decisions to the exact arithmetic, a margin of 1 all of them; the draws stay the same.
    fn with_margin(scale: u64, margin: f64) -> Result<Self, PrivacyError> {
        if (1..=SCALE_MAX).contains(&scale) {
            Ok(Self { scale, cells: Cells::new(), margin })
        } else {
            Err(PrivacyError::OutOfRange {
                quantity: "noise scale",
                expected: "between 1 and 2^31",
                value: crate::special::real(scale),
            })
        }
    }

    /// The standard deviation in grid units.
    pub const fn scale(&self) -> u64 {
        self.scale
    }

    /// One draw.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] from the source.
    pub fn sample(&self, source: &mut impl RandomSource) -> Result<i64, SourceExhausted> {
        loop {
            let choice = word(source)?;
            let (negative, digits) = (choice & 1 == 1, choice >> 1);
            let quick = if self.margin < 1.0 { self.cells.quick(digits) } else { None };
            let cell = match quick {
                Some(cell) => cell,
                None => exact(digits, source)?,
            };
            let (fraction, coin) = (word(source)?, word(source)?);
            let mut fraction = Fraction { first: fraction, all: None };
            if self.accepts(cell, &mut fraction, coin, source)? {
                let size = self.rounded(cell, &mut fraction, source)?;
                return Ok(if negative { -size } else { size });
            }
        }
    }

    /// Adds a draw to each coordinate.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] from the source; `sum` is then part noised and must be thrown away.
    pub fn add_to(
        &self,
        sum: &mut [i64],
        source: &mut impl RandomSource,
    ) -> Result<(), SourceExhausted> {
        for coordinate in sum {
            *coordinate = coordinate.wrapping_add(self.sample(source)?);
        }
        Ok(())
    }

    /// Whether a uniform number that begins with `coin` is below e^−r, r = (2k + x)x/32: the density at (k + x)/4 over its largest
    /// in the cell.
    #[inline]
    fn accepts(
        &self,
        cell: u32,
        fraction: &mut Fraction,
        coin: u64,
        source: &mut impl RandomSource,
    ) -> Result<bool, SourceExhausted> {
        if cell <= QUICK_CELLS {
            let (x, u) = (unit(fraction.first), unit(coin));
            let r = (f64::from(2 * cell) + x) * x * (1.0 / 32.0);
            // 1 − r ≤ e^−r ≤ 1 − r + r²/2 settles most without an exponential.
            let least = 1.0 - r;
            if u < least - self.margin {
                return Ok(true);
            }
            if u > least + 0.5 * r * r + self.margin {
                return Ok(false);
            }
            let probability = libm::exp(-r);
            if (u - probability).abs() > self.margin {
                return Ok(u < probability);
            }
        }
        accepts_exactly(cell, fraction.all(), coin, source)
    }

    /// round(s(k + x)/4) = ⌊(s(k + x) + 2)/4⌋, ties having no probability.
    #[inline]
    fn rounded(
        &self,
        cell: u32,
        fraction: &mut Fraction,
        source: &mut impl RandomSource,
    ) -> Result<i64, SourceExhausted> {
        const ONE: u128 = 1 << 66;
        let position = u128::from(cell) << 64 | u128::from(fraction.first);
        let numerator = u128::from(self.scale) * position + (ONE >> 1);
        let (whole, rest) = (numerator >> 66, numerator & (ONE - 1));
        // The digits still unknown add less than `scale`.
        let carry = rest + u128::from(self.scale) > ONE
            && carries(self.scale, ONE - rest, fraction.all(), source)?;
        Ok(i64::try_from(whole + u128::from(carry)).unwrap_or(i64::MAX))
    }
}

/// A fraction of which mostly the first word is all that is needed.
struct Fraction {
    first: u64,
    all: Option<Lazy>,
}

impl Fraction {
    fn all(&mut self) -> &mut Lazy {
        self.all.get_or_insert_with(|| Lazy::new(self.first))
    }
}

/// A word as a number in [0, 1), short of it by less than 2⁻⁵³.
#[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

#[cold]
fn accepts_exactly(
    cell: u32,
    fraction: &mut Lazy,
    coin: u64,
    source: &mut impl RandomSource,
) -> Result<bool, SourceExhausted> {
    let mut coin = Lazy::new(coin);
    loop {
        while coin.precision() < fraction.precision() {
            coin.extend(source)?;
        }
        let x = fraction.interval();
        let r = x
            .add(&super::fixed::Interval::integer(u64::from(cell) * 2, fraction.precision()))
            .mul(&x);
        let probability = r.div_small(32).exp_neg();
        let uniform = coin.interval();
        if uniform.at_most(&probability) {
            return Ok(true);
        }
        if probability.at_most(&uniform) {
            return Ok(false);
        }
        fraction.extend(source)?;
    }
}

/// Whether `scale` times the digits of the fraction after its first word reaches `gap`, 0 < `gap` < `scale`.
#[cold]
fn carries(
    scale: u64,
    mut gap: u128,
    fraction: &mut Lazy,
    source: &mut impl RandomSource,
) -> Result<bool, SourceExhausted> {
    for index in 1.. {
        let known = u128::from(scale) * u128::from(fraction.word(index, source)?);
        let needed = gap << 64;
        if known >= needed {
            return Ok(true);
        }
        gap = needed - known;
        if gap >= u128::from(scale) {
            return Ok(false);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::Keystream;

    #[test]
    fn the_exact_path_makes_the_same_draws_as_the_quick_one() {
        for (scale, seed) in [(1, 3), (10, 4), (1 << 20, 5), (SCALE_MAX, 6)] {
            let quick = RoundedGaussian::new(scale).unwrap();
            let exact = RoundedGaussian::with_margin(scale, 1.0).unwrap();
            let seed = Zeroizing::new([seed; 32]);
            let (mut left, mut right) = (Keystream::from_seed(&seed), Keystream::from_seed(&seed));
            for _ in 0..4000 {
                assert_eq!(quick.sample(&mut left), exact.sample(&mut right));
            }
        }
    }
}
