//! A bank's rows: read once, checked once, turned into the plan's features.
//!
//! Everything that can be wrong with rows is found here, when data is attached and before anything is
//! charged; the reason stays at the bank. Afterwards no row can make a round fail.

use std::collections::BTreeSet;

mod error;
mod rows;
mod source;
mod table;

pub use error::DataError;
use round::plan::{DataSpec, Head, TaskSpec};
pub use rows::Rows;
pub use source::{DataSource, Keep};

/// Reads the source's file and computes the features and the label that the plan names.
///
/// # Errors
///
/// [`DataError`], with the file, the line and the column, if anything is not as the plan needs it.
pub fn attach(
    source: &DataSource,
    data: &DataSpec,
    tasks: &TaskSpec,
    head: Head,
) -> Result<Rows, DataError> {
    let found = source.header(&data.unit_column);
    if let Some(registered) = source.unit.as_deref().filter(|registered| *registered != found) {
        let (registered, found) = (registered.to_owned(), found.to_owned());
        return Err(DataError::OtherUnitColumn { registered, found });
    }
    let table = table::Table::read(source, data, tasks.rows_per_unit_max)?;
    Rows::compute(table, source, data, head)
}

/// The names of all units in the source's file, each once: what a population's sketch is made of.
///
/// # Errors
///
/// [`DataError::NoUnitColumn`] if the source does not say which column names them, or as [`attach`].
pub fn unit_names(source: &DataSource) -> Result<BTreeSet<String>, DataError> {
    let header = source.unit.as_deref().ok_or(DataError::NoUnitColumn)?;
    table::unit_names(source, header)
}
