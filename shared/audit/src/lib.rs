//! The auditor: verify, replay and recompute, offline.
//!
//! [`export`] writes what an auditor gets: the log as static files and the blobs it names, no keys,
//! tokens, rows or policies.
#![warn(clippy::indexing_slicing)]

pub mod export;
mod nodes;
