//! What a task is made of: the unit, the label, and features by a closed list of public operations.
//!
//! Everything here is a public constant of the plan. Nothing is fitted on a bank's rows, because a
//! scaler fitted on rows would couple all tasks and void the sensitivity of each.

use privacy::Grouping;
use serde::{Deserialize, Serialize};

/// How a bank's rows become tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// One unit a task, or buckets of units by keyed hash.
    pub grouping: Grouping,
    /// The public number of units in one task: the loss is divided by it, never by a realised count.
    pub nominal_units: u32,
    /// The share of a task's units that form the support set, by keyed hash of the unit; 0 when the
    /// learner takes no inner step.
    pub support_share: f64,
    /// The most rows that one unit may bring; the data check refuses a unit with more.
    pub rows_per_unit_max: u32,
}

/// Where the columns come from and what the model sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// The column that names the privacy unit.
    pub unit_column: String,
    /// What is predicted.
    pub label: LabelSpec,
    /// A row's feature vector is scaled down to at most this Euclidean norm.
    pub row_norm_max: f64,
    /// Columns computed in order; each may read source columns and columns computed before it.
    pub derived: Vec<DerivedColumn>,
    /// The derived columns that the model sees, in this order.
    pub features: Vec<String>,
}

/// What is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelSpec {
    /// Class 1 where the column equals the value, else class 0.
    Equals {
        /// The source column.
        column: String,
        /// The value of class 1.
        value: f64,
    },
    /// The class is the column's value, a whole number from 0.
    Class {
        /// The source column.
        column: String,
    },
    /// A number, clipped to public bounds.
    Value {
        /// The source column.
        column: String,
        /// The public bounds.
        clip: [f64; 2],
    },
}

impl LabelSpec {
    /// The source column.
    pub fn column(&self) -> &str {
        match self {
            Self::Equals { column, .. } | Self::Class { column } | Self::Value { column, .. } => {
                column
            }
        }
    }
}

/// One computed column: `clip((compute − minus) / divide)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedColumn {
    /// Its name; no source column may share it.
    pub name: String,
    /// The operation.
    pub compute: Operation,
    /// Subtracted from the operation's value.
    pub minus: f64,
    /// Divides what is left; not zero.
    pub divide: f64,
    /// The public bounds of the result.
    pub clip: [f64; 2],
}

/// The closed list of public operations. Each is total: an undefined value becomes the lower bound
/// of the column's clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// x
    Identity {
        /// The column x.
        of: String,
    },
    /// ln(1 + max(x, 0) / scale)
    Log1p {
        /// The column x.
        of: String,
        /// The public scale, positive.
        scale: f64,
    },
    /// ln(x / reference); undefined for x ≤ 0.
    LogRatio {
        /// The column x.
        of: String,
        /// The public reference, positive.
        reference: f64,
    },
    /// 1 where x ≥ value, else 0.
    AtLeast {
        /// The column x.
        of: String,
        /// The threshold.
        value: f64,
    },
    /// 1 where x ≤ value, else 0.
    AtMost {
        /// The column x.
        of: String,
        /// The threshold.
        value: f64,
    },
    /// 1 where x = value, else 0.
    Equals {
        /// The column x.
        of: String,
        /// The value.
        value: f64,
    },
    /// 1 where x is one of the values, else 0.
    OneOf {
        /// The column x.
        of: String,
        /// The values.
        values: Vec<f64>,
    },
    /// Σ of / max(Σ over, floor)
    Ratio {
        /// The columns of the numerator.
        of: Vec<String>,
        /// The columns of the denominator.
        over: Vec<String>,
        /// The least denominator, positive.
        floor: f64,
    },
    /// The mean of the columns.
    Mean {
        /// The columns.
        of: Vec<String>,
    },
    /// of − less
    Difference {
        /// The minuend.
        of: String,
        /// The subtrahend.
        less: String,
    },
    /// How many of the columns are ≥ at_least.
    Count {
        /// The columns.
        of: Vec<String>,
        /// The threshold.
        at_least: f64,
    },
}

impl Operation {
    /// The columns that the operation reads.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Identity { of }
            | Self::Log1p { of, .. }
            | Self::LogRatio { of, .. }
            | Self::AtLeast { of, .. }
            | Self::AtMost { of, .. }
            | Self::Equals { of, .. }
            | Self::OneOf { of, .. } => vec![of],
            Self::Mean { of } | Self::Count { of, .. } => of.iter().map(String::as_str).collect(),
            Self::Ratio { of, over, .. } => of.iter().chain(over).map(String::as_str).collect(),
            Self::Difference { of, less } => vec![of, less],
        }
    }

    /// The operation's value, given the value of each column it reads. NaN where it is undefined.
    pub fn apply(&self, value_of: impl Fn(&str) -> f64) -> f64 {
        let sum = |columns: &[String]| columns.iter().map(|c| value_of(c)).sum::<f64>();
        let flag = |holds: bool, x: f64| if x.is_nan() { x } else { f64::from(u8::from(holds)) };
        match self {
            Self::Identity { of } => value_of(of),
            Self::Log1p { of, scale } => {
                let x = value_of(of);
                if x.is_nan() { x } else { libm::log1p(x.max(0.0) / scale) }
            }
            Self::LogRatio { of, reference } => {
                let x = value_of(of);
                if x > 0.0 { libm::log(x / reference) } else { f64::NAN }
            }
            Self::AtLeast { of, value } => flag(value_of(of) >= *value, value_of(of)),
            Self::AtMost { of, value } => flag(value_of(of) <= *value, value_of(of)),
            Self::Equals { of, value } => flag(same(value_of(of), *value), value_of(of)),
            Self::OneOf { of, values } => {
                let x = value_of(of);
                flag(values.iter().any(|v| same(x, *v)), x)
            }
            Self::Ratio { of, over, floor } => {
                let denominator = sum(over);
                if denominator.is_nan() { f64::NAN } else { sum(of) / denominator.max(*floor) }
            }
            #[expect(clippy::cast_precision_loss, reason = "a plan has at most a few columns")]
            Self::Mean { of } => sum(of) / of.len() as f64,
            Self::Difference { of, less } => value_of(of) - value_of(less),
            Self::Count { of, at_least } => {
                of.iter().map(|c| flag(value_of(c) >= *at_least, value_of(c))).sum()
            }
        }
    }
}

/// Equality of two values of a coded column. Codes are whole numbers, which f64 holds exactly.
#[expect(clippy::float_cmp, reason = "codes are compared, not measurements")]
fn same(a: f64, b: f64) -> bool {
    a == b
}

impl DerivedColumn {
    /// The column's value, always finite and within `clip`.
    pub fn value(&self, value_of: impl Fn(&str) -> f64) -> f64 {
        let [lower, upper] = self.clip;
        let x = (self.compute.apply(value_of) - self.minus) / self.divide;
        // Not `clamp`, which panics on bounds that are none; a checked plan has none such.
        if x.is_nan() { lower } else { x.max(lower).min(upper) }
    }
}
