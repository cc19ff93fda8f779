//! What came of it: the audit's verdict, and the unseen bank's.

use std::fs;
use std::path::{Path, PathBuf};

use client::data::{DataSource, Rows, attach};
use client::evaluate::{EpisodeSpec, Evaluation, choose_steps, evaluate as judge};
use client::learning::{learner_of, theta_of};
use ledger::digest::Digest;
use round::Plan;

use super::receipts_of;
use crate::cli::DemoOptions;
use crate::error::SandboxError;
use crate::split::{Bank, Role};

/// Labelled examples of each class at the unseen bank.
const SHOTS: [u32; 3] = [5, 10, 20];
/// How many examples the tuning bank labels to choose the number of adaptation steps.
const TUNING_SHOTS: u32 = 10;

/// Verifies the export against the genesis digest and every bank's receipts.
pub(super) fn audit(export: &Path, genesis: Digest, states: &[PathBuf]) -> audit::Report {
    let receipts = states.iter().flat_map(|state| receipts_of(state)).collect();
    let options = audit::Options { genesis: Some(genesis), receipts, policy: None };
    audit::verify(export, &options)
}

/// Judges the last model of the export on the unseen bank's rows; the tuning bank's rows choose the
/// number of adaptation steps.
pub(super) fn evaluate(
    options: &DemoOptions,
    plan: &Plan,
    export: &Path,
    audit: &audit::Report,
    banks: &[Bank],
) -> Result<Vec<Evaluation>, SandboxError> {
    let failed = |why: &dyn std::fmt::Display| SandboxError::Evaluate(why.to_string());
    let last = audit.runs.last().and_then(|run| run.model.as_ref());
    let Some(theta) = last else { return Ok(vec![]) };
    let learner = learner_of(plan).map_err(|error| failed(&error))?;
    let path = export.join("blob").join(theta);
    let bytes = fs::read(&path).map_err(|error| SandboxError::file(&path, &error))?;
    let theta = theta_of(&bytes, &learner).map_err(|error| failed(&error))?;
    let rows = |role: Role| -> Result<Rows, SandboxError> {
        let bank = banks.iter().find(|bank| bank.role == role);
        let bank = bank.ok_or_else(|| failed(&"a bank is missing from the split"))?;
        let text = plan.text();
        attach(&DataSource::file(&bank.path), &text.data, &text.tasks, text.model.head)
            .map_err(|error| failed(&error))
    };
    let (tuning, unseen) = (rows(Role::Tuning)?, rows(Role::Unseen)?);
    let spec = |shots: u32| EpisodeSpec {
        shots,
        query_positive: 100,
        query_negative: 200,
        episodes: options.episodes,
        seed: options.seed,
    };
    let candidates = &plan.text().learner.adaptation_steps;
    let steps = choose_steps(&learner, &theta, &tuning, candidates, spec(TUNING_SHOTS))
        .map_err(|error| failed(&error))?;
    SHOTS
        .iter()
        .map(|shots| {
            judge(&learner, &theta, &unseen, steps, spec(*shots)).map_err(|error| failed(&error))
        })
        .collect()
}
