//! The log as it arrives.

use tonic::Streaming;

use crate::{
    Error,
    limits::{
        CHECKPOINT_BYTES_MAX, COSIGNED_PER_UPDATE_MAX, LEAF_BYTES_MAX, LEAVES_PER_UPDATE_MAX,
    },
    proto::LogUpdate,
};

/// The answer to [`super::Connection::follow`]: updates in order, without gaps, within the limits.
/// What the leaves and checkpoints say is for the caller to verify.
#[derive(Debug)]
pub struct Updates {
    stream: Streaming<LogUpdate>,
    size: u64,
}

impl Updates {
    pub(super) const fn new(stream: Streaming<LogUpdate>, size: u64) -> Self {
        Self { stream, size }
    }

    /// The next update; `None` once the coordinator ends the stream. It may be long in coming: a
    /// dead connection is noticed by keep-alive.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] or [`Error::TooLong`] if the update breaks a rule, else the connection's error.
    pub async fn next(&mut self) -> Result<Option<LogUpdate>, Error> {
        let Some(update) = self.stream.message().await? else { return Ok(None) };
        let leaves = update.leaves.len();
        within("update's leaves", leaves, LEAVES_PER_UPDATE_MAX)?;
        within("checkpoint", update.checkpoint.len(), CHECKPOINT_BYTES_MAX)?;
        within("update's cosigned checkpoints", update.cosigned.len(), COSIGNED_PER_UPDATE_MAX)?;
        for note in &update.cosigned {
            within("cosigned checkpoint", note.len(), CHECKPOINT_BYTES_MAX)?;
        }
        for leaf in &update.leaves {
            within("leaf", leaf.len(), LEAF_BYTES_MAX)?;
        }
        if update.first != self.size {
            return Err(Error::Gap { expected: self.size, got: update.first });
        }
        self.size = self
            .size
            .checked_add(leaves as u64)
            .ok_or(Error::Gap { expected: self.size, got: u64::MAX })?;
        Ok(Some(update))
    }
}

const fn within(what: &'static str, length: usize, limit: usize) -> Result<(), Error> {
    if length > limit {
        return Err(Error::TooLong { what, length: length as u64, limit: limit as u64 });
    }
    Ok(())
}
