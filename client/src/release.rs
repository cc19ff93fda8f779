//! The one door out of the bank.
//!
//! Nothing that depends on rows leaves except through [`send`], and what goes through it was
//! charged ([`Reservation`]), noised here ([`Noised`]) and made durable ([`Released`]) in that order:
//! each step takes the token that only the step before gives.

use ledger::checkpoint::LogKeys;
use ledger::log_store::{BlobStore, LogStore};
use ledger::population::{LedgerError, PopulationLedger, Released, Reservation};
use ledger::receipt::Receipt;
use ledger::record::{Canonical as _, Contribution, Institution};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use meta::{GradientLearner, MetaLearner};
use privacy::{
    Keystream, NoiseMultiplier, PublicBound, RandomSource, RoundedGaussian, SamplingRate,
    SourceExhausted, noise_scale,
};
use round::metrics::Encoding;
use round::plan::Plan;
use wire::connection::Upload;
use wire::{Bytes, Connection};
use zeroize::Zeroizing;

use crate::ClientError;
use crate::keys::fill_random;
use crate::learning::{learner_of, theta_of};
use crate::receipts::{receipt_of, verify};
use crate::tasks::Tasks;

/// What a round computes: public facts alone, checked before anything is charged.
pub struct Job<L = GradientLearner> {
    learner: L,
    theta: Vec<f32>,
    encoding: Encoding,
    rate: SamplingRate,
    noise: RoundedGaussian,
    bound: PublicBound,
}

/// A sum with its noise, under the charge that pays for it. Not yet durable, so not yet sendable.
///
/// Only [`Noised::compute`] makes one, and it takes a [`Reservation`] that is gone afterwards:
///
/// ```
/// use client::release::{Job, Noised};
/// use client::tasks::Tasks;
/// use ledger::population::Reservation;
/// use privacy::{RandomSource, SourceExhausted};
/// fn noised(
///     charged: Reservation,
///     job: &Job,
///     tasks: &Tasks,
///     source: &mut impl RandomSource,
/// ) -> Result<Noised, SourceExhausted> {
///     Noised::compute(charged, job, tasks, source)
/// }
/// ```
///
/// Nothing else does, whoever holds a reservation and the bytes:
///
/// ```compile_fail,E0451
/// use client::release::Noised;
/// use ledger::population::Reservation;
/// fn forged(reservation: Reservation, bytes: Vec<u8>) -> Noised {
///     Noised { reservation, bytes: bytes.into() }
/// }
/// ```
pub struct Noised {
    reservation: Reservation,
    bytes: Zeroizing<Vec<u8>>,
}

impl Job {
    /// The job of `institution` in a round of `plan` that starts from `theta` (f32 little-endian).
    ///
    /// # Errors
    ///
    /// [`ClientError::Learner`] if the meta-initialization is not finite or does not fit,
    /// [`ClientError::Privacy`] if the plan's terms are none, [`ClientError::NotInPlan`].
    pub fn new(plan: &Plan, institution: &Institution, theta: &[u8]) -> Result<Self, ClientError> {
        let learner = learner_of(plan)?;
        let theta = theta_of(theta, &learner)?;
        let bound = plan
            .public_bound(institution)
            .ok_or_else(|| ClientError::NotInPlan(institution.clone()))?;
        Self::of(plan, learner, theta, plan.encoding().clone(), bound)
    }
}

impl<L: MetaLearner> Job<L> {
    /// The job of another learner under the plan's mechanism: for whoever attacks the mechanism itself.
    pub(crate) fn of(
        plan: &Plan,
        learner: L,
        theta: Vec<f32>,
        encoding: Encoding,
        bound: PublicBound,
    ) -> Result<Self, ClientError> {
        let privacy = &plan.text().privacy;
        let multiplier = NoiseMultiplier::new(privacy.noise_multiplier)?;
        Ok(Self {
            theta,
            learner,
            encoding,
            rate: SamplingRate::new(privacy.sampling_rate)?,
            noise: RoundedGaussian::new(noise_scale(multiplier, privacy.grid_bits)?)?,
            bound,
        })
    }
}

/// The randomness of one computation, from a seed of the system that serves it alone: filled and wiped where it lies, stored
/// nowhere, and nothing in a build or a configuration says what it is.
///
/// # Errors
///
/// [`ClientError::Randomness`] if the system gives none.
pub fn fresh_randomness() -> Result<Keystream, ClientError> {
    let mut seed = Zeroizing::new([0; 32]);
    fill_random(&mut seed)?;
    Ok(Keystream::from_seed(&seed))
}

impl Noised {
    /// Samples the bank's tasks, sums their clipped meta-gradients and the metrics that the plan names,
    /// and adds the noise.
    ///
    /// Total in the rows: a task that fails adds zero, an empty sample is all noise. The length of
    /// the bytes is the plan's.
    ///
    /// # Errors
    ///
    /// [`SourceExhausted`] from the source, which knows nothing of rows.
    pub fn compute<L: MetaLearner>(
        reservation: Reservation,
        job: &Job<L>,
        tasks: &Tasks,
        source: &mut impl RandomSource,
    ) -> Result<Self, SourceExhausted> {
        let mut sample = tasks.sample(job.rate, source)?;
        // `theta` was checked with the job, so the sum has no other way to fail; were there one, the
        // release would be noise alone, and nobody outside could tell.
        let sum = job.learner.clipped_sum(&job.theta, &mut sample, &job.encoding);
        let zero = || vec![0; job.bound.dimension()];
        let mut sum = Zeroizing::new(sum.map_or_else(|_| zero(), |clipped| clipped.sum));
        job.noise.add_to(&mut sum, source)?;
        let vector = Zeroizing::new(job.bound.fit(&sum));
        let bytes = Zeroizing::new(vector.iter().flat_map(|x| x.to_le_bytes()).collect());
        Ok(Self { reservation, bytes })
    }

    /// Makes the bytes durable and records that they may be sent.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the ledger is stopped or storage fails; then nothing is sent.
    pub fn keep<S: LogStore, B: BlobStore>(
        self,
        ledger: &mut PopulationLedger<S>,
        at: Timestamp,
        blobs: &B,
    ) -> Result<Released, LedgerError<S::Error>> {
        ledger.release(at, &self.reservation, self.bytes.to_vec(), blobs)
    }
}

/// A release with all that is sent of it: the same bytes each time.
#[derive(Debug)]
pub struct Parcel {
    contribution: Contribution,
    upload: Upload,
}

impl Parcel {
    /// Packs what `released` stands for.
    ///
    /// # Errors
    ///
    /// [`ClientError::Stopped`] while the bank refuses to release, [`ClientError::LostBytes`] if the
    /// released bytes are not there, or the ledger's error.
    pub fn pack<S, B>(
        ledger: &PopulationLedger<S>,
        blobs: &B,
        released: &Released,
        key: &SigningKey,
    ) -> Result<Self, ClientError>
    where
        S: LogStore,
        B: BlobStore,
    {
        if let Some(reason) = ledger.state().stopped() {
            return Err(ClientError::Stopped(reason.to_string()));
        }
        let contribution = ledger.contribution(released).map_err(ClientError::ledger)?;
        let vector = blobs
            .get(released.vector())
            .map_err(|error| ClientError::Ledger(error.to_string()))?
            .ok_or(ClientError::LostBytes(*released.vector()))?;
        let genesis = released.request().consortium;
        let signature = key.sign_body(Contribution::TYPE, &genesis, &contribution.encode());
        let upload = Upload::new(released, &contribution, &signature, Bytes::from(vector))?;
        Ok(Self { contribution, upload })
    }
}

/// Sends a parcel and verifies the receipt that comes back.
///
/// # Errors
///
/// [`ClientError::Wire`] with the coordinator's reason, [`ClientError::Unproven`] if what came back
/// is no receipt for this contribution.
pub async fn send(
    connection: &Connection,
    parcel: &Parcel,
    log: &LogKeys,
    key: &SigningKey,
) -> Result<Receipt, ClientError> {
    let answer = connection.contribute(parcel.upload.clone()).await?;
    let receipt = receipt_of(&answer)?;
    verify(&receipt, log, &parcel.contribution, &key.public())?;
    Ok(receipt)
}
