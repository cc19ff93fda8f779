use privacy::{Delta, Epsilon, PrivacyError, TaskChange, check_delta, gaussian_mu, loss_predictor};

#[test]
fn delta_is_at_most_a_tenth_of_one_over_the_units() {
    let delta = Delta::new(1e-6).unwrap();
    assert_eq!(check_delta(delta, 100_000), Ok(()));
    let refused = check_delta(delta, 100_001).unwrap_err();
    assert!(matches!(refused, PrivacyError::DeltaTooLarge { units: 100_001, .. }));
    assert!(check_delta(delta, 0).is_err());
}

#[test]
fn the_predicted_loss_is_its_formula() {
    let (epsilon, delta) = (Epsilon::new(3.0).unwrap(), Delta::new(1e-6).unwrap());
    let appears = loss_predictor(TaskChange::Appears, 5, 23, epsilon, delta, 400);
    let truth = (5.0f64 * 23.0).sqrt() / (gaussian_mu(epsilon, delta) * 400.0);
    assert!((appears / truth - 1.0).abs() < 1e-12);
    let content = loss_predictor(TaskChange::ContentChanges, 5, 23, epsilon, delta, 400);
    assert!((content / appears - 2.0).abs() < 1e-12);
}
