//! The consortium's coordinator: it opens rounds, takes contributions in, computes the next
//! meta-initialization, and keeps the log that proves it did nothing else.
//!
//! `sequencer` is the one writer; `api` is what members reach, [`control`] what the operator
//! commands, [`dashboard`] what people look at; `aggregate` sums and steps on a thread of its own. What may happen is decided by
//! [`round`]; nothing here decides.

mod aggregate;
mod api;
pub mod cli;
mod clock;
pub mod control;
mod daemon;
pub mod dashboard;
mod directory;
mod error;
mod export;
mod found;
mod governance;
mod library;
mod log_keys;
mod metrics;
pub mod plan;
mod prune;
pub mod recovery;
mod run_metrics;
mod sequencer;
mod status;
mod witnesses;

pub use daemon::run;
pub use directory::{Directory, Pages, Settings};
pub use error::Error;
pub use found::{Founding, found};
pub use library::Library;
