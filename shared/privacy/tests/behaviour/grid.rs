use privacy::{ClipNorm, Grid, NoiseMultiplier, Outcome, noise_scale};
use proptest::prelude::*;

fn grid(clip: f64, bits: u32) -> Grid {
    Grid::new(ClipNorm::new(clip).unwrap(), bits).unwrap()
}

fn square(vector: &[i64]) -> i128 {
    vector.iter().map(|&x| i128::from(x) * i128::from(x)).sum()
}

#[test]
fn a_small_gradient_is_kept_to_the_nearest_step_toward_zero() {
    let grid = grid(1.0, 16);
    assert_eq!(grid.unit().to_bits(), (1.0f64 / 65_536.0).to_bits());
    let unit = grid.unit();
    let (vector, outcome) = grid.integers(&[3.9 * unit, -3.9 * unit, 0.5 * unit, 0.0]);
    assert_eq!((vector.as_slice(), outcome), (&[3, -3, 0, 0][..], Outcome::Kept));
}

#[test]
fn a_long_gradient_keeps_its_direction_and_loses_its_length() {
    let grid = grid(0.5, 20);
    let (vector, outcome) = grid.integers(&[3e20f64, -4e20]);
    assert_eq!(outcome, Outcome::Clipped);
    assert!(square(&vector) <= 1 << 40 && square(&vector) > (1 << 40) - (1 << 23));
    assert!((vector[0] * 4 + vector[1] * 3).abs() < 8);
}

#[test]
fn a_gradient_on_the_bound_is_kept_whole() {
    let (vector, outcome) = grid(2.0, 16).integers(&[0.0f32, -2.0]);
    assert_eq!((vector.as_slice(), outcome), (&[0, -65_536][..], Outcome::Kept));
}

#[test]
fn a_norm_that_rounding_hides_is_caught_by_the_integers() {
    // One coordinate of 2²⁰−1 steps and 2²¹ of one step: Σx² = 4²⁰ + 1. Each small square lies .45 of a last digit above the
    // sum's precision and is rounded off, so the norm in f64 reads below C.
    let clip = (6000.45f64 / 8192.0).sqrt();
    let unit = clip / f64::from(1u32 << 20) * (1.0 + 1e-15);
    let mut gradient = vec![unit; (1 << 21) + 1];
    gradient[0] = unit * f64::from((1u32 << 20) - 1);
    let (vector, outcome) = grid(clip, 20).integers(&gradient);
    assert_eq!(outcome, Outcome::Rescaled);
    assert!(square(&vector) <= 1 << 40);
}

#[test]
fn what_is_not_a_gradient_adds_zero() {
    let grid = grid(1.0, 16);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut sum = [5, -6];
        assert_eq!(grid.contribute(&[0.5, bad], &mut sum), Outcome::Zeroed);
        assert_eq!(sum, [5, -6]);
    }
    let mut sum = [5, -6];
    assert_eq!(grid.contribute(&[1e200f64, 1.0], &mut sum), Outcome::Zeroed);
    assert_eq!(grid.contribute(&[0.5f32], &mut sum), Outcome::Zeroed);
    assert_eq!(sum, [5, -6]);
}

#[test]
fn a_grid_has_sixteen_to_twenty_bits() {
    for bits in [0, 15, 21, 64] {
        assert!(Grid::new(ClipNorm::new(1.0).unwrap(), bits).is_err());
        assert!(noise_scale(NoiseMultiplier::new(1.0).unwrap(), bits).is_err());
    }
}

#[test]
fn the_noise_scale_is_rounded_up_and_limited() {
    let scale = |noise, bits| noise_scale(NoiseMultiplier::new(noise).unwrap(), bits);
    assert_eq!(scale(1.5, 16), Ok(98_304));
    assert_eq!(scale(1.0f64.next_up(), 16), Ok(65_537));
    assert_eq!(scale(1e-9, 16), Ok(1));
    assert_eq!(scale(2048.0, 20), Ok(1 << 31));
    assert!(scale(2048.001, 20).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_vector_whatever_leaves_the_ball(
        gradient in prop::collection::vec(prop::num::f32::ANY, 0..60), bits in 16..=20u32,
        clip in prop::sample::select(vec![1e-18, 1e-3, 1.0, 3.7, 1e18]),
    ) {
        let (vector, _) = grid(clip, bits).integers(&gradient);
        prop_assert!(square(&vector) <= 1 << (2 * bits));
    }

    #[test]
    fn no_vector_near_the_bound_leaves_the_ball(
        direction in prop::collection::vec(-1.0..1.0f64, 1..60), bits in 16..=20u32,
        length in prop::sample::select(vec![1.0 - 1e-9, 1.0, 1.0 + 1e-16, 1.0 + 1e-12, 1.5]),
    ) {
        let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        prop_assume!(norm > 0.0);
        let gradient: Vec<f64> = direction.iter().map(|x| x / norm * length).collect();
        let (vector, outcome) = grid(1.0, bits).integers(&gradient);
        prop_assert!(square(&vector) <= 1 << (2 * bits));
        prop_assert!(outcome != Outcome::Zeroed);
        // Truncation toward zero: never longer than the gradient itself, and by less than one step a coordinate.
        for (&x, &g) in vector.iter().zip(&gradient) {
            #[expect(clippy::cast_precision_loss, reason = "at most 2^20")]
            let back = x as f64 / f64::from(1 << bits);
            prop_assert!(back.abs() <= g.abs() * (1.0 + 1e-15) && back * g >= 0.0);
        }
    }

    #[test]
    fn sums_do_not_depend_on_the_order_and_are_those_of_the_parts(
        mut gradients in prop::collection::vec(prop::collection::vec(prop::num::f32::ANY, 5), 1..20),
    ) {
        let grid = grid(1.0, 20);
        let mut forward = vec![0; 5];
        let mut parts = vec![0; 5];
        for gradient in &gradients {
            let outcome = grid.contribute(gradient, &mut forward);
            let (alone, same) = grid.integers(gradient);
            prop_assert_eq!(outcome, same);
            parts.iter_mut().zip(&alone).for_each(|(sum, x)| *sum += x);
        }
        gradients.reverse();
        let mut backward = vec![0; 5];
        for gradient in &gradients {
            grid.contribute(gradient, &mut backward);
        }
        prop_assert_eq!(&forward, &backward);
        prop_assert_eq!(&forward, &parts);
    }
}
