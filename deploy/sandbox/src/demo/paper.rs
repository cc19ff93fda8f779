//! What people would write: the plan's draft, a bank's policy, its data specification.

use std::path::Path;

use ledger::digest::Digest;
use round::Plan;
use toml::{Table, Value};

use crate::cli::DemoOptions;

/// The demo's draft plan.
const DRAFT: &str = include_str!("../../plan.toml");

/// The draft with the learner, the quorum and the seed that were asked for.
pub(super) fn draft(options: &DemoOptions) -> Result<String, toml::de::Error> {
    let mut draft: Table = toml::from_str(DRAFT)?;
    let mut set = |section: &str, key: &str, value: Value| {
        if let Some(table) = draft.get_mut(section).and_then(Value::as_table_mut) {
            table.insert(key.to_owned(), value);
        }
    };
    set("learner", "family", options.learner.as_str().into());
    if options.learner == "fedsgd" {
        set("learner", "inner_steps", 0.into());
        set("tasks", "support_share", 0.0.into());
    }
    set("schedule", "quorum", i64::from(options.banks).into());
    set("schedule", "witness_quorum", i64::from(options.banks).into());
    if let Some(seed) = draft
        .get_mut("model")
        .and_then(|model| model.get_mut("initialization"))
        .and_then(Value::as_table_mut)
    {
        let value = i64::try_from(options.seed).unwrap_or(i64::MAX);
        seed.insert("seed".to_owned(), value.into());
    }
    Ok(draft.to_string())
}

/// A bank's lifetime budget over the promise of the demo's one run.
const LIFETIME_ROOM: f64 = 1.5;

/// A bank's policy: this consortium, this kind of plan, and one lifetime budget.
pub(super) fn policy(genesis: &Digest, options: &DemoOptions, plan: &Plan) -> String {
    let epsilon = options.epsilon;
    // The run's cap is kept by its certificate, the lifetime's by a filter that costs more for the same noise.
    let lifetime = epsilon * LIFETIME_ROOM;
    let mut columns =
        vec![plan.text().data.unit_column.clone(), plan.text().data.label.column().to_owned()];
    let derived: Vec<&str> = plan.text().data.derived.iter().map(|c| c.name.as_str()).collect();
    for column in plan.text().data.derived.iter().flat_map(|c| c.compute.columns()) {
        if !derived.contains(&column) && !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
    }
    let rounds = options.rounds;
    format!(
        r#"[consortium]
genesis = "{genesis}"

[population]
name = "card holders"
unit = "customer"
relation = "add-remove"
epsilon = {lifetime:?}
delta = 1e-6

[allow]
applications = ["credit-risk"]
learners = ["fomaml", "maml", "fedsgd"]
models = {{ hidden_layers_max = 0, width_max = 1, parameters_max = 100 }}
columns = {columns:?}
noise_multiplier_min = 0.8
clip_norm_max = 1.0
sampling_rate_max = 0.2
epsilon_per_run_max = {epsilon:?}
rounds_max = {rounds}
inner_steps_max = 3
cohort_min = 1
delta_max = 1e-6
relation = "add-remove"
"#
    )
}

/// A data specification over one file.
pub(super) fn data(csv: &Path) -> String {
    format!("path = {:?}\n", csv.display().to_string())
}
