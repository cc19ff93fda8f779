//! What an audit found out.

use privacy::Interval;
use round::metrics::Estimates;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// What an audit found out. Figures are there only if they were computed from a log that verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// How many records the checkpoint covers.
    pub records: u64,
    /// True if nothing is wrong and nothing is missing.
    pub verified: bool,
    /// How many models were computed anew from the contributions and came out bit for bit.
    pub models_replayed: u64,
    /// The genesis digest that the export has, in hex; none if it could not be read.
    pub genesis: Option<String>,
    /// True if the caller named the genesis digest: without it the export is consistent in itself,
    /// but may be another consortium's.
    pub anchored: bool,
    /// Which members cosigned the checkpoint of the export.
    pub cosigned_by: Vec<String>,
    /// What the auditor's policy asks for, if one was given.
    pub quorum: Option<Quorum>,
    /// How many receipts were found in the log.
    pub receipts: u64,
    /// The runs, in the order in which they were started.
    pub runs: Vec<RunReport>,
    /// What was acknowledged of each institution in each run, and what that costs its customers.
    pub institutions: Vec<InstitutionReport>,
    /// What all runs together cost the customers of each institution.
    pub totals: Vec<Total>,
    /// What they cost somebody who is a customer of several institutions.
    pub shared: Vec<Shared>,
    /// Which members the log convicts of what.
    pub evidence: Vec<Conviction>,
    /// Which keys of this log signed other histories beside it, as its members put on record.
    pub convicted_log_keys: Vec<ConvictedLogKey>,
    /// What is wrong; none if nothing is.
    pub finding: Option<Finding>,
}

/// Whether those have cosigned whom the auditor's policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// Whether they are enough.
    pub met: bool,
    /// The names under which the policy's witnesses cosigned.
    pub cosigned_by: Vec<String>,
}

/// Two heads that exclude each other, signed by one key of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConvictedLogKey {
    /// The key, in hex.
    pub log_key: String,
    /// Whether it signs the log still.
    pub signs_now: bool,
    /// How many records the smaller head has.
    pub smaller: u64,
    /// How many the larger has.
    pub larger: u64,
    /// Who put it on record.
    pub by: String,
    /// The leaf.
    pub leaf: u64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// Its identity, in hex.
    pub id: String,
    /// The plan's name.
    pub name: String,
    /// SHA-256 of the plan's bytes, in hex.
    pub plan: String,
    /// How many rounds the plan has.
    pub rounds: u32,
    /// How many of them were closed.
    pub rounds_closed: u32,
    /// How far it came.
    pub status: RunStatus,
    /// SHA-256 of its last meta-initialization, in hex; none before the first.
    pub model: Option<String>,
    /// What its rounds measured, with the error that the noise gives it; empty if the plan measures
    /// nothing. A round whose sum is missing is left out.
    pub metrics: Vec<RoundMetrics>,
}

/// What one round measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundMetrics {
    /// The round's number, from 0.
    pub round: u32,
    /// The estimates, from the sum alone.
    #[serde(flatten)]
    pub estimates: Estimates,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It goes on.
    Open,
    /// Every round was closed.
    Finished,
    /// The operator ended it.
    Abandoned,
}

/// One institution in one run.
///
/// The guarantee: on two data sets of the institution that differ by `relation` in one `unit`, what
/// it sent in the run is (`epsilon.upper`, `delta`)-indistinguishable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstitutionReport {
    /// Its name.
    pub name: String,
    /// The run, in hex.
    pub run: String,
    /// What is protected: "customer".
    pub unit: String,
    /// Which change of one unit the guarantee speaks of.
    pub relation: String,
    /// What that change does to the tasks.
    pub task_change: String,
    /// The δ of the guarantee.
    pub delta: f64,
    /// How many of its contributions the log acknowledges. What it charged itself is at least that.
    pub rounds: u32,
    /// What they cost.
    pub epsilon: Interval,
    /// How the upper end was proved.
    pub method: String,
    /// The plan's ε: the most that the whole run may cost.
    pub promise: f64,
    /// The same contributions under the other unit relation; none if no figure can be certified.
    pub beside: Option<Beside>,
}

/// What the same contributions cost under the unit relation that the plan does not speak of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// The other relation.
    pub relation: String,
    /// What its change of one unit does to the tasks.
    pub task_change: String,
    /// What the contributions cost, at the same δ.
    pub epsilon: Interval,
}

/// One institution over all its runs that protect the same unit under the same relation.
///
/// The figure holds for plans that were fixed without looking at what earlier runs gave. For plans
/// that were chosen later, the bank's own lifetime filter is the guarantee, and its cap the figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// The institution's name.
    pub name: String,
    /// What is protected: "customer".
    pub unit: String,
    /// Which change of one unit the guarantee speaks of.
    pub relation: String,
    /// How many runs it was in.
    pub runs: u32,
    /// How many of its contributions the log acknowledges.
    pub rounds: u64,
    /// The δ of the guarantee: the least of the runs' δ.
    pub delta: f64,
    /// What they cost together.
    pub epsilon: Interval,
    /// How the upper end was proved.
    pub method: String,
}

/// Somebody whose data lies at several institutions pays the sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// At how many institutions.
    pub banks: u32,
    /// What is protected: "customer".
    pub unit: String,
    /// Which change of one unit the guarantee speaks of.
    pub relation: String,
    /// The sum of the largest upper ends.
    pub epsilon_upper: f64,
    /// The sum of the largest δ.
    pub delta: f64,
}
/// A member that the log convicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conviction {
    /// Who.
    pub institution: String,
    /// Of what.
    pub fault: String,
    /// In which run, in hex.
    pub run: String,
    /// In which round.
    pub round: u32,
    /// The leaf with the evidence.
    pub leaf: u64,
}

impl Report {
    /// The process's exit code: 0 if the export verified.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}
