use std::path::Path;

use ledger::record::Text;
use serde_json::json;
use wire::Validity;

use super::wait;
use crate::cli::Output;
use crate::control::{Answer, Command, NodeStatus, call};
use crate::joined::Joined;
use crate::mirror::Tampered;
use crate::policy::{Policy, PolicyError, PopulationRules};
use crate::population::{Population, must_exist};
use crate::state_dir::StateDir;
use crate::{ClientError, Exit, clock};

/// Where the node stands; from its files if no daemon runs.
///
/// # Errors
///
/// [`ClientError::NotJoined`], or the daemon does not answer.
pub fn status(state: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let status = match wait(call(&state, &Command::Status {}))? {
        Some(Answer::Status(status)) => *status,
        Some(other) => return Ok(unexpected(other)),
        None => at_rest(&state)?,
    };
    let word = match (status.running, status.connected, &status.stopped) {
        (_, _, Some(reason)) => format!("stopped: {reason}"),
        (false, _, None) => "not running".to_owned(),
        (true, true, None) => "following the log".to_owned(),
        (true, false, None) => "not connected".to_owned(),
    };
    let mut lines = vec![format!(
        "{} at {}: {word}; {} records verified",
        status.institution, status.endpoint, status.verified_records
    )];
    lines.extend(status.round.map(|round| format!("round {round} is open")));
    lines.extend(status.trouble.as_ref().map(|trouble| format!("trouble: {trouble}")));
    Ok(Output::new(json!(status), lines.join("\n")))
}

/// Stops releasing: a signed entry of the bank's ledger, whether a daemon runs or not.
///
/// # Errors
///
/// [`ClientError::NoPopulation`] if there is nothing to stop, or the ledger's error.
pub fn stop(state: &Path, reason: &str) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let done = "stopped: nothing is released until `resume`";
    match wait(call(&state, &Command::Stop { reason: reason.to_owned() }))? {
        Some(answer) => Ok(said(answer, done)),
        None => directly(&state, |population| {
            let ledger = &mut population.ledger;
            if ledger.state().stopped().is_some() {
                return Ok(());
            }
            ledger.stop(clock::now(), text(reason)?).map_err(ClientError::ledger)
        })
        .map(|()| Output::new(json!({ "stopped": true }), done)),
    }
}

/// Allows releases again.
///
/// # Errors
///
/// As [`stop`].
pub fn resume(state: &Path, reason: &str) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let done = "resumed";
    match wait(call(&state, &Command::Resume { reason: reason.to_owned() }))? {
        Some(answer) => Ok(said(answer, done)),
        None => directly(&state, |population| {
            let ledger = &mut population.ledger;
            if ledger.state().stopped().is_none() {
                return Ok(());
            }
            ledger.resume(clock::now(), text(reason)?).map_err(ClientError::ledger)
        })
        .map(|()| Output::new(json!({ "stopped": false }), done)),
    }
}

/// Ends the daemon's process.
///
/// # Errors
///
/// The daemon does not answer.
pub fn shutdown(state: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    match wait(call(&state, &Command::Shutdown {}))? {
        Some(answer) => Ok(said(answer, "the node ends")),
        None => Ok(Output::new(json!({}), "no node runs here")),
    }
}

/// Works on the ledger itself while no daemon can.
pub(super) fn directly(
    state: &StateDir,
    work: impl FnOnce(&mut Population) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let _lock = state.lock()?;
    work(&mut Population::open_registered(state, &rules(state)?)?)
}

/// The ledger while no daemon holds it, only to read it.
pub(super) fn read_population(state: &StateDir) -> Result<Population, ClientError> {
    Population::read(state, &rules(state)?)
}

/// What the policy says of the population, once there is one: whoever has never run may have no policy yet.
pub(super) fn rules(state: &StateDir) -> Result<PopulationRules, ClientError> {
    match Policy::load(&state.path("policy.toml")) {
        Ok(policy) => must_exist(state, &policy.population).map(|_| policy.population),
        Err(PolicyError::Missing(_)) if !state.path("population").is_dir() => {
            Err(ClientError::NoPopulation)
        }
        Err(error) => Err(error.into()),
    }
}

fn at_rest(state: &StateDir) -> Result<NodeStatus, ClientError> {
    let joined = Joined::load(state)?;
    let stopped = match read_population(state) {
        Ok(population) => population.ledger.state().stopped().map(ToString::to_string),
        Err(ClientError::NoPopulation) => None,
        Err(error) => return Err(error),
    };
    let validity = Validity::of_certificate(joined.certificate())?;
    Ok(NodeStatus {
        institution: joined.institution().to_string(),
        consortium: joined.genesis_digest().to_string(),
        endpoint: joined.endpoint().to_owned(),
        certificate_until_ms: validity.not_after_ms(),
        stopped,
        trouble: Tampered::load(state)?.map(|tampered| tampered.to_string()),
        ..NodeStatus::default()
    })
}

fn text(reason: &str) -> Result<Text<256>, ClientError> {
    Text::new(reason).map_err(|error| ClientError::Usage(error.to_string()))
}

pub(super) fn said(answer: Answer, done: &str) -> Output {
    if answer == (Answer::Done {}) { Output::new(json!({}), done) } else { unexpected(answer) }
}

pub(super) fn unexpected(answer: Answer) -> Output {
    let (exit_code, message) = match answer {
        Answer::Failed { exit_code, message } => (exit_code, message),
        Answer::Status(_)
        | Answer::Ledger(_)
        | Answer::Receipts(_)
        | Answer::Done {}
        | Answer::Exported { .. } => {
            (Exit::Failure.code(), "the daemon answered something else".to_owned())
        }
    };
    let exit = [Exit::Refused, Exit::Budget, Exit::Tampered, Exit::Usage]
        .into_iter()
        .find(|exit| exit.code() == exit_code)
        .unwrap_or(Exit::Failure);
    Output { data: json!({ "message": message }), text: format!("error: {message}"), exit }
}
