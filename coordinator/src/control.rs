//! What the operator may command while the coordinator runs.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::log_store::BlobStore;
use ledger::record::{Canonical, Institution, LogKey, Role, RunId};
use ring::rand::{SecureRandom, SystemRandom};
use round::decide::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::invitation::{Invitation, Token};
use wire::{Identity, tls::Acceptor};

use crate::api::Service;
use crate::directory::{Directory, Settings};
use crate::error::Error;
use crate::run_metrics::{self, Asked};

/// One command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command", deny_unknown_fields)]
pub enum Command {
    /// Where everything stands.
    Status {},
    /// A one-time invitation.
    Invite {
        /// Whom.
        institution: String,
        /// "bank" or "auditor".
        role: String,
        /// How long it lives.
        seconds: u64,
    },
    /// Put an institution out.
    Revoke {
        /// Whom.
        institution: String,
        /// Why.
        reason: String,
    },
    /// Put a plan before the members.
    Propose {
        /// The plan's exact text.
        plan: String,
    },
    /// End a run early.
    Abandon {
        /// Which.
        run: String,
        /// Why.
        reason: String,
    },
    /// Have a run open no further round, or go on.
    Pause {
        /// Which.
        run: String,
        /// True to pause, false to go on.
        paused: bool,
        /// Why.
        reason: String,
    },
    /// Withdraw models of an ended run.
    Recall {
        /// Which.
        run: String,
        /// The first of them.
        from: u32,
        /// Why.
        reason: String,
    },
    /// Have another key sign the log.
    ChangeLogKey {
        /// The record's body, in base64.
        record: String,
    },
    /// What the rounds of a run measured.
    Metrics {
        /// Which run; if none, the one whose round was closed last.
        run: Option<String>,
        /// How many of its newest rounds.
        last: u32,
    },
    /// Write what an auditor gets.
    Export {
        /// An absolute path that does not exist yet.
        directory: PathBuf,
    },
    /// End the daemon.
    Stop {},
}

/// An answer: data, or an error with its exit code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was done.
    Done(Value),
    /// It was not.
    Refused {
        /// Why.
        message: String,
        /// The exit code that goes with it.
        exit_code: u8,
    },
}

/// Answers commands.
pub(crate) struct Operator<B> {
    pub(crate) service: Arc<Service<B>>,
    pub(crate) acceptor: Acceptor,
    pub(crate) settings: Settings,
    pub(crate) directory: Directory,
    pub(crate) shutdown: tokio::sync::watch::Sender<bool>,
    /// How often the store has waited for the disk.
    pub(crate) syncs: store::Syncs,
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Operator<B> {
    /// Carries a command out.
    pub(crate) async fn answer(&self, command: Command) -> Reply {
        match self.carry_out(command).await {
            Ok(data) => Reply::Done(data),
            Err(error) => {
                Reply::Refused { message: error.to_string(), exit_code: error.exit_code() }
            }
        }
    }

    async fn carry_out(&self, command: Command) -> Result<Value, Error> {
        match command {
            Command::Status {} => Ok(self.status()),
            Command::Invite { institution, role, seconds } => {
                self.invite(&institution, &role, seconds)
            }
            Command::Revoke { institution, reason } => self.revoke(&institution, reason).await,
            Command::Propose { plan } => {
                let digest = ledger::digest::sha256(plan.as_bytes());
                self.submit(Request::Propose(plan.into_bytes())).await?;
                Ok(json!({ "plan": digest.to_string() }))
            }
            Command::Abandon { run, reason } => {
                let id = run_of(&run)?;
                self.submit(Request::Abandon { run: id, reason }).await?;
                Ok(json!({ "run": run }))
            }
            Command::Pause { run, paused, reason } => {
                let id = run_of(&run)?;
                self.submit(Request::Pause { run: id, paused, reason }).await?;
                Ok(json!({ "run": run, "paused": paused }))
            }
            Command::Recall { run, from, reason } => {
                let id = run_of(&run)?;
                self.submit(Request::Recall { run: id, from, reason }).await?;
                Ok(json!({ "run": run, "from": from }))
            }
            Command::ChangeLogKey { record } => self.change_log_key(&record).await,
            Command::Metrics { run, last } => self.metrics(run, last).await,
            Command::Export { directory } => {
                let records = self.service.sequencer.export(directory.clone()).await?;
                Ok(json!({ "directory": directory, "records": records }))
            }
            Command::Stop {} => {
                self.shutdown.send_replace(true);
                Ok(json!({ "stopping": true }))
            }
        }
    }

    async fn submit(&self, request: Request) -> Result<(), Error> {
        self.service.sequencer.submit(request, vec![], None).await.map(|_| ())
    }

    /// On record first; then the new key's file takes the place of the old one's.
    async fn change_log_key(&self, record: &str) -> Result<Value, Error> {
        let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
        let bytes = STANDARD.decode(record).map_err(|error| usage(&error))?;
        let record = LogKey::decode(&bytes).map_err(|error| usage(&error))?;
        let next = self.directory.signing_key("log.next")?;
        if next.public() != record.change.new_key {
            return Err(Error::Usage("expected a change to the key in log.next.pem".to_owned()));
        }
        self.service.sequencer.change_log_key(next, record).await?;
        self.directory.promote_log_key()?;
        Ok(json!({ "log_key": self.directory.signing_key("log")?.public().to_string() }))
    }

    fn invite(&self, institution: &str, role: &str, seconds: u64) -> Result<Value, Error> {
        let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
        let name = Institution::new(institution).map_err(|error| usage(&error))?;
        let role = Role::from_name(role).map_err(|error| usage(&error))?;
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| Error::Usage("the system gave no randomness".to_owned()))?;
        let expires = (self.service.clock)().plus_millis(seconds.saturating_mul(1000));
        self.service.invitations.keep(&secret, &name, role, expires)?;
        let genesis = ledger::digest::sha256(&self.service.genesis);
        let wire_role = match role {
            Role::Bank => wire::Role::Bank,
            Role::Auditor => wire::Role::Auditor,
        };
        let identity = Identity::new(*genesis.as_bytes(), wire_role, name.as_str())?;
        let ca = ledger::digest::sha256(self.service.certificates.ca());
        let invitation = Invitation::new(
            self.settings.endpoint.clone(),
            *ca.as_bytes(),
            identity,
            Token::from_bytes(secret),
        )?;
        Ok(json!({
            "institution": institution,
            "expires_ms": expires.as_millis(),
            "invitation": invitation.to_text().as_str(),
        }))
    }

    /// On record first; then live connections end and new handshakes meet the list.
    async fn revoke(&self, institution: &str, reason: String) -> Result<Value, Error> {
        let name =
            Institution::new(institution).map_err(|error| Error::Usage(error.to_string()))?;
        self.submit(Request::Revoke { institution: name, reason }).await?;
        let closed = self.acceptor.revocations().revoke_institution(institution);
        crate::daemon::refresh(&self.service, &self.acceptor)?;
        Ok(json!({ "institution": institution, "connections_closed": closed }))
    }

    /// Reads and sums on a thread that may wait.
    async fn metrics(&self, run: Option<String>, last: u32) -> Result<Value, Error> {
        let run = run.map(|run| run.parse::<RunId>()).transpose();
        let run = run.map_err(|error| Error::Usage(format!("{error}")))?;
        let state = Arc::clone(&self.service.published.borrow().state);
        let (sequencer, blobs) = (self.service.sequencer.clone(), self.service.blobs.clone());
        let reading = move || {
            let leaves = |range| sequencer.leaves_blocking(range);
            let blob = |digest: &_| blobs.get(digest).map_err(|error| Error::storage(&error));
            run_metrics::read(&state, Asked { run, last }, leaves, blob)
        };
        let found = tokio::task::spawn_blocking(reading).await;
        Ok(json!(found.map_err(|_| Error::stopping())??))
    }

    fn status(&self) -> Value {
        let published = Arc::clone(&self.service.published.borrow());
        let mut status = crate::status::status(&published.state);
        if let Value::Object(fields) = &mut status {
            fields.insert("connections".to_owned(), self.acceptor.connections().count().into());
            fields.insert("syncs".to_owned(), self.syncs.count().into());
            fields.insert("checkpoint".to_owned(), published.checkpoint.to_string().into());
        }
        status
    }
}

fn run_of(text: &str) -> Result<RunId, Error> {
    text.parse().map_err(|error| Error::Usage(format!("{error}")))
}
