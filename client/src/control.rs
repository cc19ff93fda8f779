//! What a daemon can be told and asked over its socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::population::LedgerReport;
use crate::receipts::Verified;
use crate::state_dir::StateDir;
use crate::{ClientError, Exit};

/// A command to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Where it stands.
    Status {},
    /// What it has charged.
    Ledger {},
    /// Release nothing from here on.
    Stop {
        /// Who and why, at most 256 characters.
        reason: String,
    },
    /// Release again.
    Resume {
        /// Who and why, at most 256 characters.
        reason: String,
    },
    /// Give a reservation back under which nothing was released.
    Void {
        /// The leaf of the reservation.
        reservation: u64,
        /// Who and why, at most 256 characters.
        reason: String,
    },
    /// Write the ledger out for an auditor.
    Export {
        /// An absolute path that does not exist yet.
        directory: PathBuf,
    },
    /// Verify the receipts against the copy of the log.
    Receipts {},
    /// End the process. What is charged or released continues at the next start.
    Shutdown {},
}

/// The daemon's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// Where it stands.
    Status(Box<NodeStatus>),
    /// What it has charged.
    Ledger(Box<LedgerReport>),
    /// What each receipt proves.
    Receipts(Vec<Verified>),
    /// Done.
    Done {},
    /// The ledger was written out.
    Exported {
        /// How many entries.
        entries: u64,
    },
    /// It refuses, or failed.
    Failed {
        /// The exit code of the command.
        exit_code: u8,
        /// Why.
        message: String,
    },
}

/// Where a node stands. Public facts and the bank's own ledger; nothing that comes from rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Whether a daemon runs.
    pub running: bool,
    /// The institution.
    pub institution: String,
    /// The consortium's Genesis digest, in hex.
    pub consortium: String,
    /// Where the coordinator listens.
    pub endpoint: String,
    /// Whether the log is being followed.
    pub connected: bool,
    /// How many records were verified.
    pub verified_records: u64,
    /// When the certificate ends, in milliseconds since 1970.
    pub certificate_until_ms: u64,
    /// The open run, in hex.
    pub run: Option<String>,
    /// The round that waits for contributions.
    pub round: Option<u32>,
    /// Whether the bank is expected in it and has not contributed.
    pub expected: bool,
    /// Why nothing is released, if the bank has stopped.
    pub stopped: Option<String>,
    /// What went wrong last, if the node has not recovered from it.
    pub trouble: Option<String>,
    /// How many of the bank's own accepted contributions its ledger was compared with at start.
    pub ledger_confirmed_by: Option<usize>,
    /// The second place that confirmed the ledger's head at start.
    pub second_place: Option<PathBuf>,
}

/// Sends a command to the daemon on `state`; `None` if none runs.
///
/// # Errors
///
/// [`ClientError::Wire`] if a daemon runs and does not answer.
pub async fn call(state: &StateDir, command: &Command) -> Result<Option<Answer>, ClientError> {
    match state.lock() {
        // The lock is free, so nobody listens.
        Ok(_) => Ok(None),
        Err(ClientError::Locked(_)) => {
            Ok(Some(wire::control::call(&socket(state), command).await?))
        }
        Err(error) => Err(error),
    }
}

/// The answer to a line that is no command.
pub(crate) fn refuse(why: String) -> Answer {
    Answer::Failed { exit_code: Exit::Usage.code(), message: why }
}

/// Where the daemon's socket is.
pub fn socket(state: &StateDir) -> PathBuf {
    state.path("control.sock")
}
