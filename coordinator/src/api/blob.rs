//! Blobs by digest.

use ledger::digest::Digest;
use ledger::log_store::BlobStore;
use ledger::record::Role;
use tonic::Status;
use wire::chunk;
use wire::proto::BlobChunk;

use super::{Answers, Service};

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
        let blobs = self.blobs.clone();
        let read = tokio::task::spawn_blocking(move || blobs.get(&digest)).await;
        let bytes = read
            .map_err(|_| Status::unavailable("the coordinator is stopping"))?
            .map_err(|error| {
                tracing::error!(%error, %digest, "a blob cannot be read");
                Status::unavailable("the coordinator cannot read this now: try again")
            })?
            .ok_or_else(missing)?;
        Ok(Box::pin(tokio_stream::iter(chunk::blob(bytes.into()).map(Ok))))
    }
}
