//! The transparency log: record encoding, Merkle tree, checkpoints, proofs, receipts and store contracts.
//!
//! A log is a list of leaves, each the exact bytes of one signed record, under an RFC 6962 Merkle
//! tree. A consortium has one ([`record`]), and every bank has one of its own for each population
//! ([`population`]). Everything here is pure: bytes, keys, time and randomness come in as
//! arguments, and storage comes in as a trait ([`log_store`]).
//!
//! | module | what it holds |
//! |---|---|
//! | [`digest`] | SHA-256 values |
//! | [`record`] | the records of a consortium's log, checked once and typed from then on |
//! | [`signing`] | Ed25519 keys, domain-separated messages, verifier keys |
//! | [`tree`] | the Merkle tree: frontier, proofs, verification |
//! | [`checkpoint`] | signed heads of a log |
//! | [`tile`] | a log as static files |
//! | [`receipt`] | a record, its inclusion proof and a checkpoint, in one file |
//! | [`log_store`] | what a log needs of its storage |
//! | [`memory`] | that storage in memory, with faults on demand |
//! | [`population`] | the bank's own ledger of what was charged and released |
#![warn(clippy::indexing_slicing)]

pub mod checkpoint;
pub mod digest;
mod generated;
pub mod log_store;
pub mod memory;
pub mod population;
pub mod receipt;
pub mod record;
pub mod signing;
pub mod tile;
pub mod time;
pub mod tree;
