use privacy::{
    Delta, Epsilon, Filter, FilterExceeded, Method, Order, PrivacyError, TaskChange, epsilon_by,
};
use proptest::prelude::*;

use crate::event;

fn filter(epsilon: f64, order: f64) -> Filter {
    let delta = Delta::new(1e-6).unwrap();
    Filter::new(Epsilon::new(epsilon).unwrap(), delta, Order::new(order).unwrap()).unwrap()
}

#[test]
fn a_full_filter_converts_back_to_its_cap() {
    let filter = filter(8.0, 6.0);
    let spent = filter.spent_epsilon(filter.budget());
    assert!(spent <= 8.0 && spent > 8.0 - 1e-11, "{spent}");
    assert_eq!(filter.spent_epsilon(0.0).to_bits(), 0f64.to_bits());
}

#[test]
fn a_cap_that_the_conversion_uses_up_is_refused() {
    let (delta, order) = (Delta::new(1e-6).unwrap(), Order::new(1.5).unwrap());
    let found = Filter::new(Epsilon::new(3.0).unwrap(), delta, order);
    assert_eq!(found, Err(PrivacyError::NoBudget { epsilon: 3.0, delta: 1e-6, order: 1.5 }));
}

#[test]
fn a_charge_that_does_not_fit_is_refused_and_spends_nothing() {
    let filter = filter(3.0, 10.0);
    let cost = filter.cost(&event(1.0, 0.05, 200, TaskChange::ContentChanges)).unwrap();
    let mut spent = 0.0;
    let mut rounds = 0;
    let refusal = loop {
        match filter.admit(spent, cost) {
            Ok(sum) => (spent, rounds) = (sum, rounds + 1),
            Err(refusal) => break refusal,
        }
        assert!(rounds < 100_000);
    };
    let FilterExceeded { spent: before, budget, .. } = refusal;
    assert_eq!(before.to_bits(), spent.to_bits());
    assert!(spent <= budget && spent + cost > budget * (1.0 - 1e-12));
}

#[test]
fn numbers_that_are_none_are_never_admitted() {
    let filter = filter(8.0, 6.0);
    for (spent, cost) in
        [(f64::NAN, 0.1), (0.1, f64::NAN), (-1.0, 0.1), (0.1, -0.1), (0.0, f64::INFINITY)]
    {
        assert!(filter.admit(spent, cost).is_err(), "{spent} {cost}");
    }
    assert_eq!(filter.admit(0.5, 0.0), Ok(0.5));
}

#[test]
fn the_budget_itself_fits_and_nothing_on_top_of_it_does() {
    let filter = filter(8.0, 6.0);
    assert_eq!(filter.admit(filter.budget(), 0.0), Ok(filter.budget()));
    assert!(filter.admit(filter.budget(), 1e-12).is_err());
    assert!(filter.admit(0.0, filter.budget()).is_err(), "a sum is rounded up");
    assert!(filter.admit(0.0, filter.budget().next_down()).is_ok());
}

#[test]
fn the_best_order_at_birth_is_the_certificates() {
    let delta = Delta::new(1e-6).unwrap();
    let events = [event(2.0, 0.1, 100, TaskChange::Appears)];
    let order = Filter::best_order(&events, delta).unwrap();
    let certificate = epsilon_by(Method::Rdp, &events, delta).unwrap();
    assert_eq!(Some(order), certificate.order);
    let cap = Epsilon::new(certificate.epsilon_upper * (1.0 + 1e-9)).unwrap();
    let filter = Filter::new(cap, delta, order).unwrap();
    assert!(filter.admit(0.0, filter.cost(&events[0]).unwrap()).is_ok());
    assert!(Filter::best_order(&[], delta).is_err());
}

proptest! {
    #[test]
    fn spending_never_passes_the_budget_and_never_falls_below_the_true_sum(
        costs in prop::collection::vec(0.0..0.5f64, 1..40),
    ) {
        let filter = filter(4.0, 12.0);
        let mut spent = 0.0;
        // Sums of integers, in units of 2⁻⁸⁰ rounded down, are exact.
        let mut truth = 0u128;
        for cost in costs {
            if let Ok(sum) = filter.admit(spent, cost) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^79")]
                let exact = (cost * 2f64.powi(80)) as u128;
                spent = sum;
                truth += exact;
                prop_assert!(spent <= filter.budget());
                prop_assert!(filter.spent_epsilon(spent) <= 4.0);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^83")]
                let charged = (spent * 2f64.powi(80)) as u128;
                prop_assert!(charged >= truth);
            }
        }
    }
}
