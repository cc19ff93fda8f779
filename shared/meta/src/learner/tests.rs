use super::*;
use crate::example_tasks::{
    FEATURES, build, cases, differences, examples, relative, task, weights,
};
use crate::gradient::outputs;
use round::plan::{Activation, Head, Initialization};

/// Σ loss / normaliser, written naively and apart from the code under test.
fn loss_value(of: &GradientLearner, at: &[f64], examples: &Examples, normaliser: f64) -> f64 {
    let width = of.network.layers().last().unwrap().outputs;
    let outputs = outputs(&of.network, at, examples).unwrap();
    let rows = outputs.chunks_exact(width).zip(examples.labels());
    let losses = rows.map(|(f, &label)| match &of.loss {
        Loss::Binary { weights } => {
            let p = 1.0 / (1.0 + (-f[0]).exp());
            if label > 0.5 { -weights[1] * p.ln() } else { -weights[0] * (1.0 - p).ln() }
        }
        Loss::Classes { weights } => {
            let total: f64 = f.iter().map(|f| f.exp()).sum();
            let class = (0..weights.len())
                .find(|k| f64::from(u32::try_from(*k).unwrap()) >= f64::from(label))
                .unwrap();
            -weights[class] * (f[class].exp() / total).ln()
        }
        Loss::SquaredError => (f[0] - f64::from(label)).powi(2),
    });
    losses.sum::<f64>() / normaliser
}

/// The loss of the query after the inner loop.
fn objective(of: &GradientLearner, at: &[f64], task: &Task) -> f64 {
    let adapted = adapt(&of.network, &of.loss, of.inner, at, &task.support).unwrap();
    loss_value(of, &adapted, &task.query, of.query_normaliser)
}

#[test]
fn maml_is_the_gradient_of_the_query_loss_after_the_inner_loop() {
    for (case, (head, hidden, norm_max)) in cases().into_iter().enumerate() {
        let maml = build(Family::Maml, head, hidden, Activation::Tanh, norm_max);
        let at = weights(maml.dimension(), case as u64);
        let task = task(head, 40 + case as u64);
        let expected = differences(&at, &|x| objective(&maml, x, &task));
        let error = relative(&maml.vector(&at, &task).unwrap(), &expected);
        assert!(error < 1e-6, "{head:?} {hidden:?} guard {norm_max}: {error:e}");
    }
}

#[test]
fn fomaml_is_the_gradient_at_the_adapted_weights() {
    for (case, (head, hidden, norm_max)) in cases().into_iter().enumerate() {
        let fomaml = build(Family::Fomaml, head, hidden, Activation::Tanh, norm_max);
        let at = weights(fomaml.dimension(), case as u64);
        let task = task(head, 80 + case as u64);
        let adapted = adapt(&fomaml.network, &fomaml.loss, fomaml.inner, &at, &task.support);
        let expected = differences(&adapted.unwrap(), &|x| {
            loss_value(&fomaml, x, &task.query, fomaml.query_normaliser)
        });
        let error = relative(&fomaml.vector(&at, &task).unwrap(), &expected);
        assert!(error < 1e-6, "{head:?} {hidden:?} guard {norm_max}: {error:e}");
    }
}

#[test]
fn the_query_loss_is_that_of_the_adapted_weights_in_every_family() {
    for (case, (head, hidden, norm_max)) in cases().into_iter().enumerate() {
        for family in [Family::Maml, Family::Fomaml, Family::Fedsgd] {
            let learner = build(family, head, hidden, Activation::Tanh, norm_max);
            let at = weights(learner.dimension(), case as u64);
            let task = task(head, 120 + case as u64);
            let got = learner.judged(&at, &task, true).unwrap().query_loss;
            let expected = objective(&learner, &at, &task);
            assert!((got - expected).abs() < 1e-9, "{family:?} {head:?}: {got} for {expected}");
            assert_eq!(learner.judged(&at, &task, false).unwrap().query_loss.to_bits(), 0);
        }
    }
}

#[test]
fn relu_agrees_with_differences_away_from_its_kinks() {
    let head = Head::Binary {};
    for family in [Family::Maml, Family::Fedsgd] {
        let relu = build(family, head, &[4], Activation::Relu, 1e3);
        let at = weights(relu.dimension(), 5);
        let task = task(head, 6);
        let expected = differences(&at, &|x| objective(&relu, x, &task));
        let error = relative(&relu.vector(&at, &task).unwrap(), &expected);
        assert!(error < 1e-6, "{family:?}: {error:e}");
    }
}

#[test]
fn without_an_inner_step_the_families_are_one() {
    let head = Head::Binary {};
    let none = |family| {
        let mut learner = build(family, head, &[4], Activation::Tanh, 1.0);
        learner.inner.count = 0;
        learner.query_normaliser = 12.0;
        let at = weights(learner.dimension(), 3);
        learner.vector(&at, &task(head, 4)).unwrap()
    };
    assert_eq!(none(Family::Maml), none(Family::Fedsgd));
    assert_eq!(none(Family::Fomaml), none(Family::Fedsgd));
}

#[test]
fn second_order_matters() {
    let head = Head::Binary {};
    let vector = |family| {
        let learner = build(family, head, &[4], Activation::Tanh, 1e3);
        learner.vector(&weights(learner.dimension(), 3), &task(head, 4)).unwrap()
    };
    assert!(relative(&vector(Family::Fomaml), &vector(Family::Maml)) > 1e-3);
}

#[test]
fn an_inner_step_is_never_longer_than_its_guard() {
    let head = Head::Regression {};
    let learner = build(Family::Fomaml, head, &[4], Activation::Tanh, 0.05);
    let at = weights(learner.dimension(), 1);
    let one = Steps { count: 1, ..learner.inner };
    let to = adapt(&learner.network, &learner.loss, one, &at, &examples(head, 9, 2)).unwrap();
    let moved: f64 = at.iter().zip(&to).map(|(a, b)| (a - b).powi(2)).sum();
    assert!((moved.sqrt() - 0.05).abs() < 1e-12);
}

#[test]
fn what_cannot_work_is_refused_before_a_row_is_read() {
    let model = ModelSpec {
        head: Head::Binary {},
        hidden: vec![],
        activation: Activation::Tanh,
        initialization: Initialization { seed: 0, scale: 0.0 },
    };
    let steps = LearnerSpec {
        family: Family::Fomaml,
        inner_steps: 1,
        inner_rate: 0.1,
        inner_step_norm_max: 1.0,
        adaptation_steps: vec![0],
        adaptation_rate: 0.1,
    };
    let loss = LossSpec::LogLoss { class_weights: vec![1.0, 1.0] };
    let shape = EpisodeShape { features: FEATURES, nominal_units: 30, support_share: 0.5 };
    let refused = |m: &ModelSpec, s: &LearnerSpec, l: &LossSpec, e: EpisodeShape| {
        matches!(learner(m, s, l, e), Err(LearnerError::Unsupported(_)))
    };
    assert!(!refused(&model, &steps, &loss, shape));
    assert!(refused(&model, &steps, &LossSpec::SquaredError {}, shape));
    let three = LossSpec::LogLoss { class_weights: vec![1.0; 3] };
    assert!(refused(&model, &steps, &three, shape));
    let negative = LossSpec::LogLoss { class_weights: vec![1.0, -1.0] };
    assert!(refused(&model, &steps, &negative, shape));
    assert!(refused(&model, &steps, &loss, EpisodeShape { features: 0, ..shape }));
    assert!(refused(&model, &steps, &loss, EpisodeShape { nominal_units: 0, ..shape }));
    assert!(refused(&model, &steps, &loss, EpisodeShape { support_share: 0.0, ..shape }));
    assert!(refused(&model, &steps, &loss, EpisodeShape { support_share: 1.0, ..shape }));
    let zero_step = LearnerSpec { family: Family::Fedsgd, ..steps.clone() };
    assert!(refused(&model, &zero_step, &loss, shape));
    let no_rate = LearnerSpec { inner_rate: f64::NAN, ..steps };
    assert!(refused(&model, &no_rate, &loss, shape));
}
