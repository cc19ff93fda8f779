//! A scripted consortium: four banks, an auditor and an operator, with keys made for this test run.

mod keys;
mod mutate;
mod script;
mod world;

pub(crate) use keys::{
    A, AUDITOR, B, C, D, GENESIS, KEYS, STRANGER, contradicted, decision, genesis, handed_over,
    institution, log_key, member, rotated, unchanged,
};
pub(crate) use mutate::{forged, mutations, resign};
pub(crate) use script::*;
pub(crate) use world::{Plan, World, Wrong};

/// The example plan, for a consortium of zeros.
pub(crate) const EXAMPLE: &str = include_str!("support/plan.toml");

/// The example with one piece of text replaced, which must be there once.
pub(crate) fn with(from: &str, to: &str) -> String {
    assert_eq!(EXAMPLE.matches(from).count(), 1, "{from:?} must be in the example once");
    EXAMPLE.replace(from, to)
}
