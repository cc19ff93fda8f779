//! What the crate promises, one file a subject.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod accounting;
mod bound;
mod calibrate;
mod filter;
mod golden;
mod grid;
mod grid_extremes;
mod noise;
mod one_run;
mod pairs;
mod rule;
mod unit;

use privacy::{Mechanism, NoiseMultiplier, PrivacyEvent, SamplingRate, TaskChange};

const CHANGES: [TaskChange; 3] =
    [TaskChange::Appears, TaskChange::ContentChanges, TaskChange::TwoContentsChange];

/// A Poisson-sampled Gaussian event.
fn event(noise: f64, rate: f64, count: u64, change: TaskChange) -> PrivacyEvent {
    let mechanism = Mechanism::PoissonGaussian {
        noise_multiplier: NoiseMultiplier::new(noise).unwrap(),
        sampling_rate: SamplingRate::new(rate).unwrap(),
    };
    PrivacyEvent { mechanism, change, count }
}
