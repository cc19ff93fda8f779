//! What the ledger promises, as tests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the case that it is about")]

mod checkpoint;
mod contradiction;
mod fixture;
mod population;
mod population_model;
mod receipt;
mod record;
mod signing;
mod tile;
mod tree;
