//! The service: what members may ask over the wire.
//!
//! Who calls is read from the certificate and looked up in the roster at every call; what a message
//! says of its sender is compared with that and never believed. Everything is checked that can be
//! checked before a request reaches the sequencer.

mod blob;
mod contribute;
mod follow;
mod join;
mod status;

use std::pin::Pin;
use std::sync::Arc;

pub(crate) use blob::Shelf;
use ledger::checkpoint::NoteSignature;
use ledger::digest::Digest;
use ledger::log_store::BlobStore;
use ledger::record::{Approval, Canonical, Contradicted, Decision, Institution, Role};
use ledger::signing::Signature;
use ledger::time::Timestamp;
use round::decide::Request as Ask;
use round::state::{Consortium, Membership};
pub(crate) use status::status_of;
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};
use wire::proto::{
    ApproveRequest, BlobChunk, ContributeRequest, Coordinator, CosignRequest, CosignResponse,
    DecideRequest, FetchBlobRequest, FollowRequest, JoinRequest, JoinResponse, LogUpdate, Receipt,
    RenewRequest, RenewResponse, ReportContradictionRequest, RotateRequest, RotateResponse,
};
use wire::tls::PeerCertificate;

use crate::governance::{Certificates, Invitations};
use crate::library::Library;
use crate::sequencer::{Handle, Published, Tail};
use crate::witnesses::Witnesses;

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service.
pub(crate) struct Service<B> {
    pub(crate) sequencer: Handle,
    pub(crate) published: watch::Receiver<Arc<Published>>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) witnesses: Arc<Witnesses>,
    pub(crate) library: Arc<Library>,
    pub(crate) blobs: B,
    pub(crate) shelf: Shelf,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) invitations: Invitations,
    pub(crate) genesis: Arc<[u8]>,
    pub(crate) clock: fn() -> Timestamp,
}

/// A member that calls.
pub(crate) struct Caller {
    pub(crate) institution: Institution,
    pub(crate) role: Role,
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// The member behind a request: named by its certificate, active in the roster, with this very
    /// TLS key.
    fn member<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        self.caller(wire::server::caller(request)?)
    }

    /// The member behind a certificate, as the roster is now.
    pub(crate) fn caller(&self, certificate: &PeerCertificate) -> Result<Caller, Status> {
        self.caller_with(certificate, |member, key| member.tls_key_digest == *key)
    }

    /// The same, if the certificate's key is one that the member may come with.
    fn caller_with(
        &self,
        certificate: &PeerCertificate,
        may_use: impl Fn(&Membership, &Digest) -> bool,
    ) -> Result<Caller, Status> {
        let refused = || Status::permission_denied("not an active member of this consortium");
        let institution =
            Institution::new(certificate.identity.institution()).map_err(|_| refused())?;
        let published = Arc::clone(&self.published.borrow());
        let consortium = consortium(&published)?;
        let member = consortium.active(&institution).ok_or_else(refused)?;
        let role = member.role;
        let named = match role {
            Role::Bank => wire::Role::Bank,
            Role::Auditor => wire::Role::Auditor,
        };
        let key = Digest::from_bytes(certificate.key_digest);
        if named == certificate.identity.role() && may_use(member, &key) {
            Ok(Caller { institution, role })
        } else {
            Err(refused())
        }
    }

    fn bank<T>(&self, request: &Request<T>) -> Result<Institution, Status> {
        let caller = self.member(request)?;
        match caller.role {
            Role::Bank => Ok(caller.institution),
            Role::Auditor => Err(Status::permission_denied("an auditor reads; it does not act")),
        }
    }

    /// A member's cosignature. Auditors give theirs too: it is no act, only what they have seen.
    fn take_cosignature(
        &self,
        caller: &Caller,
        request: &CosignRequest,
    ) -> Result<CosignResponse, Status> {
        let line = NoteSignature::parse(&request.line)
            .ok_or_else(|| Status::invalid_argument("expected a signature line of a note"))?;
        let published = Arc::clone(&self.published.borrow());
        let taken = self.witnesses.take(&published.state, &caller.institution, request.size, &line);
        match taken {
            Ok(taken) => {
                tracing::debug!(by = %caller.institution, size = request.size, taken, "cosigned");
                Ok(CosignResponse {})
            }
            Err(error) => Err(Status::invalid_argument(error.to_string())),
        }
    }

    async fn record_approval(
        &self,
        caller: Institution,
        request: ApproveRequest,
    ) -> Result<Receipt, Status> {
        let approval = Approval::decode(&request.approval)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if approval.institution != caller {
            return Err(Status::permission_denied("the approval names another institution"));
        }
        let signature = signature(&request.signature)?;
        self.submit(Ask::Approve(approval, signature)).await
    }

    /// Has something recorded that needs nothing beside it, and gives the receipt.
    async fn submit(&self, ask: Ask) -> Result<Receipt, Status> {
        let answer = self.sequencer.submit(ask, vec![], None).await;
        receipt(answer.map_err(|error| status_of(&error))?.receipt)
    }

    async fn record_decision(
        &self,
        caller: &Caller,
        request: DecideRequest,
    ) -> Result<Receipt, Status> {
        let decision = Decision::decode(&request.decision)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if decision.institution != caller.institution {
            return Err(Status::permission_denied("the decision names another institution"));
        }
        let signature = signature(&request.signature)?;
        self.submit(Ask::Decide(decision, signature)).await
    }

    /// Proof against a key of this log. The operator records it against its own key, or a stolen one.
    async fn record_contradiction(
        &self,
        caller: &Caller,
        request: ReportContradictionRequest,
    ) -> Result<Receipt, Status> {
        let found = Contradicted::decode(&request.contradiction)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if found.institution != caller.institution {
            return Err(Status::permission_denied("the report names another institution"));
        }
        let signature = signature(&request.signature)?;
        tracing::warn!(by = %caller.institution, key = %found.log_key, "a key of the log is reported");
        self.submit(Ask::Report(found, signature)).await
    }
}

/// The service as tonic takes it: the operator's commands use the same one.
pub(crate) struct Shared<B>(pub(crate) Arc<Service<B>>);

#[tonic::async_trait]
impl<B: BlobStore + Clone + Send + Sync + 'static> Coordinator for Shared<B> {
    type FollowStream = Answers<LogUpdate>;
    type FetchBlobStream = Answers<BlobChunk>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        self.0.redeem(request.into_inner()).await.map(Response::new)
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = self.0.member(&request)?;
        self.0.reissue(&caller, &request.into_inner()).map(Response::new)
    }

    async fn rotate(
        &self,
        request: Request<RotateRequest>,
    ) -> Result<Response<RotateResponse>, Status> {
        let certificate = wire::server::caller(&request)?.clone();
        self.0.rotate(&certificate, &request.into_inner()).await.map(Response::new)
    }

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        self.0.member(&request)?;
        Ok(Response::new(self.0.updates(request.into_inner().size)))
    }

    async fn fetch_blob(
        &self,
        request: Request<FetchBlobRequest>,
    ) -> Result<Response<Self::FetchBlobStream>, Status> {
        let caller = self.0.member(&request)?;
        self.0.blob(caller.role, &request.into_inner().digest).await.map(Response::new)
    }

    async fn contribute(
        &self,
        request: Request<Streaming<ContributeRequest>>,
    ) -> Result<Response<Receipt>, Status> {
        let caller = self.0.bank(&request)?;
        self.0.take(caller, request.into_inner()).await.map(Response::new)
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<Receipt>, Status> {
        let caller = self.0.bank(&request)?;
        self.0.record_approval(caller, request.into_inner()).await.map(Response::new)
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<Receipt>, Status> {
        let caller = self.0.member(&request)?;
        self.0.record_decision(&caller, request.into_inner()).await.map(Response::new)
    }

    async fn report_contradiction(
        &self,
        request: Request<ReportContradictionRequest>,
    ) -> Result<Response<Receipt>, Status> {
        let caller = self.0.member(&request)?;
        self.0.record_contradiction(&caller, request.into_inner()).await.map(Response::new)
    }

    async fn cosign(
        &self,
        request: Request<CosignRequest>,
    ) -> Result<Response<CosignResponse>, Status> {
        let caller = self.0.member(&request)?;
        self.0.take_cosignature(&caller, &request.into_inner()).map(Response::new)
    }
}

fn consortium(published: &Published) -> Result<&Consortium, Status> {
    published.state.consortium.as_ref().ok_or_else(|| Status::unavailable("not founded"))
}

fn signature(bytes: &[u8]) -> Result<Signature, Status> {
    Signature::try_from(bytes).map_err(|_| {
        Status::invalid_argument(format!("a signature has 64 bytes, got {}", bytes.len()))
    })
}

/// A receipt in the wire's form.
fn receipt(receipt: Option<ledger::receipt::Receipt>) -> Result<Receipt, Status> {
    let receipt = receipt.ok_or_else(|| Status::already_exists("recorded before"))?;
    Ok(Receipt {
        index: receipt.index,
        leaf: receipt.leaf.into_vec().into(),
        proof: receipt.proof.iter().map(|hash| hash.as_bytes().to_vec().into()).collect(),
        checkpoint: receipt.checkpoint.into(),
    })
}

/// What a roster entry must name for a renewed certificate.
fn key_of(member: &Membership) -> &[u8; 32] {
    member.tls_key_digest.as_bytes()
}
