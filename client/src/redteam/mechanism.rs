//! The pipeline under attack.

use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::log_store::BlobStore as _;
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch, UnitRelation,
};
use ledger::record::{Institution, RunId, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{Grouping, NoiseMultiplier, Order, PublicBound, noise_scale, rdp};
use ring::rand::SystemRandom;
use round::metrics::Encoding;
use round::plan::{Plan, TaskSpec};
use zeroize::Zeroizing;

use super::canary::{COLUMNS, Canary, CanaryLearner};
use crate::ClientError;
use crate::data::Rows;
use crate::keys::fill_random;
use crate::release::{Job, Noised, fresh_randomness};
use crate::tasks::{PopulationKey, Tasks};

/// Throw-away ledgers have no time.
const AT: Timestamp = Timestamp::from_millis(1);
/// The order at which a throw-away ledger counts.
const ORDER: f64 = 8.0;
/// Nobody's budget: far above everything that is charged to it.
const NO_LIMIT: f64 = 1e12;

/// What is attacked: canaries go in, what would be sent comes out.
pub trait Mechanism {
    /// The number of coordinates, a power of two; at most so many canaries go in.
    fn dimension(&self) -> usize;

    /// One release over these canaries, in grid units.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the pipeline fails; it never does so because of the canaries.
    fn release(&mut self, canaries: &[Canary]) -> Result<Vec<i32>, ClientError>;
}

/// The node's own pipeline: charge, sample, clip, sum, noise, clamp, keep. Only the rows are nobody's, and the ledger is in memory.
pub struct Pipeline {
    plan: Arc<Plan>,
    dimension: usize,
    job: Job<CanaryLearner>,
    ledger: PopulationLedger<MemoryLog>,
    blobs: MemoryBlobs,
    round: u32,
    rdp: f64,
}

impl Pipeline {
    /// The pipeline of a plan, with `dimension` coordinates and as many tasks, or fewer if they do not fit the plan's grid.
    ///
    /// # Errors
    ///
    /// [`ClientError::Privacy`] if the plan's noise does not fit its grid at all.
    pub fn new(plan: &Arc<Plan>, dimension: usize) -> Result<Self, ClientError> {
        let spec = &plan.text().privacy;
        let multiplier = NoiseMultiplier::new(spec.noise_multiplier)?;
        let scale = noise_scale(multiplier, spec.grid_bits)?;
        let bound = |d: usize| PublicBound::new(spec.grid_bits, d as u64, scale, d);
        let mut dimension = dimension.next_power_of_two();
        while dimension > 16 && bound(dimension).is_err() {
            dimension /= 2;
        }
        let learner = CanaryLearner { dimension, clip: plan.grid().clip().get() };
        // Metrics share the task's one bound; canaries use all of it.
        let encoding = Encoding::of_gradients(plan.grid(), dimension);
        let theta = vec![0.0; dimension];
        let job = Job::of(plan, learner, theta, encoding, bound(dimension)?)?;
        let blobs = MemoryBlobs::new();
        let ledger = throw_away(&blobs)?;
        let rdp = rdp(&plan.event(), Order::new(ORDER)?)?;
        let plan = Arc::clone(plan);
        Ok(Self { plan, dimension, job, ledger, blobs, round: 0, rdp })
    }

    fn request(&self) -> Result<ReserveRequest, ClientError> {
        let delta = self.plan.delta().get();
        Ok(ReserveRequest {
            consortium: Digest::ZERO,
            run: RunId::derive(&Digest::ZERO, 0),
            round: self.round,
            plan: self.plan.digest(),
            model: sha256(b"canaries"),
            charge: self.plan.charge(),
            rdp: self.rdp,
            terms: RunTerms::new(u32::MAX, 1.0, delta, NO_LIMIT)
                .map_err(|error| refused(&error))?,
        })
    }
}

impl Mechanism for Pipeline {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn release(&mut self, canaries: &[Canary]) -> Result<Vec<i32>, ClientError> {
        let features = canaries.iter().flat_map(Canary::row).collect();
        let spec = TaskSpec {
            grouping: Grouping::UnitPerTask,
            nominal_units: 1,
            support_share: 0.0,
            rows_per_unit_max: 1,
        };
        let count = u32::try_from(canaries.len()).unwrap_or(u32::MAX);
        let mut key = Zeroizing::new([0; 32]);
        fill_random(&mut key)?;
        let key = PopulationKey::new(&key);
        let tasks = Tasks::form(Rows::of_nobody(COLUMNS, features), &spec, count, &key)?;
        let request = self.request()?;
        self.round += 1;
        let reserved = self.ledger.reserve(AT, request).map_err(ClientError::ledger)?;
        let ReserveOutcome::Compute(reservation) = reserved else {
            return Err(ClientError::Internal("a throw-away round was charged twice".to_owned()));
        };
        let noised = Noised::compute(reservation, &self.job, &tasks, &mut fresh_randomness()?)
            .map_err(|error| ClientError::Internal(error.to_string()))?;
        let released =
            noised.keep(&mut self.ledger, AT, &self.blobs).map_err(ClientError::ledger)?;
        let kept = self.blobs.get(released.vector());
        let bytes = kept.ok().flatten().ok_or(ClientError::LostBytes(*released.vector()))?;
        Ok(bytes.as_chunks::<4>().0.iter().copied().map(i32::from_le_bytes).collect())
    }
}

/// A ledger in memory, for nobody and for as long as this process lives.
fn throw_away(blobs: &MemoryBlobs) -> Result<PopulationLedger<MemoryLog>, ClientError> {
    let fresh = || SigningKey::generate(&SystemRandom::new()).map_err(|_| ClientError::Randomness);
    let ((key, _), (record_key, _)) = (fresh()?, fresh()?);
    let mut nonce = [0; 32];
    fill_random(&mut nonce)?;
    let opened = Opened {
        institution: Institution::new("redteam").map_err(|error| refused(&error))?,
        population: Text::new("canaries").map_err(|error| refused(&error))?,
        unit: Text::new("canary").map_err(|error| refused(&error))?,
        relation: UnitRelation::AddRemove,
        nonce,
        sketch: Sketch::default(),
    };
    let nobody = opened.institution.clone();
    let store = MemoryLog::new(blobs.clone());
    let mut ledger = PopulationLedger::register(store, Arc::new(key), AT, opened, &[])
        .map_err(ClientError::ledger)?;
    let cap = Cap::new(NO_LIMIT, 0.5, ORDER, NO_LIMIT, Text::default())
        .map_err(|error| refused(&error))?;
    ledger.set_cap(AT, cap).map_err(ClientError::ledger)?;
    ledger.enroll(AT, Digest::ZERO, &nobody, &record_key).map_err(ClientError::ledger)?;
    Ok(ledger)
}

fn refused(error: &ledger::record::RecordError) -> ClientError {
    ClientError::Internal(error.to_string())
}
