//! The population's ledger on disk: its registration, its cap, and what a release costs.

use std::sync::Arc;

use ledger::digest::Digest;
use ledger::log_store::BlobStore as _;
use ledger::population::{
    Cap, ChargeLine, Opened, PopulationLedger, ReserveRequest, Sketch,
    UnitRelation as LedgerRelation, Violation,
};
use ledger::record::{Institution, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{Delta, Epsilon, Filter, Order, PrivacyEvent, UnitRelation};
use round::plan::Plan;
use serde::Serialize;
use store::{Blobs, SqliteLog};

use crate::ClientError;
use crate::keys::fill_random;
use crate::mirror::OpenRound;
use crate::policy::PopulationRules;
use crate::state_dir::StateDir;

mod report;

pub use report::{ChargeReport, LedgerReport};

/// A population's ledger, and the bytes that were released.
#[derive(Debug)]
pub struct Population {
    /// The ledger.
    pub ledger: PopulationLedger<SqliteLog>,
    /// The released bytes.
    pub blobs: Blobs,
}

/// What stands behind the ledger's head: printed at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// How many contributions in the consortium's log the ledger was compared with.
    pub accepted: usize,
}

impl Population {
    /// Opens the ledger in the state directory; registers the population in an empty one.
    ///
    /// # Errors
    ///
    /// [`ClientError::OtherPopulation`] if the ledger is of another population than the policy's,
    /// or the ledger's own error.
    pub fn open(
        state: &StateDir,
        rules: &PopulationRules,
        institution: &Institution,
        key: Arc<SigningKey>,
        at: Timestamp,
    ) -> Result<Self, ClientError> {
        let (log, blobs) = store::open(&state.directory("population")?)?;
        let log = match &rules.second_place {
            Some(directory) => log.confirmed_by(directory)?,
            None => log,
        };
        use_or_register(log, blobs, rules, institution, key, at)
    }

    /// Opens the ledger without knowing the policy: to read it, and to stop it.
    ///
    /// # Errors
    ///
    /// [`ClientError::NoPopulation`] if none is registered, or the ledger's own error.
    pub fn open_registered(state: &StateDir, key: Arc<SigningKey>) -> Result<Self, ClientError> {
        let path = state.path("population");
        if !path.is_dir() {
            return Err(ClientError::NoPopulation);
        }
        let (log, blobs) = store::open(&path)?;
        match PopulationLedger::open(log, key) {
            Ok(ledger) => Ok(Self { ledger, blobs }),
            Err(ledger::population::LedgerError::Refused(Violation::NotOpened)) => {
                Err(ClientError::NoPopulation)
            }
            Err(error) => Err(ClientError::ledger(error)),
        }
    }

    /// Sets the cap that the policy names if it is not the ledger's. `expected` are the events that
    /// the order is chosen for where the policy leaves it open; without them such a cap waits.
    ///
    /// The order is fixed by the cap before the charge that comes after it, from public parameters
    /// alone, so the filter's theorem holds.
    ///
    /// # Errors
    ///
    /// [`ClientError::Privacy`] if the cap leaves no budget, [`ClientError::Budget`] if the policy
    /// changes the order or the delta of a cap that stands, or the ledger's error.
    pub fn keep_cap(
        &mut self,
        rules: &PopulationRules,
        expected: Option<&PrivacyEvent>,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        let (epsilon, delta) = (Epsilon::new(rules.epsilon)?, Delta::new(rules.delta)?);
        let standing = self.ledger.state().cap().cloned();
        let order = match (&standing, rules.order, expected) {
            (_, Some(order), _) => Order::new(order)?,
            (Some(cap), None, _) => Order::new(cap.order())?,
            (None, None, Some(event)) => Filter::best_order(&[*event], delta)?,
            (None, None, None) => return Ok(()),
        };
        let same = |cap: &Cap| {
            let equal = |a: f64, b: f64| a.to_bits() == b.to_bits();
            equal(cap.epsilon(), rules.epsilon)
                && equal(cap.delta(), rules.delta)
                && equal(cap.order(), order.get())
        };
        if standing.as_ref().is_some_and(same) {
            return Ok(());
        }
        let filter = Filter::new(epsilon, delta, order)?;
        let reason = if standing.is_some() { "changed in the policy" } else { "from the policy" };
        let reason = Text::new(reason).unwrap_or_default();
        let cap = Cap::new(rules.epsilon, rules.delta, order.get(), filter.budget(), reason)
            .map_err(|error| ClientError::Budget(error.to_string()))?;
        self.ledger.set_cap(at, cap).map_err(ClientError::ledger)
    }

    /// The filter of the cap that stands.
    ///
    /// # Errors
    ///
    /// [`ClientError::Budget`] if there is no cap.
    pub fn filter(&self) -> Result<Filter, ClientError> {
        let cap = self.ledger.state().cap();
        let cap = cap.ok_or_else(|| ClientError::Budget("no cap is set yet".to_owned()))?;
        let (epsilon, delta) = (Epsilon::new(cap.epsilon())?, Delta::new(cap.delta())?);
        Ok(Filter::new(epsilon, delta, Order::new(cap.order())?)?)
    }

    /// The charge for one round.
    ///
    /// # Errors
    ///
    /// [`ClientError::Budget`] if there is no cap, [`ClientError::Privacy`] if no finite cost can be
    /// proved.
    pub fn request(&self, round: &OpenRound) -> Result<ReserveRequest, ClientError> {
        Ok(ReserveRequest {
            consortium: round.consortium,
            run: round.run,
            round: round.number,
            plan: round.plan.digest(),
            model: round.model,
            charge: round.plan.charge(),
            rdp: self.filter()?.cost(&round.plan.event())?,
        })
    }

    /// What all rounds of a plan would bring the spending to, as (ε, cap).
    ///
    /// # Errors
    ///
    /// As [`Population::request`].
    pub fn after(&self, plan: &Plan) -> Result<(f64, f64), ClientError> {
        let filter = self.filter()?;
        let event = PrivacyEvent { count: u64::from(plan.text().rounds), ..plan.event() };
        let total = self.ledger.state().cumulative_with(filter.cost(&event)?);
        Ok((filter.spent_epsilon(total), filter.epsilon().get()))
    }

    /// Reads every released vector again, and gives how many there are.
    ///
    /// # Errors
    ///
    /// [`ClientError::LostBytes`] if one is missing, or the store's error if one was changed.
    pub fn check_vectors(&self) -> Result<usize, ClientError> {
        let released = self.ledger.state().charges().values().filter_map(ChargeLine::released);
        let mut checked = 0;
        for (_, vector) in released {
            self.blobs.get(&vector)?.ok_or(ClientError::LostBytes(vector))?;
            checked += 1;
        }
        Ok(checked)
    }

    /// Compares the ledger with the contributions of this bank that the consortium's log holds: a
    /// ledger that went back does not know them.
    ///
    /// # Errors
    ///
    /// What is missing, for [`Tampered::of_own_ledger`](crate::mirror::Tampered::of_own_ledger).
    pub fn confirm(&self, facts: &crate::mirror::Facts) -> Result<Confirmed, String> {
        let consortium = facts.state().consortium.as_ref().map(|c| c.digest);
        let released: std::collections::BTreeMap<(Digest, ledger::record::RunId, u32), Digest> =
            self.ledger
                .state()
                .charges()
                .values()
                .filter_map(|line| {
                    let request = &line.reserved.request;
                    let (_, vector) = line.released()?;
                    Some(((request.consortium, request.run, request.round), vector))
                })
                .collect();
        for ((run, round), accepted) in facts.all_accepted() {
            let known = consortium.and_then(|genesis| released.get(&(genesis, *run, *round)));
            if known != Some(&accepted.vector) {
                return Err(format!(
                    "the consortium's log holds a contribution of this bank to round {round} of run \
                     {run} that the bank's own ledger has not released"
                ));
            }
        }
        Ok(Confirmed { accepted: facts.all_accepted().len() })
    }
}

fn use_or_register(
    log: SqliteLog,
    blobs: Blobs,
    rules: &PopulationRules,
    institution: &Institution,
    key: Arc<SigningKey>,
    at: Timestamp,
) -> Result<Population, ClientError> {
    use ledger::log_store::LogStore as _;
    let ledger = if log.head().size == 0 {
        let wrong = |error: ledger::record::RecordError| ClientError::Budget(error.to_string());
        let mut nonce = [0; 32];
        fill_random(&mut nonce)?;
        let opened = Opened {
            institution: institution.clone(),
            population: Text::new(&*rules.name).map_err(wrong)?,
            unit: Text::new(&*rules.unit).map_err(wrong)?,
            relation: relation(rules.relation),
            nonce,
            // One state directory holds one population, so there is no other to overlap with.
            sketch: Sketch::default(),
        };
        PopulationLedger::register(log, key, at, opened, &[])
    } else {
        PopulationLedger::open(log, key)
    };
    let ledger = ledger.map_err(ClientError::ledger)?;
    let opened = ledger.state().opened();
    let same = opened.institution == *institution
        && opened.population.as_str() == rules.name
        && opened.unit.as_str() == rules.unit
        && opened.relation == relation(rules.relation);
    if same {
        Ok(Population { ledger, blobs })
    } else {
        Err(ClientError::OtherPopulation {
            expected: format!("{} by {} ({})", rules.name, rules.unit, rules.relation),
            found: format!(
                "{} by {} ({})",
                opened.population,
                opened.unit,
                opened.relation.as_str()
            ),
        })
    }
}

const fn relation(relation: UnitRelation) -> LedgerRelation {
    match relation {
        UnitRelation::AddRemove => LedgerRelation::AddRemove,
        UnitRelation::ReplaceOne => LedgerRelation::ReplaceOne,
    }
}
