//! The plan of a benchmark, and a policy that allows it.

use coordinator::plan::{Changes, write};
use ledger::digest::Digest;
use round::Plan;
use round::plan::Participant;

use crate::cli::BenchOptions;
use crate::error::SandboxError;

/// The widest layer that a plan may have.
const WIDTH_MAX: u64 = 65_536;

/// A plan of `rounds` rounds whose model has exactly the parameters that were asked for.
///
/// Rounds never come due by time: only contributions close them.
pub(super) fn plan(
    options: &BenchOptions,
    consortium: Digest,
    rounds: u32,
) -> Result<Plan, SandboxError> {
    let [first, second] = hidden(u64::from(options.dimension)).ok_or_else(|| {
        SandboxError::Usage(format!(
            "--dimension {}: expected the size of a network with two features and two hidden \
             layers; 1000 and 1000000 are such",
            options.dimension
        ))
    })?;
    let draft = format!(
        r#"version = 1
name = "benchmark"
application = "benchmark"
rounds = {rounds}
[privacy]
unit = "customer"
relation = "add-remove"
epsilon = 3.0
delta = 1e-6
sampling_rate = 0.2
clip_norm = 0.1
grid_bits = 16
[metrics]
share = 0.0
measures = []
[tasks]
grouping = "buckets"
nominal_units = 30
support_share = 0.5
rows_per_unit_max = 1
[model]
head = {{ binary = {{}} }}
hidden = [{first}, {second}]
activation = "tanh"
initialization = {{ seed = 1, scale = 1.0 }}
[learner]
family = "fomaml"
inner_steps = 1
inner_rate = 0.1
inner_step_norm_max = 1.0
adaptation_steps = [0, 1]
adaptation_rate = 0.1
[loss.log-loss]
class_weights = [1.0, 1.0]
[optimizer.sgd]
learning_rate = 1.0
[schedule]
send = "asap"
slot_ms = 1000
deadline_ms = 86400000
extension_ms = 86400000
extensions_max = 1
quorum = {banks}
witness_quorum = 0
keep_contributions_rounds = {rounds}
[data]
unit_column = "id"
label = {{ equals = {{ column = "label", value = 1.0 }} }}
row_norm_max = 5.0
features = ["one", "two"]
derived = [
    {{ name = "one", compute = {{ identity = {{ of = "a" }} }}, minus = 0.0, divide = 1.0, clip = [-1.0, 1.0] }},
    {{ name = "two", compute = {{ identity = {{ of = "b" }} }}, minus = 0.0, divide = 1.0, clip = [-1.0, 1.0] }},
]
"#,
        banks = options.banks,
    );
    let cohort = (1..=options.banks)
        .map(|number| Participant {
            institution: format!("bank-{number:03}"),
            declared_units: 1000,
            tasks: 30,
        })
        .collect();
    let changes = Changes { consortium, cohort, rounds: None, epsilon: None };
    Ok(write(&draft, &changes)?)
}

/// Two widths a, b with 2a + a + ab + b + b + 1 = d, that is (a + 2)(b + 3) = d + 5; the most alike.
fn hidden(dimension: u64) -> Option<[u64; 2]> {
    let product = dimension + 5;
    let widths = (3..=WIDTH_MAX + 2).filter(|left| product.is_multiple_of(*left));
    let widths = widths.map(|left| [left - 2, (product / left).saturating_sub(3)]);
    widths
        .filter(|[_, second]| (1..=WIDTH_MAX).contains(second))
        .min_by_key(|[first, second]| first.abs_diff(*second))
}

/// A policy that allows such a plan.
pub(super) fn policy(genesis: &Digest, plan: &Plan) -> String {
    format!(
        r#"[consortium]
genesis = "{genesis}"
[population]
name = "none"
unit = "customer"
relation = "add-remove"
epsilon = 4.0
delta = 1e-6
[allow]
applications = ["benchmark"]
learners = ["fomaml"]
models = {{ hidden_layers_max = 2, width_max = {WIDTH_MAX}, parameters_max = {parameters} }}
columns = ["id", "label", "a", "b"]
noise_multiplier_min = 0.01
clip_norm_max = 1.0
sampling_rate_max = 0.2
epsilon_per_run_max = 3.0
rounds_max = {rounds}
inner_steps_max = 1
cohort_min = 1
delta_max = 1e-6
relation = "add-remove"
"#,
        parameters = plan.dimension(),
        rounds = plan.text().rounds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widths_give_exactly_the_parameters() {
        for d in [1000, 10_000, 100_000, 1_000_000] {
            let [a, b] = hidden(d).unwrap_or_default();
            assert_eq!((2 * a + a) + (a * b + b) + (b + 1), d);
        }
    }
}
