//! The node from outside: real sockets, real TLS, a coordinator that plays by the rules or does not.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

mod budgets;
mod commands;
mod coordinator;
mod joining;
mod mirror;
mod neighbours;
mod plans;
mod policy;
mod recovery;
mod refusals;
mod rounds;
mod seen;
mod sensitivity;
mod shared;
mod witness;
mod world;
