//! A coordinator that says who asked, and sends what a test tells it to.

use std::{pin::Pin, time::Duration};

use ledger::record::{Canonical as _, Contribution};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};
use wire::{chunk::ContributionReader, proto::*, server};

pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The answers of a test's server.
#[derive(Clone)]
pub(crate) struct TestService {
    /// The messages of each `FetchBlob`; afterwards the stream ends, or hangs if `hang`.
    pub(crate) blob: Vec<BlobChunk>,
    /// The messages of each `Follow`; afterwards the stream hangs.
    pub(crate) updates: Vec<LogUpdate>,
    pub(crate) hang: bool,
    /// How long each piece of a contribution may take.
    pub(crate) progress: Duration,
}

impl Default for TestService {
    fn default() -> Self {
        Self { blob: vec![], updates: vec![], hang: false, progress: Duration::from_secs(10) }
    }
}

/// The header of an upload of `length` bytes, as this service reads it.
pub(crate) fn header(length: u64) -> ContributionHeader {
    ContributionHeader {
        contribution: length.to_be_bytes().to_vec().into(),
        signature: vec![7; 64].into(),
    }
}

fn then_hang<T: Send + 'static>(messages: Vec<T>, hang: bool) -> Messages<T> {
    let messages = tokio_stream::iter(messages).map(Ok);
    if hang { Box::pin(messages.chain(tokio_stream::pending())) } else { Box::pin(messages) }
}

#[tonic::async_trait]
impl Coordinator for TestService {
    type FollowStream = Messages<LogUpdate>;
    type FetchBlobStream = Messages<BlobChunk>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let who = match &server::peer(&request)?.certificate {
            Some(certificate) => certificate.identity.uri(),
            None => "nobody".to_owned(),
        };
        Ok(Response::new(JoinResponse { certificate: who.into(), ..Default::default() }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = server::caller(&request)?;
        let mut told = caller.identity.uri().into_bytes();
        told.extend_from_slice(&caller.serial);
        told.extend_from_slice(&caller.key_digest);
        Ok(Response::new(RenewResponse { certificate: told.into() }))
    }

    async fn follow(
        &self,
        _: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        Ok(Response::new(then_hang(self.updates.clone(), true)))
    }

    async fn fetch_blob(
        &self,
        _: Request<FetchBlobRequest>,
    ) -> Result<Response<Self::FetchBlobStream>, Status> {
        Ok(Response::new(then_hang(self.blob.clone(), self.hang)))
    }

    async fn contribute(
        &self,
        request: Request<Streaming<ContributeRequest>>,
    ) -> Result<Response<Receipt>, Status> {
        if self.hang {
            std::future::pending::<()>().await;
        }
        let mut reader = ContributionReader::new(request.into_inner(), self.progress);
        let header = reader.header().await?;
        let body = header.contribution.as_ref();
        let length = match <[u8; 8]>::try_from(body) {
            Ok(length) => u64::from_be_bytes(length),
            // A genuine contribution of these tests tells the length as its round.
            Err(_) => Contribution::decode(body)
                .map(|c| c.round.into())
                .map_err(|_| Status::invalid_argument("8 bytes of length, or a contribution"))?,
        };
        let vector = reader.vector(length, 64 << 20).await?;
        Ok(Response::new(Receipt { leaf: vector.into(), ..Default::default() }))
    }

    async fn rotate(&self, _: Request<RotateRequest>) -> Result<Response<RotateResponse>, Status> {
        Err(Status::unimplemented("rotate"))
    }

    async fn decide(&self, _: Request<DecideRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(Receipt::default()))
    }

    async fn report_contradiction(
        &self,
        _: Request<ReportContradictionRequest>,
    ) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(Receipt::default()))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<Receipt>, Status> {
        let request = request.into_inner();
        Ok(Response::new(Receipt { leaf: request.approval, ..Default::default() }))
    }

    async fn cosign(&self, _: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        Ok(Response::new(CosignResponse {}))
    }
}
