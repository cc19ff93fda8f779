//! Attacks on the node's own pipeline, with tasks of nobody.
//!
//! Two kinds, because they say different things. [`one_run`] guesses coins from what a run sends and so bounds its ε from below, for any
//! mechanism whatever; with so few canaries the bound is far from the claim, and says how far it could have come. [`conformity`]
//! asks whether the pipeline is the mechanism that the accountant charges for: the noise, its independence, the clipping, the
//! sampling. It finds far smaller faults, but only these.
//!
//! No row is read, nothing is charged, nothing leaves the process.

mod canary;
mod conformity;
mod mechanism;
mod one_run;
mod statistics;

use std::sync::Arc;

pub use canary::{Canary, Direction};
pub use conformity::{Test, conformity};
pub use mechanism::{Mechanism, Pipeline};
pub use one_run::{OneRun, one_run};
use privacy::{Certificate, NoiseMultiplier, TaskChange, noise_scale};
use round::plan::Plan;
use serde::Serialize;

use crate::ClientError;

/// What a plan says of its mechanism.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// The clipping norm, in grid units.
    pub radius: f64,
    /// The noise's standard deviation, in grid units.
    pub noise: f64,
    /// The probability with which each task takes part.
    pub rate: f64,
    /// What a change of one unit does.
    pub change: TaskChange,
}

/// What the attacks found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Redteam {
    /// What one run proves.
    pub one_run: OneRun,
    /// What is claimed of a run of so many rounds.
    pub claimed_lower: f64,
    /// The upper end of it: a proved bound above this refutes the claim.
    pub claimed_upper: f64,
    /// The δ of both.
    pub delta: f64,
    /// Whether the run refutes the claim.
    pub refuted: bool,
    /// Whether the pipeline is the mechanism that is charged for.
    pub tests: Vec<Test>,
}

impl Claim {
    /// What `plan` claims.
    ///
    /// # Errors
    ///
    /// [`ClientError::Privacy`] if its noise does not fit its grid; a checked plan's does.
    pub fn of(plan: &Plan) -> Result<Self, ClientError> {
        let spec = &plan.text().privacy;
        let scale = noise_scale(NoiseMultiplier::new(spec.noise_multiplier)?, spec.grid_bits)?;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^31")]
        let noise = scale as f64;
        let (radius, change) = (plan.grid().radius(), plan.text().task_change());
        Ok(Self { radius, noise, rate: spec.sampling_rate, change })
    }
}

impl Redteam {
    /// Attacks `mechanism`, which claims to be the plan's.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the pipeline fails or the plan's claim cannot be certified.
    pub fn attack(
        mechanism: &mut dyn Mechanism,
        plan: &Plan,
        rounds: u32,
        confidence: f64,
    ) -> Result<Self, ClientError> {
        let claim = Claim::of(plan)?;
        let Certificate { epsilon_lower, epsilon_upper, .. } = plan.spent(rounds)?;
        let one_run = one_run(mechanism, &claim, rounds, plan.delta(), confidence)?;
        let tests = conformity(mechanism, &claim)?;
        Ok(Self {
            refuted: one_run.epsilon_lower > epsilon_upper,
            one_run,
            claimed_lower: epsilon_lower,
            claimed_upper: epsilon_upper,
            delta: plan.delta().get(),
            tests,
        })
    }

    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        !self.refuted && self.tests.iter().all(|test| !test.failed)
    }
}

/// Attacks the node's own pipeline under `plan`.
///
/// # Errors
///
/// As [`Redteam::attack`].
pub fn attack_pipeline(
    plan: &Arc<Plan>,
    canaries: usize,
    rounds: u32,
    confidence: f64,
) -> Result<Redteam, ClientError> {
    Redteam::attack(&mut Pipeline::new(plan, canaries)?, plan, rounds, confidence)
}
