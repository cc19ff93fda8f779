//! Bounds in few digits: a lower bound is rounded down, an upper bound up, so that what is printed is true.

/// The lower bound `bound` with `digits` decimals, rounded down.
pub(crate) fn down(bound: f64, digits: usize) -> String {
    // Rounding down is rounding up on the other side of zero.
    let text = up(-bound, digits);
    match text.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None if text.bytes().all(|byte| byte == b'0' || byte == b'.') => text,
        None => format!("-{text}"),
    }
}

/// The upper bound `bound` with `digits` decimals, rounded up.
pub(crate) fn up(bound: f64, digits: usize) -> String {
    let nearest = format!("{bound:.digits$}");
    if nearest.parse::<f64>().is_ok_and(|nearest| nearest >= bound) || !bound.is_finite() {
        return nearest;
    }
    let half = 0.5 * 10_f64.powi(-i32::try_from(digits).unwrap_or(i32::MAX));
    format!("{:.digits$}", bound + half)
}

#[cfg(test)]
mod tests {
    use super::{down, up};

    #[test]
    fn what_is_printed_lies_outside() {
        let cases = [
            (2.999_838, "2.9998", "2.9999"),
            (2.999_991, "2.9999", "3.0000"),
            (3.0, "3.0000", "3.0000"),
            (0.0, "0.0000", "0.0000"),
            (1e-9, "0.0000", "0.0001"),
            (f64::INFINITY, "inf", "inf"),
        ];
        for (bound, below, above) in cases {
            assert_eq!((down(bound, 4).as_str(), up(bound, 4).as_str()), (below, above), "{bound}");
        }
    }

    #[test]
    fn any_bound_is_kept() {
        for step in 0..20_000_u32 {
            let bound = f64::from(step) * 0.000_137_3;
            let (below, above): (f64, f64) = (
                down(bound, 4).parse().expect("a number"),
                up(bound, 4).parse().expect("a number"),
            );
            assert!(below <= bound && bound <= above && above - below < 1.000_1e-4, "{bound}");
        }
    }
}
