//! The behaviour of the protocol core, as its users see it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the records it looks at")]

mod metrics;
mod outer;
mod plan;
mod properties;
mod snapshot;
mod stories;
mod support;
