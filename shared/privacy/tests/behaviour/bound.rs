use privacy::{Keystream, OutOfBound, PrivacyError, PublicBound, RoundedGaussian};
use proptest::prelude::*;
use zeroize::Zeroizing;

#[test]
fn a_plan_beyond_32_bits_is_refused() {
    // 2047 tasks of 2²⁰ leave room for little noise; 2048 for none.
    assert!(PublicBound::new(20, 2047, 1000, 10).is_ok());
    let refused = PublicBound::new(20, 2047, 1 << 20, 10).unwrap_err();
    assert!(matches!(refused, PrivacyError::DoesNotFit { limit: 0x8000_0000, .. }), "{refused}");
    assert!(PublicBound::new(20, 2048, 1, 10).is_err());
    assert!(PublicBound::new(20, u64::MAX, u64::MAX, usize::MAX).is_err());
    assert!(PublicBound::new(20, 1, 1, 0).is_err());
    assert!(PublicBound::new(15, 1, 1, 1).is_err());
}

#[test]
fn the_coordinate_bound_is_the_quantile_of_a_vector() {
    // 2·10⁶·Φ(−k) = 2⁻⁴¹ at k = 8.9228.
    let bound = PublicBound::new(16, 1, 1_000_000, 1_000_000).unwrap();
    let quantile = (f64::from(bound.coordinate()) - 65_536.0) / 1e6;
    assert!((quantile - 8.9228).abs() < 1e-4, "{quantile}");
}

#[test]
fn what_is_out_of_bound_is_named() {
    let bound = PublicBound::new(16, 2, 1000, 100).unwrap();
    let limit = i32::try_from(bound.coordinate()).unwrap();
    let mut vector = vec![0; 100];
    assert_eq!(bound.check(&vector), Ok(()));
    assert_eq!(bound.check(&vector[1..]), Err(OutOfBound::Dimension { expected: 100, got: 99 }));
    vector[7] = limit;
    assert_eq!(bound.check(&vector), Ok(()));
    vector[7] = -limit - 1;
    let refused = OutOfBound::Coordinate { index: 7, value: -limit - 1, bound: bound.coordinate() };
    assert_eq!(bound.check(&vector), Err(refused));
    vector[7] = i32::MIN;
    assert!(bound.check(&vector).is_err());
    assert!(matches!(bound.check(&[limit; 100]), Err(OutOfBound::Norm { .. })));
}

#[test]
fn honest_noise_is_within_the_bound_and_unchanged_by_it() {
    let bound = PublicBound::new(16, 1, 1 << 16, 1000).unwrap();
    let sampler = RoundedGaussian::new(1 << 16).unwrap();
    let mut source = Keystream::from_seed(&Zeroizing::new([9; 32]));
    for _ in 0..200 {
        let mut sum = vec![0; 1000];
        sum[0] = 1 << 16;
        sampler.add_to(&mut sum, &mut source).unwrap();
        let sent = bound.fit(&sum);
        assert_eq!(bound.check(&sent), Ok(()));
        assert!(sent.iter().zip(&sum).all(|(&x, &y)| i64::from(x) == y));
    }
}

proptest! {
    #[test]
    fn whatever_is_fitted_is_accepted(
        vector in prop::collection::vec(prop::num::i64::ANY, 1..50), tasks in 1..500u64, scale in 1..1_000_000u64,
    ) {
        let bound = PublicBound::new(16, tasks, scale, vector.len()).unwrap();
        prop_assert_eq!(bound.check(&bound.fit(&vector)), Ok(()));
        for &value in &vector {
            let clamped = bound.clamp(value);
            prop_assert!(clamped.unsigned_abs() <= bound.coordinate());
            prop_assert!(i64::from(clamped) == value || value.unsigned_abs() > u64::from(bound.coordinate()));
        }
    }

    #[test]
    fn clamping_brings_two_sums_no_further_apart(
        sums in prop::collection::vec((-40_000_000..40_000_000i64, -100_000..100_000i64), 1..50), tasks in 1..500u64,
    ) {
        let bound = PublicBound::new(16, tasks, 1000, sums.len()).unwrap();
        let between = |a: i64, b: i64| (i128::from(a) - i128::from(b)).pow(2);
        let before: i128 = sums.iter().map(|(sum, moved)| between(*sum, sum + moved)).sum();
        let after: i128 = sums
            .iter()
            .map(|(sum, moved)| between(bound.clamp(*sum).into(), bound.clamp(sum + moved).into()))
            .sum();
        prop_assert!(after <= before);
    }
}
