//! The state as bytes, so that whoever folds a log need not begin at leaf 0.
//!
//! ```text
//! version u32 ‖ size u64 ‖ time u64 ‖ plans ‖ consortium?
//! ```
//!
//! Numbers are big-endian; a `?` is a byte 0 or 1 and the value if it is 1; lists, maps and texts are
//! preceded by their count as u32; maps and sets ascend. Every plan is there once, in its exact bytes,
//! ascending by digest, and is named by its digest everywhere else. A state has exactly one encoding,
//! and it depends on nothing but the state. A snapshot proves nothing by itself: whoever keeps one
//! signs it, and checks it against the log.

mod bytes;
mod read;
mod write;

use crate::plan::PlanError;
use crate::state::State;

/// The only version of the encoding.
pub const SNAPSHOT_VERSION: u32 = 4;

/// Why bytes are not a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another version, or no snapshot at all.
    #[error("expected a snapshot of version {SNAPSHOT_VERSION}, got {0}")]
    Version(u32),
    /// The bytes end too early.
    #[error("expected {expected} more bytes at {at}, got {left}")]
    Truncated {
        /// Where the value begins.
        at: usize,
        /// How long it is.
        expected: usize,
        /// How many bytes there are.
        left: usize,
    },
    /// There are bytes after the state.
    #[error("expected the end of the snapshot, got {0} more bytes")]
    Trailing(usize),
    /// A value that cannot be.
    #[error("expected {expected} before byte {at}, got {found}")]
    Value {
        /// Where the value ends.
        at: usize,
        /// What may be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A plan that breaks a rule.
    #[error("a plan of the snapshot: {0}")]
    Plan(#[from] PlanError),
    /// The state has another encoding: an order is wrong, or a value is there twice or unused.
    #[error("expected the one encoding of the state, which differs at byte {0}")]
    NotCanonical(usize),
}

impl State {
    /// The state's one encoding.
    pub fn to_snapshot(&self) -> Vec<u8> {
        write::state(self)
    }

    /// The state with this encoding. Every distinct plan is checked again, accounting included, which
    /// takes up to a second each.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the bytes are not exactly what [`State::to_snapshot`] gives.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state = read::state(bytes)?;
        let again = state.to_snapshot();
        let common = again.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
        if common < again.len().max(bytes.len()) {
            return Err(SnapshotError::NotCanonical(common));
        }
        Ok(state)
    }
}
