//! What privacy is charged for.

use serde::{Deserialize, Serialize};

use crate::{NoiseMultiplier, SamplingRate, TaskChange};

/// A randomized release over clipped task contributions.
///
/// The noise is relative to the clipping norm C of one task: a task that appears moves the sum by at most C, one whose
/// content changes by at most 2C.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// The sum over all tasks plus Gaussian noise.
    Gaussian {
        /// Standard deviation of the noise over C.
        noise_multiplier: NoiseMultiplier,
    },
    /// The sum over tasks drawn independently, plus Gaussian noise; who was drawn stays secret.
    PoissonGaussian {
        /// Standard deviation of the noise over C.
        noise_multiplier: NoiseMultiplier,
        /// The probability of each task.
        sampling_rate: SamplingRate,
    },
}

impl Mechanism {
    /// Standard deviation of the noise over C.
    pub const fn noise_multiplier(&self) -> NoiseMultiplier {
        match self {
            Self::Gaussian { noise_multiplier }
            | Self::PoissonGaussian { noise_multiplier, .. } => *noise_multiplier,
        }
    }

    /// The probability with which each task takes part.
    pub const fn sampling_rate(&self) -> SamplingRate {
        match self {
            Self::Gaussian { .. } => SamplingRate::ALL,
            Self::PoissonGaussian { sampling_rate, .. } => *sampling_rate,
        }
    }
}

/// One mechanism, run `count` times on fresh noise and fresh samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrivacyEvent {
    /// What was released.
    pub mechanism: Mechanism,
    /// What a change of one unit does to the tasks.
    pub change: TaskChange,
    /// How many times.
    pub count: u64,
}
