use std::path::Path;

use meta::{GradientLearner, MetaLearner as _};
use round::plan::Plan;
use serde_json::json;

use crate::ClientError;
use crate::cli::Output;
use crate::cli::arguments::{AdaptArguments, EvaluateArguments};
use crate::data::{DataSource, Rows, attach};
use crate::evaluate::{EpisodeSpec, Evaluation, choose_steps, evaluate as evaluate_on};
use crate::learning::{learner_of, theta_of};
use crate::state_dir::write_durably;
use crate::tasks::examples;

/// Adapts a meta-initialization to labelled examples of the bank.
///
/// # Errors
///
/// [`ClientError::Plan`], [`ClientError::Learner`] or [`ClientError::Data`] with what does not fit.
pub fn adapt(arguments: &AdaptArguments) -> Result<Output, ClientError> {
    let (plan, learner, theta) = model(&arguments.plan, &arguments.theta)?;
    let rows = rows(&plan, &DataSource::file(&arguments.support))?;
    let all: Vec<u32> = (0..).take(rows.len()).collect();
    let adapted = learner.adapt(&theta, &examples(&rows, &all), arguments.steps)?;
    #[expect(clippy::cast_possible_truncation, reason = "the file holds f32, as θ does")]
    let weights = adapted.weights().iter().flat_map(|weight| (*weight as f32).to_le_bytes());
    write_durably(&arguments.out, &weights.collect::<Vec<u8>>())?;
    let data = json!({ "out": arguments.out, "steps": arguments.steps, "examples": rows.len() });
    let text = format!(
        "adapted to {} examples in {} steps: {}",
        rows.len(),
        arguments.steps,
        arguments.out.display()
    );
    Ok(Output::new(data, text))
}

/// Judges a meta-initialization on the bank's rows, adapted and as it is, against learning alone.
/// The number of adaptation steps is chosen on other rows.
///
/// # Errors
///
/// [`ClientError::Plan`], [`ClientError::Learner`], [`ClientError::Data`] or
/// [`ClientError::Evaluate`].
pub fn evaluate(arguments: &EvaluateArguments) -> Result<Output, ClientError> {
    let (plan, learner, theta) = model(&arguments.plan, &arguments.theta)?;
    let judged = rows(&plan, &DataSource::load(&arguments.data)?)?;
    let tuning = rows(&plan, &DataSource::load(&arguments.tuning)?)?;
    let candidates = &plan.text().learner.adaptation_steps;
    let evaluation = |shots: &u32| {
        let spec = EpisodeSpec {
            shots: *shots,
            query_positive: arguments.query_positive,
            query_negative: arguments.query_negative,
            episodes: arguments.episodes,
            seed: arguments.seed,
        };
        let steps = choose_steps(&learner, &theta, &tuning, candidates, spec)?;
        Ok(evaluate_on(&learner, &theta, &judged, steps, spec)?)
    };
    let evaluations: Result<Vec<Evaluation>, ClientError> =
        arguments.shots.iter().map(evaluation).collect();
    let evaluations = evaluations?;
    let line = |e: &Evaluation| {
        let [low, high] = e.interval95;
        format!(
            "{} shots: {} {:.4} adapted ({} steps), {:.4} unadapted, {:.4} alone; gain {low:+.4} to {high:+.4}",
            e.shots, e.metric, e.adapted, e.steps, e.unadapted, e.local_only
        )
    };
    let text = evaluations.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(Output::new(json!({ "evaluation": evaluations }), text))
}

fn model(plan: &Path, theta: &Path) -> Result<(Plan, GradientLearner, Vec<f32>), ClientError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| ClientError::file("read", path, error));
    let parsed = Plan::parse(&read(plan)?)
        .map_err(|source| ClientError::Plan { path: plan.to_owned(), source })?;
    let learner = learner_of(&parsed)?;
    let theta = theta_of(&read(theta)?, &learner)?;
    Ok((parsed, learner, theta))
}

fn rows(plan: &Plan, source: &DataSource) -> Result<Rows, ClientError> {
    let text = plan.text();
    Ok(attach(source, &text.data, &text.tasks, text.model.head)?)
}
