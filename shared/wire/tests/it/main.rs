//! The wire from outside: real sockets, certificates made for each test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

mod authority;
mod chunks;
mod handshake;
mod identity;
mod limits;
mod release;
mod revocation;
mod service;
mod transfer;
mod world;
