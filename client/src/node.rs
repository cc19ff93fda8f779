//! The daemon: follows the log, decides for itself, computes and releases.
//!
//! | file | what it does |
//! |---|---|
//! | `node/follow.rs` | holds the stream, has every update verified, comes back by itself |
//! | `node/agenda.rs` | what there is to do, from verified facts and the bank's ledger alone |
//! | `node/round.rs` | does it: admit, charge, compute, keep, send, acknowledge |
//! | `node/admission.rs` | policy, signatures, rows and meta-initialization, before anything is charged |
//! | `node/certificate.rs` | a new certificate at half life |
//! | `node/answers.rs` | what the daemon answers on its socket |

mod admission;
mod agenda;
mod answers;
mod certificate;
mod follow;
mod round;
mod schedule;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger::checkpoint::SignedCheckpoint;
use ledger::record::RunId;
use store::SqliteLog;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};
use wire::Connection;
use wire::tls::{Clock, system_clock};

use crate::backoff::Backoff;
use crate::control::socket;
use crate::data::DataSource;
use crate::joined::Joined;
use crate::keys::{Keys, population_key};
use crate::mirror::{Mirror, Tampered};
use crate::policy::{Policy, PopulationRules};
use crate::population::{CapStanding, Confirmed, Member, Population};
use crate::state_dir::StateDir;
use crate::tasks::{PopulationKey, Tasks};
use crate::witness::Witness;
use crate::{ClientError, clock};

/// How long blocking work that is under way at the end may take.
const GRACE: Duration = Duration::from_secs(20);
/// How often an ending node looks whether work is still under way.
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

/// Runs the daemon until it is told to end: by its socket, SIGINT or SIGTERM.
///
/// # Errors
///
/// [`ClientError`] if it cannot start, or finds that the log or the bank's own records were changed.
pub fn run(state: &Path) -> Result<(), ClientError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| ClientError::Internal(error.to_string()))?;
    let served = runtime.block_on(serve(Options::new(state), signals()));
    // A computation under way may still become durable; what is not is done again at the next start.
    runtime.shutdown_timeout(GRACE);
    served
}

/// Runs the daemon in the caller's runtime until `shutdown` resolves or its socket says so.
///
/// # Errors
///
/// As [`run`].
pub async fn serve(
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ClientError> {
    let state = StateDir::open(&options.state)?;
    let lock = state.lock()?;
    let node = blocking(move || Node::open(options, state)).await?;
    let control = wire::control::Control::bind(&socket(&node.state))?;
    let conversations = control.conversations();
    // A caller that says nothing must not keep the node open.
    let answering = Arc::downgrade(&node);
    let answers = control.serve(
        move |command| {
            let node = answering.upgrade();
            async move { answers::answer(node, command).await }
        },
        answers::refuse,
    );
    info!(institution = %node.institution(), endpoint = %node.joined().endpoint(), "node started");
    let ended = tokio::select! {
        ended = follow::follow(Arc::clone(&node)) => ended,
        ended = round::work(Arc::clone(&node)) => ended,
        ended = certificate::renew(Arc::clone(&node)) => ended,
        () = answers => Ok(()),
        () = shutdown => Ok(()),
        () = node.ending.notified() => Ok(()),
    };
    // Whoever said so is told before the process ends.
    conversations.ended().await;
    // A socket that nobody answers would only confuse; were it left, the next start replaces it.
    let _ = std::fs::remove_file(socket(&node.state));
    if let Err(ClientError::Tampered(tampered)) = &ended {
        error!(%tampered, "nothing is released any more until an operator has looked at this");
        tampered.save(&node.state)?;
    }
    closed(node).await;
    drop(lock);
    ended
}

/// Waits until nothing works on the node any more, so that its stores are closed: a computation
/// under way still becomes durable.
async fn closed(node: Arc<Node>) {
    let waiting = async {
        while Arc::strong_count(&node) > 1 {
            sleep(LOOK_AGAIN).await;
        }
    };
    if timeout(GRACE, waiting).await.is_err() {
        warn!("the node ends while work is under way; it is done again at the next start");
    }
}

/// What went wrong last, where the node has not recovered from it.
#[derive(Default)]
struct Troubles {
    /// In following the log.
    following: Option<String>,
    /// In a round.
    working: Option<String>,
    /// In the bank's rows: its releases are noise alone.
    rows: Option<String>,
}

/// A running node.
struct Node {
    options: Options,
    state: StateDir,
    keys: Keys,
    policy: Policy,
    source: DataSource,
    population_key: PopulationKey,
    joined: Mutex<Joined>,
    mirror: Mutex<Mirror<SqliteLog>>,
    population: Mutex<Population>,
    witness: Mutex<Witness>,
    /// The bank's tasks for the plan of this digest.
    tasks: Mutex<Option<(ledger::digest::Digest, Arc<Tasks>)>>,
    /// When the node learnt of each round of the open run, by its own clock.
    pushed: Mutex<BTreeMap<(RunId, u32), Instant>>,
    trouble: Mutex<Troubles>,
    confirmed: Confirmed,
    /// The connection while there is one.
    connection: watch::Sender<Option<Connection>>,
    /// Something may have become due.
    due: watch::Sender<u64>,
    /// Whether the bank refuses to release.
    stopped: watch::Sender<bool>,
    /// Somebody said so here, and the ledger may not hold it yet.
    halted: AtomicBool,
    /// The stream is to be opened anew, with the new certificate.
    reconnect: Notify,
    ending: Notify,
}

impl Node {
    fn open(options: Options, state: StateDir) -> Result<Arc<Self>, ClientError> {
        if let Some(tampered) = Tampered::load(&state)? {
            return Err(ClientError::Tampered(Box::new(tampered)));
        }
        let joined = Joined::load(&state)?;
        let keys = Keys::load_or_create(&state)?;
        let policy = Policy::load(&state.path("policy.toml"))?;
        let source = DataSource::load(&state.path("data.toml"))?;
        let (log, _) = store::open(&state.directory("log")?)?;
        let institution = joined.institution().clone();
        let mirror = Mirror::open(log, joined.log(), institution.clone(), keys.record.public())?;
        let witness = Witness::open(&state, &mirror.keys(), &institution, &keys.cosign)?;
        let at = clock::now();
        let rules = &policy.population;
        let member = Member {
            consortium: joined.genesis_digest(),
            institution: &institution,
            record_key: &keys.record,
        };
        let mut population = Population::open(&state, rules, &source, &member, at)?;
        population.check_clock(rules, at)?;
        if let CapStanding::PolicyAbove { held } = population.keep_cap(rules, None, at)? {
            let policy = rules.epsilon;
            warn!(
                held,
                policy, "the cap stays as it is until it is raised: ledger raise --epsilon"
            );
        }
        let accepted = confirm(&population, &mirror)?;
        let confirmed = Confirmed { second_place: rules.second_place.clone(), accepted };
        say(&confirmed, rules);
        let stopped = population.ledger.state().stopped().is_some();
        Ok(Arc::new(Self {
            population_key: population_key(&state)?,
            options,
            state,
            keys,
            policy,
            source,
            joined: Mutex::new(joined),
            mirror: Mutex::new(mirror),
            population: Mutex::new(population),
            witness: Mutex::new(witness),
            tasks: Mutex::new(None),
            pushed: Mutex::new(BTreeMap::new()),
            trouble: Mutex::new(Troubles::default()),
            confirmed,
            connection: watch::Sender::new(None),
            due: watch::Sender::new(0),
            stopped: watch::Sender::new(stopped),
            halted: AtomicBool::new(false),
            reconnect: Notify::new(),
            ending: Notify::new(),
        }))
    }

    fn institution(&self) -> ledger::record::Institution {
        self.joined().institution().clone()
    }

    fn joined(&self) -> MutexGuard<'_, Joined> {
        locked(&self.joined)
    }

    fn mirror(&self) -> MutexGuard<'_, Mirror<SqliteLog>> {
        locked(&self.mirror)
    }

    fn population(&self) -> MutexGuard<'_, Population> {
        locked(&self.population)
    }

    /// The ledger with all that other nodes of the bank have written to it. A stop by one of them holds for this one.
    fn fresh_population(&self) -> Result<MutexGuard<'_, Population>, ClientError> {
        let mut population = self.population();
        population.refresh()?;
        let stopped =
            population.ledger.state().stopped().is_some() || self.halted.load(Ordering::SeqCst);
        self.stopped.send_if_modified(|known| std::mem::replace(known, stopped) != stopped);
        Ok(population)
    }

    /// Says that something may have become due.
    fn wake(&self) {
        self.due.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Says what stands behind the ledger's head, and what nobody looks for.
fn say(confirmed: &Confirmed, rules: &PopulationRules) {
    let Confirmed { second_place, accepted } = confirmed;
    match (second_place, accepted) {
        (Some(place), _) => {
            info!(second_place = %place.display(), accepted, "the ledger's head is confirmed");
        }
        (None, 0) => warn!("the ledger's head is confirmed by nothing yet: name a second_place"),
        (None, _) => info!(accepted, "the ledger holds every contribution that the log has of us"),
    }
    if rules.registry.is_none() {
        warn!("customers of another population of this bank are not looked for: name a registry");
    }
}

/// How many contributions in the log the ledger holds: all, or it went back.
fn confirm(population: &Population, mirror: &Mirror<SqliteLog>) -> Result<usize, ClientError> {
    population.confirm(mirror.facts()).map_err(|reason| {
        let checkpoint = mirror.checkpoint().map(SignedCheckpoint::text);
        let tampered = Tampered::of_own_ledger(&reason, mirror.head(), checkpoint);
        ClientError::Tampered(Box::new(tampered))
    })
}

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ClientError::Internal(error.to_string()))?
}

/// What a lock guards is whole at every step, so a panic elsewhere while it was held does no harm.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SIGINT or SIGTERM.
async fn signals() {
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
