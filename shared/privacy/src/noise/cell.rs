//! Which quarter of a standard deviation a normal number falls in.

use super::fixed::Interval;
use super::{RandomSource, SourceExhausted, word};

/// Binary digits behind the point, in words, with which the thresholds are computed.
const TABLE_WORDS: usize = 4;
/// Cells in the table: the rest has less probability than 2⁻⁶³.
const CELLS: u32 = 40;

/// A uniform number in (0, 1), known as far as its digits have been drawn.
pub(super) struct Lazy {
    words: Vec<u64>,
    /// The lowest digit of the first word has not been drawn yet and reads 0.
    digit_missing: bool,
}

impl Lazy {
    pub(super) fn new(first: u64) -> Self {
        Self { words: vec![first], digit_missing: false }
    }

    /// Without its 64th digit.
    fn of_63_digits(first: u64) -> Self {
        Self { words: vec![first << 1], digit_missing: true }
    }

    /// Draws another word of digits.
    pub(super) fn extend(&mut self, source: &mut impl RandomSource) -> Result<(), SourceExhausted> {
        if self.digit_missing {
            let digit = word(source)? & 1;
            self.words.iter_mut().for_each(|first| *first |= digit);
            self.digit_missing = false;
        }
        self.words.push(word(source)?);
        Ok(())
    }

    /// The word at `index`, drawn if need be.
    pub(super) fn word(
        &mut self,
        index: usize,
        source: &mut impl RandomSource,
    ) -> Result<u64, SourceExhausted> {
        while self.words.len() <= index {
            self.extend(source)?;
        }
        Ok(self.words.get(index).copied().unwrap_or_default())
    }

    /// What is known of the number, on a few more digits than are known.
    pub(super) fn interval(&self) -> Interval {
        Interval::prefix(&self.words, if self.digit_missing { 2 } else { 1 }, self.precision())
    }

    pub(super) fn precision(&self) -> usize {
        self.words.len() + 2
    }
}

/// Chooses the cell k ≥ 0, the normal number lying in [k/4, (k+1)/4), with probability in proportion to its largest density
/// e^(−k²/32).
pub(super) struct Cells {
    /// ⌊2⁶³·(w₀ + … + w_k)/Σw⌋.
    thresholds: Vec<u64>,
    /// For each first byte of a uniform number, the first cell that is possible.
    starts: Vec<u32>,
}

impl Cells {
    pub(super) fn new() -> Self {
        let weights = Weights::new(TABLE_WORDS);
        let thresholds: Vec<u64> = (0..CELLS).map(|cell| weights.threshold(cell)).collect();
        let starts = (0..256u64)
            .map(|byte| {
                let passed = thresholds.iter().take_while(|&&t| t < byte << 55).count();
                u32::try_from(passed).unwrap_or(CELLS)
            })
            .collect();
        Self { thresholds, starts }
    }

    /// The cell of a uniform number with the 63 digits `digits`, or `None` if they do not decide.
    #[inline]
    pub(super) fn quick(&self, digits: u64) -> Option<u32> {
        let byte = usize::try_from(digits >> 55).ok()?;
        let start = *self.starts.get(byte)?;
        let possible = self.thresholds.get(usize::try_from(start).ok()?..)?;
        let (cell, &threshold) = (start..).zip(possible).find(|&(_, &t)| digits <= t)?;
        (digits < threshold).then_some(cell)
    }
}

/// The cell of a uniform number that begins with `digits`, with as many more as it takes.
#[cold]
pub(super) fn exact(digits: u64, source: &mut impl RandomSource) -> Result<u32, SourceExhausted> {
    let mut uniform = Lazy::of_63_digits(digits);
    loop {
        let weights = Weights::new(uniform.precision());
        // u < S_k/Z, without a division: uZ < S_k.
        let product = uniform.interval().mul(&weights.total);
        for (cell, sum) in (0..).zip(&weights.sums) {
            if product.at_most(sum) {
                return Ok(cell);
            }
            if !sum.at_most(&product) {
                break;
            }
        }
        uniform.extend(source)?;
    }
}

/// The weights e^(−k²/32) summed up, as many as matter at a precision.
struct Weights {
    sums: Vec<Interval>,
    total: Interval,
}

impl Weights {
    fn new(words: usize) -> Self {
        // w_{k+1} = w_k·c_k and c_{k+1} = c_k·e^(−1/16), from w₀ = 1 and c₀ = e^(−1/32).
        let one = Interval::integer(1, words);
        let shrink = one.div_small(16).exp_neg();
        let mut ratio = one.div_small(32).exp_neg();
        let mut weight = one.clone();
        let mut sum = one;
        let mut sums = vec![sum.clone()];
        // e^(−k²/32) < 2^(−64·words) from k² = 64·32·ln 2·words on.
        let cells = (1420 * (words + 1)).isqrt();
        for _ in 0..cells {
            weight = weight.mul(&ratio);
            ratio = ratio.mul(&shrink);
            sum = sum.add(&weight);
            sums.push(sum.clone());
        }
        // From here each weight is less than half the one before, so all the rest is less than the last one taken.
        Self { total: sum.widened(&weight), sums }
    }

    /// ⌊2⁶³·S_k/Z⌋ by bisection; the precision leaves no doubt.
    fn threshold(&self, cell: u32) -> u64 {
        let sum = usize::try_from(cell).ok().and_then(|cell| self.sums.get(cell));
        let Some(sum) = sum else { return 1 << 63 };
        (0..63).rev().fold(0, |found, digit| {
            let trial = found | 1 << digit;
            let scaled = Interval::prefix(&[trial << 1], 0, TABLE_WORDS).mul(&self.total);
            if scaled.at_most(sum) { trial } else { found }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thresholds against the weights' definition in f64.
    #[test]
    fn cells_are_chosen_by_the_density_at_their_edge() {
        let weight = |k: u32| libm::exp(-f64::from(k * k) / 32.0);
        let total: f64 = (0..200).map(weight).sum();
        let mut sum = 0.0;
        for (cell, &threshold) in (0..).zip(&Cells::new().thresholds) {
            sum += weight(cell);
            #[expect(clippy::cast_precision_loss, reason = "compared to 1e-14")]
            let found = threshold as f64 / 2f64.powi(63);
            assert!((found - sum / total).abs() < 1e-14, "{cell}: {found} {}", sum / total);
        }
    }

    #[test]
    fn digits_on_a_threshold_decide_nothing_and_its_neighbours_do() {
        let cells = Cells::new();
        for (cell, &threshold) in (0..20).zip(&cells.thresholds) {
            assert_eq!(cells.quick(threshold - 1), Some(cell));
            assert_eq!(cells.quick(threshold), None);
            assert_eq!(cells.quick(threshold + 1), Some(cell + 1));
        }
    }
}
