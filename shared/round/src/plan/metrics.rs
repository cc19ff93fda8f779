//! What a run lets be measured of its tasks, beside their meta-gradients.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Plan;

/// The metrics of a run: further coordinates of every task's vector, under the same clipping norm and
/// the same noise, so that they cost no ε but a part of the gradient's length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSpec {
    /// The part of the clipping norm that belongs to the measures, from 0 to 1; the gradient keeps
    /// √(1 − share²) of it. 0 measures nothing. With 1 no gradient is sent and the model stays: a
    /// pilot, which only asks.
    pub share: f64,
    /// What is measured, each once; none if the share is 0.
    pub measures: Vec<Measure>,
}

/// One thing that is measured of each task. The list is closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Measure {
    /// The task's loss on its query after the inner steps, cut off at a public maximum.
    QueryLoss {
        /// The maximum, positive.
        max: f64,
    },
    /// Whether the task's meta-gradient was longer than what it is clipped to.
    Clipped {},
    /// Between which two public edges the norm of the task's meta-gradient lies, before clipping.
    NormHistogram {
        /// The edges, ascending and positive; below the first and above the last is a place as well.
        edges: Vec<f64>,
    },
}

impl Measure {
    /// Its name, as a plan and a policy spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::QueryLoss { .. } => "query-loss",
            Self::Clipped {} => "clipped",
            Self::NormHistogram { .. } => "norm-histogram",
        }
    }

    /// How many coordinates it adds to a task's vector.
    pub fn coordinates(&self) -> usize {
        match self {
            Self::QueryLoss { .. } | Self::Clipped {} => 1,
            Self::NormHistogram { edges } => edges.len() + 1,
        }
    }
}

impl MetricsSpec {
    /// The names of the measures, in the plan's order.
    pub fn names(&self) -> Vec<&'static str> {
        self.measures.iter().map(Measure::name).collect()
    }

    /// How many coordinates the measures add to a task's vector.
    pub fn coordinates(&self) -> usize {
        self.measures.iter().map(Measure::coordinates).sum()
    }

    /// The length of a contribution to a model with `parameters` weights: the weights, none in a pilot,
    /// and then the metrics.
    pub fn contribution_dimension(&self, parameters: usize) -> usize {
        let gradients = if self.is_pilot() { 0 } else { parameters };
        gradients + self.coordinates()
    }

    /// True if no gradient is sent: the run only asks.
    pub fn is_pilot(&self) -> bool {
        self.share >= 1.0
    }

    /// √(1 − share²): the part of the clipping norm that the gradient keeps.
    ///
    /// ```
    /// let spec = round::plan::MetricsSpec { share: 0.6, measures: vec![] };
    /// assert_eq!(spec.gradient_share(), 0.8);
    /// ```
    pub fn gradient_share(&self) -> f64 {
        libm::sqrt((1.0 - self.share) * (1.0 + self.share))
    }
}

/// What the metrics of a plan cost: no ε, but a part of the gradient's length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricsPrice {
    /// What is measured, by name.
    pub measures: Vec<&'static str>,
    /// The part of the clipping norm that the measures take.
    pub share: f64,
    /// The clipping norm of a task's whole vector.
    pub clip_norm: f64,
    /// The norm that a task's meta-gradient is clipped to; 0 in a pilot.
    pub gradient_clip: f64,
}

impl Plan {
    /// What the plan's metrics cost.
    pub fn metrics_price(&self) -> MetricsPrice {
        MetricsPrice {
            measures: self.text().metrics.names(),
            share: self.text().metrics.share,
            clip_norm: self.text().privacy.clip_norm,
            gradient_clip: self.encoding().gradient_clip(),
        }
    }
}

impl fmt::Display for MetricsPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measures, share, clip_norm, gradient_clip } = self;
        if measures.is_empty() {
            return f.write_str("none");
        }
        let names = measures.join(", ");
        if *gradient_clip > 0.0 {
            let clip =
                format!("gradients are clipped to {gradient_clip:.6} instead of {clip_norm}");
            write!(f, "{names} for {share} of the clip norm: {clip}")
        } else {
            write!(f, "{names} alone, a pilot: no gradient is sent and the model stays")
        }
    }
}
