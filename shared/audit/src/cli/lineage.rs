//! How a model came to be, for people.

use std::path::PathBuf;

use clap::Args;
use ledger::digest::Digest;

use super::output::Output;
use super::show::{finding, line, list};
use crate::lineage::{Lineage, ModelStep, Part, Sum, lineage};

/// Which model.
#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The export's directory.
    directory: PathBuf,
    /// The model's number: 0 is drawn from the plan's seed, n + 1 follows from round n.
    #[arg(long, value_name = "N")]
    model: u32,
    /// The beginning of the run's identity, if the log has several.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The consortium's genesis digest, known from elsewhere than the operator.
    #[arg(long, value_name = "HEX")]
    genesis: Option<Digest>,
}

pub(super) fn replay(arguments: &ReplayArguments, json: bool) -> Output {
    let ReplayArguments { directory, model, run, genesis } = arguments;
    let lineage = lineage(directory, *genesis, run.as_deref(), *model);
    let text = text(&lineage, *model);
    Output::of(json, lineage.exit_code(), &lineage, text)
}

fn text(of: &Lineage, model: u32) -> String {
    let mut text = String::new();
    match &of.finding {
        Some(found) => finding(&mut text, found),
        None if of.anchored => line(&mut text, format_args!("replayed bit for bit")),
        None => {
            line(&mut text, format_args!("replayed bit for bit, anchor not given (--genesis HEX)"));
        }
    }
    if let Some(genesis) = &of.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    if let Some(run) = &of.run {
        line(&mut text, format_args!("run          {run} {:?}", of.name));
    }
    let Some(step) = of.models.last().filter(|step| step.model == model) else { return text };
    line(&mut text, format_args!("model {model:<6} leaf {}, weights {}", step.leaf, step.weights));
    line(&mut text, format_args!("  master     {}", step.master));
    match (&step.sum, of.models.iter().rev().nth(1)) {
        (Some(sum), Some(before)) => led_to(&mut text, of, sum, before),
        _ => line(&mut text, format_args!("drawn from the seed in plan {}", of.plan)),
    }
    let unproved: Vec<String> =
        of.models.iter().filter(|step| !step.proved).map(|step| step.model.to_string()).collect();
    let steps = of.models.len();
    if unproved.is_empty() {
        line(&mut text, format_args!("models       all {steps} from the seed on computed anew"));
    } else {
        let unproved = unproved.join(", ");
        line(
            &mut text,
            format_args!("models       not from vectors that are all there: {unproved}"),
        );
    }
    text
}

fn led_to(text: &mut String, of: &Lineage, sum: &Sum, before: &ModelStep) {
    line(text, format_args!("from model {}, weights {}", before.model, before.weights));
    line(text, format_args!("by one step  {}", of.optimizer));
    let Sum { round, leaf, sha256, expected_tasks, contributions } = sum;
    line(
        text,
        format_args!(
            "along the sum of round {round}, leaf {leaf}, {sha256}, / {expected_tasks} tasks"
        ),
    );
    let part =
        |Part { institution, leaf, vector }: &Part| format!("{institution} leaf {leaf}, {vector}");
    list(text, "of the vectors", contributions.iter().map(part).collect());
}
