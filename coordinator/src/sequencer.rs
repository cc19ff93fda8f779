//! The one writer: requests go in, records come out, in one order.
//!
//! A single thread holds the state and the log. It takes what has queued up, decides each request
//! against the state that the ones before it lead to, commits all their records in one append (one
//! fsync), signs one checkpoint and answers everybody with a proof. So fewer fsyncs than requests are
//! needed the busier it gets, and no lock is ever held across a write.
//!
//! | crash | what recovery finds |
//! |---|---|
//! | before the append returns | all of the batch or none; nobody was answered; clients ask again |
//! | after the append, before the checkpoint | the records; the checkpoint is signed again, to the same bytes |
//! | after the checkpoint, before an answer | the record; the retry is answered with a fresh proof of the same leaf |
//! | between an accepted contribution and the close | the contributions; the sum is computed again |
//! | while a snapshot is written | the one before; a longer tail is replayed |
//! | before the close is committed | the model's blobs, perhaps, and no record of them; the same bytes are computed again |

mod batch;
mod handle;
mod published;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

pub(crate) use handle::{Answer, Command, Handle, Submission, Vector};
use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::Digest;
use ledger::log_store::{BlobStore, LogStore};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use ledger::tree::Head;
pub(crate) use published::{Published, Tail};
use round::decide::{Request, Work, wake, work};
use round::state::State;
use round::{Refusal, Violation};
use tokio::sync::watch;

use crate::aggregate::{self, Job};
use crate::error::Error;
use crate::library::Library;
use crate::log_keys::LogSigners;
use crate::recovery::snapshot;
use crate::witnesses::Witnesses;

/// How many commands one commit takes at most.
const BATCH_MAX: usize = 1024;
/// After how many leaves at least a snapshot is kept.
const SNAPSHOT_LEAVES: u64 = 1024;
/// The longest wait without looking at the clock again.
const NAP_MAX: Duration = Duration::from_secs(1);

/// The keys that the coordinator signs with.
pub(crate) struct Keys {
    pub(crate) operator: SigningKey,
    pub(crate) log: LogSigners,
}

/// The one writer.
pub(crate) struct Sequencer<L, B> {
    log: L,
    blobs: B,
    keys: Keys,
    genesis: Digest,
    state: Arc<State>,
    inbox: Receiver<Command>,
    aggregator: aggregate::Handle,
    /// True while the aggregator works on what is due.
    computing: bool,
    published: watch::Sender<Arc<Published>>,
    tail: Arc<Tail>,
    library: Arc<Library>,
    witnesses: Arc<Witnesses>,
    /// How many leaves the kept snapshot covers.
    covered: u64,
    clock: fn() -> Timestamp,
}

/// What a sequencer is made of.
pub(crate) struct Parts<L, B> {
    pub(crate) log: L,
    pub(crate) blobs: B,
    pub(crate) keys: Keys,
    pub(crate) genesis: Digest,
    pub(crate) state: State,
    pub(crate) inbox: Receiver<Command>,
    pub(crate) aggregator: aggregate::Handle,
    pub(crate) library: Arc<Library>,
    pub(crate) witnesses: Arc<Witnesses>,
    /// How many leaves the kept snapshot covers; 0 if there is none.
    pub(crate) covered: u64,
    pub(crate) clock: fn() -> Timestamp,
}

/// What everybody may look at while the sequencer works.
pub(crate) struct Window {
    pub(crate) published: watch::Receiver<Arc<Published>>,
    pub(crate) tail: Arc<Tail>,
}

impl<L: LogStore, B: BlobStore> Sequencer<L, B> {
    /// A sequencer that has published what it recovered: the checkpoint is signed here again, to the
    /// same bytes, should a crash have come before it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] if the checkpoint cannot be kept.
    pub(crate) fn new(parts: Parts<L, B>) -> Result<(Self, Window), Error> {
        let Parts {
            mut log,
            blobs,
            keys,
            genesis,
            state,
            inbox,
            aggregator,
            library,
            witnesses,
            covered,
            clock,
        } = parts;
        let checkpoint = first_checkpoint(&log, &keys.log, &genesis, &state)?;
        log.put_checkpoint(&checkpoint).map_err(|error| Error::storage(&error))?;
        let state = Arc::new(state);
        let (published, looked_at) =
            watch::channel(Arc::new(Published::new(Arc::clone(&state), &checkpoint)));
        let tail = Arc::new(Tail::default());
        let sequencer = Self {
            log,
            blobs,
            keys,
            genesis,
            state,
            inbox,
            aggregator,
            computing: false,
            published,
            tail: Arc::clone(&tail),
            library,
            witnesses,
            covered,
            clock,
        };
        Ok((sequencer, Window { published: looked_at, tail }))
    }

    /// Serves commands until all handles are gone, it is told to stop, or storage fails. What it ends
    /// with is kept as a snapshot, unless it fails.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] or [`Error::Damaged`], also if it is told of them: then nothing further may
    /// be promised, and the process ends.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        self.set_to_work();
        loop {
            let mut commands = vec![];
            match self.inbox.recv_timeout(self.nap()) {
                Ok(command) => commands.push(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.keep_snapshot(),
            }
            commands.extend(self.inbox.try_iter().take(BATCH_MAX));
            if !self.turn(commands)? {
                return self.keep_snapshot();
            }
            // In step with what a snapshot holds, so that all of them together cost a constant a leaf.
            let due = SNAPSHOT_LEAVES.max(self.covered / 8);
            if self.state.size.saturating_sub(self.covered) >= due {
                self.keep_snapshot()?;
            }
        }
    }

    /// One turn: everything that has queued up, and what time has brought. False once told to stop.
    fn turn(&mut self, commands: Vec<Command>) -> Result<bool, Error> {
        let mut batch = batch::Batch::new(&self.state, &self.keys, (self.clock)());
        let (mut going, mut next_key) = (true, None);
        for command in commands {
            match command {
                Command::Submit(submission) => batch.submit(submission),
                Command::ChangeLogKey { next, record, reply } => {
                    match check_anchor(&self.log, &record.change.anchor) {
                        Ok(()) => {
                            next_key = Some(next);
                            batch.submit(Submission {
                                request: Request::ChangeLogKey(record),
                                blobs: vec![],
                                vector: None,
                                reply: Some(reply),
                            });
                        }
                        // Whoever asked may be gone.
                        Err(error) => drop(reply.send(Err(error))),
                    }
                }
                Command::Computed(computed) => {
                    self.computing = false;
                    let computed = computed?;
                    batch.submit(Submission::unanswered(computed.request, computed.blobs));
                }
                Command::Read { range, reply } => {
                    let leaves = self.log.leaves(range).map_err(|error| Error::storage(&error));
                    let _ = reply.send(leaves);
                }
                Command::Export { directory, reply } => {
                    let _ = reply.send(self.export(&directory));
                }
                // Nothing of this turn is committed or signed; who asked hears that it stops.
                Command::Fail(error) => return Err(error),
                Command::Stop => going = false,
            }
        }
        if wake(&self.state).is_some_and(|due| due <= batch.at()) || self.waiting_run() {
            batch.submit(Submission::unanswered(Request::Tick, vec![]));
        }
        let decided = batch.finish();
        if let Some(key) = next_key {
            self.keys.log.add(key);
        }
        self.commit(decided)?;
        self.set_to_work();
        Ok(going)
    }

    /// True if a plan may have its quorum while nothing runs.
    fn waiting_run(&self) -> bool {
        let consortium = self.state.consortium.as_ref();
        consortium.is_some_and(|c| c.run.is_none() && !c.proposals.is_empty())
    }

    /// Commits a batch in one append, then signs, folds, publishes and answers.
    fn commit(&mut self, decided: batch::Decided) -> Result<(), Error> {
        let batch::Decided { state, leaves, blobs, vectors, answers, failure } = decided;
        if let Some(error) = failure {
            return Err(error);
        }
        if !leaves.is_empty() {
            let expected = self.log.head();
            for leaf in &leaves {
                self.library.note(leaf);
            }
            let bytes: Vec<_> = leaves.into_iter().map(ledger::record::Leaf::into_bytes).collect();
            // Durable from here on, or an error and the end of this process.
            let head = self
                .log
                .append(&expected, &bytes, &blobs)
                .map_err(|error| Error::storage(&error))?;
            let key = signer(&self.keys.log, &state)?;
            let checkpoint = SignedCheckpoint::sign(&self.genesis, head, key)
                .map_err(|error| Error::storage(&error))?;
            self.log.put_checkpoint(&checkpoint).map_err(|error| Error::storage(&error))?;
            self.state = Arc::new(state);
            self.tail.extend(expected.size, bytes);
            let published = Published::new(Arc::clone(&self.state), &checkpoint);
            self.published.send_replace(Arc::new(published));
            for vector in vectors {
                self.aggregator.send(Job::Add(vector));
            }
        }
        let checkpoint = Arc::clone(&self.published.borrow().checkpoint);
        let nodes = batch::Nodes::of(&self.log);
        for answer in answers {
            answer.send(&nodes, &checkpoint);
        }
        Ok(())
    }

    /// Keeps a snapshot of what is committed, unless the kept one is of the same.
    fn keep_snapshot(&mut self) -> Result<(), Error> {
        if self.state.size == self.covered {
            return Ok(());
        }
        let key = signer(&self.keys.log, &self.state)?;
        let sealed = snapshot::seal(&self.log, &self.state, &self.library, &self.genesis, key)?;
        self.log.put_snapshot(&sealed).map_err(|error| Error::storage(&error))?;
        self.covered = sealed.size;
        tracing::debug!(records = sealed.size, bytes = sealed.bytes.len(), "snapshot kept");
        Ok(())
    }

    /// Hands the aggregator what is due; one piece of work at a time.
    fn set_to_work(&mut self) {
        if self.computing {
            return;
        }
        let (Some(run), Some(work)) = (self.state.run(), work(&self.state, (self.clock)())) else {
            return;
        };
        let job = match (work, self.state.round(), run.model) {
            (Work::Initialize(plan), ..) => Job::Initialize { run: run.id, plan },
            (Work::Aggregate(plan), Some(round), Some(model)) => Job::Finish {
                run: run.id,
                plan,
                round: round.number,
                survivors: round
                    .accepted
                    .iter()
                    .map(|(name, accepted)| (name.clone(), accepted.contribution.vector))
                    .collect(),
                model,
            },
            (Work::Aggregate(_), ..) => return,
        };
        self.computing = true;
        self.aggregator.send(job);
    }

    /// How long nothing can happen by time alone.
    fn nap(&self) -> Duration {
        let due = wake(&self.state);
        due.map_or(NAP_MAX, |due| {
            Duration::from_millis(due.millis_since((self.clock)())).min(NAP_MAX)
        })
    }

    /// Writes what an auditor gets.
    fn export(&self, directory: &std::path::Path) -> Result<u64, Error> {
        let own = Arc::clone(&self.published.borrow().checkpoint);
        let cosigned = self.witnesses.of(self.state.size);
        let checkpoint = cosigned.as_deref().unwrap_or(&own);
        crate::export::write(&self.log, &self.blobs, checkpoint, directory)
    }
}

/// The key that signs the log as it is after `state`.
fn signer<'a>(keys: &'a LogSigners, state: &State) -> Result<&'a SigningKey, Error> {
    let key = state.consortium.as_ref().and_then(|c| keys.of_size(state.size, &c.log_keys));
    key.ok_or_else(|| {
        Error::Damaged("the key that signs the log is neither log.pem nor log.next.pem".to_owned())
    })
}

/// The checkpoint of the log as it was found. If the key is lost, the kept one may serve until another key follows.
fn first_checkpoint<L: LogStore>(
    log: &L,
    keys: &LogSigners,
    genesis: &Digest,
    state: &State,
) -> Result<SignedCheckpoint, Error> {
    let lost = match signer(keys, state) {
        Ok(key) => {
            let signed = SignedCheckpoint::sign(genesis, log.head(), key);
            return signed.map_err(|error| Error::storage(&error));
        }
        Err(lost) => lost,
    };
    let kept = log.checkpoint().map_err(|error| Error::storage(&error))?;
    let opened = kept.zip(state.consortium.as_ref()).map(|(text, c)| c.log_keys.open(&text));
    match opened {
        Some(Ok(checkpoint)) if checkpoint.head() == log.head() => {
            tracing::warn!(%lost, "nothing is recorded until the log has another key");
            Ok(checkpoint)
        }
        _ => Err(lost),
    }
}

/// A change of the log's key is refused whose signers hold another history true.
fn check_anchor<L: LogStore>(log: &L, anchor: &Head) -> Result<(), Error> {
    if log.extends(anchor).map_err(|error| Error::storage(&error))? {
        return Ok(());
    }
    let field = "log_key.root";
    Err(Error::Refused(Refusal::Rules(Violation::Field { field })))
}

#[cfg(test)]
mod figures;
#[cfg(test)]
mod tests;
