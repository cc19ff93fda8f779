//! The log's formats against implementations that are not ours: what we write they read, what they write we read, and what is changed both
//! refuse. `signed_note` knows notes and verifier keys, `tlog_tiles` checkpoints, tiles and proofs, `sigsum` cosignatures, inclusion and
//! trust policies.
//!
//! | file | what |
//! |---|---|
//! | `c2sp/oracle.rs` | keys, signers and verifiers of theirs |
//! | `c2sp/notes.rs` | verifier keys, checkpoints, cosignatures |
//! | `c2sp/tiles.rs` | tiles, entry bundles, proofs read from tiles alone |
//! | `c2sp/sigsum.rs` | a log of another kind with real witnesses |
//! | `c2sp/policy.rs` | trust policies |
//! | `c2sp/vectors.rs` | known answers of others |
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

#[path = "c2sp/notes.rs"]
mod notes;
#[path = "c2sp/oracle.rs"]
mod oracle;
#[path = "c2sp/policy.rs"]
mod policy;
#[path = "c2sp/sigsum.rs"]
mod sigsum_log;
#[path = "c2sp/tiles.rs"]
mod tiles;
#[path = "c2sp/vectors.rs"]
mod vectors;
