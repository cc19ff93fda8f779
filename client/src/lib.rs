//! The bank's node.
//!
//! It decides for itself: what the coordinator says is believed only as far as the log proves it
//! ([`mirror`]), the bank's own [`policy`] and its own ledger ([`population`]) allow or refuse, and
//! [`release`] is the one door out. Everything else serves these four.
//!
//! | entry point | who calls it |
//! |---|---|
//! | [`cli::main`] | the binary `counterfoil-client`, and whoever runs it under another name |
//! | [`run`] | the daemon, in a process of its own |
//! | [`node::serve`] | the daemon, in a runtime of the caller's |
//! | [`join::join`] | whoever holds an invitation |
//! | [`evaluate`], [`learning`] | whoever judges a meta-initialization on rows of its own |

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod control;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod exit;
pub mod follower;
pub mod join;
pub mod joined;
pub mod keys;
pub mod learning;
pub mod mirror;
pub mod node;
pub mod policy;
pub mod population;
pub mod receipts;
pub mod redteam;
pub mod registry;
pub mod release;
pub mod rotation;
pub mod state_dir;
pub mod tasks;
pub mod witness;

pub use error::ClientError;
pub use exit::Exit;
pub use node::run;
