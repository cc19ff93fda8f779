//! Metrics of a run, from one task's coordinates to an estimate with its error.
//!
//! A task's vector is its meta-gradient and then its metrics. [`Encoding`] makes it, at the bank, one
//! task at a time; the grid of `privacy` bounds the whole of it, so that there is one sensitivity, one
//! noise and one charge. [`Estimates`] reads the sum of a round back, for whoever holds the aggregate,
//! with the plan's public numbers alone.

mod encoding;
mod estimate;
mod histogram;

pub use encoding::Encoding;
pub use estimate::{Estimate, Estimates};
pub use histogram::{Histogram, NoQuantile, Quantile};
