//! A consortium with a real coordinator in a process of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use coordinator::control::{Command, Reply};
use coordinator::{Directory, Founding, Pages, Settings, found};
use ledger::digest::{Digest, sha256};
use serde_json::Value;
use tempfile::TempDir;
use wire::Invitation;

use crate::program::Daemon;

/// How often a daemon is asked again.
const POLL: Duration = Duration::from_millis(2);
/// No test expects to wait this long; it turns a hang into a failure.
const HANG: Duration = Duration::from_mins(5);

/// A founded consortium, its coordinator running.
#[derive(Debug)]
pub struct Consortium {
    /// The digest of Genesis.
    pub genesis: Digest,
    /// The coordinator's process.
    pub daemon: Daemon,
    folder: TempDir,
}

impl Consortium {
    /// Founds a consortium whose plans need more than half of the banks, and waits until its
    /// coordinator answers.
    pub async fn start() -> Self {
        Self::with_pages(Pages::Members).await
    }

    /// The same, with pages for whom it is told.
    pub async fn with_pages(pages: Pages) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("coordinator");
        let port = free_port();
        let settings = Settings {
            listen: format!("127.0.0.1:{port}"),
            endpoint: format!("localhost:{port}"),
            names: vec!["127.0.0.1".to_owned()],
            certificate_seconds: 3600,
            metrics: String::new(),
            pages,
        };
        let founding = Founding { name: "A test".to_owned(), quorum: (1, 2), settings };
        let genesis = found(&state, &founding).unwrap();
        let daemon = Daemon::start("coordinator", &state);
        let mut consortium = Self { genesis, daemon, folder };
        consortium.status().await;
        consortium.daemon.check();
        consortium
    }

    /// A folder in the consortium's temporary directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the coordinator answers to a command, or its refusal.
    ///
    /// # Errors
    ///
    /// The coordinator's message.
    pub async fn command(&self, command: &Command) -> Result<Value, String> {
        let path = Directory::at(&self.path("coordinator")).control();
        let asked = until(async || wire::control::call(&path, command).await.ok());
        match asked.await {
            Reply::Done(data) => Ok(data),
            Reply::Refused { message, .. } => Err(message),
        }
    }

    /// Where the consortium stands.
    pub async fn status(&self) -> Value {
        self.command(&Command::Status {}).await.unwrap()
    }

    /// Where the consortium stands, without what connections and clocks change.
    pub async fn facts(&self) -> Value {
        let mut status = self.status().await;
        status.as_object_mut().unwrap().remove("connections");
        status
    }

    /// A one-time invitation.
    pub async fn invite(&self, institution: &str, role: &str, seconds: u64) -> Invitation {
        let (institution, role) = (institution.to_owned(), role.to_owned());
        let command = Command::Invite { institution, role, seconds };
        let answer = self.command(&command).await.unwrap();
        Invitation::from_str(answer["invitation"].as_str().unwrap()).unwrap()
    }

    /// Puts a plan before the members.
    pub async fn propose(&self, plan: &str) -> Digest {
        self.command(&Command::Propose { plan: plan.to_owned() }).await.unwrap();
        sha256(plan.as_bytes())
    }

    /// Writes what an auditor gets.
    pub async fn export(&self) -> PathBuf {
        let directory = self.path("export");
        self.command(&Command::Export { directory: directory.clone() }).await.unwrap();
        directory
    }

    /// True if a run has closed its last round.
    pub async fn finished(&self) -> bool {
        let status = self.status().await;
        let ended = status["ended"].as_array().unwrap();
        ended.iter().any(|run| run["finished"] == true)
    }
}

/// Asks until there is an answer.
pub async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            // A process answers when it answers: between two questions there is nothing to wait on.
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(HANG, asking).await.expect("must not hang")
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
