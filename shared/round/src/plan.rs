//! A plan: the whole description of a run, as data.
//!
//! A plan is TOML that a person writes and every member signs. Its exact bytes are what is hashed,
//! signed and logged; every key must be present and none may be unknown, so that a plan means the same
//! to every reader. A [`Plan`] exists only if it passed every check in `check`.

mod check;
mod data;
mod metrics;
mod parse;
mod terms;
mod training;

pub use check::PredictedCost;
pub use data::{DataSpec, DerivedColumn, LabelSpec, Operation, TaskSpec};
use ledger::digest::Digest;
use ledger::record::Institution;
pub use metrics::{Measure, MetricsPrice, MetricsSpec};
pub use parse::PlanError;
use privacy::UnitRelation;
use serde::{Deserialize, Serialize};
pub use training::{
    Activation, Family, Head, Initialization, LearnerSpec, LossSpec, ModelSpec, OptimizerSpec,
};

/// The only version of the plan format.
pub const PLAN_VERSION: u32 = 1;

/// What the TOML says, key by key. [`Plan`] is the checked form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanText {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// A name for people; 1 to 64 characters.
    pub name: String,
    /// What the model is for: "credit-risk", "fraud", "forecasting", …; 1 to 64 characters.
    pub application: String,
    /// The genesis digest of the consortium, in hex: a plan signed for one is nothing to another.
    pub consortium: String,
    /// How many rounds the run has.
    pub rounds: u32,
    /// The institutions that train.
    pub cohort: Vec<Participant>,
    /// The guarantee and the mechanism that gives it.
    pub privacy: PrivacySpec,
    /// What is measured beside the gradients.
    pub metrics: MetricsSpec,
    /// How rows become tasks.
    pub tasks: TaskSpec,
    /// Columns, label and features.
    pub data: DataSpec,
    /// The model.
    pub model: ModelSpec,
    /// The learner.
    pub learner: LearnerSpec,
    /// The loss.
    pub loss: LossSpec,
    /// The outer update.
    pub optimizer: OptimizerSpec,
    /// Deadlines, quorum and retention.
    pub schedule: ScheduleSpec,
}

/// An institution that trains, with its rounded public constants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Its name in the roster.
    pub institution: String,
    /// Its number of privacy units, rounded; δ is checked against it.
    pub declared_units: u64,
    /// Its number of tasks: fixed, because the normaliser and the public bound come from it.
    pub tasks: u32,
}

/// The guarantee and the mechanism that gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacySpec {
    /// What is protected: "customer", "account", "loan".
    pub unit: String,
    /// Which change of one unit the guarantee speaks of.
    pub relation: UnitRelation,
    /// The largest ε that the whole run may cost one institution.
    pub epsilon: f64,
    /// The δ of that ε.
    pub delta: f64,
    /// Noise standard deviation in units of the clipping norm.
    pub noise_multiplier: f64,
    /// The probability with which each task takes part in a round.
    pub sampling_rate: f64,
    /// The Euclidean norm that a task's whole vector, gradient and metrics, is clipped to.
    pub clip_norm: f64,
    /// The grid is clip_norm / 2^grid_bits; 16 to 20.
    pub grid_bits: u32,
}

/// Deadlines, quorum and retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// When a bank sends.
    pub send: Send,
    /// The length of a slot; a bank that is late sends at the next whole multiple.
    pub slot_ms: u64,
    /// From the opening of a round to its deadline.
    pub deadline_ms: u64,
    /// By how much a round without quorum is extended.
    pub extension_ms: u64,
    /// How often a round may be extended before only the operator can end it.
    pub extensions_max: u32,
    /// How many contributions close a round at its deadline.
    pub quorum: u32,
    /// How many banks of the cohort must have cosigned the log from the round's opening on before a bank
    /// trains; at most the quorum. Above half of the cohort, no two histories can both have it.
    pub witness_quorum: u32,
    /// For how many rounds the contributions' vectors are kept for auditors; at least 1.
    pub keep_contributions_rounds: u32,
}

/// When a bank sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Send {
    /// As soon as the bytes are durable. How long the computation took can be seen from outside.
    Asap,
    /// At the end of the slot.
    SlotEnd,
}

/// A plan that passed every check, together with its exact bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    text: PlanText,
    bytes: Vec<u8>,
    digest: Digest,
    consortium: Digest,
    cohort: Vec<Institution>,
    terms: terms::Terms,
}

impl Plan {
    /// What the plan says.
    pub fn text(&self) -> &PlanText {
        &self.text
    }

    /// The exact bytes that are signed and logged.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the exact bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The consortium that the plan was written for.
    pub fn consortium(&self) -> Digest {
        self.consortium
    }

    /// The institutions that train, ascending.
    pub fn cohort(&self) -> &[Institution] {
        &self.cohort
    }

    /// What the plan says of one institution.
    pub fn participant(&self, institution: &Institution) -> Option<&Participant> {
        self.text.cohort.iter().find(|p| p.institution == institution.as_str())
    }
}
