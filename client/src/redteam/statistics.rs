//! The little statistics that an attacker needs.

/// The probability that a standard normal number is above `z`.
pub(super) fn above(z: f64) -> f64 {
    0.5 * libm::erfc(z * core::f64::consts::FRAC_1_SQRT_2)
}

/// How many standard deviations a chi-square number with `freedom` degrees of freedom is from what is expected, by the cube root
/// ([Wilson & Hilferty 1931], not read again for this text); good to some percent even far out.
pub(super) fn chi_square_z(value: f64, freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    (libm::cbrt(value / freedom) - (1.0 - spread)) / libm::sqrt(spread)
}

/// The orthonormal Walsh–Hadamard transform of values whose number is a power of two, in place: the scores of dense canaries.
pub(super) fn hadamard(values: &mut [f64]) {
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let norm = 1.0 / libm::sqrt(real(values.len()));
    for value in values {
        *value *= norm;
    }
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) const fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_normal_distribution() {
        assert!((above(0.0) - 0.5).abs() < 1e-15);
        assert!((above(1.959_963_984_540_054) - 0.025).abs() < 1e-12);
        assert!((above(6.0) / 9.865_876_450_376_98e-10 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_chi_square_number_is_where_its_table_says() {
        // The lower and upper 0.1 % points of 64 degrees of freedom.
        assert!((chi_square_z(35.8, 64.0) + 2.99).abs() < 0.15, "{}", chi_square_z(35.8, 64.0));
        assert!((chi_square_z(104.7, 64.0) - 3.09).abs() < 0.05, "{}", chi_square_z(104.7, 64.0));
    }

    #[test]
    fn the_transform_is_its_own_inverse_and_finds_a_row() {
        let row: Vec<f64> =
            (0..16_u32).map(|c| if (5 & c).count_ones() % 2 == 1 { -1.0 } else { 1.0 }).collect();
        let mut values = row.clone();
        hadamard(&mut values);
        assert!((values[5] - 4.0).abs() < 1e-12);
        assert!(values.iter().enumerate().all(|(i, v)| i == 5 || v.abs() < 1e-12));
        hadamard(&mut values);
        assert!(values.iter().zip(&row).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
