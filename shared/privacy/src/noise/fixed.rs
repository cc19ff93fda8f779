//! Arbitrary-precision intervals of non-negative numbers: the arithmetic behind every decision that 64 bits cannot take.

/// A number as its integer part and then 64 binary digits a word, rounded down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Digits(Vec<u64>);

impl Digits {
    fn zero(words: usize) -> Self {
        Self(vec![0; words + 1])
    }

    fn integer(value: u64, words: usize) -> Self {
        let mut digits = Self::zero(words);
        digits.0.iter_mut().take(1).for_each(|first| *first = value);
        digits
    }

    /// Adds `units` of the last digit. All sums here stay far below 2⁶⁴.
    fn add_units(&mut self, units: u64) {
        let mut carry = units;
        for word in self.0.iter_mut().rev() {
            let (sum, over) = word.overflowing_add(carry);
            *word = sum;
            carry = u64::from(over);
        }
    }

    fn add(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        let mut carry = false;
        for (word, &more) in sum.0.iter_mut().zip(&other.0).rev() {
            let (first, over_first) = word.overflowing_add(more);
            let (second, over_second) = first.overflowing_add(u64::from(carry));
            *word = second;
            carry = over_first || over_second;
        }
        sum
    }

    /// The difference, or zero if it would be negative.
    fn sub(&self, other: &Self) -> Self {
        if self <= other {
            return Self(vec![0; self.0.len()]);
        }
        let mut difference = self.clone();
        let mut borrow = false;
        for (word, &less) in difference.0.iter_mut().zip(&other.0).rev() {
            let (first, under_first) = word.overflowing_sub(less);
            let (second, under_second) = first.overflowing_sub(u64::from(borrow));
            *word = second;
            borrow = under_first || under_second;
        }
        difference
    }

    /// The product, truncated.
    fn mul(&self, other: &Self) -> Self {
        let length = self.0.len();
        // Exact product, least significant word first.
        let mut product = vec![0u64; 2 * length];
        for (i, &a) in self.0.iter().rev().enumerate() {
            let mut carry = 0u128;
            let row = product.get_mut(i..).unwrap_or_default();
            let factors = other.0.iter().rev().copied().chain(core::iter::once(0));
            for (place, b) in row.iter_mut().zip(factors) {
                let sum = u128::from(*place) + u128::from(a) * u128::from(b) + carry;
                *place = low_word(sum);
                carry = sum >> 64;
            }
        }
        // The last length−1 words of each factor are fractional, so twice as many of the product.
        let kept = product.iter().skip(length - 1).take(length).rev().copied();
        Self(kept.collect())
    }

    /// The quotient, truncated.
    fn div_small(&self, divisor: u64) -> Self {
        let mut quotient = self.clone();
        let mut rest = 0u128;
        for word in &mut quotient.0 {
            let wide = (rest << 64) | u128::from(*word);
            *word = low_word(wide / u128::from(divisor));
            rest = wide % u128::from(divisor);
        }
        quotient
    }

    fn is_below_one(&self) -> bool {
        self.0.first() == Some(&0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
const fn low_word(wide: u128) -> u64 {
    wide as u64
}

/// A number known to lie in `[low, high]`; every operation rounds outward.
#[derive(Clone, Debug)]
pub(super) struct Interval {
    low: Digits,
    high: Digits,
}

impl Interval {
    /// The integer `value` with `words` × 64 binary digits after the point.
    pub(super) fn integer(value: u64, words: usize) -> Self {
        let digits = Digits::integer(value, words);
        Self { low: digits.clone(), high: digits }
    }

    /// A number below 1 whose first digits are `prefix` and which is less than `width` units of the last known digit above them.
    pub(super) fn prefix(prefix: &[u64], width: u64, words: usize) -> Self {
        let known = || core::iter::once(0).chain(prefix.iter().copied());
        let mut high = Digits(known().collect());
        high.add_units(width);
        let padded = |digits: Vec<u64>| {
            let mut digits = digits;
            digits.resize(words + 1, 0);
            Digits(digits)
        };
        Self { low: padded(known().collect()), high: padded(high.0) }
    }

    /// Certainly at or below every value of `other`.
    pub(super) fn at_most(&self, other: &Self) -> bool {
        self.high <= other.low
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        Self { low: self.low.add(&other.low), high: self.high.add(&other.high) }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        let mut high = self.high.mul(&other.high);
        high.add_units(1);
        Self { low: self.low.mul(&other.low), high }
    }

    pub(super) fn div_small(&self, divisor: u64) -> Self {
        let mut high = self.high.div_small(divisor);
        high.add_units(1);
        Self { low: self.low.div_small(divisor), high }
    }

    /// The interval with its upper end moved up to `high`'s sum.
    pub(super) fn widened(&self, excess: &Self) -> Self {
        Self { low: self.low.clone(), high: self.high.add(&excess.high) }
    }

    /// e^−r: halved until below 1, the alternating series, squared back.
    pub(super) fn exp_neg(&self) -> Self {
        let mut reduced = self.clone();
        let mut halvings = 0;
        while !reduced.high.is_below_one() {
            reduced = reduced.div_small(2);
            halvings += 1;
        }
        let mut power = reduced.exp_neg_below_one();
        for _ in 0..halvings {
            power = power.mul(&power);
        }
        power
    }

    fn exp_neg_below_one(&self) -> Self {
        let words = self.low.0.len() - 1;
        let mut term = Self::integer(1, words);
        let (mut even, mut odd) = (term.clone(), Self::integer(0, words));
        let negligible = {
            let mut unit = Digits::zero(words);
            unit.add_units(4);
            unit
        };
        let mut index = 0;
        // The terms fall at least like 1/index!, so this ends; what is left out is less than the last term taken.
        while term.high > negligible {
            index += 1;
            term = term.mul(self).div_small(index);
            if index % 2 == 0 {
                even = even.add(&term);
            } else {
                odd = odd.add(&term);
            }
        }
        let low = even.low.sub(&odd.high).sub(&term.high);
        let high = even.high.sub(&odd.low).add(&term.high);
        Self { low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approximate(digits: &Digits) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "compared to 1e-15")]
        digits.0.iter().rev().fold(0.0, |sum, &word| sum / 2f64.powi(64) + word as f64)
    }

    #[test]
    fn the_exponential_is_narrow_and_agrees_with_the_library() {
        for (numerator, denominator) in [(1, 32), (5, 2), (1, 1), (7, 3), (20, 1)] {
            let power = Interval::integer(numerator, 6).div_small(denominator).exp_neg();
            let mut wide = power.low.clone();
            wide.add_units(1 << 20);
            assert!(power.low < power.high && wide > power.high);
            #[expect(clippy::cast_precision_loss, reason = "small integers")]
            let truth = libm::exp(-(numerator as f64) / denominator as f64);
            assert!((approximate(&power.low) / truth - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn the_exponential_of_a_sum_is_the_product_far_beyond_64_bits() {
        let r = Interval::integer(5, 6).div_small(3);
        let (whole, half) = (r.exp_neg(), r.div_small(2).exp_neg());
        let squared = half.mul(&half);
        assert!(squared.low <= whole.high && whole.low <= squared.high);
        let mut wide = squared.low.clone();
        wide.add_units(1 << 20);
        assert!(wide > whole.low);
    }

    #[test]
    fn sums_and_differences_carry() {
        let almost = Digits(vec![0, u64::MAX, u64::MAX]);
        let unit = Digits(vec![0, 0, 1]);
        assert_eq!(almost.add(&unit), Digits(vec![1, 0, 0]));
        assert_eq!(Digits(vec![1, 0, 0]).sub(&unit), almost);
        assert_eq!(unit.sub(&almost), Digits(vec![0, 0, 0]));
        assert_eq!(almost.mul(&almost), Digits(vec![0, u64::MAX, u64::MAX - 1]));
    }
}
