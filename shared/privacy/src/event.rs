//! What privacy is charged for.

use core::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::{NoiseMultiplier, SamplingRate, TaskChange};

/// A randomized release over clipped task contributions.
///
/// The noise is relative to the clipping norm C of one task: a task that appears moves the sum by at most C, one whose
/// content changes by at most 2C.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// The same where one unit has several tasks, each clipped and drawn by itself.
    GroupPoissonGaussian {
        /// Standard deviation of the noise over C.
        noise_multiplier: NoiseMultiplier,
        /// The probability of each task.
        sampling_rate: SamplingRate,
        /// The most tasks that one unit has; what a change does to one of them it may do to all.
        tasks_per_unit: NonZeroU32,
    },
    /// The sum over tasks drawn independently, of which at most `max_batch`, chosen at random, are kept.
    TruncatedPoissonGaussian {
        /// Standard deviation of the noise over C.
        noise_multiplier: NoiseMultiplier,
        /// The probability of each task.
        sampling_rate: SamplingRate,
        /// The number of tasks, the changing one included.
        units: NonZeroU64,
        /// The most tasks in a sum.
        max_batch: NonZeroU64,
    },
    /// A number per task, at most C in size, summed, plus Laplace noise.
    Laplace {
        /// The scale b of the noise, with density e^(−|x|/b)/2b, over C.
        scale: NoiseMultiplier,
    },
    /// The same over tasks drawn independently.
    PoissonLaplace {
        /// The scale b of the noise, with density e^(−|x|/b)/2b, over C.
        scale: NoiseMultiplier,
        /// The probability of each task.
        sampling_rate: SamplingRate,
    },
}

impl Mechanism {
    /// The noise over C: a standard deviation, or the scale of Laplace noise.
    pub const fn noise(&self) -> NoiseMultiplier {
        match self {
            Self::Gaussian { noise_multiplier: noise }
            | Self::PoissonGaussian { noise_multiplier: noise, .. }
            | Self::GroupPoissonGaussian { noise_multiplier: noise, .. }
            | Self::TruncatedPoissonGaussian { noise_multiplier: noise, .. }
            | Self::Laplace { scale: noise }
            | Self::PoissonLaplace { scale: noise, .. } => *noise,
        }
    }

    /// The same mechanism with other `noise`.
    #[must_use]
    pub const fn with_noise(mut self, noise: NoiseMultiplier) -> Self {
        match &mut self {
            Self::Gaussian { noise_multiplier: slot }
            | Self::PoissonGaussian { noise_multiplier: slot, .. }
            | Self::GroupPoissonGaussian { noise_multiplier: slot, .. }
            | Self::TruncatedPoissonGaussian { noise_multiplier: slot, .. }
            | Self::Laplace { scale: slot }
            | Self::PoissonLaplace { scale: slot, .. } => *slot = noise,
        }
        self
    }

    /// The probability with which each task takes part.
    pub const fn sampling_rate(&self) -> SamplingRate {
        match self {
            Self::Gaussian { .. } | Self::Laplace { .. } => SamplingRate::ALL,
            Self::PoissonGaussian { sampling_rate, .. }
            | Self::GroupPoissonGaussian { sampling_rate, .. }
            | Self::TruncatedPoissonGaussian { sampling_rate, .. }
            | Self::PoissonLaplace { sampling_rate, .. } => *sampling_rate,
        }
    }

    /// The same mechanism with another sampling `rate`; unchanged if it does not sample.
    #[must_use]
    pub const fn with_rate(mut self, rate: SamplingRate) -> Self {
        match &mut self {
            Self::Gaussian { .. } | Self::Laplace { .. } => {}
            Self::PoissonGaussian { sampling_rate, .. }
            | Self::GroupPoissonGaussian { sampling_rate, .. }
            | Self::TruncatedPoissonGaussian { sampling_rate, .. }
            | Self::PoissonLaplace { sampling_rate, .. } => *sampling_rate = rate,
        }
        self
    }

    /// The most tasks that one unit has.
    pub const fn tasks_per_unit(&self) -> u32 {
        match self {
            Self::GroupPoissonGaussian { tasks_per_unit, .. } => tasks_per_unit.get(),
            Self::Gaussian { .. }
            | Self::PoissonGaussian { .. }
            | Self::TruncatedPoissonGaussian { .. }
            | Self::Laplace { .. }
            | Self::PoissonLaplace { .. } => 1,
        }
    }
}

/// One mechanism, run `count` times on fresh noise and fresh samples.
///
/// As text it is one flat object, and that is its only form: keys that it does not know are refused.
///
/// ```
/// use privacy::PrivacyEvent;
/// let text = r#"{"mechanism":"poisson-gaussian","noise_multiplier":1.0,"sampling_rate":0.01,"change":"appears","count":1000}"#;
/// let event: PrivacyEvent = serde_json::from_str(text)?;
/// assert_eq!(serde_json::to_string(&event)?, text);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct PrivacyEvent {
    /// What was released.
    pub mechanism: Mechanism,
    /// What a change of one unit does to the tasks.
    pub change: TaskChange,
    /// How many times.
    pub count: u64,
}

macro_rules! written {
    ($($variant:ident { $($field:ident: $type:ty),* }),* $(,)?) => {
        /// An event as it is written.
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "mechanism", rename_all = "kebab-case", deny_unknown_fields)]
        enum Written {
            $($variant { $($field: $type,)* change: TaskChange, count: u64 }),*
        }

        impl From<Written> for PrivacyEvent {
            fn from(written: Written) -> Self {
                match written {
                    $(Written::$variant { $($field,)* change, count } => {
                        Self { mechanism: Mechanism::$variant { $($field),* }, change, count }
                    })*
                }
            }
        }

        impl From<PrivacyEvent> for Written {
            fn from(PrivacyEvent { mechanism, change, count }: PrivacyEvent) -> Self {
                match mechanism {
                    $(Mechanism::$variant { $($field),* } => {
                        Self::$variant { $($field,)* change, count }
                    })*
                }
            }
        }
    };
}

written! {
    Gaussian { noise_multiplier: NoiseMultiplier },
    PoissonGaussian { noise_multiplier: NoiseMultiplier, sampling_rate: SamplingRate },
    GroupPoissonGaussian {
        noise_multiplier: NoiseMultiplier, sampling_rate: SamplingRate, tasks_per_unit: NonZeroU32
    },
    TruncatedPoissonGaussian {
        noise_multiplier: NoiseMultiplier, sampling_rate: SamplingRate, units: NonZeroU64,
        max_batch: NonZeroU64
    },
    Laplace { scale: NoiseMultiplier },
    PoissonLaplace { scale: NoiseMultiplier, sampling_rate: SamplingRate },
}
