use super::{RandomSource, SourceExhausted, word};
use crate::SamplingRate;

/// A coin that is true with probability `rate`, exactly: the binary digits of a uniform number, drawn 64 at a time only as long
/// as they agree with those of `rate`, which is a dyadic fraction. A rate of 1 draws nothing.
///
/// # Errors
///
/// [`SourceExhausted`] from the source.
pub fn bernoulli(
    source: &mut impl RandomSource,
    rate: SamplingRate,
) -> Result<bool, SourceExhausted> {
    if rate.get() >= 1.0 {
        return Ok(true);
    }
    let (mantissa, places) = dyadic(rate.get());
    let mut known = 0;
    while known < places {
        known += 64;
        let (digits, drawn) = (digits(mantissa, places, known), word(source)?);
        if drawn != digits {
            return Ok(drawn < digits);
        }
    }
    // All digits agreed and the rest of the rate is zero: the uniform number is not below it.
    Ok(false)
}

/// m and p with `rate` = m/2ᵖ, for 0 < `rate` < 1.
fn dyadic(rate: f64) -> (u64, u32) {
    let bits = rate.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = (bits >> 52) as u32 & 0x7FF;
    if exponent == 0 { (fraction, 1074) } else { (fraction | 1 << 52, 1075 - exponent) }
}

/// The last 64 of the first `known` binary digits of m/2ᵖ.
fn digits(mantissa: u64, places: u32, known: u32) -> u64 {
    if known >= places {
        mantissa.checked_shl(known - places).unwrap_or(0)
    } else {
        mantissa.checked_shr(places - known).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_a_rate_are_those_of_its_fraction() {
        for rate in [
            0.5,
            0.75,
            0.1,
            1e-3,
            2f64.powi(-70),
            f64::MIN_POSITIVE,
            5e-324,
            1.0 - f64::EPSILON / 2.0,
        ] {
            let (mantissa, places) = dyadic(rate);
            let mut sum = 0.0;
            let mut known = 0;
            while known < places {
                known += 64;
                // Scaled in two steps: 2⁻¹⁰⁸⁸ is no number of its own.
                let half = i32::try_from(known / 2).unwrap();
                #[expect(clippy::cast_precision_loss, reason = "at most 53 digits are set")]
                let digits = digits(mantissa, places, known) as f64;
                sum += digits * 2f64.powi(-half) * 2f64.powi(-half);
            }
            assert_eq!(sum.to_bits(), rate.to_bits(), "{rate}");
        }
    }

    #[test]
    fn agreement_on_every_digit_is_not_below() {
        struct Same;
        impl RandomSource for Same {
            fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted> {
                bytes.copy_from_slice(&(1u64 << 63).to_le_bytes());
                Ok(())
            }
        }
        assert_eq!(bernoulli(&mut Same, SamplingRate::new(0.5).unwrap()), Ok(false));
        assert_eq!(bernoulli(&mut Same, SamplingRate::new(0.5f64.next_up()).unwrap()), Ok(true));
    }
}
