use std::path::Path;

use round::plan::{DataSpec, DerivedColumn, Head, LabelSpec};

use super::table::{Table, Unit};
use super::{DataError, DataSource};

/// A bank's rows as the model sees them: features, labels, and whose they are.
///
/// It holds people's rows, so it implements neither `Debug` nor `Serialize`.
pub struct Rows {
    columns: usize,
    features: Vec<f32>,
    labels: Vec<f32>,
    unit_of: Vec<u32>,
    units: Vec<Unit>,
}

impl Rows {
    /// Computes each row's label and its features by the plan's public operations, scaled down to the
    /// plan's norm.
    pub(super) fn compute(
        table: Table,
        source: &DataSource,
        data: &DataSpec,
        head: Head,
    ) -> Result<Self, DataError> {
        let file = &source.path;
        let derivations = derivations(&table.names, &data.derived);
        let features = places(file, &data.features, &data.derived)?;
        let label = Label::new(file, source, data, head, &table)?;
        let rows = table.lines.len();
        let mut all = Vec::with_capacity(rows.saturating_mul(features.len()));
        let mut labels = Vec::with_capacity(rows);
        let mut values = Vec::new();
        let mut row = Vec::new();
        for (index, &line) in table.lines.iter().enumerate() {
            values.clear();
            values.extend(table.values.iter().map(|column| at(column, index)));
            for derivation in &derivations {
                values.push(derivation.value(&values));
            }
            row.clear();
            row.extend(features.iter().map(|&place| at(&values, table.names.len() + place)));
            shorten(&mut row, data.row_norm_max);
            all.extend(row.iter().copied().map(to_f32));
            labels.push(to_f32(label.of(index, line)?));
        }
        let (unit_of, units) = (table.unit_of, table.units);
        Ok(Self { columns: features.len(), features: all, labels, unit_of, units })
    }

    pub(crate) const fn none() -> Self {
        Self {
            columns: 0,
            features: Vec::new(),
            labels: Vec::new(),
            unit_of: Vec::new(),
            units: Vec::new(),
        }
    }

    /// Rows of nobody, one a unit, with label 0: what canaries are made of.
    pub(crate) fn of_nobody(columns: usize, features: Vec<f32>) -> Self {
        let count = features.len() / columns.max(1);
        let numbers = 0_u32..u32::try_from(count).unwrap_or(u32::MAX);
        let units = numbers.clone().map(Unit::of_nobody).collect();
        Self { columns, features, labels: vec![0.0; count], unit_of: numbers.collect(), units }
    }

    /// How many rows there are. Exact, so for the bank's own eyes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row; never true of attached rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many features a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many units there are. Exact, so for the bank's own eyes.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// The names of the units, in the order of the file: what a population's sketch is made of.
    pub fn unit_names(&self) -> impl Iterator<Item = &str> {
        self.units.iter().map(|unit| &*unit.name)
    }

    /// The features of a row; empty past the end.
    pub(crate) fn features(&self, row: u32) -> &[f32] {
        let start = index(row).saturating_mul(self.columns);
        self.features.get(start..start.saturating_add(self.columns)).unwrap_or_default()
    }

    /// The label of a row.
    pub(crate) fn label(&self, row: u32) -> f32 {
        self.labels.get(index(row)).copied().unwrap_or(f32::NAN)
    }

    /// The labels of all rows.
    pub(crate) fn labels(&self) -> &[f32] {
        &self.labels
    }

    /// The unit of each row, as an index into the units.
    pub(crate) fn unit_of(&self) -> &[u32] {
        &self.unit_of
    }

    /// The name of each unit and, if the file says so, of its task.
    pub(crate) fn unit_tasks(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.units.iter().map(|unit| (&*unit.name, unit.task.as_deref()))
    }
}

/// A derived column and where its inputs lie in a row of source and derived values.
struct Derivation<'a> {
    column: &'a DerivedColumn,
    inputs: Vec<(&'a str, usize)>,
}

impl Derivation<'_> {
    fn value(&self, values: &[f64]) -> f64 {
        let value_of = |name: &str| {
            let input = self.inputs.iter().find(|(input, _)| *input == name);
            input.map_or(f64::NAN, |(_, place)| at(values, *place))
        };
        self.column.value(value_of)
    }
}

fn derivations<'a>(sources: &[String], derived: &'a [DerivedColumn]) -> Vec<Derivation<'a>> {
    let place = |name: &str, before: usize| {
        let earlier = derived.iter().take(before).position(|column| column.name == name);
        earlier
            .map(|place| sources.len() + place)
            .or_else(|| sources.iter().position(|source| source == name))
    };
    let derivation = |(before, column): (usize, &'a DerivedColumn)| {
        let inputs = column.compute.columns().into_iter();
        let inputs = inputs.filter_map(|name| Some((name, place(name, before)?))).collect();
        Derivation { column, inputs }
    };
    derived.iter().enumerate().map(derivation).collect()
}

/// Where each feature lies among the derived columns.
fn places(
    file: &Path,
    features: &[String],
    derived: &[DerivedColumn],
) -> Result<Vec<usize>, DataError> {
    let place = |feature: &String| {
        derived.iter().position(|column| column.name == *feature).ok_or_else(|| {
            DataError::MissingColumn { file: file.to_owned(), column: feature.clone() }
        })
    };
    features.iter().map(place).collect()
}

/// The label column and how it is read.
struct Label<'a> {
    spec: &'a LabelSpec,
    values: &'a [f64],
    /// The largest class, where the label is a class.
    largest: Option<f64>,
    header: &'a str,
    file: &'a Path,
}

impl<'a> Label<'a> {
    fn new(
        file: &'a Path,
        source: &'a DataSource,
        data: &'a DataSpec,
        head: Head,
        table: &'a Table,
    ) -> Result<Self, DataError> {
        let spec = &data.label;
        let header = source.header(spec.column());
        let column = table.names.iter().position(|name| name == spec.column());
        let values = column.and_then(|place| table.values.get(place)).ok_or_else(|| {
            DataError::MissingColumn { file: file.to_owned(), column: header.to_owned() }
        })?;
        let largest = match head {
            Head::Binary {} => Some(1.0),
            Head::Classes { count } => Some(f64::from(count.saturating_sub(1))),
            Head::Regression {} => None,
        };
        Ok(Self { spec, values, largest, header, file })
    }

    fn of(&self, row: usize, line: u64) -> Result<f64, DataError> {
        let value = at(self.values, row);
        let wrong = |expected: String| {
            let found = if value.is_nan() { String::new() } else { value.to_string() };
            let (file, column) = (self.file.to_owned(), self.header.to_owned());
            Err(DataError::Cell { file, line, column, expected, found })
        };
        match self.spec {
            _ if value.is_nan() => wrong("a label".to_owned()),
            #[expect(clippy::float_cmp, reason = "the label is a code, held exactly")]
            LabelSpec::Equals { value: one, .. } => Ok(f64::from(u8::from(value == *one))),
            LabelSpec::Class { .. } => match self.largest {
                Some(largest) if (0.0..=largest).contains(&value) && value.fract() == 0.0 => {
                    Ok(value)
                }
                Some(largest) => wrong(format!("a class from 0 to {largest}")),
                None => Ok(value),
            },
            LabelSpec::Value { clip: [lower, upper], .. } => Ok(value.max(*lower).min(*upper)),
        }
    }
}

/// Scales a row down to the norm, so that no single row can dominate its task.
fn shorten(row: &mut [f64], norm_max: f64) {
    let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > norm_max {
        for x in row {
            *x *= norm_max / norm;
        }
    }
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn index(row: u32) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "features are f32; they were computed in f64")]
fn to_f32(x: f64) -> f32 {
    x as f32
}
