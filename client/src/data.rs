//! A bank's rows: read once, checked once, turned into the plan's features.
//!
//! Everything that can be wrong with rows is found here, when data is attached and before anything is
//! charged; the reason stays at the bank. Afterwards no row can make a round fail.

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
    let table = table::Table::read(source, data, tasks.rows_per_unit_max)?;
    Rows::compute(table, source, data, head)
}
