use std::num::{NonZeroU32, NonZeroU64};

use privacy::{
    Delta, Epsilon, Mechanism, Method, NoiseMultiplier, Order, PrivacyEvent, SamplingRate,
    TaskChange, analytic_gaussian_epsilon, delta, epsilon, epsilon_by, rdp, rdp_curve,
};
use proptest::prelude::*;

use crate::{CHANGES, event};

fn changes() -> impl Strategy<Value = TaskChange> {
    prop::sample::select(CHANGES.to_vec())
}

/// A number between the two, its logarithm uniform.
fn between(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (low.ln()..high.ln()).prop_map(f64::exp)
}

fn order(value: f64) -> Order {
    Order::new(value).unwrap()
}

/// ln Σₖ C(α,k)(1−q)^(α−k)qᵏ exp((k²−k)/2z²)/(α−1), summed directly.
fn closed_form(noise: f64, rate: f64, order: u32) -> f64 {
    let mut binomial = 1.0;
    let mut sum = 0.0;
    for k in 0..=order {
        let (k_real, rest) = (f64::from(k), f64::from(order - k));
        let weight = binomial * rate.powf(k_real) * (1.0 - rate).powf(rest);
        sum += weight * ((k_real * k_real - k_real) / (2.0 * noise * noise)).exp();
        binomial *= rest / (k_real + 1.0);
    }
    sum.ln() / (f64::from(order) - 1.0)
}

#[test]
fn integer_orders_agree_with_the_closed_form() {
    for noise in [0.7, 1.0, 3.0] {
        for rate in [0.01, 0.3, 0.9, 0.999] {
            for integer in [2, 3, 5, 17] {
                let event = event(noise, rate, 1, TaskChange::Appears);
                let ours = rdp(&event, order(f64::from(integer))).unwrap();
                let truth = closed_form(noise, rate, integer);
                assert!(
                    (ours / truth - 1.0).abs() < 1e-8,
                    "{noise} {rate} {integer}: {ours} {truth}"
                );
            }
        }
    }
}

#[test]
fn without_sampling_the_divergence_is_the_gaussians() {
    for change in CHANGES {
        let plain = Mechanism::Gaussian { noise_multiplier: NoiseMultiplier::new(2.0).unwrap() };
        let sampled = event(2.0, 1.0, 1, change);
        let plain = privacy::PrivacyEvent { mechanism: plain, ..sampled };
        let truth = 5.5 * change.sensitivity().powi(2) / 8.0;
        for event in [plain, sampled] {
            let rdp = rdp(&event, order(5.5)).unwrap();
            assert!(rdp >= truth && rdp <= truth * (1.0 + 1e-11), "{rdp} {truth}");
        }
    }
}

#[test]
fn divergences_approach_the_unsampled_ones_as_the_rate_approaches_one() {
    for change in CHANGES {
        let all = rdp(&event(2.0, 1.0, 1, change), order(4.0)).unwrap();
        let nearly = rdp(&event(2.0, 1.0 - 1e-9, 1, change), order(4.0)).unwrap();
        assert!((nearly / all - 1.0).abs() < 1e-6, "{change}: {nearly:?} {all}");
    }
}

#[test]
fn many_orders_of_an_extreme_event_are_finite_and_rise_with_the_order() {
    for change in CHANGES {
        for (noise, rate) in [(0.02, 0.5), (0.3, 1e-6), (50.0, 1e-9), (1.0, 0.999_999)] {
            let orders = [1.001, 1.5, 2.0, 17.3, 400.0, 1e4, 1e9].map(order);
            let curve = rdp_curve(&[event(noise, rate, 3, change)], &orders).unwrap();
            for pair in curve.windows(2) {
                let (lower, higher) = (pair[0], pair[1]);
                assert!(higher.is_finite());
                assert!(lower <= higher * (1.0 + 1e-9) + 1e-18, "{noise} {rate}: {pair:?}");
            }
        }
    }
}

#[test]
fn no_events_cost_nothing() {
    let none = event(1.0, 0.1, 0, TaskChange::Appears);
    for events in [&[][..], &[none]] {
        let certificate = epsilon(events, Delta::new(1e-6).unwrap()).unwrap();
        assert_eq!((certificate.epsilon_lower, certificate.epsilon_upper), (0.0, 0.0));
        assert_eq!((certificate.change, certificate.order), (None, None));
        let nothing = delta(Method::Pld, events, Epsilon::new(0.0).unwrap()).unwrap();
        assert_eq!((nothing.lower, nothing.upper), (0.0, 0.0));
    }
}

#[test]
fn a_certificate_names_its_change_only_if_all_events_share_it() {
    let (one, two) =
        (event(2.0, 0.1, 5, TaskChange::Appears), event(2.0, 0.1, 5, TaskChange::ContentChanges));
    let delta = Delta::new(1e-6).unwrap();
    assert_eq!(epsilon(&[one, one], delta).unwrap().change, Some(TaskChange::Appears));
    assert_eq!(epsilon(&[one, two], delta).unwrap().change, None);
}

#[test]
fn without_sampling_the_lower_bound_is_the_exact_figure() {
    let delta = Delta::new(1e-6).unwrap();
    for (change, count) in [(TaskChange::Appears, 1), (TaskChange::ContentChanges, 30)] {
        let certificate = epsilon(&[event(5.0, 1.0, count, change)], delta).unwrap();
        let effective =
            5.0 / change.sensitivity() / f64::from(u32::try_from(count).unwrap()).sqrt();
        let truth = analytic_gaussian_epsilon(NoiseMultiplier::new(effective).unwrap(), delta);
        // The noise that stands for all of them is rounded itself.
        let (less, more) = (truth * (1.0 - 1e-12), truth * (1.0 + 1e-12));
        assert!(certificate.epsilon_lower <= more && less <= certificate.epsilon_upper);
        assert!(certificate.epsilon_upper <= truth * (1.0 + 1e-9), "{certificate:?} {truth}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_interval_is_never_empty(
        noise in between(0.3, 20.0), rate in between(1e-4, 1.0), count in between(1.0, 1e5),
        small in between(1e-12, 1e-2), change in changes(),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1e5")]
        let event = event(noise, rate, count as u64, change);
        let small = Delta::new(small).unwrap();
        let certificate = epsilon(&[event], small).unwrap();
        let by_rdp = epsilon_by(Method::Rdp, &[event], small).unwrap();
        prop_assert!(certificate.epsilon_lower >= 0.0);
        prop_assert!(certificate.epsilon_lower <= certificate.epsilon_upper, "{:?}", certificate);
        prop_assert!(certificate.epsilon_upper <= by_rdp.epsilon_upper, "{:?} {:?}", certificate, by_rdp);
        // Rare and large losses, or a tiny δ: no mesh that fits may bring the bounds together.
        let gap = certificate.epsilon_upper - certificate.epsilon_lower;
        let may_gape = (noise < 0.6 || small.get() < 1e-9) && gap <= 0.1 * certificate.epsilon_upper;
        prop_assert!(certificate.is_tight() || may_gape, "{:?}", certificate);
    }

    #[test]
    fn composition_adds_and_delta_inverts_epsilon(
        noise in between(0.5, 10.0), rate in between(1e-3, 1.0), at in between(1.1, 60.0),
        change in changes(),
    ) {
        let (one, three) = (event(noise, rate, 1, change), event(noise, rate, 3, change));
        let sum = rdp_curve(&[one, three], &[order(at)]).unwrap()[0];
        let single = rdp(&one, order(at)).unwrap();
        prop_assert!(sum >= 4.0 * single * (1.0 - 1e-15) && sum <= 4.0 * single * (1.0 + 1e-14) + 1e-300);

        let target = Delta::new(1e-7).unwrap();
        for method in [Method::Pld, Method::Rdp] {
            let found = epsilon_by(method, &[three], target).unwrap().epsilon_upper;
            prop_assume!(found > 0.0);
            let back = delta(method, &[three], Epsilon::new(found).unwrap()).unwrap();
            // A δ is steep in ε: a part in a thousand of one is a few parts in a hundred of the other.
            prop_assert!(back.upper <= 1e-7 * 1.05, "{} {} {:?}", method, found, back);
            prop_assert!(back.lower <= 1e-7 && back.lower <= back.upper, "{} {:?}", found, back);
        }
    }

    #[test]
    fn more_noise_or_fewer_samples_never_cost_more(
        noise in between(0.5, 10.0), rate in between(1e-3, 0.9), at in between(1.1, 60.0),
        change in changes(),
    ) {
        let cost = |noise, rate| rdp(&event(noise, rate, 1, change), order(at)).unwrap();
        let here = cost(noise, rate);
        prop_assert!(cost(noise * 1.1, rate) <= here * (1.0 + 1e-9));
        prop_assert!(cost(noise, rate * 1.1) * (1.0 + 1e-9) >= here);
    }
}

/// A batch that the others fill almost surely: the changing task displaces one of them, at twice the distance. The truth is the
/// single release of rate B/N and shift 2, which neighbours attain whose other tasks all point the other way (50 digits, mpmath).
#[test]
fn a_batch_that_is_full_costs_what_displacing_costs() {
    for (units, rate, batch, delta, change, truth) in [
        (500, 0.9, 50, 1e-5, TaskChange::Appears, 6.5755),
        (2000, 0.5, 200, 1e-6, TaskChange::Appears, 7.695),
        (36_000, 0.5, 14_400, 1e-5, TaskChange::Appears, 8.652),
        (40_000, 0.5, 16_000, 1e-5, TaskChange::Appears, 8.652),
        (100_000, 0.1, 5000, 1e-5, TaskChange::Appears, 5.5169),
        (100_000, 0.02, 500, 1e-5, TaskChange::Appears, 1.99065),
        (40_000, 0.5, 16_000, 1e-5, TaskChange::ContentChanges, 9.1628),
    ] {
        let mechanism = Mechanism::TruncatedPoissonGaussian {
            noise_multiplier: NoiseMultiplier::new(1.0).unwrap(),
            sampling_rate: SamplingRate::new(rate).unwrap(),
            units: NonZeroU64::new(units).unwrap(),
            max_batch: NonZeroU64::new(batch).unwrap(),
        };
        let event = PrivacyEvent { mechanism, change, count: 1 };
        let found = epsilon(&[event], Delta::new(delta).unwrap()).unwrap();
        assert!(found.epsilon_upper >= truth, "{units} {rate} {batch}: {found:?}");
        assert!(found.epsilon_upper <= truth * 1.001, "{units} {rate} {batch}: {found:?}");
        assert!(found.epsilon_lower <= truth);
    }
}

#[test]
fn no_number_of_tasks_and_no_noise_is_mistaken_for_no_cost() {
    let group = |noise: f64, tasks: u32, change| {
        let mechanism = Mechanism::GroupPoissonGaussian {
            noise_multiplier: NoiseMultiplier::new(noise).unwrap(),
            sampling_rate: SamplingRate::new(0.01).unwrap(),
            tasks_per_unit: NonZeroU32::new(tasks).unwrap(),
        };
        PrivacyEvent { mechanism, change, count: 100 }
    };
    let delta = Delta::new(1e-5).unwrap();
    for tasks in [1001, 1 << 31, (1 << 31) + 1, u32::MAX] {
        for change in CHANGES {
            for method in [Method::Pld, Method::Rdp] {
                assert!(epsilon_by(method, &[group(1.0, tasks, change)], delta).is_err());
            }
        }
    }
    for noise in [1e-9, 1e-6, 1e-3] {
        for change in CHANGES {
            // A number that is none must not become 0 on its way.
            let found = epsilon_by(Method::Rdp, &[group(noise, 2, change)], delta);
            assert!(found.is_err() || found.unwrap().epsilon_upper > 1e3, "{noise} {change}");
        }
    }
    for none in [1e-154, 1e-308, 5e-324, 1e16, f64::INFINITY, f64::NAN] {
        assert!(NoiseMultiplier::new(none).is_err(), "{none}");
    }
}
