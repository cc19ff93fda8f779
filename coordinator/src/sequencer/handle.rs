//! How the rest of the coordinator speaks with the sequencer.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};

use ledger::digest::Digest;
use ledger::log_store::SmallBlob;
use ledger::receipt::Receipt;
use ledger::record::{Institution, LeafBytes, LogKey, RunId};
use ledger::signing::SigningKey;
use round::decide::Request;
use tokio::sync::oneshot;

use crate::aggregate::Computed;
use crate::error::Error;

/// What the sequencer is asked.
pub(crate) enum Command {
    /// Decide, commit, answer.
    Submit(Submission),
    /// Have this key sign the log from this record on.
    ChangeLogKey { next: SigningKey, record: LogKey, reply: oneshot::Sender<Result<Answer, Error>> },
    /// The aggregator is done.
    Computed(Result<Computed, Error>),
    /// Read leaves, as far as the log reaches.
    Read { range: Range<u64>, reply: oneshot::Sender<Result<Vec<LeafBytes>, Error>> },
    /// Write what an auditor gets; the answer is the number of leaves.
    Export { directory: PathBuf, reply: oneshot::Sender<Result<u64, Error>> },
    /// The log or the state cannot be trusted: end with this error, and sign nothing further.
    Fail(Error),
    /// End after this turn.
    Stop,
}

/// A request with what must become durable in the same commit.
pub(crate) struct Submission {
    pub(crate) request: Request,
    pub(crate) blobs: Vec<SmallBlob>,
    /// The contribution's vector, for the running sum.
    pub(crate) vector: Option<Vector>,
    pub(crate) reply: Option<oneshot::Sender<Result<Answer, Error>>>,
}

/// An accepted vector: i32 little-endian.
pub(crate) struct Vector {
    pub(crate) run: RunId,
    pub(crate) round: u32,
    pub(crate) institution: Institution,
    /// SHA-256 of the bytes, checked as they came in.
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The proof of the first record that it led to, or of the one that it led to before.
    pub(crate) receipt: Option<Receipt>,
    /// True if what was recorded is evidence against the caller.
    pub(crate) convicted: bool,
}

impl Submission {
    pub(crate) fn unanswered(request: Request, blobs: Vec<SmallBlob>) -> Self {
        Self { request, blobs, vector: None, reply: None }
    }
}

/// A sender of commands. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: SyncSender<Command>,
}

impl Handle {
    pub(crate) fn new(commands: SyncSender<Command>) -> Self {
        Self { commands }
    }

    /// Decides and commits a request.
    pub(crate) async fn submit(
        &self,
        request: Request,
        blobs: Vec<SmallBlob>,
        vector: Option<Vector>,
    ) -> Result<Answer, Error> {
        self.ask(|reply| Command::Submit(Submission { request, blobs, vector, reply: Some(reply) }))
            .await
    }

    /// Changes the log's key to `next`.
    pub(crate) async fn change_log_key(
        &self,
        next: SigningKey,
        record: LogKey,
    ) -> Result<Answer, Error> {
        self.ask(|reply| Command::ChangeLogKey { next, record, reply }).await
    }

    /// The leaves in `range`, as far as the log reaches.
    pub(crate) async fn leaves(&self, range: Range<u64>) -> Result<Vec<LeafBytes>, Error> {
        self.ask(|reply| Command::Read { range, reply }).await
    }

    /// The leaves in `range`, as far as the log reaches. Blocks, also while the queue is full: for
    /// threads, not for tasks.
    pub(crate) fn leaves_blocking(&self, range: Range<u64>) -> Result<Vec<LeafBytes>, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Read { range, reply }).map_err(|_| Error::stopping())?;
        answer.blocking_recv().map_err(|_| Error::stopping())?
    }

    /// Tells the sequencer to end with this error. Blocks while the queue is full.
    pub(crate) fn fail(&self, error: Error) {
        // An error means that it has ended already.
        let _ = self.commands.send(Command::Fail(error));
    }

    /// Writes what an auditor gets; the answer is the number of leaves.
    pub(crate) async fn export(&self, directory: PathBuf) -> Result<u64, Error> {
        self.ask(|reply| Command::Export { directory, reply }).await
    }

    /// Tells the sequencer to end after its turn.
    pub(crate) fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.commands.send(Command::Stop);
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Daemon {
                message: "the coordinator is overloaded: try again".to_owned(),
                exit_code: 1,
            },
            TrySendError::Disconnected(_) => Error::stopping(),
        })?;
        answer.await.map_err(|_| Error::stopping())?
    }
}
