//! Tasks, columns and features.

use std::collections::BTreeSet;

use super::{finite_within, name, positive, require, within};
use crate::limits;
use crate::plan::{DerivedColumn, LabelSpec, Operation, PlanError, PlanText};

pub(super) fn check(text: &PlanText) -> Result<(), PlanError> {
    let tasks = &text.tasks;
    within("tasks.nominal_units", u64::from(tasks.nominal_units), 1, 1_000_000)?;
    within("tasks.rows_per_unit_max", u64::from(tasks.rows_per_unit_max), 1, 1_000_000)?;
    finite_within("tasks.support_share", tasks.support_share, 0.0, 0.95)?;

    let data = &text.data;
    name("data.unit_column", &data.unit_column)?;
    name("data.label.column", data.label.column())?;
    require(data.unit_column != data.label.column(), "data.label.column", || {
        "is the unit column".to_owned()
    })?;
    positive("data.row_norm_max", data.row_norm_max)?;
    if let LabelSpec::Value { clip, .. } = &data.label {
        bounds("data.label.clip", *clip)?;
    }
    if let LabelSpec::Equals { value, .. } = &data.label {
        require(value.is_finite(), "data.label.value", || "expected a number".to_owned())?;
    }
    derived(text)?;
    features(text)
}

fn derived(text: &PlanText) -> Result<(), PlanError> {
    let data = &text.data;
    within("data.derived", data.derived.len() as u64, 1, limits::DERIVED_MAX as u64)?;
    let label = data.label.column();
    let mut known = BTreeSet::new();
    let mut sources = BTreeSet::new();
    for column in &data.derived {
        let key = format!("data.derived.{}", column.name);
        name(&key, &column.name)?;
        for read in column.compute.columns() {
            name(&key, read)?;
            require(read != label, &key, || format!("reads the label column {read:?}"))?;
            require(read != data.unit_column, &key, || format!("reads the unit column {read:?}"))?;
            if !known.contains(read) {
                sources.insert(read);
            }
        }
        let taken = column.name == label || column.name == data.unit_column;
        require(!taken, &key, || "has the name of the label column or the unit column".to_owned())?;
        require(known.insert(column.name.as_str()), &key, || "is defined twice".to_owned())?;
        require(column.minus.is_finite(), &key, || "minus: expected a number".to_owned())?;
        require(column.divide.is_finite() && column.divide != 0.0, &key, || {
            format!("divide: expected a number other than 0, got {}", column.divide)
        })?;
        bounds(&key, column.clip)?;
        operation(&key, column)?;
    }
    // A name read as a source before it is defined would mean two things.
    let both = known.intersection(&sources).next();
    require(both.is_none(), "data.derived", || {
        format!("{:?} is read before it is defined", both.copied().unwrap_or_default())
    })
}

fn operation(key: &str, column: &DerivedColumn) -> Result<(), PlanError> {
    match &column.compute {
        Operation::Log1p { scale: x, .. }
        | Operation::LogRatio { reference: x, .. }
        | Operation::Ratio { floor: x, .. } => positive(key, *x)?,
        Operation::AtLeast { value: x, .. }
        | Operation::AtMost { value: x, .. }
        | Operation::Equals { value: x, .. }
        | Operation::Count { at_least: x, .. } => {
            require(x.is_finite(), key, || format!("expected a number, got {x}"))?;
        }
        Operation::OneOf { values, .. } => {
            require(!values.is_empty() && values.iter().all(|v| v.is_finite()), key, || {
                "values: expected at least one number".to_owned()
            })?;
        }
        Operation::Identity { .. } | Operation::Mean { .. } | Operation::Difference { .. } => {}
    }
    require(!column.compute.columns().is_empty(), key, || "reads no column".to_owned())
}

fn features(text: &PlanText) -> Result<(), PlanError> {
    let data = &text.data;
    within("data.features", data.features.len() as u64, 1, limits::DERIVED_MAX as u64)?;
    let mut seen = BTreeSet::new();
    for feature in &data.features {
        let defined = data.derived.iter().any(|c| c.name == *feature);
        require(defined, "data.features", || format!("{feature:?} is not a derived column"))?;
        require(seen.insert(feature), "data.features", || format!("{feature:?} is named twice"))?;
    }
    Ok(())
}

fn bounds(key: &str, [lower, upper]: [f64; 2]) -> Result<(), PlanError> {
    require(lower.is_finite() && upper.is_finite() && lower < upper, key, || {
        format!("clip: expected [lower, upper] with lower < upper, got [{lower}, {upper}]")
    })
}
