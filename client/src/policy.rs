//! The bank's policy: what its node may take part in. Whatever it does not allow is refused.
//!
//! The policy is a file that the bank writes. A plan is checked against it by machine, rule by rule,
//! before a row is read; a rule that the file leaves out refuses every plan.

mod check;
mod parse;
mod signers;
mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use parse::PolicyError;
use privacy::UnitRelation;
use serde::Deserialize;
pub use verdict::{PolicyRefusal, Verdict};

/// The bank's policy, key by key.
///
/// ```
/// # use client::policy::Policy;
/// let policy = Policy::parse(r#"
///     [consortium]
///     genesis = "5f1c…"            # which consortium, by the digest of its Genesis
///     [consortium.members]         # if given, only these keys count towards a quorum
///     north = "9a0b…"
///     [population]                 # one lifetime budget over all runs and consortia
///     name = "retail cards"
///     unit = "customer"
///     relation = "add-remove"
///     epsilon = 8.0
///     delta = 1e-6
///     ## ledger = "/bank/cards"     # where several nodes of the bank spend from one ledger
///     [allow]                      # a rule that is missing refuses
///     applications = ["credit-risk"]
///     learners = ["fomaml", "fedsgd"]
///     models = { hidden_layers_max = 1, width_max = 64, parameters_max = 5000 }
///     columns = ["customer", "amount", "default"]
///     metrics = ["query-loss"]     # what may be measured of each task, beside its gradient
///     noise_multiplier_min = 0.8
///     clip_norm_max = 1.0
///     sampling_rate_max = 0.2
///     epsilon_per_run_max = 3.0
///     rounds_max = 500
///     inner_steps_max = 5
///     cohort_min = 3
///     delta_max = 1e-6
///     relation = "add-remove"
/// "#)?;
/// assert_eq!(policy.allow.rounds_max, Some(500));
/// # Ok::<(), client::policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Which consortium, and whose signatures count.
    #[serde(default)]
    pub consortium: ConsortiumRules,
    /// Whom the bank protects, and with which lifetime budget.
    pub population: PopulationRules,
    /// What a plan may ask for.
    #[serde(default)]
    pub allow: AllowRules,
}

/// Which consortium, and whose signatures count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsortiumRules {
    /// The digest of the consortium's Genesis, in hex.
    pub genesis: Option<String>,
    /// The record key of each member that counts, in hex. Left out, the roster counts as it is.
    pub members: Option<BTreeMap<String, String>>,
}

/// Whom the bank protects, and with which lifetime budget.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopulationRules {
    /// The population's name at the bank.
    pub name: String,
    /// What is protected: `customer`, `account`, `loan`.
    pub unit: String,
    /// Which data sets are neighbours.
    pub relation: UnitRelation,
    /// The ε that all releases together may cost, for life.
    pub epsilon: f64,
    /// The δ of that ε, fixed for life.
    pub delta: f64,
    /// The order of the lifetime filter, fixed for life. Left out, the best for the plan that is
    /// charged before any other.
    pub order: Option<f64>,
    /// The directory of the population's ledger, where several nodes of this bank spend from it, each in its own consortium;
    /// absolute, and there. Left out, it lies in the node's state directory.
    pub ledger: Option<PathBuf>,
    /// A directory on another disk, where the newest head of the population's ledger is kept a second time; absolute.
    pub second_place: Option<PathBuf>,
    /// The directory in which all nodes of this bank keep sketches of whom they protect, so that no customer is given a second
    /// budget; absolute, one for the whole bank.
    pub registry: Option<PathBuf>,
}

/// What a plan may ask for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowRules {
    /// What models may be for.
    pub applications: Option<Vec<String>>,
    /// `maml`, `fomaml`, `fedsgd`.
    pub learners: Option<Vec<String>>,
    /// How large a model may be.
    pub models: Option<ModelRules>,
    /// The source columns that a plan may read, unit and label included.
    pub columns: Option<Vec<String>>,
    /// What a plan may measure of each task: `query-loss`, `clipped`, `norm-histogram`. A plan that
    /// measures nothing needs no rule.
    pub metrics: Option<Vec<String>>,
    /// The least noise, in clipping norms.
    pub noise_multiplier_min: Option<f64>,
    /// The largest clipping norm.
    pub clip_norm_max: Option<f64>,
    /// The largest probability with which a task takes part in a round.
    pub sampling_rate_max: Option<f64>,
    /// The largest ε that one run may cost, at the plan's δ, by the bank's own accountant.
    pub epsilon_per_run_max: Option<f64>,
    /// The most rounds of a run.
    pub rounds_max: Option<u32>,
    /// The most inner steps.
    pub inner_steps_max: Option<u32>,
    /// The fewest institutions that train together.
    pub cohort_min: Option<usize>,
    /// The largest δ of a plan.
    pub delta_max: Option<f64>,
    /// Which data sets must be neighbours.
    pub relation: Option<UnitRelation>,
}

/// How large a model may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRules {
    /// The most hidden layers.
    pub hidden_layers_max: usize,
    /// The widest hidden layer.
    pub width_max: u32,
    /// The most parameters.
    pub parameters_max: usize,
}
