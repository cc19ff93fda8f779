//! A plan that trains in milliseconds.

use ledger::digest::Digest;
use round::plan::Plan;

/// The text of a plan for `cohort` in the consortium `genesis`.
pub(crate) fn text(genesis: &Digest, cohort: &[&str], rounds: u32, send: &str) -> String {
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
send = "{send}"
slot_ms = 1
deadline_ms = 3600000
extension_ms = 3600000
extensions_max = 3
quorum = 1
witness_quorum = 0
keep_contributions_rounds = 5

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

/// The plan itself, with `change` applied to its text.
pub(crate) fn plan(change: impl FnOnce(String) -> String) -> Plan {
    let text = text(&Digest::from_bytes([7; 32]), &["north", "south"], 3, "asap");
    Plan::parse(change(text).as_bytes()).unwrap()
}
