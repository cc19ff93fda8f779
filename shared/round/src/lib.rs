//! The protocol core: what a consortium may do next, and what it has done.
//!
//! [`decide`] answers a request with records, or says why there are none; [`apply`] folds one record
//! into the state and is the only way the state changes. The coordinator calls both, recovery and the
//! auditor only the second, on the same bytes. Nothing here knows a clock, a socket, a file or a
//! thread: time and randomness come in as arguments, decisions go out as values.
//!
//! [`decide`]: decide::decide
//! [`apply`]: apply::apply
#![warn(clippy::indexing_slicing)]

pub mod apply;
pub mod decide;
pub mod initialization;
pub mod layout;
pub mod limits;
pub mod metrics;
pub mod outer;
pub mod plan;
pub mod snapshot;
pub mod state;

pub use apply::{Violation, apply, apply_signed};
pub use decide::{Draft, Refusal, Request, decide};
pub use plan::{Plan, PlanError};
pub use snapshot::SnapshotError;
pub use state::State;
