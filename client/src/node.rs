//! The bank's daemon: [follows the log](crate::follower), decides for itself, computes and releases.
//!
//! | file | what it does |
//! |---|---|
//! | `node/agenda.rs` | what there is to do, from verified facts and the bank's ledger alone |
//! | `node/round.rs` | does it: admit, charge, compute, keep, send, acknowledge |
//! | `node/admission.rs` | policy, signatures, rows and meta-initialization, before anything is charged |
//! | `node/answers.rs` | what the daemon answers on its socket |

mod admission;
mod agenda;
mod answers;
mod round;
mod schedule;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use ledger::checkpoint::SignedCheckpoint;
use ledger::record::RunId;
use store::SqliteLog;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};
use wire::proto::LogUpdate;

use crate::data::DataSource;
use crate::follower::{self, Follower, Follows, blocking, locked, signals};
use crate::keys::population_key;
use crate::mirror::{Mirror, Tampered};
use crate::policy::{Policy, PopulationRules};
use crate::population::{CapStanding, Confirmed, Member, Population};
use crate::state_dir::StateDir;
use crate::tasks::{PopulationKey, Tasks};
use crate::{ClientError, clock};
pub use follower::Options;

/// Runs the daemon until it is told to end: by its socket, SIGINT or SIGTERM.
///
/// # Errors
///
/// [`ClientError`] if it cannot start, or finds that the log or the bank's own records were changed.
pub fn run(state: &Path) -> Result<(), ClientError> {
    follower::run(|| serve(Options::new(state), signals()))
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
    let state = options.state.clone();
    let open = move |state| Node::open(options, state);
    follower::serve(&state, open, round::work, answers::answer, shutdown).await
}

/// What went wrong last, where the node has not recovered from it.
#[derive(Default)]
struct Troubles {
    /// In a round.
    working: Option<String>,
    /// In the bank's rows: its releases are noise alone.
    rows: Option<String>,
}

/// A running node.
struct Node {
    follower: Follower,
    policy: Policy,
    source: DataSource,
    population_key: PopulationKey,
    population: Mutex<Population>,
    /// The bank's tasks for the plan of this digest.
    tasks: Mutex<Option<(ledger::digest::Digest, Arc<Tasks>)>>,
    /// When the node learnt of each round of the open run, by its own clock.
    pushed: Mutex<BTreeMap<(RunId, u32), Instant>>,
    trouble: Mutex<Troubles>,
    confirmed: Confirmed,
    /// Something may have become due.
    due: watch::Sender<u64>,
    /// Whether the bank refuses to release.
    stopped: watch::Sender<bool>,
    /// Somebody said so here, and the ledger may not hold it yet.
    halted: AtomicBool,
}

impl Node {
    fn open(options: Options, state: StateDir) -> Result<Arc<Self>, ClientError> {
        let follower = Follower::open(options, state)?;
        let state = &follower.state;
        let policy = Policy::load(&state.path("policy.toml"))?;
        let source = DataSource::load(&state.path("data.toml"))?;
        let (consortium, institution) = {
            let joined = follower.joined();
            (joined.genesis_digest(), joined.institution().clone())
        };
        let at = clock::now();
        let rules = &policy.population;
        let record_key = &follower.keys.record;
        let member = Member { consortium, institution: &institution, record_key };
        let mut population = Population::open(state, rules, &source, &member, at)?;
        population.check_clock(rules, at)?;
        if let CapStanding::PolicyAbove { held } = population.keep_cap(rules, None, at)? {
            let policy = rules.epsilon;
            warn!(
                held,
                policy, "the cap stays as it is until it is raised: ledger raise --epsilon"
            );
        }
        let accepted = confirm(&population, &follower.mirror())?;
        let confirmed = Confirmed { second_place: rules.second_place.clone(), accepted };
        say(&confirmed, rules);
        let stopped = population.ledger.state().stopped().is_some();
        Ok(Arc::new(Self {
            population_key: population_key(state)?,
            follower,
            policy,
            source,
            population: Mutex::new(population),
            tasks: Mutex::new(None),
            pushed: Mutex::new(BTreeMap::new()),
            trouble: Mutex::new(Troubles::default()),
            confirmed,
            due: watch::Sender::new(0),
            stopped: watch::Sender::new(stopped),
            halted: AtomicBool::new(false),
        }))
    }

    fn institution(&self) -> ledger::record::Institution {
        self.follower.joined().institution().clone()
    }

    fn mirror(&self) -> MutexGuard<'_, Mirror<SqliteLog>> {
        self.follower.mirror()
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
}

impl Follows for Node {
    fn follower(&self) -> &Follower {
        &self.follower
    }

    fn took(
        &self,
        update: &LogUpdate,
        mirror: &Mirror<SqliteLog>,
        received: Instant,
    ) -> Result<(), ClientError> {
        let mut pushed = locked(&self.pushed);
        match mirror.facts().open_round() {
            Some(round) => {
                let key = (round.run, round.number);
                pushed.retain(|known, _| *known == key);
                pushed.entry(key).or_insert(received);
            }
            None => pushed.clear(),
        }
        drop(pushed);
        if update.leaves.is_empty() {
            return Ok(());
        }
        // What the log has of us must be what our ledger has released: else the ledger went back, or
        // somebody else signs with our key.
        let population = self.population();
        confirm(&population, mirror).map(drop)
    }

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
