use privacy::{Delta, one_run_epsilon};

/// canaries, guesses, correct, δ, confidence, and the bound by scipy 1.17's binomial distribution and a root search.
const GOLDEN: [(u64, u64, u64, f64, f64, f64); 7] = [
    (1000, 100, 100, 1e-05, 0.95, 3.465_376_347_8),
    (1000, 200, 150, 1e-05, 0.95, 0.819_972_912_2),
    (10000, 1000, 900, 1e-06, 0.99, 1.951_540_305_0),
    (500, 500, 260, 1e-05, 0.95, 0.0),
    (500, 500, 300, 1e-05, 0.95, 0.251_445_480_5),
    (100, 10, 10, 0.001, 0.9, 1.071_494_752_9),
    (100_000, 20000, 14000, 1e-06, 0.95, 0.821_686_807_2),
];

#[test]
fn the_bound_is_that_of_an_independent_computation() {
    for (canaries, guesses, correct, delta, confidence, truth) in GOLDEN {
        let delta = Delta::new(delta).unwrap();
        let found = one_run_epsilon(canaries, guesses, correct, delta, confidence).unwrap();
        // Rounded to the smaller side by a part in a million of a probability.
        assert!(found <= truth + 1e-9 && found >= truth - 1e-4, "{found} {truth}");
    }
}

#[test]
fn more_right_guesses_prove_more_and_a_larger_delta_proves_less() {
    let bound = |correct, delta| {
        one_run_epsilon(1000, 300, correct, Delta::new(delta).unwrap(), 0.95).unwrap()
    };
    for correct in (150..300).step_by(10) {
        assert!(bound(correct + 10, 1e-6) >= bound(correct, 1e-6));
        assert!(bound(correct, 1e-4) <= bound(correct, 1e-6));
    }
    assert!(bound(150, 1e-6) <= 0.0, "half right is chance");
}

#[test]
fn what_no_auditor_can_have_seen_is_refused() {
    let delta = Delta::new(1e-6).unwrap();
    assert!(one_run_epsilon(10, 11, 5, delta, 0.95).is_err());
    assert!(one_run_epsilon(10, 9, 10, delta, 0.95).is_err());
    for confidence in [0.0, 1.0, f64::NAN] {
        assert!(one_run_epsilon(10, 9, 8, delta, confidence).is_err());
    }
}
