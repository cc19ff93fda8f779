//! Members that break every rule, against a real coordinator.
//!
//! After each attack the coordinator serves, and its log is what it was; only what convicts a member
//! by its own signature is added to it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

#[path = "hostile/contributing.rs"]
mod contributing;
#[path = "hostile/governing.rs"]
mod governing;
#[path = "hostile/joining.rs"]
mod joining;
#[path = "hostile/round.rs"]
mod round_of;
