//! Blobs by digest.

use ledger::digest::Digest;
use ledger::log_store::BlobStore;
use ledger::record::Role;
use tokio::sync::Mutex;
use tonic::Status;
use wire::proto::BlobChunk;
use wire::{Bytes, chunk};

use super::{Answers, Service};

/// The blob that was read last: when a round opens, all banks fetch the same model.
#[derive(Default)]
pub(crate) struct Shelf {
    newest: Mutex<Option<(Digest, Bytes)>>,
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// A blob that the caller's role may have: banks get what runs publish (meta-initializations
    /// and sums), auditors get contributions too. What a caller may not have does not exist for it.
    pub(super) async fn blob(
        &self,
        role: Role,
        digest: &[u8],
    ) -> Result<Answers<BlobChunk>, Status> {
        let digest = Digest::try_from(digest)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let missing = || Status::not_found("no such blob");
        if !self.library.readable(&digest, role) {
            return Err(missing());
        }
        let bytes = self.shelf.read(&self.blobs, digest).await?.ok_or_else(missing)?;
        Ok(Box::pin(tokio_stream::iter(chunk::blob(bytes).map(Ok))))
    }
}

impl Shelf {
    /// The blob with this digest, verified. Callers that want the same one wait for one read of it.
    async fn read<B>(&self, blobs: &B, digest: Digest) -> Result<Option<Bytes>, Status>
    where
        B: BlobStore + Clone + Send + Sync + 'static,
    {
        let mut newest = self.newest.lock().await;
        if let Some((known, bytes)) = newest.as_ref()
            && *known == digest
        {
            return Ok(Some(bytes.clone()));
        }
        let blobs = blobs.clone();
        let read = tokio::task::spawn_blocking(move || blobs.get(&digest)).await;
        let bytes = read
            .map_err(|_| Status::unavailable("the coordinator is stopping"))?
            .map_err(|error| {
                tracing::error!(%error, %digest, "a blob cannot be read");
                Status::unavailable("the coordinator cannot read this now: try again")
            })?
            .map(Bytes::from);
        // Content never changes under its digest, so what is here is never out of date.
        *newest = bytes.clone().map(|bytes| (digest, bytes));
        Ok(bytes)
    }
}
