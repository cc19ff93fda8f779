use super::{RandomSource, SourceExhausted, word};
use crate::PrivacyError;

/// The largest standard deviation, in grid units: the squares below it fit in 128 bits.
const SCALE_MAX: u64 = 1 << 24;
/// Candidates of this size and above are refused; one is drawn with probability below e^(−2¹³).
const SIZE_MAX: u128 = 1 << 38;

/// Discrete Gaussian noise: P(k) is proportional to e^(−k²/2s²) on the integers, exactly, s an integer.
///
/// [Canonne, Kamath & Steinke 2020], algorithms 1 to 3: a discrete Laplace number of scale t = s + 1 is accepted with probability
/// exp(−(|y| − s²/t)²/2s²), and every such coin is made of fair coins and integers. A sum of such numbers is nearly of the same
/// kind, which is what several banks that add their noise in secret need ([Kairouz, Liu & Steinke 2021]); one bank alone uses
/// [`RoundedGaussian`](crate::RoundedGaussian), whose accountant needs no correction.
///
/// The time a draw takes depends on the draw, never on the data.
///
/// ```
/// use privacy::{DiscreteGaussian, Keystream};
/// use zeroize::Zeroizing;
/// let noise = DiscreteGaussian::new(3)?;
/// let mut source = Keystream::from_seed(&Zeroizing::new([7; 32]));
/// let draws: Vec<i64> = (0..100).map(|_| noise.sample(&mut source)).collect::<Result<_, _>>()?;
/// assert!(draws.iter().all(|k| k.abs() < 30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscreteGaussian {
    scale: u64,
}

impl DiscreteGaussian {
    /// The noise with parameter `scale`, its standard deviation but for e^(−2π²s²).
    ///
    /// # Errors
    ///
    /// [`PrivacyError::OutOfRange`] unless `scale` is from 1 to 2²⁴.
    pub fn new(scale: u64) -> Result<Self, PrivacyError> {
        if (1..=SCALE_MAX).contains(&scale) {
            Ok(Self { scale })
        } else {
            Err(PrivacyError::OutOfRange {
                quantity: "discrete noise scale",
                expected: "between 1 and 2^24",
                value: crate::special::real(scale),
            })
        }
    }

    /// The parameter s in grid units.
    pub const fn scale(&self) -> u64 {
        self.scale
    }

    /// One draw.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] from the source.
    pub fn sample(&self, source: &mut impl RandomSource) -> Result<i64, SourceExhausted> {
        let (scale, width) = (u128::from(self.scale), u128::from(self.scale) + 1);
        let variance = scale * scale;
        loop {
            let (negative, size) = laplace(width, source)?;
            if size >= SIZE_MAX {
                continue;
            }
            // (|y| − s²/t)²/2s² over the common denominator 2s²t².
            let distance = (size * width).abs_diff(variance);
            if falls_exponentially(distance * distance, 2 * variance * width * width, source)? {
                let size = i64::try_from(size).unwrap_or(i64::MAX);
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
}

/// A discrete Laplace number of scale `width`: its sign and its size, P proportional to e^(−size/width), 0 once.
fn laplace(width: u128, source: &mut impl RandomSource) -> Result<(bool, u128), SourceExhausted> {
    loop {
        let rest = below(width, source)?;
        if !falls_exponentially(rest, width, source)? {
            continue;
        }
        let mut whole = 0;
        while whole < SIZE_MAX && falls_exponentially(1, 1, source)? {
            whole += 1;
        }
        let size = rest + width * whole;
        let negative = word(source)? & 1 == 1;
        if size > 0 || !negative {
            return Ok((negative, size));
        }
    }
}

/// True with probability e^(−`numerator`/`denominator`).
fn falls_exponentially(
    numerator: u128,
    denominator: u128,
    source: &mut impl RandomSource,
) -> Result<bool, SourceExhausted> {
    for _ in 0..numerator / denominator {
        if !unit_exponential(1, 1, source)? {
            return Ok(false);
        }
    }
    unit_exponential(numerator % denominator, denominator, source)
}

/// True with probability e^−γ for γ = `numerator`/`denominator` ≤ 1: the first K at which a coin of γ/K fails is odd.
fn unit_exponential(
    numerator: u128,
    denominator: u128,
    source: &mut impl RandomSource,
) -> Result<bool, SourceExhausted> {
    let mut k = 1;
    while below(denominator * k, source)? < numerator {
        k += 1;
    }
    Ok(k % 2 == 1)
}

/// A uniform number below `bound`: as many bits as it has, until they are below it.
fn below(bound: u128, source: &mut impl RandomSource) -> Result<u128, SourceExhausted> {
    let bits = u128::BITS - (bound - 1).leading_zeros();
    if bits == 0 {
        return Ok(0);
    }
    loop {
        let drawn = if bits <= 64 {
            u128::from(word(source)? >> (64 - bits))
        } else {
            (u128::from(word(source)?) << 64 | u128::from(word(source)?)) >> (128 - bits)
        };
        if drawn < bound {
            return Ok(drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::Keystream;

    /// Gives the same word for ever.
    struct Same(u64);

    impl RandomSource for Same {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted> {
            bytes.copy_from_slice(&self.0.to_le_bytes());
            Ok(())
        }
    }

    #[test]
    fn numbers_below_a_bound_are_all_drawn_and_no_others() {
        let mut source = Keystream::from_seed(&Zeroizing::new([1; 32]));
        for bound in [1_u128, 2, 3, 7, 8, 1 << 64, (1 << 64) + 1, 1 << 100] {
            for _ in 0..200 {
                assert!(below(bound, &mut source).unwrap() < bound);
            }
        }
        let seen: std::collections::BTreeSet<u128> =
            (0..400).map(|_| below(7, &mut source).unwrap()).collect();
        assert_eq!(seen, (0..7).collect());
        assert_eq!(below(1 << 64, &mut Same(u64::MAX)), Ok(u128::from(u64::MAX)));
    }

    #[test]
    fn coins_fall_with_their_exponential() {
        let mut source = Keystream::from_seed(&Zeroizing::new([2; 32]));
        for (numerator, denominator) in [(0_u32, 1_u32), (1, 3), (1, 1), (7, 3), (5, 2)] {
            const COUNT: u32 = 100_000;
            let heads = (0..COUNT)
                .filter(|_| {
                    falls_exponentially(numerator.into(), denominator.into(), &mut source).unwrap()
                })
                .count();
            let truth = libm::exp(-f64::from(numerator) / f64::from(denominator));
            let share = f64::from(u32::try_from(heads).unwrap()) / f64::from(COUNT);
            let error = libm::sqrt(truth * (1.0 - truth) / f64::from(COUNT));
            assert!((share - truth).abs() <= 5.0 * error, "{numerator}/{denominator}: {share}");
        }
    }
}
