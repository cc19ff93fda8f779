//! The behaviour of the protocol core, as its users see it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod outer;
mod plan;
mod properties;
mod stories;
mod support;
