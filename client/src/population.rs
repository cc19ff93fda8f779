//! The population's ledger on disk: its registration, its cap, and what a release costs.

use std::path::PathBuf;

use ledger::digest::Digest;
use ledger::log_store::BlobStore as _;
use ledger::population::{ChargeLine, LedgerError, PopulationLedger, ReserveRequest, RunTerms};
use ledger::record::Text;
use ledger::time::Timestamp;
use privacy::PrivacyEvent;
use round::plan::Plan;
use serde::Serialize;
use store::{Blobs, SqliteLog};

use crate::ClientError;
use crate::mirror::OpenRound;
use crate::policy::PopulationRules;
use crate::registry::Registry;

mod cap;
mod export;
mod opening;
mod report;

pub use cap::CapStanding;
pub use opening::Member;
pub(crate) use opening::{must_exist, place};
pub use report::{ChargeReport, ConsortiumReport, LedgerReport, RunReport};

/// How far a clock may lag behind the ledger's last entry without a question: clocks are corrected.
const CLOCK_CORRECTION_MS: u64 = 300_000;

/// A population's ledger, and the bytes that were released.
#[derive(Debug)]
pub struct Population {
    /// The ledger.
    pub ledger: PopulationLedger<SqliteLog>,
    /// The released bytes.
    pub blobs: Blobs,
}

/// What stands behind the ledger's head: printed at start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// The second place that holds it, if the policy names one.
    pub second_place: Option<PathBuf>,
    /// How many contributions in the consortium's log the ledger was compared with.
    pub accepted: usize,
}

impl Population {
    /// Reads what other nodes have written to the ledger.
    ///
    /// # Errors
    ///
    /// The ledger's error if that does not go on from what was read before.
    pub fn refresh(&mut self) -> Result<(), ClientError> {
        self.ledger.refresh().map_err(ClientError::ledger)
    }

    /// Gives a reservation back under which nothing was released: an operator's act, with its reason.
    ///
    /// # Errors
    ///
    /// [`ClientError::NotVoidable`] with the ledger's reason, or storage fails.
    pub fn void(
        &mut self,
        reservation: u64,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), ClientError> {
        if reason.trim().is_empty() {
            return Err(ClientError::Usage(
                "expected a reason: who decided it, and why".to_owned(),
            ));
        }
        let reason = Text::new(reason).map_err(|error| ClientError::Usage(error.to_string()))?;
        self.ledger.void(at, reservation, reason).map_err(|error| {
            if let LedgerError::Refused(refused) = error {
                ClientError::NotVoidable(refused.to_string())
            } else {
                ClientError::ledger(error)
            }
        })
    }

    /// Refuses attached units that another population of the bank holds, and keeps a sketch of these.
    ///
    /// # Errors
    ///
    /// [`ClientError::Overlap`], or the registry cannot be read and written.
    pub fn check_units<'a>(
        &self,
        rules: &PopulationRules,
        units: impl Iterator<Item = &'a str>,
    ) -> Result<(), ClientError> {
        let Some(directory) = &rules.registry else { return Ok(()) };
        let registry = Registry::hold(directory)?;
        let sketch = registry.sketch(units);
        let own = self.ledger.identity().genesis;
        registry.check(Some(&own), &sketch)?;
        registry.keep(&own, self.ledger.state().opened().population.as_str(), &sketch)
    }

    /// The charge for one round, at a bank that lets one run cost `epsilon_per_run_max`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Budget`] if there is no cap, [`ClientError::Privacy`] if no finite cost can be
    /// proved.
    pub fn request(
        &self,
        round: &OpenRound,
        epsilon_per_run_max: f64,
    ) -> Result<ReserveRequest, ClientError> {
        let (plan, rounds) = (&round.plan, round.plan.text().rounds);
        let epsilon = plan.spent(rounds)?.epsilon_upper;
        let terms = RunTerms::new(rounds, epsilon, plan.delta().get(), epsilon_per_run_max)
            .map_err(|error| ClientError::Budget(error.to_string()))?;
        Ok(ReserveRequest {
            consortium: round.consortium,
            run: round.run,
            round: round.number,
            plan: plan.digest(),
            model: round.model,
            charge: plan.charge(),
            rdp: self.filter()?.cost(&plan.event())?,
            terms,
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
    pub fn confirm(&self, facts: &crate::mirror::Facts) -> Result<usize, String> {
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
        Ok(facts.all_accepted().len())
    }

    /// Refuses a clock that was set back, unless a second place has confirmed the ledger: a clock goes back with a machine that is
    /// put back.
    ///
    /// # Errors
    ///
    /// [`ClientError::ClockSetBack`].
    pub fn check_clock(&self, rules: &PopulationRules, now: Timestamp) -> Result<(), ClientError> {
        let last = self.ledger.state().last();
        let back = last.millis_since(now) > CLOCK_CORRECTION_MS;
        if back && rules.second_place.is_none() {
            return Err(ClientError::ClockSetBack { last, now });
        }
        Ok(())
    }
}
