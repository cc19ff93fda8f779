//! What the sum of a round says of its tasks.

use std::fmt;

use ledger::record::Institution;
use privacy::{NoiseMultiplier, noise_scale};
use serde::{Deserialize, Serialize};

use super::Histogram;
use crate::plan::{Measure, Plan};

/// An estimate and its standard error.
///
/// The value is the sum over the tasks that took part, divided by the number expected: the sampling
/// rate times the declared tasks of the survivors. No realised count is used. The error is that of the
/// noise; which tasks took part adds at most √((1 − q)/(q·M)) of the largest value, with q the rate and
/// M the declared tasks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value, per expected task.
    pub value: f64,
    /// The standard deviation that the noise gives it.
    pub standard_error: f64,
}

/// What a round measured: each thing that its plan names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// The mean loss on the query, in the loss's own unit, each task's cut off at the plan's maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_loss: Option<Estimate>,
    /// The share of tasks whose meta-gradient was clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipped: Option<Estimate>,
    /// The shares of tasks by the norm of their meta-gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm_histogram: Option<Histogram>,
}

impl Plan {
    /// What the sum over the contributions of `survivors` says of their tasks; none if the plan measures
    /// nothing or the sum is not as long as a contribution.
    ///
    /// Post-processing of noised sums, and so free.
    pub fn estimates<'a>(
        &self,
        survivors: impl IntoIterator<Item = &'a Institution> + Clone,
        sum: &[i64],
    ) -> Option<Estimates> {
        if self.text().metrics.measures.is_empty() {
            return None;
        }
        let encoding = self.encoding();
        let expected = self.expected_tasks(survivors.clone());
        let banks = survivors.into_iter().filter(|name| self.participant(name).is_some()).count();
        let whole = encoding.steps() * expected;
        let noise = self.noise_scale() * libm::sqrt(real(banks)) / whole;
        let mut estimates = Estimates::default();
        for (measure, own) in encoding.measured(sum)? {
            let values = own.iter().map(|steps| real_sum(*steps) / whole);
            match measure {
                Measure::QueryLoss { max } => estimates.query_loss = first(values, noise, *max),
                Measure::Clipped {} => estimates.clipped = first(values, noise, 1.0),
                Measure::NormHistogram { edges } => {
                    let histogram = Histogram::new(edges.clone(), values.collect(), noise);
                    estimates.norm_histogram = Some(histogram);
                }
            }
        }
        Some(estimates)
    }

    /// The standard deviation of each bank's noise, in steps of the grid.
    fn noise_scale(&self) -> f64 {
        let spec = &self.text().privacy;
        let scale = NoiseMultiplier::new(spec.noise_multiplier)
            .and_then(|z| noise_scale(z, spec.grid_bits));
        // A checked plan has a scale; an error that is not known is infinite.
        scale.map_or(f64::INFINITY, |scale| f64::from(u32::try_from(scale).unwrap_or(u32::MAX)))
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.value, self.standard_error)
    }
}

/// In one line; of a histogram its median.
impl fmt::Display for Estimates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loss = self.query_loss.map(|estimate| format!("query loss {estimate}"));
        let clipped = self.clipped.map(|estimate| format!("clipped {estimate}"));
        let norm = self.norm_histogram.as_ref().map(|histogram| match histogram.quantile(0.5) {
            Ok(median) => format!("median norm at most {}", median.edge),
            Err(_) => "median norm unknown".to_owned(),
        });
        let parts: Vec<String> = [loss, clipped, norm].into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

fn first(mut values: impl Iterator<Item = f64>, noise: f64, max: f64) -> Option<Estimate> {
    values.next().map(|value| Estimate { value: value * max, standard_error: noise * max })
}

#[expect(clippy::cast_precision_loss, reason = "a cohort has at most 512 banks")]
fn real(banks: usize) -> f64 {
    banks as f64
}

#[expect(clippy::cast_precision_loss, reason = "a sum of 512 vectors of i32 is below 2^41")]
fn real_sum(steps: i64) -> f64 {
    steps as f64
}
