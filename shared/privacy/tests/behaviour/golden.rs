use privacy::{
    Delta, Epsilon, NoiseMultiplier, Order, TaskChange, analytic_gaussian_delta,
    analytic_gaussian_epsilon, analytic_gaussian_sigma, epsilon, gaussian_mu, rdp,
};
use serde_json::Value;

use crate::event;

const ANALYTIC: &str = include_str!("../golden/analytic_gaussian_exact.json");
const RDP: &str = include_str!("../golden/rdp_orders_truth.json");
const POISSON: &str = include_str!("../golden/poisson_gaussian_add_remove.json");
const REPLACE_ONE: &str = include_str!("../golden/replace_one.json");

/// A number, written as one or as a string of more digits than f64 holds.
fn number(row: &Value, key: &str) -> f64 {
    let value = &row[key];
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn rows(text: &str, key: &str) -> Vec<Value> {
    // The other accountant's figure is infinite in places, which JSON has no word for; it is not read.
    let mut table: Value = serde_json::from_str(&text.replace("Infinity", "null")).unwrap();
    table[key].as_array_mut().map(core::mem::take).unwrap()
}

fn assert_close(ours: f64, truth: f64, row: &Value) {
    assert!((ours / truth - 1.0).abs() <= 1e-9, "{ours} is not {truth}: {row}");
}

#[test]
fn the_analytic_gaussian_is_exact() {
    for row in rows(ANALYTIC, "delta_of_eps") {
        let noise = NoiseMultiplier::new(number(&row, "sigma")).unwrap();
        let ours = analytic_gaussian_delta(noise, Epsilon::new(number(&row, "eps")).unwrap());
        let truth = number(&row, "delta");
        if truth < 1e-305 {
            assert!(ours < 1e-300, "{ours}: {row}");
        } else {
            assert_close(ours, truth, &row);
        }
    }
    for row in rows(ANALYTIC, "sigma_of_eps_delta") {
        let (epsilon, delta) = (number(&row, "eps"), number(&row, "delta"));
        let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap());
        let sigma = analytic_gaussian_sigma(epsilon, delta).unwrap();
        assert_close(sigma.get(), number(&row, "sigma"), &row);
    }
    for row in rows(ANALYTIC, "eps_of_sigma_steps_delta") {
        let effective = number(&row, "sigma") / number(&row, "steps").sqrt();
        let delta = Delta::new(number(&row, "delta")).unwrap();
        let ours = analytic_gaussian_epsilon(NoiseMultiplier::new(effective).unwrap(), delta);
        assert_close(ours, number(&row, "eps"), &row);
    }
}

#[test]
fn the_gaussian_dp_parameter_is_the_published_one() {
    for (epsilon, mu) in [(8.0, 1.5315), (3.0, 0.6477), (1.0, 0.2367)] {
        let ours = gaussian_mu(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap());
        assert!((ours - mu).abs() < 5e-5, "{epsilon}: {ours}");
    }
}

#[test]
fn the_divergence_of_an_appearing_task_is_the_truth_rounded_up() {
    for row in rows(RDP, "records") {
        let event = event(number(&row, "sigma"), number(&row, "q"), 1, TaskChange::Appears);
        let ours = rdp(&event, Order::new(number(&row, "alpha")).unwrap()).unwrap();
        assert_close(ours, number(&row, "rdp"), &row);
        assert!(ours >= number(&row, "rdp"), "{ours:?} is below the truth: {row}");
    }
}

/// Checks one certificate against another accountant's interval, and that it is tight.
fn assert_fits(
    ours: &privacy::Certificate,
    optimistic: Option<f64>,
    pessimistic: f64,
    row: &Value,
) {
    assert!(ours.is_tight(), "{ours:?}: {row}");
    assert!(ours.epsilon_lower <= ours.epsilon_upper, "{ours:?}: {row}");
    if let Some(optimistic) = optimistic {
        assert!(
            ours.epsilon_upper >= optimistic * (1.0 - 1e-12),
            "{ours:?} is below {optimistic}: {row}"
        );
    }
    let limit = pessimistic * (1.0 + 1e-3);
    assert!(ours.epsilon_upper <= limit, "{ours:?} is above {pessimistic}: {row}");
}

#[test]
fn certificates_lie_within_a_looser_accountants_interval() {
    for row in rows(POISSON, "records") {
        let steps = row["steps"].as_u64().unwrap();
        let event = event(number(&row, "sigma"), number(&row, "q"), steps, TaskChange::Appears);
        for case in row["cases"].as_array().unwrap() {
            // That figure falls below the truth when its round-off matters: many steps and a small delta.
            let (delta, is_sound) = (number(case, "delta"), steps <= 10_000);
            let (Some(pessimistic), true) = (case["eps_pld_pess"].as_f64(), is_sound) else {
                continue;
            };
            let ours = epsilon(&[event], Delta::new(delta).unwrap()).unwrap();
            assert_fits(&ours, case["eps_pld_opt"].as_f64(), pessimistic, &row);
        }
    }
}

#[test]
fn certificates_of_changing_contents_are_those_of_the_antipodal_pair() {
    for row in rows(REPLACE_ONE, "records") {
        let (noise, rate) = (number(&row, "sigma"), number(&row, "q"));
        let steps = row["steps"].as_u64().unwrap();
        for (change, key) in [
            (TaskChange::Appears, "eps_pld_add_remove"),
            (TaskChange::ContentChanges, "eps_pld_replace_one_poisson"),
        ] {
            for case in row["cases"].as_array().unwrap() {
                let delta = Delta::new(number(case, "delta")).unwrap();
                let ours = epsilon(&[event(noise, rate, steps, change)], delta).unwrap();
                assert_fits(&ours, None, number(case, key), &row);
            }
        }
    }
}
