//! Opening a population's ledger, wherever it lies, and registering the population in an empty one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::population::{
    LedgerError, Opened, PopulationLedger, Sketch, UnitRelation as LedgerRelation, Violation,
};
use ledger::record::{Institution, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::UnitRelation;
use store::{Blobs, SqliteLog};

use super::Population;
use crate::ClientError;
use crate::data::{DataSource, unit_names};
use crate::keys::{fill_random, ledger_key};
use crate::policy::PopulationRules;
use crate::registry::Registry;
use crate::state_dir::{StateDir, must_be_private};

/// The bank as one consortium knows it: for whom a node charges.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The genesis digest of the consortium.
    pub consortium: Digest,
    /// The bank's name there.
    pub institution: &'a Institution,
    /// The bank's record key there.
    pub record_key: &'a SigningKey,
}

impl Population {
    /// Opens the ledger; registers the population in an empty one, and has the member's record key sign that it is the bank's.
    /// `source` says where its units are.
    ///
    /// # Errors
    ///
    /// [`ClientError::OtherPopulation`] if the ledger is of another population than the policy's, [`ClientError::Overlap`] if
    /// another population of the bank holds some of its units, or the ledger's own error.
    pub fn open(
        state: &StateDir,
        rules: &PopulationRules,
        source: &DataSource,
        member: &Member<'_>,
        at: Timestamp,
    ) -> Result<Self, ClientError> {
        let directory = existing_place(state, rules)?;
        let (mut log, blobs) = confirmed_store(&directory, rules)?;
        // Held until the population is in it, so that two that are registered at once see each other. Locks are taken in one
        // order everywhere: the registry, then the ledger.
        let registry = rules.registry.as_deref().map(Registry::hold).transpose()?;
        log.hold()?;
        log.let_go();
        // Rows are read while others may write: who is refused a lock for as long would give up.
        let sketch = if log.head().size == 0 { sketch(registry.as_ref(), source)? } else { None };
        // Of two nodes that find it empty, one registers the population, and the other finds that done.
        log.hold()?;
        let mut population = match sketch {
            Some(sketch) if log.head().size == 0 => {
                register(log, blobs, &directory, rules, member.institution, at, sketch)?
            }
            _ => Self::registered(log, blobs, &directory)?,
        };
        population.must_be(rules)?;
        if let Some(registry) = &registry {
            population.keep_registered(registry)?;
        }
        population
            .ledger
            .enroll(at, member.consortium, member.institution, member.record_key)
            .map_err(ClientError::ledger)?;
        Ok(population)
    }

    /// Opens the ledger of a population that is registered, to write to it.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoPopulation`] if none is registered, or the ledger's own error.
    pub fn open_registered(state: &StateDir, rules: &PopulationRules) -> Result<Self, ClientError> {
        let directory = must_exist(state, rules)?;
        let (log, blobs) = confirmed_store(&directory, rules)?;
        Self::registered(log, blobs, &directory)
    }

    /// Opens the ledger of a population that is registered, only to read it: the second place is asked and not written.
    ///
    /// # Errors
    ///
    /// As [`Population::open_registered`].
    pub fn read(state: &StateDir, rules: &PopulationRules) -> Result<Self, ClientError> {
        let directory = must_exist(state, rules)?;
        let (mut log, blobs) = store::open_shared(&directory)?;
        // Held, so that log and second place are of one moment.
        log.hold()?;
        if let Some(place) = &rules.second_place {
            log.check_second_place(place)?;
        }
        Self::registered(log, blobs, &directory)
    }

    fn registered(log: SqliteLog, blobs: Blobs, directory: &Path) -> Result<Self, ClientError> {
        let path = key_path(directory);
        if log.head().size == 0 {
            return Err(ClientError::NoPopulation);
        }
        if !path.exists() {
            let why = "expected the key that this ledger was made with, it is gone".to_owned();
            return Err(ClientError::Key { path, why });
        }
        match PopulationLedger::open(log, Arc::new(ledger_key(&path)?)) {
            Ok(ledger) => Ok(Self { ledger, blobs }),
            Err(LedgerError::Refused(Violation::NotOpened)) => Err(ClientError::NoPopulation),
            Err(error) => Err(ClientError::ledger(error)),
        }
    }

    /// Refuses the ledger of another population than the policy's. The bank's name may be another in each consortium.
    fn must_be(&self, rules: &PopulationRules) -> Result<(), ClientError> {
        let opened = self.ledger.state().opened();
        let same = opened.population.as_str() == rules.name
            && opened.unit.as_str() == rules.unit
            && opened.relation == relation(rules.relation);
        if same {
            return Ok(());
        }
        let (population, unit) = (&opened.population, &opened.unit);
        Err(ClientError::OtherPopulation {
            expected: format!("{} by {} ({})", rules.name, rules.unit, rules.relation),
            found: format!("{population} by {unit} ({})", opened.relation.as_str()),
        })
    }

    /// A crash between ledger and registry leaves a population that the registry does not know yet.
    fn keep_registered(&self, registry: &Registry) -> Result<(), ClientError> {
        let (own, opened) = (self.ledger.identity().genesis, self.ledger.state().opened());
        if registry.holds(&own) {
            return Ok(());
        }
        registry.check(Some(&own), &opened.sketch)?;
        registry.keep(&own, opened.population.as_str(), &opened.sketch)
    }
}

/// The directory of the ledger, whether it is there or not.
pub(crate) fn place(state: &StateDir, rules: &PopulationRules) -> PathBuf {
    rules.ledger.clone().unwrap_or_else(|| state.path("population"))
}

/// Refuses a place in which no population was ever registered.
pub(crate) fn must_exist(
    state: &StateDir,
    rules: &PopulationRules,
) -> Result<PathBuf, ClientError> {
    let directory = place(state, rules);
    if directory.join("log.sqlite").is_file() {
        Ok(directory)
    } else {
        Err(ClientError::NoPopulation)
    }
}

/// The directory of the ledger, made if it is the node's own. One that the policy names is there and the bank's alone: an
/// unmounted disk is not an empty ledger.
fn existing_place(state: &StateDir, rules: &PopulationRules) -> Result<PathBuf, ClientError> {
    let Some(directory) = &rules.ledger else { return state.directory("population") };
    must_be_private(directory)?;
    Ok(directory.clone())
}

fn key_path(directory: &Path) -> PathBuf {
    directory.join("ledger.pem")
}

/// The stores of the ledger, its head confirmed by the second place if the policy names one.
fn confirmed_store(
    directory: &Path,
    rules: &PopulationRules,
) -> Result<(SqliteLog, Blobs), ClientError> {
    let (log, blobs) = store::open_shared(directory)?;
    let log = match &rules.second_place {
        Some(place) => log.confirmed_by(place)?,
        None => log,
    };
    Ok((log, blobs))
}

/// The sketch of the units, if no other population of the bank holds any.
fn sketch(registry: Option<&Registry>, source: &DataSource) -> Result<Option<Sketch>, ClientError> {
    let Some(registry) = registry else { return Ok(Some(Sketch::default())) };
    let sketch = registry.sketch(unit_names(source)?);
    registry.check(None, &sketch)?;
    Ok(Some(sketch))
}

/// Registers the population in `log`, which is empty and held. A crash leaves a key without a ledger, which the next start uses.
fn register(
    log: SqliteLog,
    blobs: Blobs,
    directory: &Path,
    rules: &PopulationRules,
    institution: &Institution,
    at: Timestamp,
    sketch: Sketch,
) -> Result<Population, ClientError> {
    let wrong = |error: ledger::record::RecordError| ClientError::Budget(error.to_string());
    let mut nonce = [0; 32];
    fill_random(&mut nonce)?;
    let opened = Opened {
        institution: institution.clone(),
        population: Text::new(&*rules.name).map_err(wrong)?,
        unit: Text::new(&*rules.unit).map_err(wrong)?,
        relation: relation(rules.relation),
        nonce,
        sketch,
    };
    let key = Arc::new(ledger_key(&key_path(directory))?);
    let ledger = PopulationLedger::register(log, key, at, opened, &[]);
    Ok(Population { ledger: ledger.map_err(ClientError::ledger)?, blobs })
}

const fn relation(relation: UnitRelation) -> LedgerRelation {
    match relation {
        UnitRelation::AddRemove => LedgerRelation::AddRemove,
        UnitRelation::ReplaceOne => LedgerRelation::ReplaceOne,
    }
}
