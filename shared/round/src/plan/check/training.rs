//! Model, learner, loss and optimizer.

use super::{finite_within, positive, require, within};
use crate::layout::Layout;
use crate::limits;
use crate::plan::{Family, Head, LabelSpec, LossSpec, OptimizerSpec, PlanError, PlanText};

pub(super) fn check(text: &PlanText) -> Result<(), PlanError> {
    model(text)?;
    learner(text)?;
    loss(text)?;
    optimizer(&text.optimizer)
}

fn model(text: &PlanText) -> Result<(), PlanError> {
    let model = &text.model;
    within("model.hidden", model.hidden.len() as u64, 0, limits::LAYERS_MAX as u64)?;
    for width in &model.hidden {
        within("model.hidden", u64::from(*width), 1, u64::from(limits::WIDTH_MAX))?;
    }
    if let Head::Classes { count } = model.head {
        within("model.head.classes.count", u64::from(count), 2, 10_000)?;
    }
    finite_within("model.initialization.scale", model.initialization.scale, 0.0, 10.0)?;
    let largest = i64::MAX.unsigned_abs();
    // TOML has no larger integer.
    within("model.initialization.seed", model.initialization.seed, 0, largest)?;
    let dimension = Layout::of(text.data.features.len(), model).dimension();
    within("model", dimension as u64, 1, limits::PARAMETERS_MAX as u64)
}

fn learner(text: &PlanText) -> Result<(), PlanError> {
    let learner = &text.learner;
    let steps = u64::from(limits::STEPS_MAX);
    within("learner.inner_steps", u64::from(learner.inner_steps), 0, steps)?;
    require((learner.family == Family::Fedsgd) == (learner.inner_steps == 0), "learner", || {
        format!(
            "fedsgd takes 0 inner steps and every other family at least 1, got {:?} with {}",
            learner.family, learner.inner_steps
        )
    })?;
    require(
        (text.tasks.support_share == 0.0) == (learner.inner_steps == 0),
        "tasks.support_share",
        || {
            "expected 0 when the learner takes no inner step, and a share above 0 when it does"
                .to_owned()
        },
    )?;
    positive("learner.inner_rate", learner.inner_rate)?;
    positive("learner.inner_step_norm_max", learner.inner_step_norm_max)?;
    positive("learner.adaptation_rate", learner.adaptation_rate)?;
    within("learner.adaptation_steps", learner.adaptation_steps.len() as u64, 1, 16)?;
    for count in &learner.adaptation_steps {
        within("learner.adaptation_steps", u64::from(*count), 0, steps)?;
    }
    let ascending = learner.adaptation_steps.is_sorted_by(|a, b| a < b);
    require(ascending, "learner.adaptation_steps", || {
        "expected distinct numbers, ascending".to_owned()
    })
}

fn loss(text: &PlanText) -> Result<(), PlanError> {
    let classes = match text.model.head {
        Head::Binary {} => Some(2),
        Head::Classes { count } => Some(count as usize),
        Head::Regression {} => None,
    };
    match (&text.loss, classes) {
        (LossSpec::LogLoss { class_weights }, Some(classes)) => {
            require(class_weights.len() == classes, "loss.log-loss.class_weights", || {
                format!("expected {classes} weights, got {}", class_weights.len())
            })?;
            class_weights.iter().try_for_each(|w| positive("loss.log-loss.class_weights", *w))?;
        }
        (LossSpec::SquaredError {}, None) => {}
        (LossSpec::LogLoss { .. }, None) | (LossSpec::SquaredError {}, Some(_)) => {
            require(false, "loss", || {
                "log-loss goes with a binary or classes head, squared-error with regression"
                    .to_owned()
            })?;
        }
    }
    let fits = match (&text.data.label, text.model.head) {
        (LabelSpec::Equals { .. }, Head::Binary {})
        | (LabelSpec::Class { .. }, Head::Classes { .. } | Head::Binary {})
        | (LabelSpec::Value { .. }, Head::Regression {}) => true,
        (LabelSpec::Equals { .. } | LabelSpec::Class { .. } | LabelSpec::Value { .. }, _) => false,
    };
    require(fits, "data.label", || {
        "equals goes with a binary head, class with classes or binary, value with regression"
            .to_owned()
    })
}

fn optimizer(spec: &OptimizerSpec) -> Result<(), PlanError> {
    let rate = |key: &str, lr: f64| positive(&format!("optimizer.{key}.learning_rate"), lr);
    let decay = |key: &str, x: f64| {
        require((0.0..1.0).contains(&x), &format!("optimizer.{key}"), || {
            format!("expected a number from 0 to below 1, got {x}")
        })
    };
    match *spec {
        OptimizerSpec::Sgd { learning_rate } => rate("sgd", learning_rate),
        OptimizerSpec::Momentum { learning_rate, momentum } => {
            rate("momentum", learning_rate)?;
            decay("momentum.momentum", momentum)
        }
        OptimizerSpec::Adam { learning_rate, beta1, beta2, epsilon }
        | OptimizerSpec::Yogi { learning_rate, beta1, beta2, epsilon } => {
            let key = if matches!(spec, OptimizerSpec::Adam { .. }) { "adam" } else { "yogi" };
            rate(key, learning_rate)?;
            decay(&format!("{key}.beta1"), beta1)?;
            decay(&format!("{key}.beta2"), beta2)?;
            positive(&format!("optimizer.{key}.epsilon"), epsilon)
        }
    }
}
