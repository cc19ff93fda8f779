//! The command line.

mod measured;
mod options;
mod output;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use ledger::digest::Digest;
use ledger::log_store::LogStore;
use ledger::record::Canonical;
use options::{Action, LogKeyAction, Options, PlanAction};
use output::Output;
use round::Plan;
use round::plan::Participant;
use serde_json::{Value, json};

use crate::control::{Command, Reply};
use crate::directory::{Directory, Settings};
use crate::error::Error;
use crate::found::{Founding, found};
use crate::log_keys::Draft;
use crate::plan;

/// Runs one command line and says how the process ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let output = Output { json: options.json };
    match carry_out(&options) {
        Ok((text, data)) => output.done(&text, &data),
        Err(error) => output.failed(&error),
    }
}

/// The text for people and the data for scripts.
type Outcome = Result<(String, Value), Error>;

fn carry_out(options: &Options) -> Outcome {
    let state = options.state.as_path();
    match &options.action {
        Action::Init {
            name,
            listen,
            endpoint,
            names,
            quorum,
            certificate_hours,
            metrics,
            pages,
        } => {
            let settings = Settings {
                listen: listen.clone(),
                endpoint: endpoint.clone(),
                names: names.clone(),
                certificate_seconds: certificate_hours.saturating_mul(3600),
                metrics: metrics.clone().unwrap_or_default(),
                pages: *pages,
            };
            let founding = Founding { name: name.clone(), quorum: fraction(quorum)?, settings };
            let genesis = found(state, &founding)?;
            Ok((format!("genesis {genesis}\n"), json!({ "genesis": genesis.to_string() })))
        }
        Action::Run {} => {
            output::log_to_stderr();
            crate::daemon::run(state)?;
            Ok((String::new(), json!({})))
        }
        Action::Status {} => told(state, &Command::Status {}, |data| format!("{data:#}\n")),
        Action::Metrics { run, last, quantile } => {
            measured::metrics(state, run.as_deref(), *last, *quantile)
        }
        Action::Invite { institution, role, hours } => {
            let command = Command::Invite {
                institution: institution.clone(),
                role: role.clone(),
                seconds: hours.saturating_mul(3600),
            };
            told(state, &command, |data| format!("{}\n", field(data, "invitation")))
        }
        Action::Revoke { institution, reason } => {
            let command =
                Command::Revoke { institution: institution.clone(), reason: reason.clone() };
            told(state, &command, |_| format!("{institution} is revoked\n"))
        }
        Action::Abandon { run, reason } => {
            let command = Command::Abandon { run: run.clone(), reason: reason.clone() };
            told(state, &command, |_| format!("run {run} is abandoned\n"))
        }
        Action::Pause { run, reason } => pause(state, run, reason, true),
        Action::Resume { run, reason } => pause(state, run, reason, false),
        Action::Recall { run, from, reason } => {
            let command = Command::Recall { run: run.clone(), from: *from, reason: reason.clone() };
            told(state, &command, |_| format!("run {run}: models from {from} on are withdrawn\n"))
        }
        Action::LogKey { action } => log_key_command(state, action),
        Action::Prune { rehearse } => prune(state, *rehearse),
        Action::Stop {} => told(state, &Command::Stop {}, |_| "stopping\n".to_owned()),
        Action::Export { directory } => export(state, directory),
        Action::Plan { action } => plan_command(state, action),
    }
}

/// Only of a closed log: nobody reads what is erased.
fn prune(state: &Path, rehearse: bool) -> Outcome {
    Directory::at(state).settings()?;
    let (mut log, blobs) = store::open(state).map_err(|error| Error::storage(&error))?;
    let pruned = crate::prune::prune(&mut log, &blobs, rehearse)?;
    let word = if rehearse { "would be erased" } else { "are erased" };
    let text = format!("{} contributions of {} bytes {word}\n", pruned.vectors, pruned.bytes);
    Ok((text, json!({ "vectors": pruned.vectors, "bytes": pruned.bytes, "erased": !rehearse })))
}

/// Through the daemon if it runs, else from the closed log.
fn export(state: &Path, directory: &Path) -> Outcome {
    let directory = std::path::absolute(directory).map_err(|e| Error::file(directory, &e))?;
    let text = |records: &Value| format!("{records} records exported to {}\n", directory.display());
    if Directory::at(state).control().exists() {
        let command = Command::Export { directory: directory.clone() };
        return told(state, &command, |data| text(data.get("records").unwrap_or(&Value::Null)));
    }
    let (log, blobs) = store::open(state).map_err(|error| Error::storage(&error))?;
    let checkpoint = log.checkpoint().map_err(|error| Error::storage(&error))?;
    let checkpoint =
        checkpoint.ok_or_else(|| Error::NotFound("the log has no checkpoint".to_owned()))?;
    let records = crate::export::write(&log, &blobs, &checkpoint, &directory)?;
    Ok((text(&records.into()), json!({ "directory": directory, "records": records })))
}

fn pause(state: &Path, run: &str, reason: &str, paused: bool) -> Outcome {
    let command = Command::Pause { run: run.to_owned(), paused, reason: reason.to_owned() };
    let word = if paused { "is paused" } else { "goes on" };
    told(state, &command, |_| format!("run {run} {word}\n"))
}

fn log_key_command(state: &Path, action: &LogKeyAction) -> Outcome {
    let directory = Directory::at(state);
    match action {
        LogKeyAction::New { reason, output, anchor } => {
            let (_, status) = told(state, &Command::Status {}, |_| String::new())?;
            let checkpoint = match anchor {
                Some(file) => read(file)?,
                None => field(&status, "checkpoint").to_owned(),
            };
            let draft = Draft::new(&directory, &status, &checkpoint, reason)?;
            crate::directory::write_json(output, &draft)?;
            let text = format!(
                "{}: the log's {} first records, and another key from the next record on\n",
                output.display(),
                draft.size
            );
            Ok((text, json!(draft)))
        }
        LogKeyAction::Change { change, approvals, old_key_lost } => {
            let draft: Draft = crate::directory::read_json(change)?;
            let record = draft.complete(&directory, approvals, *old_key_lost)?;
            let command = Command::ChangeLogKey { record: STANDARD.encode(record.encode()) };
            told(state, &command, |data| format!("the log's key is {}\n", field(data, "log_key")))
        }
    }
}

fn plan_command(state: &Path, action: &PlanAction) -> Outcome {
    match action {
        PlanAction::New { draft, output, participants, rounds, epsilon } => {
            let changes = plan::Changes {
                consortium: genesis(state)?,
                cohort: participants
                    .iter()
                    .map(|text| participant(text))
                    .collect::<Result<_, _>>()?,
                rounds: *rounds,
                epsilon: *epsilon,
            };
            let plan = plan::write(&read(draft)?, &changes)?;
            std::fs::write(output, plan.bytes()).map_err(|e| Error::file(output, &e))?;
            let digest = plan.digest().to_string();
            Ok((plan::describe(&plan)?, json!({ "plan": digest, "file": output })))
        }
        PlanAction::Show { plan } | PlanAction::Check { plan } => {
            let plan = parse(plan)?;
            let data = json!({ "plan": plan.digest().to_string(), "text": plan.text(),
                "rho": plan.predicted_cost().rho, "metrics": plan.metrics_price() });
            Ok((plan::describe(&plan)?, data))
        }
        PlanAction::Propose { plan: file } => {
            parse(file)?;
            let command = Command::Propose { plan: read(file)? };
            told(state, &command, |data| format!("proposed {}\n", field(data, "plan")))
        }
    }
}

/// Sends a command to the daemon.
fn told(state: &Path, command: &Command, text: impl Fn(&Value) -> String) -> Outcome {
    let directory = Directory::at(state);
    directory.settings()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::storage(&error))?;
    let path = directory.control();
    let reply = runtime.block_on(wire::control::call(&path, command)).map_err(|error| {
        Error::NotFound(format!(
            "{error}: start it with `counterfoil-coordinator run --state {}`",
            state.display()
        ))
    })?;
    match reply {
        Reply::Done(data) => Ok((text(&data), data)),
        Reply::Refused { message, exit_code } => Err(Error::Daemon { message, exit_code }),
    }
}

/// The digest of Genesis, from the log of a stopped coordinator or from a running one.
fn genesis(state: &Path) -> Result<Digest, Error> {
    let directory = Directory::at(state);
    directory.settings()?;
    let text = if directory.control().exists() {
        let (_, data) = told(state, &Command::Status {}, |_| String::new())?;
        field(&data, "genesis").to_owned()
    } else {
        let (log, _) = store::open(state).map_err(|error| Error::storage(&error))?;
        let leaf = log.leaf(0).map_err(|error| Error::storage(&error))?;
        let leaf = leaf.ok_or_else(|| Error::NotFound("the log is empty".to_owned()))?;
        ledger::digest::sha256(leaf.as_slice()).to_string()
    };
    text.parse().map_err(|error| Error::Usage(format!("{error}")))
}

fn parse(file: &PathBuf) -> Result<Plan, Error> {
    let text = read(file)?;
    Plan::parse(text.as_bytes()).map_err(|e| Error::Usage(format!("{}: {e}", file.display())))
}

fn read(file: &PathBuf) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|error| Error::file(file, &error))
}

/// "north:6500:217" is an institution, its declared units and its tasks.
fn participant(text: &str) -> Result<Participant, Error> {
    let wrong =
        || Error::Usage(format!("expected NAME:UNITS:TASKS such as north:6500:217, got {text:?}"));
    let parts: Vec<&str> = text.split(':').collect();
    let [institution, units, tasks] = parts.as_slice() else { return Err(wrong()) };
    Ok(Participant {
        institution: (*institution).to_owned(),
        declared_units: units.parse().map_err(|_| wrong())?,
        tasks: tasks.parse().map_err(|_| wrong())?,
    })
}

fn fraction(text: &str) -> Result<(u32, u32), Error> {
    let parsed = text.split_once('/').and_then(|(n, d)| Some((n.parse().ok()?, d.parse().ok()?)));
    parsed.ok_or_else(|| Error::Usage(format!("expected a fraction such as 1/2, got {text:?}")))
}

fn field<'a>(data: &'a Value, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}
