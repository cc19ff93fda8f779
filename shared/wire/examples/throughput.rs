//! How fast contributions go over mutual TLS on loopback.
//!
//! `cargo run --release -p wire --example throughput [SECONDS]`: one million coordinates each, first
//! one after another on one connection, then from four connections at once; client and server share
//! this process and its cores. The server reads each contribution into memory and does nothing else.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::{
    error::Error,
    pin::Pin,
    time::{Duration, Instant},
};

use ledger::{
    digest::Digest,
    memory::{MemoryBlobs, MemoryLog},
    population::{
        Cap, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
        UnitRelation,
    },
    record::{Charge, Institution, TaskChange, Text},
    signing::{Signature, SigningKey},
    time::Timestamp,
};
use prost::bytes::Bytes;
use ring::rand::SystemRandom;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};
use wire::{
    Authority, Connection, Identity, NodeKey, Role, Validity,
    authority::VerifiedRequest,
    chunk::ContributionReader,
    connection::Upload,
    limits,
    proto::{
        ApproveRequest, BlobChunk, ContributeRequest, Coordinator, CosignRequest, CosignResponse,
        DecideRequest, FetchBlobRequest, FollowRequest, JoinRequest, JoinResponse, LogUpdate,
        Receipt, RenewRequest, RenewResponse, ReportContradictionRequest, RotateRequest,
        RotateResponse,
    },
    server,
    tls::{AcceptLimits, Acceptor, ClientTls, ServerMaterial, ServerTls, system_clock},
};

const CONSORTIUM: [u8; 32] = [1; 32];
const VECTOR_BYTES: usize = 4_000_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Takes contributions and throws them away.
struct Sink;

#[tokio::main]
async fn main() -> Outcome<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(3), |text| text.parse())?;
    let span = Duration::from_secs(seconds);
    let consortium = Consortium::create()?;
    let (acceptor, address) = consortium.serve().await?;
    let tls = consortium.bank()?;

    let mut round_trips = vec![];
    let connection = Connection::open(&address, &tls, limits::PROGRESS_TIMEOUT).await?;
    for _ in 0..2000 {
        let start = Instant::now();
        connection.approve(vec![0; 32], vec![0; 64]).await?;
        round_trips.push(start.elapsed());
    }
    round_trips.sort();
    println!("small call: median {:?}", round_trips[round_trips.len() / 2]);

    for connections in [1, 4] {
        let start = Instant::now();
        let mut uploads = tokio::task::JoinSet::new();
        for _ in 0..connections {
            uploads.spawn(upload(address.clone(), tls.clone(), start + span));
        }
        let mut count = 0_u32;
        while let Some(done) = uploads.join_next().await {
            count += done??;
        }
        let elapsed = start.elapsed();
        let megabytes = f64::from(count) * 4.0 / elapsed.as_secs_f64();
        println!(
            "{connections} connections: {count} contributions of 4 MB in {elapsed:.2?}, \
             {megabytes:.0} MB/s, {:.2?} each",
            elapsed / count
        );
    }

    let start = Instant::now();
    for _ in 0..500 {
        Connection::open(&address, &tls, limits::PROGRESS_TIMEOUT).await?;
    }
    println!("connections opened one after another: {:.2?} each", start.elapsed() / 500);
    println!("connections live at the end: {}", acceptor.connections().count());
    Ok(())
}

async fn upload(address: String, tls: ClientTls, until: Instant) -> Outcome<u32> {
    let connection = Connection::open(&address, &tls, limits::PROGRESS_TIMEOUT).await?;
    let upload = released(vec![7; VECTOR_BYTES])?;
    let mut count = 0;
    while Instant::now() < until {
        connection.contribute(upload.clone()).await?;
        count += 1;
    }
    Ok(count)
}

/// A vector that a ledger in memory has released: nothing else can be uploaded.
fn released(vector: Vec<u8>) -> Outcome<Upload> {
    let key = std::sync::Arc::new(SigningKey::generate(&SystemRandom::new())?.0);
    let at = Timestamp::from_millis(1);
    let opened = Opened {
        institution: Institution::new("north")?,
        population: Text::new("cards")?,
        unit: Text::new("customer")?,
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let north = opened.institution.clone();
    let record_key = SigningKey::generate(&SystemRandom::new())?.0;
    let mut ledger = PopulationLedger::register(MemoryLog::default(), key, at, opened, &[])?;
    ledger.enroll(at, Digest::from_bytes(CONSORTIUM), &north, &record_key)?;
    ledger.set_cap(at, Cap::new(1.0, 1e-6, 2.0, 1.0, Text::default())?)?;
    let request = ReserveRequest {
        consortium: Digest::from_bytes(CONSORTIUM),
        run: [3; 32].into(),
        round: 0,
        plan: Digest::from_bytes([4; 32]),
        model: Digest::from_bytes([5; 32]),
        charge: Charge::new(1.0, 0.5, TaskChange::Content)?,
        rdp: 0.5,
        terms: RunTerms::new(1, 1.0, 1e-6, 1.0)?,
    };
    let ReserveOutcome::Compute(reservation) = ledger.reserve(at, request)? else {
        return Err("a new ledger has no charge".into());
    };
    let released = ledger.release(at, &reservation, vector.clone(), &MemoryBlobs::new())?;
    let contribution = ledger.contribution(&released)?;
    let signature = Signature::from_bytes([7; 64]);
    Ok(Upload::new(&released, &contribution, &signature, Bytes::from(vector))?)
}

struct Consortium {
    authority: Authority,
    validity: Validity,
}

impl Consortium {
    fn create() -> Outcome<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = u64::try_from(now.as_millis())?;
        let validity = Validity::new(now - 60_000, now + 3_600_000)?;
        Ok(Self { authority: Authority::create("throughput", validity)?, validity })
    }

    async fn serve(&self) -> Outcome<(Acceptor, String)> {
        let key = NodeKey::generate()?;
        let request = VerifiedRequest::verify(&key.csr()?)?;
        let coordinator = Identity::new(CONSORTIUM, Role::Coordinator, "coordinator")?;
        let names = ["127.0.0.1"];
        let issued = self.authority.issue_server(&request, &coordinator, &names, self.validity)?;
        let material = ServerMaterial {
            ca: self.authority.certificate(),
            certificate: &issued.certificate,
            key: &key,
            crl: &self.authority.issue_crl(&[], self.validity)?,
        };
        let tls = ServerTls::new(&material, CONSORTIUM, system_clock())?;
        let limits = AcceptLimits { per_identity_max: 1000, ..AcceptLimits::default() };
        let acceptor = Acceptor::new(tls, limits);
        let incoming = acceptor.listen("127.0.0.1:0").await?;
        let address = incoming.local_addr().to_string();
        let router = server::builder(&acceptor, server::nothing_public)
            .add_service(server::coordinator(Sink));
        let serving = acceptor.clone();
        tokio::spawn(async move {
            let never = std::future::pending();
            server::serve(router, &serving, incoming, never, Duration::ZERO).await
        });
        Ok((acceptor, address))
    }

    fn bank(&self) -> Outcome<ClientTls> {
        let key = NodeKey::generate()?;
        let request = VerifiedRequest::verify(&key.csr()?)?;
        let bank = Identity::new(CONSORTIUM, Role::Bank, "bank")?;
        let issued = self.authority.issue_client(&request, &bank, self.validity)?;
        let ca = self.authority.certificate();
        Ok(ClientTls::member(ca, CONSORTIUM, &issued.certificate, &key, system_clock())?)
    }
}

#[tonic::async_trait]
impl Coordinator for Sink {
    type FollowStream = Messages<LogUpdate>;
    type FetchBlobStream = Messages<BlobChunk>;

    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn renew(&self, _: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn follow(
        &self,
        _: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn fetch_blob(
        &self,
        _: Request<FetchBlobRequest>,
    ) -> Result<Response<Self::FetchBlobStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn contribute(
        &self,
        request: Request<Streaming<ContributeRequest>>,
    ) -> Result<Response<Receipt>, Status> {
        let stream = request.into_inner();
        let mut reader = ContributionReader::new(stream, limits::PROGRESS_TIMEOUT);
        reader.header().await?;
        reader.vector(VECTOR_BYTES as u64, limits::BLOB_BYTES_MAX).await?;
        Ok(Response::new(Receipt::default()))
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

    async fn approve(&self, _: Request<ApproveRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(Receipt::default()))
    }

    async fn cosign(&self, _: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        Ok(Response::new(CosignResponse {}))
    }
}
