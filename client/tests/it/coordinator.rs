//! A coordinator in memory: the protocol core, a log, and faults on demand.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use client::clock;
use ledger::checkpoint::{LogIdentity, NoteSignature, SignedCheckpoint, witness_key};
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore;
use ledger::memory::MemoryLog;
use ledger::record::{
    Approval, Body, Canonical, Contribution, Decision, Genesis, Institution, Leaf, MemberAdded,
    QuorumRule, Text,
};
use ledger::signing::{Signature, SigningKey, VerifierKey};
use ledger::time::Timestamp;
use ledger::tree::{Head, inclusion_proof};
use ring::rand::SystemRandom;
use round::decide::{Draft, NewModel, Work, work};
use round::initialization::initial_weights;
use round::state::State;
use round::{Request as Ask, apply, decide};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::authority::VerifiedRequest;
use wire::chunk::{self, ContributionReader};
use wire::invitation::Token;
use wire::proto::*;
use wire::tls::{AcceptLimits, Acceptor, ServerMaterial, ServerTls, system_clock};
use wire::{Authority, Identity, Invitation, NodeKey, Role, Validity, server};

use crate::seen::{Recorded, Seen};

const HOUR_MS: u64 = 3_600_000;

/// What the coordinator does wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// How many contributions are recorded without an answer.
    pub(crate) lost_receipts: u32,
    /// How many blobs are sent with a changed byte.
    pub(crate) wrong_blobs: u32,
    /// Member certificates are three hours old and end in one.
    pub(crate) old_certificates: bool,
    /// The model of the next round has a weight that is not a number.
    pub(crate) nan_model: bool,
    /// The receipts of another record.
    pub(crate) wrong_receipts: u32,
}

pub(crate) struct Core {
    authority: Authority,
    operator: SigningKey,
    pub(crate) log_key: SigningKey,
    pub(crate) genesis: Digest,
    genesis_leaf: Vec<u8>,
    pub(crate) state: State,
    pub(crate) log: MemoryLog,
    blobs: HashMap<Digest, Vec<u8>>,
    /// Every vector that came, in order, accepted or not.
    pub(crate) vectors: Vec<Vec<u8>>,
    pub(crate) fetched: u32,
    pub(crate) renewed: u32,
    /// Who cosigned the checkpoint of which size, with which line.
    pub(crate) cosigned: Vec<(String, u64, String)>,
    /// Cosigned checkpoints that followers are sent.
    pub(crate) notes: Vec<String>,
    /// Whether followers are sent every cosignature of the log's head.
    pub(crate) follow_up: bool,
    pub(crate) faults: Faults,
    offset_ms: u64,
}

/// A running coordinator.
#[derive(Clone)]
pub(crate) struct Fake {
    core: Arc<Mutex<Core>>,
    changed: watch::Sender<u64>,
    acceptor: Acceptor,
    address: String,
    pub(crate) seen: Seen,
    _stop: Arc<oneshot::Sender<()>>,
}

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

pub(crate) fn new_key() -> SigningKey {
    SigningKey::generate(&SystemRandom::new()).unwrap().0
}

fn validity(ms: u64) -> Validity {
    let now = clock::now().as_millis();
    Validity::new(now - 1_000, now + ms).unwrap()
}

impl Core {
    fn new() -> Self {
        let authority = Authority::create("test", validity(24 * HOUR_MS)).unwrap();
        let (operator, log_key) = (new_key(), new_key());
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            operator_key: operator.public(),
            log_key: log_key.public(),
            ca_digest: Digest::from_bytes(authority.digest()),
            quorum: QuorumRule::more_than(1, 2).unwrap(),
            nonce: [3; 32],
        };
        let mut core = Self {
            authority,
            operator,
            log_key,
            genesis: Digest::ZERO,
            genesis_leaf: vec![],
            state: State::default(),
            log: MemoryLog::default(),
            blobs: HashMap::new(),
            vectors: vec![],
            fetched: 0,
            renewed: 0,
            cosigned: vec![],
            notes: vec![],
            follow_up: false,
            faults: Faults::default(),
            offset_ms: 0,
        };
        core.ask(Ask::Found(genesis)).unwrap();
        core.genesis = core.state.consortium.as_ref().unwrap().digest;
        core.genesis_leaf = core.log.leaf(0).unwrap().unwrap().into_vec();
        core
    }

    fn now(&self) -> Timestamp {
        clock::now().plus_millis(self.offset_ms)
    }

    /// Records what `request` asks for, and what follows from it.
    pub(crate) fn ask(&mut self, request: Ask) -> Result<u64, round::Refusal> {
        let index = self.state.size;
        let drafts = decide(&self.state, self.now(), request)?;
        self.commit(drafts);
        self.drive();
        Ok(index)
    }

    fn commit(&mut self, drafts: Vec<Draft>) {
        for draft in drafts {
            let leaf = draft.seal(&self.operator, &self.genesis).unwrap();
            self.state = apply(std::mem::take(&mut self.state), &leaf).unwrap();
            let head = self.log.head();
            self.log.append(&head, &[leaf.into_bytes()], &[]).unwrap();
        }
    }

    /// Computes models as they are due. Nobody here checks what is in them.
    fn drive(&mut self) {
        while let Some(due) = work(&self.state, self.now()) {
            let (Work::Initialize(plan) | Work::Aggregate(plan)) = &due;
            let run = self.state.run().unwrap();
            let round = self.state.round().map(|round| round.number);
            let mut theta: Vec<f32> =
                initial_weights(plan.layout(), &plan.text().model.initialization)
                    .iter()
                    .map(|_| round.map_or(0.0, |number| if number % 2 == 0 { 0.01 } else { 0.02 }))
                    .collect();
            if self.faults.nan_model {
                theta[0] = f32::NAN;
            }
            let theta: Vec<u8> = theta.iter().flat_map(|w| w.to_le_bytes()).collect();
            let digest = sha256(&theta);
            let model = NewModel { run: run.id, theta: digest, master: digest };
            self.blobs.insert(digest, theta);
            let request = match (due, self.state.round()) {
                (Work::Aggregate(_), Some(round)) => Ask::Close {
                    round: round.number,
                    survivors: round.accepted.keys().cloned().collect(),
                    aggregate: digest,
                    model,
                },
                _ => Ask::Begin(model),
            };
            let drafts = decide(&self.state, self.now(), request).unwrap();
            self.commit(drafts);
        }
    }

    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        self.sign(self.log.head())
    }

    /// Any head, signed by the log's key.
    pub(crate) fn sign(&self, head: Head) -> SignedCheckpoint {
        SignedCheckpoint::sign(&self.genesis, head, &self.log_key).unwrap()
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        LogIdentity { genesis: self.genesis, key: self.log_key.public() }
    }

    /// The key that a member cosigns with.
    pub(crate) fn witness(&self, name: &str) -> VerifierKey {
        let members = &self.state.consortium.as_ref().unwrap().members;
        let key = members[&name.parse::<Institution>().unwrap()].cosign_key;
        witness_key(&self.genesis, name, key).unwrap()
    }

    /// The log's head with every cosignature that was handed in for it.
    fn cosigned(&self) -> String {
        let (mut note, size) = (self.checkpoint(), self.log.head().size);
        for (name, _, line) in self.cosigned.iter().filter(|(_, of, _)| *of == size) {
            let line = NoteSignature::parse(line).unwrap();
            note = note.with_cosignature(&self.identity(), &self.witness(name), &line).unwrap();
        }
        note.text().to_owned()
    }

    fn receipt(&self, index: u64) -> Receipt {
        let proof = inclusion_proof(&self.log, index, self.log.head().size).unwrap();
        Receipt {
            index,
            leaf: self.log.leaf(index).unwrap().unwrap().into_vec().into(),
            proof: proof.iter().map(|hash| hash.as_bytes().to_vec().into()).collect(),
            checkpoint: self.checkpoint().text().as_bytes().to_vec().into(),
        }
    }

    /// Forgets every record from leaf `size` on.
    fn roll_back(&mut self, size: u64) {
        let leaves = self.log.leaves(0..size).unwrap();
        self.log = MemoryLog::default();
        self.state = State::default();
        for bytes in leaves {
            let leaf: Leaf = Leaf::decode(bytes.as_slice()).unwrap();
            self.state = apply(std::mem::take(&mut self.state), &leaf).unwrap();
            let head = self.log.head();
            self.log.append(&head, &[bytes], &[]).unwrap();
        }
    }
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let core = Core::new();
        let key = NodeKey::generate().unwrap();
        let identity =
            Identity::new(*core.genesis.as_bytes(), Role::Coordinator, "coordinator").unwrap();
        let request = VerifiedRequest::verify(&key.csr().unwrap()).unwrap();
        let names = ["localhost", "127.0.0.1"];
        let issued =
            core.authority.issue_server(&request, &identity, &names, validity(HOUR_MS)).unwrap();
        let crl = core.authority.issue_crl(&[], validity(HOUR_MS)).unwrap();
        let material = ServerMaterial {
            ca: core.authority.certificate(),
            certificate: &issued.certificate,
            key: &key,
            crl: &crl,
        };
        let tls = ServerTls::new(&material, *core.genesis.as_bytes(), system_clock()).unwrap();
        let acceptor = Acceptor::new(tls, AcceptLimits::default());
        let incoming = acceptor.listen("127.0.0.1:0").await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let fake = Self {
            changed: watch::Sender::new(core.state.size),
            core: Arc::new(Mutex::new(core)),
            acceptor: acceptor.clone(),
            address: incoming.local_addr().to_string(),
            seen: Seen::default(),
            _stop: Arc::new(stop),
        };
        let service = Service(Arc::clone(&fake.core), fake.changed.clone(), fake.seen.clone());
        let service = Recorded(server::coordinator(service), fake.seen.clone());
        let router = server::builder(&acceptor, server::nothing_public).add_service(service);
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server::serve(router, &acceptor, incoming, stopped, Duration::from_millis(1)).await
        });
        fake
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap()
    }

    pub(crate) fn genesis(&self) -> Digest {
        self.core().genesis
    }

    /// The blinded head in each accepted contribution's header, in hex, in the log's order.
    pub(crate) fn accepted_heads(&self) -> Vec<String> {
        let core = self.core();
        let leaves = core.log.leaves(0..core.log.head().size).unwrap().into_iter();
        leaves
            .filter_map(|bytes| {
                let leaf = Leaf::<Body>::decode(bytes.into_vec()).unwrap();
                let Body::Accepted(contribution) = leaf.body() else { return None };
                Some(contribution.ledger_head.to_string())
            })
            .collect()
    }

    pub(crate) fn invitation(&self, institution: &str) -> Invitation {
        let core = self.core();
        let identity = Identity::new(*core.genesis.as_bytes(), Role::Bank, institution).unwrap();
        let token = Token::from_bytes([9; 32]);
        Invitation::new(&self.address, core.authority.digest(), identity, token).unwrap()
    }

    /// Records what `request` asks for and tells everybody.
    pub(crate) fn ask(&self, request: Ask) -> Result<u64, round::Refusal> {
        let asked = self.core().ask(request);
        self.tell();
        asked
    }

    pub(crate) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.core().offset_ms += ms;
    }

    /// Forgets records, and every connection with them.
    pub(crate) fn roll_back(&self, size: u64) {
        self.core().roll_back(size);
        self.acceptor.connections().close_all();
    }

    pub(crate) fn disconnect(&self) {
        self.acceptor.connections().close_all();
    }

    /// Waits until `what` holds of the coordinator.
    pub(crate) async fn until(&self, what: impl Fn(&Core) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                if what(&self.core()) {
                    return;
                }
                changed.changed().await.unwrap();
            }
        };
        crate::world::soon(waiting).await;
    }
}

struct Service(Arc<Mutex<Core>>, watch::Sender<u64>, Seen);

impl Service {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap()
    }

    fn tell(&self) {
        self.1.send_modify(|count| *count += 1);
    }
}

fn refused(refusal: &round::Refusal) -> Status {
    Status::failed_precondition(refusal.to_string())
}

fn signature(bytes: &[u8]) -> Signature {
    Signature::try_from(bytes).unwrap()
}

#[tonic::async_trait]
impl Coordinator for Service {
    type FollowStream = Messages<LogUpdate>;
    type FetchBlobStream = Messages<BlobChunk>;

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        if request.token.as_ref() != [9; 32] {
            return Err(Status::unauthenticated("no such invitation"));
        }
        let mut core = self.core();
        let added = MemberAdded::decode(&request.member).unwrap();
        let verified = VerifiedRequest::verify(&request.csr)?;
        let identity =
            Identity::new(*core.genesis.as_bytes(), Role::Bank, &request.institution).unwrap();
        let now = clock::now().as_millis();
        let since = if core.faults.old_certificates { 3 * HOUR_MS } else { 1_000 };
        let life = Validity::new(now - since, now + HOUR_MS).unwrap();
        let issued = core.authority.issue_client(&verified, &identity, life).unwrap();
        core.ask(Ask::Admit(added.clone())).map_err(|refusal| refused(&refusal))?;
        let expected = Body::Member(ledger::record::Member::Added(added));
        let index = (0..core.state.size)
            .find(|index| {
                let leaf = core.log.leaf(*index).unwrap().unwrap();
                *Leaf::<Body>::decode(leaf.as_slice()).unwrap().body() == expected
            })
            .unwrap();
        let index = if core.faults.wrong_receipts > 0 { 0 } else { index };
        let receipt = core.receipt(index);
        self.tell();
        Ok(Response::new(JoinResponse {
            certificate: issued.certificate.into(),
            ca: core.authority.certificate().to_vec().into(),
            genesis: core.genesis_leaf.clone().into(),
            receipt: Some(receipt),
            log_key: core.log_key.public().as_bytes().to_vec().into(),
        }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = server::caller(&request)?.identity.clone();
        let mut core = self.core();
        let verified = VerifiedRequest::verify(&request.into_inner().csr)?;
        let issued = core.authority.issue_client(&verified, &caller, validity(HOUR_MS)).unwrap();
        core.renewed += 1;
        self.tell();
        Ok(Response::new(RenewResponse { certificate: issued.certificate.into() }))
    }

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let mut sent = request.into_inner().size;
        self.2.message(format!("from {sent}"));
        let (core, mut changed) = (Arc::clone(&self.0), self.1.subscribe());
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(async move {
            loop {
                changed.mark_unchanged();
                let updates = {
                    let core = core.lock().unwrap();
                    let size = core.log.head().size;
                    let leaves = core.log.leaves(sent..size.max(sent)).unwrap();
                    let leaves: Vec<_> = leaves.into_iter().map(|l| l.into_vec().into()).collect();
                    let checkpoint = core.checkpoint().text().as_bytes().to_vec();
                    let first = sent;
                    sent += leaves.len() as u64;
                    let mut updates = chunk::updates(first, leaves, checkpoint.into());
                    let mut notes = core.notes.clone();
                    notes.extend(core.follow_up.then(|| core.cosigned()));
                    if !notes.is_empty() {
                        let cosigned = notes.into_iter().map(Into::into).collect();
                        updates.push(LogUpdate { first: sent, cosigned, ..LogUpdate::default() });
                    }
                    updates
                };
                for update in updates {
                    if sender.send(Ok(update)).await.is_err() {
                        return;
                    }
                }
                if changed.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn fetch_blob(
        &self,
        request: Request<FetchBlobRequest>,
    ) -> Result<Response<Self::FetchBlobStream>, Status> {
        let digest = Digest::try_from(request.into_inner().digest.as_ref()).unwrap();
        self.2.message("a digest");
        let mut core = self.core();
        core.fetched += 1;
        let mut blob =
            core.blobs.get(&digest).cloned().ok_or_else(|| Status::not_found("no such blob"))?;
        if core.faults.wrong_blobs > 0 {
            core.faults.wrong_blobs -= 1;
            blob[0] ^= 1;
        }
        self.tell();
        let messages = chunk::blob(blob.into()).map(Ok);
        Ok(Response::new(Box::pin(tokio_stream::iter(messages.collect::<Vec<_>>()))))
    }

    async fn contribute(
        &self,
        request: Request<Streaming<ContributeRequest>>,
    ) -> Result<Response<Receipt>, Status> {
        let caller = server::caller(&request)?.identity.institution().to_owned();
        let parts = self.2.parts(request.into_inner());
        let mut reader = ContributionReader::new(parts, Duration::from_secs(10));
        let header = reader.header().await?;
        let contribution = Contribution::decode(&header.contribution).unwrap();
        assert_eq!(contribution.institution.as_str(), caller);
        let length = {
            let core = self.core();
            let plan = core.state.plan_of(&contribution.run).cloned();
            4 * plan.ok_or_else(|| Status::not_found("no such run"))?.contribution_dimension()
                as u64
        };
        let vector = reader.vector(length, length).await?;
        let mut core = self.core();
        if sha256(&vector) != contribution.vector {
            return Err(Status::invalid_argument("another vector"));
        }
        core.vectors.push(vector.clone());
        let words = vector.as_chunks::<4>().0;
        let integers: Vec<i32> = words.iter().map(|word| i32::from_le_bytes(*word)).collect();
        let plan = core.state.plan_of(&contribution.run).cloned().unwrap();
        let bound = plan.public_bound(&contribution.institution).unwrap();
        bound.check(&integers).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let ask = Ask::Contribute(contribution.clone(), signature(&header.signature));
        let earlier = core.state.accepted(&contribution);
        let recorded = core.ask(ask).map_err(|refusal| refused(&refusal))?;
        let index = earlier.unwrap_or(recorded);
        self.tell();
        if core.faults.lost_receipts > 0 {
            core.faults.lost_receipts -= 1;
            return Err(Status::unavailable("lost"));
        }
        if core.faults.wrong_receipts > 0 {
            core.faults.wrong_receipts -= 1;
            return Ok(Response::new(core.receipt(0)));
        }
        Ok(Response::new(core.receipt(index)))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<Receipt>, Status> {
        let request = request.into_inner();
        let approval = Approval::decode(&request.approval).unwrap();
        let mut core = self.core();
        let ask = Ask::Approve(approval, signature(&request.signature));
        let index = core.ask(ask).map_err(|refusal| refused(&refusal))?;
        self.tell();
        Ok(Response::new(core.receipt(index)))
    }

    async fn rotate(&self, _: Request<RotateRequest>) -> Result<Response<RotateResponse>, Status> {
        Err(Status::unimplemented("rotate"))
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<Receipt>, Status> {
        let request = request.into_inner();
        let decision = Decision::decode(&request.decision).unwrap();
        let mut core = self.core();
        let ask = Ask::Decide(decision, signature(&request.signature));
        let index = core.ask(ask).map_err(|refusal| refused(&refusal))?;
        self.tell();
        Ok(Response::new(core.receipt(index)))
    }

    async fn report_contradiction(
        &self,
        _: Request<ReportContradictionRequest>,
    ) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("report"))
    }

    async fn cosign(
        &self,
        request: Request<CosignRequest>,
    ) -> Result<Response<CosignResponse>, Status> {
        let caller = server::caller(&request)?.identity.institution().to_owned();
        let CosignRequest { size, line } = request.into_inner();
        self.core().cosigned.push((caller, size, line));
        self.tell();
        Ok(Response::new(CosignResponse {}))
    }
}
