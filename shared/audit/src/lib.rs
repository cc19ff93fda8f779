//! The auditor: verify, replay and recompute, offline.
//!
//! [`export`] writes what an auditor gets: the log as static files and the blobs it names, no keys,
//! tokens, rows or policies. [`verify()`] reads it without trust in whoever wrote it and says what it
//! found in a [`Report`]. [`cli`] is that for people. No network, no clock, no randomness.
#![warn(clippy::indexing_slicing)]

mod account;
mod blobs;
mod check;
pub mod cli;
mod cosignatures;
mod directory;
mod dossier;
pub mod export;
mod facts;
mod fetch;
mod finding;
mod fold;
mod lineage;
mod log;
mod nodes;
mod pack;
mod population;
mod prove;
mod receipts;
mod reconcile;
mod replay;
mod report;
mod rounded;
mod signed;
mod verify;

pub use account::{Account, Accountant, Certificates, shared};
pub use check::{Anchor, Checked, ProvedRecord, ProvedSplit, check};
pub use dossier::{Answer, Dossier, Input, Item, Tool};
pub use facts::{
    ApprovalFacts, Facts, GovernanceFacts, Keys, ModelFacts, PlanFacts, RosterChange, RunFacts,
};
pub use fetch::fetch;
pub use finding::{Finding, Kind};
pub use lineage::{Lineage, ModelStep, Part, Sum, lineage};
pub use nodes::{NoNode, Nodes};
pub use pack::pack;
pub use population::{BlindedHead, ChargedRun, EnrolledIn, PopulationReport, verify_population};
pub use prove::{Proved, prove};
pub use reconcile::{Difference, DifferenceKind, Fault, ReconciledRun, Reconciliation, reconcile};
pub use report::{
    Beside, ConvictedLogKey, Conviction, InstitutionReport, Quorum, Report, RoundMetrics,
    RunReport, RunStatus, Shared, Total,
};
pub use verify::{Options, verify};
