//! The auditor: verify, replay and recompute, offline.
//!
//! [`export`] writes what an auditor gets: the log as static files and the blobs it names, no keys,
//! tokens, rows or policies. [`verify()`] reads it without trust in whoever wrote it and says what it
//! found in a [`Report`]. [`cli`] is that for people. No network, no clock, no randomness.
#![warn(clippy::indexing_slicing)]

mod account;
mod blobs;
pub mod cli;
mod cosignatures;
mod directory;
pub mod export;
mod finding;
mod fold;
mod log;
mod nodes;
mod population;
mod receipts;
mod reconcile;
mod replay;
mod report;
mod verify;

pub use account::{Account, Accountant, Certificates, shared};
pub use finding::{Finding, Kind};
pub use nodes::{NoNode, Nodes};
pub use population::{BlindedHead, ChargedRun, EnrolledIn, PopulationReport, verify_population};
pub use reconcile::{Difference, DifferenceKind, Fault, ReconciledRun, Reconciliation, reconcile};
pub use report::{
    Beside, Conviction, InstitutionReport, Report, RoundMetrics, RunReport, RunStatus, Shared,
    Total,
};
pub use verify::{Options, verify};
