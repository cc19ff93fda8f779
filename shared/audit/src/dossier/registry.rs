//! A run as a record of the OpenDP deployments registry.
//!
//! The fields are those of its `schemas/deployments-schema.yaml` (opendp/deployments-registry-data, commit 3e9c812 of 15 July 2026),
//! all three tiers. What the log does not know is said to be open, for a person to fill in.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Tool;
use crate::facts::{Facts, RunFacts, utc};
use crate::report::{InstitutionReport, Report};
use crate::rounded::{down, up};

const OPEN: &str = "Not in the log: to be filled in by the institutions.";

/// A record for each run that contributions were acknowledged in.
pub(super) fn records(report: &Report, facts: &Facts, tool: &Tool) -> Vec<Value> {
    facts.runs.iter().filter_map(|run| record(report, facts, run, tool)).collect()
}

fn record(report: &Report, facts: &Facts, run: &RunFacts, tool: &Tool) -> Option<Value> {
    let plan = facts.plan_of(&run.id)?;
    let spent: Vec<_> = report.institutions.iter().filter(|of| of.run == run.id).collect();
    let most = spent.iter().max_by(|a, b| a.epsilon.upper.total_cmp(&b.epsilon.upper))?;
    let names: Vec<&str> = spent.iter().map(|of| of.name.as_str()).collect();
    let each: Vec<String> = spent.iter().map(|of| figure(of)).collect();
    let beside = most.beside.as_ref().map_or_else(String::new, |of| {
        format!(
            " Under {} (tasks: {}): ε ≤ {}.",
            of.relation,
            of.task_change,
            up(of.epsilon.upper, 6)
        )
    });
    let privacy = &plan.privacy;
    let published: String = utc(run.at_ms).chars().take(10).collect();
    let short: String = run.id.chars().take(12).collect();
    Some(json!({
        "url_slug": format!("counterfoil-{short}"),
        "status": "Draft",
        "tier": 3,
        "deployment": {
            "basic": {
                "name": plan.name,
                "data_curators": names,
                "intended_use": format!("{}. {OPEN}", plan.application),
                "data_product_type": "Machine learning model",
                "data_product_region": OPEN,
                "description": format!(
                    "A meta-initialization that {} institutions of the consortium {} trained together; each adds its own noise.",
                    names.len(), facts.consortium
                ),
                "publication_date": published,
                "data_product_sector": "Finance",
            },
            "dp_variant": {
                "variant_name": "Approximate DP",
                "data_domain": format!(
                    "At each institution the rows of its {}s, at most {} a {}; declared (rounded): {}.",
                    privacy.unit, plan.tasks.rows_per_unit_max, privacy.unit,
                    plan.cohort.iter().map(|of| format!("{} {}", of.institution, of.declared_units))
                        .collect::<Vec<_>>().join(", ")
                ),
                "unprotected_quantities":
                    "Which institutions take part and when; the rounded numbers of units and tasks; all that the plan says.",
            },
            "privacy_loss": {
                "privacy_unit": format!("{} of one institution", privacy.unit),
                "privacy_unit_details": format!(
                    "Data sets of one institution are adjacent if they differ in one {} by {}; in the tasks: {}.",
                    privacy.unit, privacy.relation, most.task_change
                ),
                "privacy_parameters": { "epsilon": most.epsilon.upper, "delta": most.delta },
                "privacy_parameters_details": format!(
                    "The largest of: {}. Promised: ε = {}.{beside}", each.join("; "), most.promise
                ),
            },
            "deployment_model": {
                "model_name": "Federated",
                "model_name_details": "Each institution is the curator of its own rows and adds all the noise before anything leaves it.",
                "actors":
                    "The institutions, each trusted with its own rows alone; the operator, who sees noised vectors; the users of the \
                     model. Operator, other institutions and users are assumed to be curious. An auditor recomputes all figures.",
                "release_type": "Many releases",
                "release_type_details": format!(
                    "{} releases an institution in this run at most. The budget of an institution is for life and never refreshed.",
                    plan.rounds
                ),
                "data_source_type": "Static",
                "data_source_type_details": OPEN,
                "access_type": "Non-interactive",
                "access_type_details": "One plan, signed before the run, says everything that is computed.",
            },
            "accounting": {
                "post_processing": "Sums of the noised vectors, and one optimizer step a round.",
                "composition": format!(
                    "Adaptive composition of {} releases by the distribution of the privacy loss ({}), bounded from both sides; \
                     over all runs at the institution, by a Rényi filter.",
                    most.rounds, most.method
                ),
            },
            "implementation": {
                "preprocessing_and_hyperparameter_tuning":
                    "Bounds, scales and categories of features are public constants of the plan. How they were chosen is not in the log.",
                "mechanisms": format!(
                    "Poisson-sampled Gaussian on integers: noise {} in clipping norms, sampling rate {}, clipping norm {}, grid of 2^-{} \
                     clipping norms, exact sampling, 64-bit sums. Checked by {} {}.",
                    privacy.noise_multiplier, privacy.sampling_rate, privacy.clip_norm, privacy.grid_bits, tool.name, tool.version
                ),
                "justification": OPEN,
            },
            "administrative": {
                "sources": format!("Log {}, run {}, plan {}.", report.genesis.clone().unwrap_or_default(), run.id, run.plan),
                "notes": "Made from the log by a program; a person has to complete it before it is submitted.",
                "registry_authors": [format!("{} {}", tool.name, tool.version)],
            },
        },
    }))
}

fn figure(of: &InstitutionReport) -> String {
    let (lower, upper) = (down(of.epsilon.lower, 6), up(of.epsilon.upper, 6));
    format!("{}: {} releases, ε in [{lower}, {upper}] at δ = {:e}", of.name, of.rounds, of.delta)
}

/// The record as the YAML that the registry keeps: JSON strings are YAML strings.
pub(crate) fn yaml(record: &Value) -> String {
    let mut text = String::new();
    lines(record, 0, &mut text);
    text
}

fn lines(value: &Value, depth: usize, text: &mut String) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(_) => {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{indent}{key}:");
                lines(value, depth + 1, text);
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let _ = writeln!(text, "{indent}{key}: {value}");
            }
        }
    }
}
