//! A consortium as processes: founded, joined, running, and ended.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coordinator::control::{Command, Reply};
use coordinator::{Directory, Founding, Pages, Settings, found};
use ledger::digest::Digest;
use round::Plan;
use serde_json::Value;

use crate::error::SandboxError;
use crate::process::{Daemon, ask};
use crate::progress::Progress;

/// How long a daemon may take to answer its first command.
const START_MAX: Duration = Duration::from_secs(20);
/// How long a round may take before the demo gives up.
const ROUND_MAX: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// A bank of the sandbox.
pub(crate) struct BankNode {
    pub(crate) name: String,
    pub(crate) state: PathBuf,
    daemon: Option<Daemon>,
}

/// The coordinator and its banks.
pub(crate) struct Consortium {
    pub(crate) genesis: Digest,
    root: PathBuf,
    coordinator: Daemon,
    pub(crate) banks: Vec<BankNode>,
    runtime: tokio::runtime::Runtime,
}

impl Consortium {
    /// Founds a consortium under `root` and starts its coordinator.
    pub(crate) fn found(root: &Path, port: u16) -> Result<Self, SandboxError> {
        let logs = root.join("logs");
        fs::create_dir_all(&logs).map_err(|error| SandboxError::file(&logs, &error))?;
        let port = if port == 0 { free_port()? } else { port };
        let state = root.join("coordinator");
        let settings = Settings {
            listen: format!("127.0.0.1:{port}"),
            endpoint: format!("localhost:{port}"),
            names: vec!["127.0.0.1".to_owned()],
            certificate_seconds: 24 * 3600,
            metrics: String::new(),
            pages: Pages::Members,
        };
        let name = "Sandbox consortium".to_owned();
        let genesis = found(&state, &Founding { name, quorum: (1, 2), settings })?;
        let arguments = coordinator_arguments(&state, &["run"]);
        let coordinator =
            Daemon::start("the coordinator", &arguments, &logs.join("coordinator.log"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SandboxError::file(root, &error))?;
        let mut consortium =
            Self { genesis, root: root.to_path_buf(), coordinator, banks: vec![], runtime };
        consortium.until_answering()?;
        Ok(consortium)
    }

    /// Invites a bank and lets it join; its policy and data specification are written first.
    pub(crate) fn join(
        &mut self,
        name: &str,
        policy: &str,
        data: &str,
    ) -> Result<(), SandboxError> {
        let command =
            Command::Invite { institution: name.to_owned(), role: "bank".to_owned(), seconds: 600 };
        let answer = self.command(&command)?;
        let invitation = answer.get("invitation").and_then(Value::as_str);
        let invitation =
            invitation.ok_or_else(|| SandboxError::answer("invite", "an invitation"))?;
        let state = self.root.join("banks").join(name);
        fs::create_dir_all(&state).map_err(|error| SandboxError::file(&state, &error))?;
        for (file, text) in [("policy.toml", policy), ("data.toml", data)] {
            let path = state.join(file);
            fs::write(&path, text).map_err(|error| SandboxError::file(&path, &error))?;
        }
        let arguments = client_arguments(&state, &["join", "--invitation", invitation]);
        ask(&format!("{name}: join"), &arguments, &self.log(name))?;
        self.banks.push(BankNode { name: name.to_owned(), state, daemon: None });
        Ok(())
    }

    /// Puts a plan before the members; every bank checks it against its policy and signs.
    pub(crate) fn approve(&self, plan: &Plan) -> Result<(), SandboxError> {
        let text = String::from_utf8_lossy(plan.bytes()).into_owned();
        self.command(&Command::Propose { plan: text })?;
        let digest = plan.digest().to_string();
        for bank in &self.banks {
            let arguments = client_arguments(&bank.state, &["plan", "sign", &digest]);
            ask(&format!("{}: plan sign", bank.name), &arguments, &self.log(&bank.name))?;
        }
        Ok(())
    }

    /// Starts the banks' nodes.
    pub(crate) fn start_banks(&mut self) -> Result<(), SandboxError> {
        for bank in &mut self.banks {
            let log = self.root.join("logs").join(format!("{}.log", bank.name));
            let arguments = client_arguments(&bank.state, &["run"]);
            bank.daemon = Some(Daemon::start(&bank.name, &arguments, &log)?);
        }
        Ok(())
    }

    /// Waits until the run of `plan` has finished.
    pub(crate) fn train(
        &mut self,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<(), SandboxError> {
        let digest = plan.digest().to_string();
        let (mut closed, mut since) = (0, Instant::now());
        loop {
            self.coordinator.check()?;
            for bank in &mut self.banks {
                bank.daemon.as_mut().map_or(Ok(()), Daemon::check)?;
            }
            let status = self.command(&Command::Status {})?;
            if ended(&status, &digest) {
                progress.closed(plan.text().rounds);
                progress.finish();
                return Ok(());
            }
            let round = status.pointer("/run/round").and_then(Value::as_u64).unwrap_or(0);
            let round = u32::try_from(round).unwrap_or(u32::MAX);
            if round > closed {
                (closed, since) = (round, Instant::now());
            }
            progress.closed(closed);
            if since.elapsed() > ROUND_MAX {
                let logs = self.root.join("logs");
                return Err(SandboxError::Stalled { seconds: ROUND_MAX.as_secs(), logs });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Each bank's own ledger, as it reports it; the nodes are ended first.
    pub(crate) fn ledgers(&mut self) -> Result<Vec<Value>, SandboxError> {
        let mut reports = vec![];
        for bank in &mut self.banks {
            let log = self.root.join("logs").join(format!("{}.log", bank.name));
            let shutdown = client_arguments(&bank.state, &["shutdown"]);
            ask(&format!("{}: shutdown", bank.name), &shutdown, &log)?;
            bank.daemon.take().map_or(Ok(()), Daemon::ended)?;
            let show = client_arguments(&bank.state, &["ledger", "show"]);
            reports.push(ask(&format!("{}: ledger show", bank.name), &show, &log)?);
        }
        Ok(reports)
    }

    /// Writes what an auditor gets, and ends the coordinator.
    pub(crate) fn export_and_end(self, export: &Path) -> Result<(), SandboxError> {
        self.command(&Command::Export { directory: export.to_path_buf() })?;
        self.end()
    }

    /// Ends the coordinator.
    pub(crate) fn end(self) -> Result<(), SandboxError> {
        self.command(&Command::Stop {})?;
        self.coordinator.ended()
    }

    /// The system's number of the coordinator's process.
    pub(crate) fn coordinator_id(&self) -> u32 {
        self.coordinator.id()
    }

    /// How often the coordinator has waited for the disk since it was started.
    pub(crate) fn syncs(&self) -> Result<u64, SandboxError> {
        let status = self.command(&Command::Status {})?;
        let syncs = status.get("syncs").and_then(Value::as_u64);
        syncs.ok_or_else(|| SandboxError::answer("status", "the number of fsyncs"))
    }

    fn until_answering(&mut self) -> Result<(), SandboxError> {
        let begin = Instant::now();
        loop {
            self.coordinator.check()?;
            match self.command(&Command::Status {}) {
                Ok(_) => return Ok(()),
                Err(error) if begin.elapsed() > START_MAX => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn command(&self, command: &Command) -> Result<Value, SandboxError> {
        let path = Directory::at(&self.root.join("coordinator")).control();
        let reply = self.runtime.block_on(wire::control::call(&path, command));
        match reply.map_err(coordinator::Error::from)? {
            Reply::Done(data) => Ok(data),
            Reply::Refused { message, exit_code } => {
                Err(coordinator::Error::Daemon { message, exit_code }.into())
            }
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }
}

/// True if the run of the plan with this digest has finished.
fn ended(status: &Value, plan: &str) -> bool {
    let runs = status.get("ended").and_then(Value::as_array);
    runs.is_some_and(|runs| {
        runs.iter().any(|run| {
            run.get("plan").and_then(Value::as_str) == Some(plan)
                && run.get("finished").and_then(Value::as_bool) == Some(true)
        })
    })
}

fn coordinator_arguments(state: &Path, rest: &[&str]) -> Vec<OsString> {
    arguments("coordinator", state, rest)
}

fn client_arguments(state: &Path, rest: &[&str]) -> Vec<OsString> {
    arguments("client", state, rest)
}

fn arguments(program: &str, state: &Path, rest: &[&str]) -> Vec<OsString> {
    let head = [OsString::from(program), "--state".into(), state.into()];
    head.into_iter().chain(rest.iter().map(OsString::from)).collect()
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, SandboxError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| SandboxError::Usage(format!("no free port: {error}")))
}
