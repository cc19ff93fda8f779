//! A witness that is nothing else: it follows the log as a member, verifies everything that a bank does, and cosigns.
//!
//! It needs its keys and its certificate, and no policy, no rows and no ledger; it can charge and release nothing. Auditors run it, and
//! whoever else the consortium invited to watch.

use std::path::Path;
use std::sync::Arc;

use store::SqliteLog;
use tokio::time::Instant;
use tracing::info;
use wire::Role;
use wire::proto::LogUpdate;

use crate::control::{Answer, Command};
use crate::follower::{self, Follower, Follows, Options, signals};
use crate::mirror::Mirror;
use crate::{ClientError, Exit};

/// Runs the witness until it is told to end: by its socket, SIGINT or SIGTERM.
///
/// # Errors
///
/// [`ClientError`] if it cannot start, or finds that the log was changed.
pub fn run(state: &Path) -> Result<(), ClientError> {
    follower::run(|| serve(Options::new(state), signals()))
}

/// Runs the witness in the caller's runtime until `shutdown` resolves or its socket says so.
///
/// # Errors
///
/// As [`run`].
pub async fn serve(
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ClientError> {
    let state = options.state.clone();
    let open = move |state| {
        let follower = Follower::open(options, state)?;
        if follower.joined().role() == Role::Bank {
            info!("this bank's node would cosign too, and compare the log with the bank's ledger");
        }
        Ok(Arc::new(Outside { follower }))
    };
    // There is nothing else to do.
    follower::serve(&state, open, |_| std::future::pending(), answer, shutdown).await
}

struct Outside {
    follower: Follower,
}

impl Follows for Outside {
    fn follower(&self) -> &Follower {
        &self.follower
    }

    fn took(&self, _: &LogUpdate, _: &Mirror<SqliteLog>, _: Instant) -> Result<(), ClientError> {
        Ok(())
    }

    fn wake(&self) {}
}

async fn answer(outside: Option<Arc<Outside>>, command: Command) -> Answer {
    let failed = |exit: Exit, message: &str| Answer::Failed {
        exit_code: exit.code(),
        message: message.to_owned(),
    };
    let Some(outside) = outside else { return failed(Exit::Failure, "the witness is ending") };
    match command {
        Command::Status {} => {
            // The copy may be in use for as long as an update takes to verify.
            let status = follower::blocking(move || Ok(outside.follower.status())).await;
            status.map_or_else(
                |error| failed(error.exit(), &error.to_string()),
                |status| Answer::Status(Box::new(status)),
            )
        }
        Command::Shutdown {} => {
            info!("told to end");
            outside.follower.ending.notify_one();
            Answer::Done {}
        }
        Command::Ledger {}
        | Command::Stop { .. }
        | Command::Resume { .. }
        | Command::Void { .. }
        | Command::Export { .. }
        | Command::Receipts {} => failed(Exit::Usage, "a witness has no ledger and no receipts"),
    }
}
