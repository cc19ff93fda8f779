//! The embedded default store: an SQLite log and content-addressed blobs.
//!
//! One directory holds one log: `log.sqlite` with leaves, tree, checkpoint, snapshot and small blobs,
//! and `blobs/` with the large ones. [`open`] opens both for one process, [`open_shared`] for several that take turns. No server, no
//! configuration.
//!
//! The contracts are those of [`ledger::log_store`]. An append is one SQLite transaction in WAL mode
//! with `synchronous=FULL`: one fsync, whatever it holds. A blob file costs two: its own and its
//! directory's. [`Syncs`] counts them.

mod blobs;
mod directory;
mod error;
mod file_blobs;
mod lock;
mod second_place;
mod sqlite_log;
mod syncs;

pub use blobs::Blobs;
pub use directory::{open, open_shared};
pub use error::StoreError;
pub use file_blobs::FileBlobs;
pub use sqlite_log::SqliteLog;
pub use syncs::Syncs;
