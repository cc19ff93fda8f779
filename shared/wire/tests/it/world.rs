//! A consortium on loopback.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType, SubjectPublicKeyInfo,
};
use rustls::{ClientConfig, RootCertStore, pki_types::UnixTime};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject,
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tower::service_fn;
use wire::{
    Authority, Connection, Error, Identity, NodeKey, Role, Validity,
    authority::{Issued, RevokedSerial, VerifiedRequest},
    proto::{ContributeRequest, Receipt},
    server,
    tls::{AcceptLimits, Acceptor, ClientTls, Clock, ServerMaterial, ServerTls, TimeProvider},
};

use crate::service::TestService;

pub(crate) const CONSORTIUM: [u8; 32] = [0xc0; 32];
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1000;
/// No test expects to wait this long; it turns a hang into a failure.
const HANG: Duration = Duration::from_secs(20);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl TimeProvider for TestClock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(self.0.load(Ordering::SeqCst));
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// A node with its key and certificate.
pub(crate) struct Node {
    pub(crate) key: NodeKey,
    pub(crate) issued: Issued,
}

/// An authority and a clock.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clock: Arc<TestClock>,
}

/// A running server.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) acceptor: Acceptor,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

/// Whatever `future` gives, unless it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("must not hang")
}

pub(crate) fn days(from: i64, to: i64) -> Validity {
    let at = |days: i64| NOW_MS.checked_add_signed(days * DAY_MS.cast_signed()).unwrap();
    Validity::new(at(from), at(to)).unwrap()
}

pub(crate) fn identity(role: Role, institution: &str) -> Identity {
    Identity::new(CONSORTIUM, role, institution).unwrap()
}

pub(crate) fn request(key: &NodeKey) -> VerifiedRequest {
    VerifiedRequest::verify(&key.csr().unwrap()).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            authority: Authority::create("test consortium", days(-1, 365)).unwrap(),
            clock: Arc::new(TestClock(AtomicU64::new(NOW_MS))),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        Arc::<TestClock>::clone(&self.clock)
    }

    pub(crate) fn node(&self, role: Role, institution: &str, validity: Validity) -> Node {
        let key = NodeKey::generate().unwrap();
        let who = identity(role, institution);
        let issued = self.authority.issue_client(&request(&key), &who, validity).unwrap();
        Node { key, issued }
    }

    pub(crate) fn bank(&self, institution: &str) -> Node {
        self.node(Role::Bank, institution, days(-1, 30))
    }

    pub(crate) fn coordinator(&self, consortium: [u8; 32], names: &[&str]) -> Node {
        let key = NodeKey::generate().unwrap();
        let who = Identity::new(consortium, Role::Coordinator, "coordinator").unwrap();
        let request = request(&key);
        let issued = self.authority.issue_server(&request, &who, names, days(-1, 30)).unwrap();
        Node { key, issued }
    }

    pub(crate) fn crl(&self, serials: &[&[u8]]) -> Vec<u8> {
        let revoked: Vec<_> = serials
            .iter()
            .map(|serial| RevokedSerial { serial: serial.to_vec(), at_ms: NOW_MS })
            .collect();
        self.authority.issue_crl(&revoked, days(-1, 7)).unwrap()
    }

    pub(crate) fn server_tls(&self, node: &Node, crl: &[u8]) -> ServerTls {
        let material = ServerMaterial {
            ca: self.authority.certificate(),
            certificate: &node.issued.certificate,
            key: &node.key,
            crl,
        };
        ServerTls::new(&material, CONSORTIUM, self.clock()).unwrap()
    }

    pub(crate) async fn serve(&self) -> Served {
        self.serve_with(self.crl(&[]), AcceptLimits::default(), TestService::default()).await
    }

    pub(crate) async fn serve_with(
        &self,
        crl: Vec<u8>,
        limits: AcceptLimits,
        service: TestService,
    ) -> Served {
        let node = self.coordinator(CONSORTIUM, &["localhost", "127.0.0.1"]);
        serve(self.server_tls(&node, &crl), limits, service).await
    }

    pub(crate) fn member(&self, node: &Node) -> ClientTls {
        self.shows(&node.issued.certificate, &node.key)
    }

    pub(crate) fn shows(&self, certificate: &[u8], key: &NodeKey) -> ClientTls {
        let ca = self.authority.certificate();
        ClientTls::member(ca, CONSORTIUM, certificate, key, self.clock()).unwrap()
    }

    pub(crate) fn joining(&self) -> ClientTls {
        ClientTls::join(self.authority.digest(), CONSORTIUM, self.clock()).unwrap()
    }

    /// A certificate that the authority would never make.
    pub(crate) fn forge(&self, uri: &str, purpose: ExtendedKeyUsagePurpose) -> Node {
        let key = NodeKey::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.extended_key_usages = vec![purpose];
        let ca = CertificateDer::from(self.authority.certificate());
        let ca_key = KeyPair::from_pem(&self.authority.key_pem()).unwrap();
        let issuer = Issuer::from_ca_cert_der(&ca, ca_key).unwrap();
        let pair = KeyPair::from_pem(&key.to_pem()).unwrap();
        let public = rcgen::PublicKeyData::subject_public_key_info(&pair);
        let public = SubjectPublicKeyInfo::from_der(&public).unwrap();
        let certificate = params.signed_by(&public, &issuer).unwrap().der().to_vec();
        let key_digest = key.digest();
        Node { key, issued: Issued { certificate, serial: vec![], key_digest } }
    }

    /// A TLS client as others would write it, with the settings of a library's defaults.
    pub(crate) fn foreign_client(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        alpn: &[&str],
        node: Option<&Node>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.certificate().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, self.clock())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match node {
            None => builder.with_no_client_auth(),
            Some(node) => {
                let chain = vec![CertificateDer::from(node.issued.certificate.clone())];
                let pem = node.key.to_pem();
                let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from(key)).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

pub(crate) async fn serve(tls: ServerTls, limits: AcceptLimits, service: TestService) -> Served {
    serve_at(SocketAddr::from(([127, 0, 0, 1], 0)), tls, limits, service).await
}

pub(crate) async fn serve_at(
    address: SocketAddr,
    tls: ServerTls,
    limits: AcceptLimits,
    service: TestService,
) -> Served {
    let acceptor = Acceptor::new(tls, limits);
    let incoming = acceptor.listen(address).await.unwrap();
    let address = incoming.local_addr();
    let router = server::builder(&acceptor, server::nothing_public)
        .add_service(server::coordinator(service));
    let (stop, stopped) = oneshot::channel();
    let serving = acceptor.clone();
    let task = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        server::serve(router, &serving, incoming, stopped, Duration::from_millis(20)).await
    });
    Served { address, acceptor, stop, task }
}

/// Waits until `done`, by letting others run.
pub(crate) async fn until(done: impl Fn() -> bool) {
    soon(async {
        while !done() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

impl Served {
    /// A channel that keeps to none of our limits.
    pub(crate) async fn hostile_channel(&self, world: &World, node: &Node) -> Channel {
        let config = world.foreign_client(&[&rustls::version::TLS13], &["h2"], Some(node));
        let address = self.address;
        let connector = service_fn(move |_| {
            let config = Arc::clone(&config);
            async move {
                let tcp = TcpStream::connect(address).await?;
                let name = ServerName::try_from("localhost").unwrap();
                let stream = TlsConnector::from(config).connect(name, tcp).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        soon(endpoint.connect_with_connector(connector)).await.unwrap()
    }

    pub(crate) async fn open(&self, tls: &ClientTls) -> Result<Connection, Error> {
        let address = self.address.to_string();
        soon(Connection::open(&address, tls, Duration::from_secs(10))).await
    }

    pub(crate) async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        soon(TlsConnector::from(Arc::clone(config)).connect(name, tcp)).await
    }
}

/// A `Contribute` call with any messages.
pub(crate) async fn hostile_contribute(
    channel: Channel,
    messages: impl Stream<Item = ContributeRequest> + Send + 'static,
) -> Result<Receipt, Status> {
    hostile_call(channel, Request::new(messages)).await
}

/// A `Contribute` call with any headers.
pub(crate) async fn hostile_call(
    channel: Channel,
    call: Request<impl Stream<Item = ContributeRequest> + Send + 'static>,
) -> Result<Receipt, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    soon(grpc.ready()).await.unwrap();
    let path = PathAndQuery::from_static("/counterfoil.v1.Coordinator/Contribute");
    let codec = tonic_prost::ProstCodec::<ContributeRequest, Receipt>::default();
    let call = grpc.client_streaming(call, path, codec);
    soon(call).await.map(Response::into_inner)
}
