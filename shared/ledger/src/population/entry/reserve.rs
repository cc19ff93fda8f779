//! What is charged: one release, and the run that it belongs to.

use crate::digest::Digest;
use crate::generated::population as message;
use crate::record::{
    Charge, RecordError, RunId, TaskChange, Wire, fixed, positive, refused, run_bytes,
};

/// A release to be charged.
#[derive(Clone, Debug, PartialEq)]
pub struct ReserveRequest {
    /// The genesis digest of the consortium.
    pub consortium: Digest,
    /// The run.
    pub run: RunId,
    /// The round's number.
    pub round: u32,
    /// SHA-256 of the plan's exact bytes.
    pub plan: Digest,
    /// SHA-256 of the meta-initialization.
    pub model: Digest,
    /// The mechanism's parameters.
    pub charge: Charge,
    /// The RDP of the release at the filter's order; finite and above zero.
    pub rdp: f64,
    /// What the whole run costs and may cost.
    pub terms: RunTerms,
}

/// What a whole run costs, fixed by its plan, and what the bank lets one run cost.
///
/// The whole plan counts, however early it is stopped: a certificate speaks for events that were
/// fixed in advance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunTerms {
    rounds: u32,
    epsilon: f64,
    delta: f64,
    epsilon_max: f64,
}

/// A release is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Reserved {
    /// What is charged.
    pub request: ReserveRequest,
    /// The RDP of all charges at the filter's order, this one included.
    pub cumulative_rdp: f64,
}

impl RunTerms {
    /// A run of `rounds` rounds that costs at most `epsilon` at `delta`, as an accountant certifies
    /// before it begins, at a bank that lets a run cost `epsilon_max`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] unless there is a round, epsilon is finite and not negative, its cap finite
    /// and above zero, and delta between zero and one.
    pub fn new(
        rounds: u32,
        epsilon: f64,
        delta: f64,
        epsilon_max: f64,
    ) -> Result<Self, RecordError> {
        if rounds == 0 {
            return Err(refused("rounds", "at least 1", rounds.to_string()));
        }
        let delta = positive("run_delta", delta)?;
        if delta >= 1.0 {
            return Err(refused("run_delta", "below one", delta.to_string()));
        }
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(refused("run_epsilon", "finite and not negative", epsilon.to_string()));
        }
        let epsilon_max = positive("run_epsilon_max", epsilon_max)?;
        Ok(Self { rounds, epsilon, delta, epsilon_max })
    }

    /// How many rounds the plan has.
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The upper end of what all rounds together cost.
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The delta of both epsilons.
    pub const fn delta(&self) -> f64 {
        self.delta
    }

    /// The most that the bank lets one run cost.
    pub const fn epsilon_max(&self) -> f64 {
        self.epsilon_max
    }

    /// Whether both are of the same plan: all but the bank's cap, which may change.
    pub const fn same_plan(&self, other: &Self) -> bool {
        self.rounds == other.rounds
            && self.epsilon.to_bits() == other.epsilon.to_bits()
            && self.delta.to_bits() == other.delta.to_bits()
    }
}

impl Wire for Reserved {
    type Message = message::Reserved;
    const TYPE: &'static str = "reserved";

    fn to_message(&self) -> message::Reserved {
        let request = &self.request;
        message::Reserved {
            consortium: request.consortium.as_bytes().to_vec(),
            run: run_bytes(&request.run),
            round: request.round,
            plan: request.plan.as_bytes().to_vec(),
            model: request.model.as_bytes().to_vec(),
            noise_multiplier: request.charge.noise_multiplier(),
            sampling_rate: request.charge.sampling_rate(),
            task_change: request.charge.task_change().as_str().to_owned(),
            rdp: request.rdp,
            cumulative_rdp: self.cumulative_rdp,
            rounds: request.terms.rounds,
            run_epsilon: request.terms.epsilon,
            run_delta: request.terms.delta,
            run_epsilon_max: request.terms.epsilon_max,
        }
    }

    fn from_message(m: message::Reserved) -> Result<Self, RecordError> {
        let task_change = TaskChange::from_name(&m.task_change)?;
        Ok(Self {
            request: ReserveRequest {
                consortium: fixed("consortium", &m.consortium)?,
                run: fixed("run", &m.run)?,
                round: m.round,
                plan: fixed("plan", &m.plan)?,
                model: fixed("model", &m.model)?,
                charge: Charge::new(m.noise_multiplier, m.sampling_rate, task_change)?,
                rdp: positive("rdp", m.rdp)?,
                terms: RunTerms::new(m.rounds, m.run_epsilon, m.run_delta, m.run_epsilon_max)?,
            },
            cumulative_rdp: positive("cumulative_rdp", m.cumulative_rdp)?,
        })
    }
}
