//! What each command does.

pub mod governance;
pub mod ledger;
pub mod plan;

mod daemon;
mod fetch;
mod log;
mod model;
mod redteam;

use std::path::Path;

pub use daemon::{resume, shutdown, status, stop};
pub use fetch::fetch;
pub use model::{adapt, evaluate};
pub use redteam::redteam;
use serde_json::json;
use wire::tls::system_clock;
use wire::{Invitation, Role};

use crate::cli::Output;
use crate::control::{Answer, Command, call};
use crate::joined::Joined;
use crate::keys::Keys;
use crate::mirror::Mirror;
use crate::state_dir::StateDir;
use crate::{ClientError, Exit};

/// Joins a consortium.
///
/// # Errors
///
/// As [`crate::join::join`].
pub fn join(state: &Path, invitation: &str) -> Result<Output, ClientError> {
    let invitation: Invitation = invitation.parse()?;
    let state = StateDir::create(state)?;
    let progress = wire::limits::PROGRESS_TIMEOUT;
    let joined = wait(crate::join::join(&state, &invitation, system_clock(), progress))?;
    let genesis = joined.genesis_digest().to_string();
    let data = json!({
        "institution": joined.institution().as_str(),
        "role": joined.role().as_str(),
        "consortium": genesis,
        "name": joined.genesis().name.as_str(),
        "endpoint": joined.endpoint(),
    });
    let root = state.root().display();
    let next = if joined.role() == Role::Bank {
        format!("write policy.toml and data.toml in {root}")
    } else {
        format!("counterfoil-client --state {root} witness")
    };
    let (institution, name, role) = (joined.institution(), &joined.genesis().name, joined.role());
    let text = format!("{institution} has joined {name} ({genesis}) as {role}; {next}");
    Ok(Output::new(data, text))
}

/// Verifies every receipt of the node against its copy of the log.
///
/// # Errors
///
/// [`ClientError::NotJoined`], [`ClientError::Tampered`] if the copy itself is not sound, or a file cannot be read.
pub fn receipts_verify(state: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let verified = match wait(call(&state, &Command::Receipts {}))? {
        Some(Answer::Receipts(verified)) => verified,
        Some(other) => return Ok(daemon::unexpected(other)),
        None => {
            let (joined, keys) = (Joined::load(&state)?, Keys::load_or_create(&state)?);
            let (log, _) = store::open(&state.directory("log")?)?;
            let (institution, key) = (joined.institution().clone(), keys.record.public());
            crate::receipts::verify_all(
                &state,
                &Mirror::open(log, joined.log(), institution, key)?,
            )?
        }
    };
    let wrong = verified.iter().filter(|receipt| receipt.error.is_some()).count();
    let mut lines = vec![format!("{} receipts, {wrong} of them prove nothing", verified.len())];
    for receipt in &verified {
        let what = match (&receipt.error, receipt.round, receipt.index) {
            (Some(error), _, _) => error.clone(),
            (None, Some(round), Some(index)) => format!("round {round} is leaf {index}"),
            (None, _, _) => String::new(),
        };
        lines.push(format!("{}: {what}", receipt.file.display()));
    }
    let exit = if wrong == 0 { Exit::Ok } else { Exit::Tampered };
    let data = json!({ "receipts": verified, "wrong": wrong });
    Ok(Output { data, text: lines.join("\n"), exit })
}

/// Runs `future` to its end.
fn wait<T>(future: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ClientError::Internal(error.to_string()))?;
    runtime.block_on(future)
}
