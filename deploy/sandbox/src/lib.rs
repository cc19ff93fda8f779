//! A whole consortium on one machine.
//!
//! [`cli::main`] is the command line; it re-executes itself, so that the processes it starts run the
//! very code of `counterfoil-coordinator` and `counterfoil-client`.

mod bench;
pub mod cli;
mod consortium;
mod demo;
mod error;
mod process;
mod progress;
mod report;
pub mod split;

pub use error::SandboxError;
