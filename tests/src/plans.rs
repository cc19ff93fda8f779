//! A plan that trains in milliseconds.

use ledger::digest::Digest;

/// The text of a plan for `cohort` in the consortium `genesis`: every bank is needed for every round,
/// and no round is due before the tests are over.
pub fn text(genesis: &Digest, cohort: &[&str], rounds: u32) -> String {
    let quorum = cohort.len();
    let participant = |name: &&str| {
        format!("[[cohort]]\ninstitution = \"{name}\"\ndeclared_units = 100\ntasks = 8\n")
    };
    let cohort = cohort.iter().map(participant).collect::<Vec<_>>().concat();
    format!(
        r#"
version = 1
name = "a test"
application = "credit-risk"
consortium = "{genesis}"
rounds = {rounds}

{cohort}
[privacy]
unit = "customer"
relation = "add-remove"
epsilon = 8.0
delta = 1e-5
noise_multiplier = 8.0
sampling_rate = 0.5
clip_norm = 0.5
grid_bits = 16

[metrics]
share = 0.0
measures = []

[tasks]
grouping = "buckets"
nominal_units = 5
support_share = 0.5
rows_per_unit_max = 1

[model]
head = {{ binary = {{}} }}
hidden = []
activation = "tanh"
initialization = {{ seed = 0, scale = 0.0 }}

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
slot_ms = 1
deadline_ms = 3600000
extension_ms = 3600000
extensions_max = 3
quorum = {quorum}
witness_quorum = 0
keep_contributions_rounds = {rounds}

[data]
unit_column = "id"
label = {{ equals = {{ column = "y", value = 1.0 }} }}
row_norm_max = 5.0
features = ["size"]
derived = [
    {{ name = "size", compute = {{ identity = {{ of = "x" }} }}, minus = 0.0, divide = 1.0, clip = [-3.0, 3.0] }},
]
"#
    )
}

/// Forty customers, one row each.
pub fn rows() -> String {
    let row = |i: i32| format!("c{i},{},{}\n", f64::from(i % 7) - 3.0, i % 2);
    "id,x,y\n".to_owned() + &(0..40).map(row).collect::<String>()
}

/// A policy that allows the plan.
pub fn policy(genesis: &Digest) -> String {
    format!(
        r#"
[consortium]
genesis = "{genesis}"
[population]
name = "cards"
unit = "customer"
relation = "add-remove"
epsilon = 20.0
delta = 1e-5
[allow]
applications = ["credit-risk"]
learners = ["fomaml"]
models = {{ hidden_layers_max = 0, width_max = 0, parameters_max = 10 }}
columns = ["id", "x", "y"]
noise_multiplier_min = 8.0
clip_norm_max = 0.5
sampling_rate_max = 0.5
epsilon_per_run_max = 8.0
rounds_max = 20
inner_steps_max = 1
cohort_min = 1
delta_max = 1e-5
relation = "add-remove"
"#
    )
}
