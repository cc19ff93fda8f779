//! Adaptation at an institution.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use meta::{EpisodeShape, Examples, LearnerError, MetaLearner};
use round::plan::{Activation, Family, Head, Initialization, LearnerSpec, LossSpec, ModelSpec};

fn line(rate: f64) -> impl MetaLearner {
    regression(rate, &[])
}

fn regression(rate: f64, hidden: &[u32]) -> impl MetaLearner {
    let model = ModelSpec {
        head: Head::Regression {},
        hidden: hidden.to_vec(),
        activation: Activation::Relu,
        initialization: Initialization { seed: 0, scale: 0.0 },
    };
    let steps = LearnerSpec {
        family: Family::Fomaml,
        inner_steps: 1,
        inner_rate: 0.1,
        inner_step_norm_max: 1e300,
        adaptation_steps: vec![0, 50],
        adaptation_rate: rate,
    };
    let shape = EpisodeShape { features: 1, nominal_units: 10, support_share: 0.5 };
    meta::learner(&model, &steps, &LossSpec::SquaredError {}, shape).unwrap()
}

fn support() -> Examples {
    Examples::new(1, vec![-1.0, 0.0, 1.0], vec![-1.0, 1.0, 3.0]).unwrap()
}

#[test]
fn zero_steps_answer_with_the_meta_initialization() {
    let predictor = line(0.1).adapt(&[2.0, 0.5], &support(), 0).unwrap();
    assert_eq!(predictor.weights(), [2.0, 0.5]);
    assert_eq!(predictor.outputs(&support()).unwrap(), [-1.5, 0.5, 2.5]);
}

#[test]
fn steps_reach_the_line_through_the_support() {
    let predictor = line(0.3).adapt(&[0.0, 0.0], &support(), 200).unwrap();
    let [slope, intercept] = predictor.weights() else { panic!("two weights") };
    assert!((slope - 2.0).abs() < 1e-9 && (intercept - 1.0).abs() < 1e-9);
}

#[test]
fn an_empty_support_changes_nothing() {
    let predictor = line(0.1).adapt(&[2.0, 0.5], &Examples::none(1), 7).unwrap();
    assert_eq!(predictor.weights(), [2.0, 0.5]);
}

#[test]
fn an_adaptation_that_is_not_finite_is_an_error_and_not_a_model() {
    let infinite = Examples::new(1, vec![f32::INFINITY], vec![1.0]).unwrap();
    let answer = line(0.1).adapt(&[0.0, 0.0], &infinite, 1);
    assert!(matches!(answer, Err(LearnerError::NotFinite)));
}

#[test]
fn examples_of_another_width_are_refused() {
    let wide = Examples::new(2, vec![0.0; 4], vec![0.0; 2]).unwrap();
    let refused = line(0.1).adapt(&[0.0, 0.0], &wide, 1);
    assert!(matches!(refused, Err(LearnerError::Columns { expected: 1, got: 2 })));
    assert!(matches!(
        Examples::new(2, vec![0.0; 3], vec![0.0; 2]),
        Err(LearnerError::Shape { rows: 2, columns: 2, values: 3 })
    ));
}

#[test]
fn a_feature_that_is_no_number_gives_no_number() {
    let predictor = regression(0.1, &[2]).adapt(&[1.0; 7], &support(), 0).unwrap();
    let examples = Examples::new(1, vec![f32::NAN, 1.0], vec![0.0, 0.0]).unwrap();
    let outputs = predictor.outputs(&examples).unwrap();
    assert!(outputs[0].is_nan() && outputs[1].is_finite());
}
