use std::path::Path;
use std::sync::Arc;

use round::plan::Plan;
use serde_json::json;

use crate::cli::Output;
use crate::cli::arguments::RedteamArguments;
use crate::redteam::{Redteam, Test, attack_pipeline};
use crate::{ClientError, Exit};

/// Attacks the node's own pipeline under a plan.
///
/// # Errors
///
/// [`ClientError::Plan`] if the file is none, [`ClientError::Usage`] if the confidence is no probability or there are more rounds than the
/// plan's, or the pipeline fails.
pub fn redteam(arguments: &RedteamArguments) -> Result<Output, ClientError> {
    let plan = Arc::new(plan_in(&arguments.plan)?);
    let all = plan.text().rounds;
    let rounds = arguments.rounds.unwrap_or(all);
    if rounds > all {
        return Err(ClientError::Usage(format!(
            "expected at most the plan's {all} rounds, got {rounds}"
        )));
    }
    if !(arguments.confidence > 0.0 && arguments.confidence < 1.0) {
        let found = arguments.confidence;
        return Err(ClientError::Usage(format!(
            "expected a confidence between 0 and 1, got {found}"
        )));
    }
    let canaries = usize::try_from(arguments.canaries).unwrap_or(usize::MAX);
    let found = attack_pipeline(&plan, canaries, rounds, arguments.confidence)?;
    let exit = if found.is_sound() { Exit::Ok } else { Exit::Tampered };
    let data = json!({
        "plan": plan.digest().to_string(),
        "sound": found.is_sound(),
        "one_run": found.one_run,
        "claimed": { "lower": found.claimed_lower, "upper": found.claimed_upper },
        "delta": found.delta,
        "refuted": found.refuted,
        "tests": found.tests,
    });
    Ok(Output { data, text: text(&plan, &found), exit })
}

fn plan_in(file: &Path) -> Result<Plan, ClientError> {
    let bytes = std::fs::read(file).map_err(|error| ClientError::file("read", file, error))?;
    Plan::parse(&bytes).map_err(|source| ClientError::Plan { path: file.to_owned(), source })
}

fn text(plan: &Plan, found: &Redteam) -> String {
    let run = &found.one_run;
    let mut lines = vec![
        format!(
            "plan {} ({}): the node's own pipeline, attacked with tasks of nobody; no row read, nothing charged",
            plan.digest(),
            plan.text().name
        ),
        format!(
            "one run of {} rounds  epsilon at least {:.3} at {} confidence ({} of {} guesses right, {} canaries)",
            run.rounds, run.epsilon_lower, run.confidence, run.correct, run.guesses, run.canaries
        ),
        format!(
            "claimed            epsilon in [{:.4}, {:.4}] at delta {}: {}",
            found.claimed_lower,
            found.claimed_upper,
            found.delta,
            verdict(found)
        ),
        format!(
            "{:<36} {:>10} {:>10} {:>9}",
            "is it the plan's mechanism?", "expected", "found", "p"
        ),
    ];
    lines.extend(found.tests.iter().map(test_line));
    lines.push(if found.is_sound() {
        "nothing was found".to_owned()
    } else {
        "FOUND: this pipeline does not keep the plan's promise; do not run it".to_owned()
    });
    lines.join("\n")
}

fn verdict(found: &Redteam) -> String {
    let showable = found.one_run.epsilon_showable;
    if found.refuted {
        "REFUTED".to_owned()
    } else if showable <= found.claimed_upper {
        format!("so many canaries cannot refute it, they show at most {showable:.3}")
    } else {
        format!("not refuted; so many canaries show at most {showable:.3}")
    }
}

fn test_line(test: &Test) -> String {
    let word = if test.failed { "  FAILED" } else { "" };
    format!(
        "{:<36} {:>10.4} {:>10.4} {:>9.1e}{word}",
        test.what, test.expected, test.found, test.p_value
    )
}
