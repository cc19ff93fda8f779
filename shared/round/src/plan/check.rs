//! The rules that a plan must keep.

mod data;
mod metrics;
mod privacy;
mod training;

use std::collections::BTreeSet;

use ::privacy::Certificate;

pub use self::privacy::PredictedCost;
use super::{PLAN_VERSION, PlanError, PlanText, ScheduleSpec};
use crate::limits;

/// Checks every rule; the first one broken is the error. What holds is certified.
pub(super) fn check(text: &PlanText) -> Result<Certificate, PlanError> {
    require(text.version == PLAN_VERSION, "version", || {
        format!("expected {PLAN_VERSION}, got {}", text.version)
    })?;
    name("name", &text.name)?;
    name("application", &text.application)?;
    within("rounds", u64::from(text.rounds), 1, u64::from(limits::ROUNDS_MAX))?;
    cohort(text)?;
    schedule(&text.schedule, text.cohort.len())?;
    data::check(text)?;
    training::check(text)?;
    metrics::check(text)?;
    privacy::check(text)
}

fn cohort(text: &PlanText) -> Result<(), PlanError> {
    within("cohort", text.cohort.len() as u64, 1, limits::COHORT_MAX as u64)?;
    let mut seen = BTreeSet::new();
    for participant in &text.cohort {
        require(seen.insert(&participant.institution), "cohort.institution", || {
            format!("{:?} is named twice", participant.institution)
        })?;
        within("cohort.tasks", u64::from(participant.tasks), 1, u64::from(limits::TASKS_MAX))?;
        within("cohort.declared_units", participant.declared_units, 1, u64::from(u32::MAX))?;
    }
    Ok(())
}

fn schedule(schedule: &ScheduleSpec, cohort: usize) -> Result<(), PlanError> {
    within("schedule.quorum", u64::from(schedule.quorum), 1, cohort as u64)?;
    within("schedule.slot_ms", schedule.slot_ms, 1, limits::DURATION_MS_MAX)?;
    within("schedule.deadline_ms", schedule.deadline_ms, 1, limits::DURATION_MS_MAX)?;
    within("schedule.extension_ms", schedule.extension_ms, 1, limits::DURATION_MS_MAX)?;
    within("schedule.extensions_max", u64::from(schedule.extensions_max), 0, 1_000_000)?;
    // Banks that follow the log cosign, whether they train or not: as many as close a round can open it.
    within(
        "schedule.witness_quorum",
        u64::from(schedule.witness_quorum),
        0,
        u64::from(schedule.quorum),
    )?;
    within(
        "schedule.keep_contributions_rounds",
        u64::from(schedule.keep_contributions_rounds),
        1,
        u64::from(limits::ROUNDS_MAX),
    )
}

fn require(holds: bool, key: &str, what: impl FnOnce() -> String) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError::Rule { key: key.to_owned(), what: what() }) }
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), PlanError> {
    require((least..=most).contains(&value), key, || {
        format!("expected {least} to {most}, got {value}")
    })
}

fn finite_within(key: &str, value: f64, least: f64, most: f64) -> Result<(), PlanError> {
    require((least..=most).contains(&value), key, || {
        format!("expected {least} to {most}, got {value}")
    })
}

fn positive(key: &str, value: f64) -> Result<(), PlanError> {
    require(value.is_finite() && value > 0.0, key, || {
        format!("expected a positive number, got {value}")
    })
}

fn name(key: &str, value: &str) -> Result<(), PlanError> {
    let length = value.chars().count();
    let plain = !value.chars().any(char::is_control);
    require((1..=limits::NAME_MAX).contains(&length) && plain, key, || {
        format!("expected 1 to {} printable characters, got {value:?}", limits::NAME_MAX)
    })
}
