use privacy::{Delta, Epsilon, PrivacyError, SamplingRate, calibrate_noise, epsilon};

use crate::{CHANGES, event};

#[test]
fn calibrated_noise_keeps_the_promise_and_a_millionth_less_does_not() {
    let delta = Delta::new(1e-6).unwrap();
    for change in CHANGES {
        for (target, rate, count) in
            [(3.0, 1.0, 20), (1.0, 0.05, 100), (8.0, 0.5, 1), (0.1, 0.01, 10)]
        {
            let target = Epsilon::new(target).unwrap();
            let sampling = SamplingRate::new(rate).unwrap();
            let noise = calibrate_noise(target, delta, sampling, count, change).unwrap().get();
            let spent = |noise| epsilon(&[event(noise, rate, count, change)], delta).unwrap();
            assert!(spent(noise).epsilon_upper <= target.get());
            assert!(spent(noise * (1.0 - 1e-6)).epsilon_upper > target.get(), "{noise} {change}");
        }
    }
}

#[test]
fn what_no_noise_reaches_is_an_error() {
    let (delta, zero) = (Delta::new(1e-12).unwrap(), Epsilon::new(0.0).unwrap());
    let found = calibrate_noise(zero, delta, SamplingRate::ALL, 1, CHANGES[0]);
    assert!(matches!(found, Err(PrivacyError::Unattainable { .. })), "{found:?}");
}

#[test]
fn nothing_released_needs_hardly_any_noise() {
    let (delta, target) = (Delta::new(1e-6).unwrap(), Epsilon::new(1.0).unwrap());
    let found = calibrate_noise(target, delta, SamplingRate::ALL, 0, CHANGES[0]).unwrap();
    assert!(found.get() <= 0.01);
}
