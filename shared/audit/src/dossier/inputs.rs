//! The accountant's inputs and what came of them.

use std::fmt::Write as _;

use privacy::Interval;
use serde::Serialize;

use crate::facts::Facts;
use crate::report::{Report, Total};

const COLUMNS: &str = "institution,run,unit,relation,promised,mechanism,noise_multiplier,sampling_rate,count,task_change,delta,epsilon_lower,epsilon_upper,method,promise";

/// One figure with all that it was computed from: what `institution` sent in `run` under one unit relation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Input {
    /// The institution.
    pub institution: String,
    /// The run, in hex.
    pub run: String,
    /// What is protected.
    pub unit: String,
    /// Which change of one unit the figure speaks of.
    pub relation: String,
    /// True for the relation that the plan's promise speaks of.
    pub promised: bool,
    /// The mechanism of each release.
    pub mechanism: &'static str,
    /// Noise standard deviation in clipping norms.
    pub noise_multiplier: f64,
    /// The probability with which each task takes part.
    pub sampling_rate: f64,
    /// How many releases the log acknowledges.
    pub count: u32,
    /// What the change of one unit does to the tasks.
    pub task_change: String,
    /// δ.
    pub delta: f64,
    /// ε between two proved bounds.
    pub epsilon: Interval,
    /// How the upper bound was proved.
    pub method: String,
    /// The plan's ε.
    pub promise: f64,
}

/// Every figure of the report, the promised relation first.
pub(super) fn of(report: &Report, facts: &Facts) -> Vec<Input> {
    let mut inputs = Vec::new();
    for of in &report.institutions {
        let Some(plan) = facts.plan_of(&of.run) else { continue };
        let promised = Input {
            institution: of.name.clone(),
            run: of.run.clone(),
            unit: of.unit.clone(),
            relation: of.relation.clone(),
            promised: true,
            mechanism: "poisson-gaussian",
            noise_multiplier: plan.privacy.noise_multiplier,
            sampling_rate: plan.privacy.sampling_rate,
            count: of.rounds,
            task_change: of.task_change.clone(),
            delta: of.delta,
            epsilon: of.epsilon,
            method: of.method.clone(),
            promise: of.promise,
        };
        let beside = of.beside.as_ref().map(|beside| Input {
            relation: beside.relation.clone(),
            promised: false,
            task_change: beside.task_change.clone(),
            epsilon: beside.epsilon,
            ..promised.clone()
        });
        inputs.push(promised);
        inputs.extend(beside);
    }
    inputs
}

impl Input {
    /// The command that computes the figure from its parameters alone.
    pub fn command(&self) -> String {
        command([self], self.delta)
    }

    fn event(&self) -> String {
        let Self { mechanism, noise_multiplier, sampling_rate, count, task_change, .. } = self;
        format!(
            r#"{{"mechanism": "{mechanism}", "noise_multiplier": {noise_multiplier}, "sampling_rate": {sampling_rate}, "count": {count}, "change": "{task_change}"}}"#
        )
    }
}

/// The command that computes what an institution spent in all its runs, from their parameters alone.
pub(super) fn command_of_total(inputs: &[Input], total: &Total) -> String {
    let of = inputs.iter().filter(|of| {
        of.promised
            && of.institution == total.name
            && of.unit == total.unit
            && of.relation == total.relation
    });
    command(of, total.delta)
}

fn command<'a>(inputs: impl IntoIterator<Item = &'a Input>, delta: f64) -> String {
    let events: Vec<_> = inputs.into_iter().map(Input::event).collect();
    format!("echo '[{}]' | counterfoil-audit epsilon --delta {delta:e}", events.join(", "))
}

/// RFC 4180, with line feeds; numbers as they are in Rust, exact when read back.
pub(super) fn csv(inputs: &[Input]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for of in inputs {
        // Names in the log have no commas, quotes or line ends; a unit is free text.
        let unit = format!("\"{}\"", of.unit.replace('"', "\"\""));
        let _ = writeln!(
            text,
            "{},{},{unit},{},{},{},{},{},{},{},{:e},{},{},{},{}",
            of.institution,
            of.run,
            of.relation,
            of.promised,
            of.mechanism,
            of.noise_multiplier,
            of.sampling_rate,
            of.count,
            of.task_change,
            of.delta,
            of.epsilon.lower,
            of.epsilon.upper,
            of.method,
            of.promise,
        );
    }
    text
}
