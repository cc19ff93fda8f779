//! Certificates against the truth, where there is one: Gaussians composed without their closed form, and single releases.

use proptest::prelude::*;

use super::*;
use crate::pair::Noise;
use crate::special::log_normal_cdf;
use crate::{NoiseMultiplier, analytic_gaussian_delta, analytic_gaussian_epsilon};

/// What a search by Rényi divergences would suggest for Gaussians of total shift μ.
fn gaussian_hints(mu: f64, delta: f64) -> (f64, f64) {
    let z = libm::sqrt(-2.0 * libm::log(delta));
    ((0.5 * mu + z) * mu, z / mu)
}

fn between(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (low.ln()..high.ln()).prop_map(f64::exp)
}

/// δ of one sampled Gaussian release at ε, in both directions; exact up to rounding.
fn sampled_gaussian(rate: f64, shift: f64, epsilon: f64) -> f64 {
    let upper_tail = |x: f64| libm::exp(log_normal_cdf(-x));
    let place = |loss: f64| {
        let moved =
            if loss < -0.5 { libm::exp(loss) - (1.0 - rate) } else { libm::expm1(loss) + rate };
        libm::log(moved / rate) / shift + 0.5 * shift
    };
    let gain = libm::exp(epsilon);
    let t = place(epsilon);
    let forward =
        rate * upper_tail(t - shift) + (1.0 - rate) * upper_tail(t) - gain * upper_tail(t);
    let backward = if epsilon < -libm::log1p(-rate) {
        let t = place(-epsilon);
        let mixed = rate * upper_tail(shift - t) + (1.0 - rate) * upper_tail(-t);
        upper_tail(-t) - gain * mixed
    } else {
        0.0
    };
    forward.max(backward)
}

/// δ of one release of `line` under Gaussian noise at ε, one way; exact up to rounding.
fn one_release(line: &Line, epsilon: f64, direction: Direction) -> f64 {
    let (_, p, q) = line.sides();
    let above = |side: &[(f64, f64)], t: f64, sign: f64| -> f64 {
        side.iter().map(|(w, shift)| w * libm::exp(log_normal_cdf(sign * (shift - t)))).sum()
    };
    // Where the loss passes ε, δ has its maximum: a place that is a little off is as good.
    let place = |loss: f64| {
        let (mut low, mut high) = (-200.0, 200.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if line.loss(middle) > loss { high = middle } else { low = middle }
        }
        low
    };
    match direction {
        Direction::Forward => {
            let t = place(epsilon);
            above(p, t, 1.0) - libm::exp(epsilon) * above(q, t, 1.0)
        }
        Direction::Backward => {
            let t = place(-epsilon);
            above(q, t, -1.0) - libm::exp(epsilon) * above(p, t, -1.0)
        }
    }
}

fn part(line: Line, count: u64) -> Vec<Part> {
    vec![Part { count, dominating: vec![(1.0, line)], attained: None }]
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn many_gaussians_are_one_within_the_certificate(
        mu in between(1e-3, 30.0), count in between(1.0, 1e6), delta in between(1e-15, 0.1),
        mirrored in any::<bool>(),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1e6")]
        let count = count as u64;
        let shift = mu / libm::sqrt(real(count));
        // A single loss of hundreds does not fit; such noise is refused.
        prop_assume!(shift < 20.0);
        let line = if mirrored {
            Line::changing(Noise::Gaussian, 1, 1.0, 0.5 * shift)
        } else {
            Line::appearing(Noise::Gaussian, 1, 1.0, shift)
        };
        let (rough, exponent) = gaussian_hints(mu, delta);
        let found = epsilon(&part(line, count), delta, rough, exponent).unwrap();
        let noise = NoiseMultiplier::new(1.0 / mu).unwrap();
        let truth = analytic_gaussian_epsilon(noise, Delta::new(delta).unwrap());
        let rounding = 1e-10 * (1.0 + truth);
        prop_assert!(found.lower <= truth + rounding, "{:?} {}", found, truth);
        prop_assert!(found.upper >= truth - rounding, "{:?} {}", found, truth);
        prop_assert!(found.is_tight(), "{:?} {}", found, truth);
    }

    #[test]
    fn one_sampled_release_is_within_the_certificate(
        rate in between(1e-6, 0.999), shift in between(0.02, 8.0), beyond in 0.0..6.5f64,
    ) {
        let line = Line::appearing(Noise::Gaussian, 1, rate, shift);
        let epsilon = line.loss(0.5 * shift + beyond).max(1e-6);
        let truth = sampled_gaussian(rate, shift, epsilon);
        prop_assume!(truth > 1e-15);
        let (_, exponent) = gaussian_hints(shift, truth);
        let found = delta(&part(line, 1), epsilon, truth, exponent).unwrap();
        let rounding = 1e-15 + 1e-9 * truth;
        prop_assert!(found.lower <= truth + rounding, "{:?} {}", found, truth);
        prop_assert!(found.upper >= truth - rounding, "{:?} {}", found, truth);
    }

    #[test]
    fn one_release_of_several_tasks_is_within_its_mesh(
        portion in between(1e-12, 0.5), is_high in any::<bool>(), is_mirrored in any::<bool>(),
        tasks in 1..5u32, shift in between(0.02, 4.0), beyond in 0.0..6.5f64,
        step in between(2e-3, 0.2), tilt in 0.0..2.0f64,
    ) {
        let rate = if is_high { 1.0 - portion } else { portion };
        let new = if is_mirrored { Line::changing } else { Line::appearing };
        let line = new(Noise::Gaussian, tasks, rate, shift);
        let epsilon = line.loss(0.5 * shift + beyond).max(1e-6);
        let whole = Part { count: 1, dominating: vec![(1.0, line.clone())], attained: None };
        let cut = Cut::new(&whole, step, 1e-18).unwrap();
        for direction in [Direction::Forward, Direction::Backward] {
            let truth = one_release(&line, epsilon, direction);
            let tilt = Tilt { exponent: tilt, log_window: 60.0 };
            let profile = Profile::new(&[cut.loss(direction)], step, tilt, &mut Vec::new()).unwrap();
            let (upper, lower) = profile.delta(epsilon);
            let rounding = 1e-15 + 1e-9 * truth;
            prop_assert!(lower <= truth + rounding, "{} {} {}", lower, truth, upper);
            prop_assert!(upper >= truth - rounding, "{} {} {}", lower, truth, upper);
        }
    }

    #[test]
    fn one_laplace_release_is_within_the_certificate(
        shift in between(1e-2, 20.0), share in 0.01..0.99f64,
    ) {
        // δ(ε) = 1 − e^((ε−s)/2), s the shift over the scale.
        let epsilon = share * shift;
        let truth = -libm::expm1(0.5 * (epsilon - shift));
        let line = Line::appearing(Noise::Laplace, 1, 1.0, shift);
        let found = delta(&part(line, 1), epsilon, truth, 1.0).unwrap();
        prop_assert!(found.lower <= truth * (1.0 + 1e-9), "{:?} {}", found, truth);
        prop_assert!(found.upper >= truth * (1.0 - 1e-9), "{:?} {}", found, truth);
        prop_assert!(found.upper - found.lower <= 3e-3 * truth, "{:?} {}", found, truth);
    }
}

#[test]
fn rounding_that_fools_an_untilted_transform_does_not_fool_this_one() {
    // dp-accounting 0.6.0 composes these 100,000 Gaussians to 7.18 at δ = 1e-13, where the truth is 7.5602.
    let line = Line::appearing(Noise::Gaussian, 1, 1.0, 1.0 / libm::sqrt(1e5));
    for (delta, truth) in [(1e-11, 6.901_820), (1e-13, 7.560_2), (1e-15, 8.165_6)] {
        let (rough, exponent) = gaussian_hints(1.0, delta);
        let found = epsilon(&part(line.clone(), 100_000), delta, rough, exponent).unwrap();
        assert!(found.lower <= truth + 5e-5 && truth - 5e-5 <= found.upper, "{found:?} {truth}");
        assert!(found.is_tight(), "{found:?}");
    }
}

/// A profile of `count` Gaussians of total shift 1 with a tilt that is given.
fn gaussian_profile(count: u64, step: f64, tilt: Tilt) -> Profile {
    let line = Line::appearing(Noise::Gaussian, 1, 1.0, 1.0 / libm::sqrt(real(count)));
    let parts = part(line, count);
    let losses: Vec<Repeated> = parts
        .iter()
        .map(|part| Cut::new(part, step, 1e-18).unwrap().loss(Direction::Forward))
        .collect();
    Profile::new(&losses, step, tilt, &mut Vec::new()).unwrap()
}

#[test]
fn a_window_that_is_too_small_costs_tightness_and_never_truth() {
    let noise = NoiseMultiplier::new(1.0).unwrap();
    for log_window in [2.0, 4.0, 8.0] {
        for exponent in [0.0, 2.0] {
            let profile = gaussian_profile(100, 2e-3, Tilt { exponent, log_window });
            for epsilon in [0.0, 0.5, 1.0, 1.5, 2.0] {
                let truth = analytic_gaussian_delta(noise, Epsilon::new(epsilon).unwrap());
                let (upper, lower) = profile.delta(epsilon);
                assert!(
                    lower <= truth && truth <= upper,
                    "{log_window} {exponent} {epsilon}: {lower} {truth} {upper}"
                );
                let (above, below) = profile.epsilon(truth);
                assert!(below <= epsilon + 1e-9, "{log_window} {exponent} {epsilon}: {below}");
                assert!(above.is_none_or(|above| above >= epsilon - 1e-9), "{epsilon}: {above:?}");
            }
        }
    }
}

#[test]
fn rounding_is_on_the_safe_side_where_it_is_all_that_there_is() {
    // Without a tilt, δ far out is less than the rounding of the transform: the bounds must hold all the same.
    let noise = NoiseMultiplier::new(1.0).unwrap();
    let profile = gaussian_profile(10_000, 1e-3, Tilt { exponent: 0.0, log_window: 80.0 });
    for epsilon in [6.0, 7.0, 8.0, 9.0, 10.0, 12.0] {
        let truth = analytic_gaussian_delta(noise, Epsilon::new(epsilon).unwrap());
        let (upper, lower) = profile.delta(epsilon);
        assert!(lower <= truth && truth <= upper, "{epsilon}: {lower} {truth} {upper}");
    }
}
