//! A node's connection to the coordinator.

use std::{future::Future, time::Duration};

use tokio::time::timeout;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    Error, chunk,
    digest::sha256,
    limits,
    proto::{
        ApproveRequest, CosignRequest, DecideRequest, FetchBlobRequest, FollowRequest, JoinRequest,
        JoinResponse, Receipt, RenewRequest, RenewResponse, ReportContradictionRequest,
        RotateRequest, RotateResponse, generated::coordinator_client::CoordinatorClient,
    },
    tls::ClientTls,
};

mod connect;
mod updates;
mod upload;

pub use updates::Updates;
pub use upload::Upload;

/// A connection to one coordinator. Cheap to clone; clones share the connection, and it is made
/// anew by the next call after it was lost.
#[derive(Clone, Debug)]
pub struct Connection {
    client: CoordinatorClient<Channel>,
    progress: Duration,
}

impl Connection {
    /// Connects to `address` (`host:port`), which must be in the server's certificate.
    ///
    /// An answer, and each piece of a transfer, must come within `progress`
    /// ([`limits::PROGRESS_TIMEOUT`] is the usual).
    ///
    /// # Errors
    ///
    /// [`Error::Address`]; [`Error::Tls`] if either side refuses the other's certificate;
    /// [`Error::Transport`] if the coordinator is not reached within [`limits::CONNECT_TIMEOUT`].
    pub async fn open(address: &str, tls: &ClientTls, progress: Duration) -> Result<Self, Error> {
        let channel = connect::channel(address, tls).await?;
        let client = CoordinatorClient::new(channel)
            .max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(limits::MESSAGE_BYTES_MAX);
        Ok(Self { client, progress })
    }

    /// Redeems an invitation.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn join(&self, request: JoinRequest) -> Result<JoinResponse, Error> {
        let mut client = self.client.clone();
        self.answer(client.join(request)).await
    }

    /// Asks for a new certificate with a certificate signing request (DER).
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn renew(&self, csr: Vec<u8>) -> Result<RenewResponse, Error> {
        let mut client = self.client.clone();
        self.answer(client.renew(RenewRequest { csr: csr.into() })).await
    }

    /// Hands in other keys for the caller (the canonical MemberRotated) with a certificate signing request (DER) made with its TLS key.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn rotate(&self, rotated: Vec<u8>, csr: Vec<u8>) -> Result<RotateResponse, Error> {
        let mut client = self.client.clone();
        let request = RotateRequest { rotated: rotated.into(), csr: csr.into() };
        self.answer(client.rotate(request)).await
    }

    /// The log from leaf `size` on, for as long as the connection lives.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn follow(&self, size: u64) -> Result<Updates, Error> {
        let mut client = self.client.clone();
        Ok(Updates::new(self.answer(client.follow(FollowRequest { size })).await?, size))
    }

    /// The blob with SHA-256 `digest`, verified, of at most `max_len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] if the coordinator refuses, [`Error::WrongDigest`] if the bytes are others,
    /// and the errors of [`chunk::receive_blob`].
    pub async fn fetch_blob(&self, digest: &[u8; 32], max_len: u64) -> Result<Vec<u8>, Error> {
        let mut client = self.client.clone();
        let request = FetchBlobRequest { digest: digest.to_vec().into() };
        let stream = self.answer(client.fetch_blob(request)).await?;
        let limit = max_len.min(limits::BLOB_BYTES_MAX);
        let blob = chunk::receive_blob(stream, limit, self.progress).await?;
        let got = sha256(&blob);
        if got != *digest {
            return Err(Error::WrongDigest { expected: *digest, got });
        }
        Ok(blob)
    }

    /// Uploads a contribution: the only door through which anything derived from rows can leave.
    ///
    /// Sent again, the same bytes get the same leaf and a fresh proof.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, [`Error::Stalled`] if it neither takes the
    /// next piece nor answers, or the connection's error.
    pub async fn contribute(&self, upload: Upload) -> Result<Receipt, Error> {
        let mut client = self.client.clone();
        let (messages, taken) = upload.into_messages();
        let call = client.contribute(Request::new(messages));
        Ok(upload::while_taken(call, taken, self.progress).await?.into_inner())
    }

    /// Hands in a signature on a plan: the canonical Approval body and the record key's signature.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn approve(&self, approval: Vec<u8>, signature: Vec<u8>) -> Result<Receipt, Error> {
        let mut client = self.client.clone();
        let request = ApproveRequest { approval: approval.into(), signature: signature.into() };
        self.answer(client.approve(request)).await
    }

    /// Hands in a decision: the canonical Decision body and the record key's signature.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn decide(&self, decision: Vec<u8>, signature: Vec<u8>) -> Result<Receipt, Error> {
        let mut client = self.client.clone();
        let request = DecideRequest { decision: decision.into(), signature: signature.into() };
        self.answer(client.decide(request)).await
    }

    /// Hands in that a key of the log signed two histories: the canonical Contradiction body and the record key's signature.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn report_contradiction(
        &self,
        contradiction: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<Receipt, Error> {
        let mut client = self.client.clone();
        let request = ReportContradictionRequest {
            contradiction: contradiction.into(),
            signature: signature.into(),
        };
        self.answer(client.report_contradiction(request)).await
    }

    /// Hands in a cosignature of the checkpoint with `size` leaves: its signature line.
    ///
    /// # Errors
    ///
    /// [`Error::Status`] with the coordinator's reason, or the connection's error.
    pub async fn cosign(&self, size: u64, line: String) -> Result<(), Error> {
        let mut client = self.client.clone();
        self.answer(client.cosign(CosignRequest { size, line })).await.map(drop)
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let answer = timeout(self.progress, call).await;
        Ok(answer.map_err(|_| Error::Stalled(self.progress))??.into_inner())
    }
}
