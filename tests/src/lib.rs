//! What the end-to-end, fault and attack tests are made of: real coordinators, real nodes, and
//! members that break every rule.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on must stop"
)]

pub mod consortium;
pub mod export;
pub mod member;
pub mod plans;
pub mod program;
pub mod raw;
