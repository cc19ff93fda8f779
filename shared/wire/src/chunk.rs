//! Long byte strings as messages: cut by the sender, put together under limits by the receiver.
//!
//! A receiver never allocates by what a peer announces, only by what came.

use std::time::Duration;

use prost::bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use crate::{
    Error,
    limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, LEAVES_PER_UPDATE_MAX, UPDATE_BYTES_MAX},
    proto::{BlobChunk, LogUpdate},
};

mod assembly;
mod contribution;

pub use assembly::Assembly;
pub use contribution::ContributionReader;
pub(crate) use contribution::contribution;

/// A blob as the messages of a `FetchBlob` answer. Nothing is copied.
pub fn blob(bytes: Bytes) -> impl Iterator<Item = BlobChunk> + Send + 'static {
    let length = bytes.len() as u64;
    let mut rest = Some(bytes);
    let mut first = true;
    std::iter::from_fn(move || {
        let mut data = rest.take()?;
        let later = data.split_off(data.len().min(CHUNK_BYTES_MAX));
        rest = (!later.is_empty()).then_some(later);
        let length = if std::mem::take(&mut first) { length } else { 0 };
        Some(BlobChunk { length, data })
    })
}

/// Puts a blob together. Its digest is for the caller to check.
///
/// # Errors
///
/// [`Error::TooLong`] if it announces or sends more than `limit` bytes, [`Error::Truncated`],
/// [`Error::TooSmall`], [`Error::OutOfOrder`], [`Error::Stalled`] if a piece takes longer than
/// `progress`, or the sender's own error.
pub async fn receive_blob<S>(stream: S, limit: u64, progress: Duration) -> Result<Vec<u8>, Error>
where
    S: Stream<Item = Result<BlobChunk, Status>>,
{
    let mut stream = std::pin::pin!(stream);
    let first = next(&mut stream, progress)
        .await?
        .ok_or(Error::OutOfOrder { expected: "a first piece", got: "the end" })?;
    let mut assembly = Assembly::new("blob", first.length, limit)?;
    if !(first.data.is_empty() && first.length == 0) {
        assembly.push(&first.data)?;
    }
    while let Some(chunk) = next(&mut stream, progress).await? {
        if chunk.length != 0 {
            return Err(Error::OutOfOrder { expected: "a later piece", got: "a first piece" });
        }
        assembly.push(&chunk.data)?;
    }
    assembly.finish()
}

/// Leaves from index `first` on, with the checkpoint that commits to them, as messages that each
/// stay below the limits. The checkpoint is on the last, and alone if there are no leaves.
pub fn updates(first: u64, leaves: Vec<Bytes>, checkpoint: Bytes) -> Vec<LogUpdate> {
    let mut updates = vec![];
    let mut current = LogUpdate { first, ..LogUpdate::default() };
    let mut size = 0;
    for (index, leaf) in (first..).zip(leaves) {
        let full =
            current.leaves.len() == LEAVES_PER_UPDATE_MAX || size + leaf.len() > UPDATE_BYTES_MAX;
        if full && !current.leaves.is_empty() {
            let next = LogUpdate { first: index, ..LogUpdate::default() };
            updates.push(std::mem::replace(&mut current, next));
            size = 0;
        }
        size += leaf.len();
        current.leaves.push(leaf);
    }
    current.checkpoint = checkpoint;
    updates.push(current);
    updates
}

/// The next message, or an error once it takes longer than `progress`.
async fn next<S, T>(stream: &mut S, progress: Duration) -> Result<Option<T>, Error>
where
    S: Stream<Item = Result<T, Status>> + Unpin,
{
    let message = timeout(progress, stream.next()).await.map_err(|_| Error::Stalled(progress))?;
    Ok(message.transpose()?)
}

/// `bytes` in pieces of [`CHUNK_BYTES_MAX`], none if it is empty.
fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> + Send + 'static {
    const { assert!(CHUNK_BYTES_MIN <= CHUNK_BYTES_MAX) };
    std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(CHUNK_BYTES_MAX));
        (!piece.is_empty()).then_some(piece)
    })
}
