//! A member that follows the log: it verifies what it is sent, cosigns what it has verified, and keeps its certificate alive.
//!
//! A [bank's node](crate::node) does this and more; a [witness](crate::witness::daemon) that is nothing else does no more.
//!
//! | file | what it does |
//! |---|---|
//! | `follower/stream.rs` | holds the stream, has every update verified and cosigned, comes back by itself |
//! | `follower/proof.rs` | what convicts the log's key, from its own other history |
//! | `follower/certificate.rs` | a new certificate at half life |

mod certificate;
mod proof;
mod stream;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::SqliteLog;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};
use wire::proto::LogUpdate;
use wire::tls::{Clock, system_clock};
use wire::{Connection, Validity};

use crate::ClientError;
use crate::backoff::Backoff;
use crate::control::{Answer, Command, NodeStatus, refuse, socket};
use crate::joined::Joined;
use crate::keys::Keys;
use crate::mirror::{Mirror, Tampered};
use crate::state_dir::StateDir;
use crate::witness::Witness;

/// How long blocking work that is under way at the end may take.
const GRACE: Duration = Duration::from_secs(20);
/// How often an ending daemon looks whether work is still under way.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The newest checkpoint that a daemon has verified, for commands that fetch the log themselves.
pub(crate) const NEWEST_CHECKPOINT: &str = "log/newest.checkpoint";

/// What a daemon runs with.
#[derive(Clone)]
pub struct Options {
    /// The state directory.
    pub state: PathBuf,
    /// The clock that certificates are checked against.
    pub clock: Clock,
    /// Time in which the next piece of a transfer must come.
    pub progress: Duration,
    /// Waits between attempts.
    pub backoff: Backoff,
}

impl Options {
    /// The usual, for the state directory `state`.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            clock: system_clock(),
            progress: wire::limits::PROGRESS_TIMEOUT,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(30)),
        }
    }
}

/// What follows the log.
pub(crate) struct Follower {
    pub(crate) options: Options,
    pub(crate) state: StateDir,
    pub(crate) keys: Keys,
    joined: Mutex<Joined>,
    mirror: Mutex<Mirror<SqliteLog>>,
    witness: Mutex<Witness>,
    /// What went wrong last in following, where it has not recovered from it.
    trouble: Mutex<Option<String>>,
    /// The connection while there is one.
    pub(crate) connection: watch::Sender<Option<Connection>>,
    /// The stream is to be opened anew, with the new certificate.
    reconnect: Notify,
    /// The process is to end.
    pub(crate) ending: Notify,
}

/// What a daemon does beside following the log.
pub(crate) trait Follows: Send + Sync + 'static {
    /// What follows it.
    fn follower(&self) -> &Follower;

    /// An update that arrived at `received` has led to what `mirror` now holds. The lock on it is held.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if what the log now says cannot be.
    fn took(
        &self,
        update: &LogUpdate,
        mirror: &Mirror<SqliteLog>,
        received: Instant,
    ) -> Result<(), ClientError>;

    /// Something may have become due.
    fn wake(&self);
}

impl Follower {
    /// Opens what `state` holds, unless the log was found to be changed before.
    ///
    /// # Errors
    ///
    /// [`ClientError::Tampered`] if it was, or the copy is not sound; [`ClientError`] if something cannot be read.
    pub(crate) fn open(options: Options, state: StateDir) -> Result<Self, ClientError> {
        if let Some(tampered) = Tampered::load(&state)? {
            return Err(ClientError::Tampered(Box::new(tampered)));
        }
        let joined = Joined::load(&state)?;
        let keys = Keys::load_or_create(&state)?;
        let (log, _) = store::open(&state.directory("log")?)?;
        let institution = joined.institution().clone();
        let mirror = Mirror::open(log, joined.log(), institution.clone(), keys.record.public())?;
        let witness = Witness::open(&state, &mirror.keys(), &institution, &keys.cosign)?;
        Ok(Self {
            options,
            state,
            keys,
            joined: Mutex::new(joined),
            mirror: Mutex::new(mirror),
            witness: Mutex::new(witness),
            trouble: Mutex::default(),
            connection: watch::Sender::new(None),
            reconnect: Notify::new(),
            ending: Notify::new(),
        })
    }

    /// The membership.
    pub(crate) fn joined(&self) -> MutexGuard<'_, Joined> {
        locked(&self.joined)
    }

    /// The verified copy.
    pub(crate) fn mirror(&self) -> MutexGuard<'_, Mirror<SqliteLog>> {
        locked(&self.mirror)
    }

    /// Where it stands, as far as following goes.
    pub(crate) fn status(&self) -> NodeStatus {
        let joined = self.joined().clone();
        let mirror = self.mirror();
        let validity = Validity::of_certificate(joined.certificate()).ok();
        NodeStatus {
            running: true,
            institution: joined.institution().to_string(),
            consortium: joined.genesis_digest().to_string(),
            endpoint: joined.endpoint().to_owned(),
            connected: self.connection.borrow().is_some(),
            verified_records: mirror.head().size,
            certificate_until_ms: validity.map_or(0, Validity::not_after_ms),
            run: mirror.facts().run().map(|run| run.id.to_string()),
            round: mirror.facts().open_round().map(|round| round.number),
            trouble: self.trouble(),
            ..NodeStatus::default()
        }
    }

    /// What went wrong last in following.
    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }
}

/// Runs a daemon in a runtime of its own until it is told to end: by its socket, SIGINT or SIGTERM.
pub(crate) fn run<S>(serve: impl FnOnce() -> S) -> Result<(), ClientError>
where
    S: Future<Output = Result<(), ClientError>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| ClientError::Internal(error.to_string()))?;
    let served = runtime.block_on(async { serve().await });
    // A computation under way may still become durable; what is not is done again at the next start.
    runtime.shutdown_timeout(GRACE);
    served
}

/// Follows the log with what `open` makes, does `work` and answers on the socket until `shutdown` resolves or the socket says so.
pub(crate) async fn serve<F, W, A>(
    state: &Path,
    open: impl FnOnce(StateDir) -> Result<Arc<F>, ClientError> + Send + 'static,
    work: impl FnOnce(Arc<F>) -> W,
    answer: fn(Option<Arc<F>>, Command) -> A,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ClientError>
where
    F: Follows,
    W: Future<Output = Result<(), ClientError>>,
    A: Future<Output = Answer> + Send + 'static,
{
    let state = StateDir::open(state)?;
    let lock = state.lock()?;
    let daemon = blocking(move || open(state)).await?;
    let follower = daemon.follower();
    let control = wire::control::Control::bind(&socket(&follower.state))?;
    let conversations = control.conversations();
    // A caller that says nothing must not keep the daemon open.
    let answering = Arc::downgrade(&daemon);
    let answers = control.serve(move |command| answer(answering.upgrade(), command), refuse);
    {
        let joined = follower.joined();
        info!(institution = %joined.institution(), endpoint = %joined.endpoint(), "started");
    }
    let ended = tokio::select! {
        ended = stream::follow(Arc::clone(&daemon)) => ended,
        ended = work(Arc::clone(&daemon)) => ended,
        ended = certificate::renew(Arc::clone(&daemon)) => ended,
        () = answers => Ok(()),
        () = shutdown => Ok(()),
        () = follower.ending.notified() => Ok(()),
    };
    // Whoever said so is told before the process ends.
    conversations.ended().await;
    // A socket that nobody answers would only confuse; were it left, the next start replaces it.
    let _ = std::fs::remove_file(socket(&follower.state));
    if let Err(ClientError::Tampered(tampered)) = &ended {
        error!(%tampered, "nothing is released or cosigned any more until an operator has looked at this");
        tampered.save(&follower.state)?;
    }
    closed(daemon).await;
    drop(lock);
    ended
}

/// Waits until nothing works on the daemon any more, so that its stores are closed: a computation
/// under way still becomes durable.
async fn closed<F>(daemon: Arc<F>) {
    let waiting = async {
        while Arc::strong_count(&daemon) > 1 {
            sleep(LOOK_AGAIN).await;
        }
    };
    if timeout(GRACE, waiting).await.is_err() {
        warn!("the process ends while work is under way; it is done again at the next start");
    }
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ClientError::Internal(error.to_string()))?
}

/// What a lock guards is whole at every step, so a panic elsewhere while it was held does no harm.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SIGINT or SIGTERM.
pub(crate) async fn signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler the signal ends the process at once, which is safe at any moment.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
