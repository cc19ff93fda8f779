use ledger::checkpoint::CheckpointError;
use ledger::record::RecordError;
use ledger::tree::Head;
use thiserror::Error;

use super::Tampered;

/// Why the copy did not take what came.
#[derive(Debug, Error)]
pub enum MirrorError<E> {
    /// The log was changed or went back: proved, and final.
    #[error(transparent)]
    Tampered(Box<Tampered>),
    /// Not a checkpoint of this log. Nothing is proved: whoever sent it is asked again.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A leaf that is too long.
    #[error(transparent)]
    Leaf(RecordError),
    /// The checkpoint commits to other leaves than came with it.
    #[error("expected a checkpoint over {reached} leaves, got one over {signed}")]
    Incomplete {
        /// How many leaves came, with those that were there.
        reached: u64,
        /// What the checkpoint says.
        signed: u64,
    },
    /// Too many leaves without a checkpoint.
    #[error("expected a checkpoint within {0} bytes of leaves")]
    TooMuch(usize),
    /// Somebody else wrote to the copy.
    #[error("expected to be the copy's only writer, found it at size {}", .0.size)]
    Moved(Head),
    /// Storage failed.
    #[error("expected storage to work: {0}")]
    Store(#[source] E),
}
