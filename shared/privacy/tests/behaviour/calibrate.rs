use privacy::{
    Delta, Epsilon, PrivacyError, PrivacyEvent, SamplingRate, calibrate_count, calibrate_noise,
    calibrate_rate, epsilon,
};

use crate::{CHANGES, event};

fn spent(event: PrivacyEvent, delta: Delta) -> f64 {
    epsilon(&[event], delta).unwrap().epsilon_upper
}

#[test]
fn calibrated_noise_keeps_the_promise_and_a_little_less_does_not() {
    let delta = Delta::new(1e-6).unwrap();
    for change in CHANGES {
        for (target, rate, count) in
            [(3.0, 1.0, 20), (1.0, 0.05, 100), (8.0, 0.5, 1), (0.1, 0.01, 10)]
        {
            let goal = Epsilon::new(target).unwrap();
            let noise =
                calibrate_noise(goal, delta, &event(1.0, rate, count, change)).unwrap().get();
            let at = |noise| spent(event(noise, rate, count, change), delta);
            assert!(at(noise) <= target, "{noise} {change}");
            assert!(at(noise * (1.0 - 2e-3)) > target, "{noise} {change}");
        }
    }
}

#[test]
fn the_calibrated_rate_keeps_the_promise_and_a_little_more_does_not() {
    let delta = Delta::new(1e-6).unwrap();
    for (target, noise, count, change) in
        [(1.0, 1.0, 100, CHANGES[0]), (3.0, 2.0, 1000, CHANGES[1]), (2.0, 1.5, 1, CHANGES[0])]
    {
        let goal = Epsilon::new(target).unwrap();
        let rate = calibrate_rate(goal, delta, &event(noise, 0.5, count, change)).unwrap();
        assert!(spent(event(noise, rate.get(), count, change), delta) <= target);
        assert!(spent(event(noise, rate.get() * (1.0 + 2e-3), count, change), delta) > target);
    }
    let plenty = event(100.0, 0.5, 1, CHANGES[0]);
    let all = calibrate_rate(Epsilon::new(8.0).unwrap(), delta, &plenty).unwrap();
    assert_eq!(all, SamplingRate::ALL);
}

#[test]
fn the_calibrated_count_keeps_the_promise_and_one_more_does_not() {
    let delta = Delta::new(1e-5).unwrap();
    for (target, noise, rate, change) in
        [(1.0, 1.0, 0.01, CHANGES[0]), (3.0, 4.0, 1.0, CHANGES[1]), (0.5, 0.5, 0.5, CHANGES[0])]
    {
        let goal = Epsilon::new(target).unwrap();
        let count = calibrate_count(goal, delta, &event(noise, rate, 1, change)).unwrap();
        assert!(spent(event(noise, rate, count, change), delta) <= target, "{count}");
        assert!(spent(event(noise, rate, count + 1, change), delta) > target, "{count}");
    }
}

#[test]
fn what_no_noise_reaches_is_an_error() {
    let (delta, zero) = (Delta::new(1e-12).unwrap(), Epsilon::new(0.0).unwrap());
    let found = calibrate_noise(zero, delta, &event(1.0, 1.0, 1, CHANGES[0]));
    assert!(matches!(found, Err(PrivacyError::Unattainable { .. })), "{found:?}");
}

#[test]
fn nothing_released_needs_hardly_any_noise() {
    let (delta, target) = (Delta::new(1e-6).unwrap(), Epsilon::new(1.0).unwrap());
    let found = calibrate_noise(target, delta, &event(1.0, 1.0, 0, CHANGES[0])).unwrap();
    assert!(found.get() <= 0.01 * (1.0 + 1e-12));
}
