//! Differential privacy: events, accountants, the lifetime filter, the clipping grid and exact samplers.
//!
//! Pure: no clock, file, socket or thread; randomness comes in as a [`RandomSource`]. All transcendental functions are `libm`'s and
//! all sums have one order, so every figure has the same bits on every machine. `docs/privacy.md` holds the argument.
//!
//! - *What is promised*: [`UnitRelation`], [`Grouping`] → [`TaskChange`]; [`PrivacyEvent`].
//! - *What it costs*: [`rdp`], [`epsilon`] → [`Certificate`], [`delta`], [`calibrate_noise`]; a lifetime by [`Filter`].
//! - *What one run refutes*: [`one_run_epsilon`].
//! - *What enforces it*: [`Grid`], [`RoundedGaussian`], [`DiscreteGaussian`], [`bernoulli`], [`Keystream`], [`PublicBound`].

#![warn(clippy::indexing_slicing)]

mod bound;
mod calibrate;
mod certificate;
mod convert;
mod error;
mod event;
mod filter;
mod gaussian;
mod grid;
mod noise;
mod one_run;
mod pair;
mod pld;
mod quantity;
mod rdp;
mod renyi;
mod rule;
mod special;
mod unit;

pub use bound::{OutOfBound, PublicBound};
pub use calibrate::{calibrate_count, calibrate_noise, calibrate_rate};
pub use certificate::{Certificate, Method, delta, epsilon, epsilon_by};
pub use error::PrivacyError;
pub use event::{Mechanism, PrivacyEvent};
pub use filter::{Filter, FilterExceeded};
pub use gaussian::{
    analytic_gaussian_delta, analytic_gaussian_epsilon, analytic_gaussian_sigma, gaussian_mu,
};
pub use grid::{Grid, Outcome, noise_scale};
pub use noise::{
    DiscreteGaussian, Keystream, RandomSource, RoundedGaussian, SourceExhausted, bernoulli,
};
pub use one_run::one_run_epsilon;
pub use pld::Interval;
pub use quantity::{ClipNorm, Delta, Epsilon, NoiseMultiplier, Order, SamplingRate};
pub use rdp::{rdp, rdp_curve};
pub use rule::{check_delta, loss_predictor};
pub use unit::{Grouping, TaskChange, UnitRelation};
