//! What is measured beside the gradients.

use std::collections::BTreeSet;

use super::{positive, require, within};
use crate::limits;
use crate::plan::{Measure, PlanError, PlanText};

/// The least share that measures may have: below it the grid itself would blur them.
const SHARE_MIN: f64 = 0.01;

pub(super) fn check(text: &PlanText) -> Result<(), PlanError> {
    let spec = &text.metrics;
    let share = spec.share;
    require(share == 0.0 || (SHARE_MIN..=1.0).contains(&share), "metrics.share", || {
        format!("expected 0, or {SHARE_MIN} to 1, got {share}")
    })?;
    require((share == 0.0) == spec.measures.is_empty(), "metrics.measures", || {
        let got = spec.measures.len();
        format!("expected none with share 0 and some with any other, got {got} with share {share}")
    })?;
    let mut seen = BTreeSet::new();
    for measure in &spec.measures {
        let key = format!("metrics.measures.{}", measure.name());
        require(seen.insert(measure.name()), &key, || "is named twice".to_owned())?;
        match measure {
            Measure::QueryLoss { max } => positive(&format!("{key}.max"), *max)?,
            Measure::Clipped {} => require(!spec.is_pilot(), &key, || {
                "expected a share below 1: with 1 no gradient is sent".to_owned()
            })?,
            Measure::NormHistogram { edges } => check_edges(&format!("{key}.edges"), edges)?,
        }
    }
    Ok(())
}

fn check_edges(key: &str, edges: &[f64]) -> Result<(), PlanError> {
    within(key, edges.len() as u64, 1, limits::NORM_EDGES_MAX as u64)?;
    edges.iter().try_for_each(|edge| positive(key, *edge))?;
    require(edges.is_sorted_by(|a, b| a < b), key, || {
        "expected distinct numbers, ascending".to_owned()
    })
}
