//! The service without the client's manners: any bytes, in any order, under a member's certificate.

use std::pin::pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::{self, HeaderMap, Method};
use tonic::codegen::{Body as _, Service as _};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use wire::proto::{
    BlobChunk, ContributeRequest, ContributionHeader, FetchBlobRequest, JoinRequest, JoinResponse,
    Receipt, contribute_request::Part,
};
use wire::{Bytes, NodeKey};

use crate::member::Member;

/// What was answered to a request for a page or a file.
#[derive(Debug)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text if it is some.
    pub body: Vec<u8>,
}

impl Fetched {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A channel that sends whatever it is given.
#[derive(Clone, Debug)]
pub struct Raw {
    channel: Channel,
}

impl Raw {
    /// Connects with a member's certificate and key.
    ///
    /// # Errors
    ///
    /// The coordinator's alert, or the transport's error.
    pub async fn member(member: &Member) -> Result<Self, tonic::transport::Error> {
        let key = PrivateKeyDer::from_pem_file(member.state.path("keys/tls.pem")).unwrap();
        let chain = vec![CertificateDer::from(member.joined.certificate().to_vec())];
        let config = trusting(member).with_client_auth_cert(chain, key).unwrap();
        Self::connect(member.joined.endpoint(), config).await
    }

    /// Connects without a certificate, trusting the CA that `member` trusts.
    pub async fn stranger(member: &Member) -> Self {
        let config = trusting(member).with_no_client_auth();
        Self::connect(member.joined.endpoint(), config).await.unwrap()
    }

    /// Connects with any certificate (DER) and its key.
    ///
    /// # Errors
    ///
    /// The coordinator's alert, or the transport's error.
    pub async fn showing(
        member: &Member,
        certificate: &[u8],
        key: &NodeKey,
    ) -> Result<Self, tonic::transport::Error> {
        let key = PrivateKeyDer::from_pem_slice(key.to_pem().as_bytes()).unwrap();
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let config = trusting(member).with_client_auth_cert(chain, key).unwrap();
        Self::connect(member.joined.endpoint(), config).await
    }

    /// Asks for a page or a file as a browser does.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    pub async fn get(&self, path: &str) -> Fetched {
        self.ask(Method::GET, path).await
    }

    /// Asks with any method.
    pub async fn ask(&self, method: Method, path: &str) -> Fetched {
        let mut channel = self.channel.clone();
        let request = http::Request::builder().method(method).uri(path);
        let request = request.body(tonic::body::Body::empty()).unwrap();
        std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
        let (head, body) = channel.call(request).await.unwrap().into_parts();
        let (mut body, mut bytes) = (pin!(body), vec![]);
        while let Some(frame) =
            std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
        {
            if let Ok(data) = frame.unwrap().into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Fetched { status: head.status.as_u16(), headers: head.headers, body: bytes }
    }

    /// Calls a method of the service with an empty message.
    ///
    /// # Errors
    ///
    /// The coordinator's status.
    pub async fn call(&self, method: &str) -> Result<(), Status> {
        let mut grpc = self.ready().await?;
        let codec = tonic_prost::ProstCodec::<FetchBlobRequest, BlobChunk>::default();
        let request = Request::new(tokio_stream::iter([FetchBlobRequest::default()]));
        grpc.streaming(request, path(method), codec).await?.into_inner().message().await.map(|_| ())
    }

    async fn connect(
        address: &str,
        mut config: ClientConfig,
    ) -> Result<Self, tonic::transport::Error> {
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let to = address.to_owned();
        let connect = tower::service_fn(move |_: Uri| {
            let (connector, to) = (connector.clone(), to.clone());
            async move {
                let tcp = TcpStream::connect(&to).await?;
                let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, tcp).await?))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let origin = format!("https://{address}").parse().unwrap();
        let channel = endpoint.origin(origin).connect_with_connector(connect).await?;
        Ok(Self { channel })
    }

    /// Sends these messages as one contribution.
    ///
    /// # Errors
    ///
    /// The coordinator's status.
    pub async fn contribute(&self, messages: Vec<ContributeRequest>) -> Result<Receipt, Status> {
        self.upload(tokio_stream::iter(messages)).await
    }

    /// Begins a contribution with these messages and breaks it off once the last one is taken.
    pub async fn abandon(&self, messages: Vec<ContributeRequest>) {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let raw = self.clone();
        let call = tokio::spawn(async move { raw.upload(ReceiverStream::new(receiver)).await });
        for message in messages {
            sender.send(message).await.unwrap();
        }
        // A place in the channel is free again once the last message is on its way.
        drop(sender.reserve().await.unwrap());
        call.abort();
    }

    async fn upload(
        &self,
        messages: impl Stream<Item = ContributeRequest> + Send + 'static,
    ) -> Result<Receipt, Status> {
        let mut grpc = self.ready().await?;
        let request = Request::new(messages);
        let codec = tonic_prost::ProstCodec::default();
        let answer = grpc.client_streaming(request, path("Contribute"), codec).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Redeems an invitation with whatever the request says.
    ///
    /// # Errors
    ///
    /// The coordinator's status.
    pub async fn join(&self, request: JoinRequest) -> Result<JoinResponse, Status> {
        let mut grpc = self.ready().await?;
        let codec = tonic_prost::ProstCodec::default();
        let answer = grpc.unary(Request::new(request), path("Join"), codec).await;
        answer.map(tonic::Response::into_inner)
    }

    /// A blob's bytes.
    ///
    /// # Errors
    ///
    /// The coordinator's status.
    pub async fn fetch(&self, digest: &[u8]) -> Result<Vec<u8>, Status> {
        let mut grpc = self.ready().await?;
        let request = Request::new(FetchBlobRequest { digest: digest.to_vec().into() });
        let codec = tonic_prost::ProstCodec::<_, BlobChunk>::default();
        let answer = grpc.server_streaming(request, path("FetchBlob"), codec).await?;
        let (mut chunks, mut bytes) = (answer.into_inner(), vec![]);
        while let Some(chunk) = chunks.message().await? {
            bytes.extend_from_slice(&chunk.data);
        }
        Ok(bytes)
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| Status::new(Code::Unavailable, error.to_string()))?;
        Ok(grpc)
    }
}

/// A header as a message.
pub fn header(contribution: Vec<u8>, signature: Vec<u8>) -> ContributeRequest {
    let (contribution, signature) = (contribution.into(), signature.into());
    ContributeRequest { part: Some(Part::Header(ContributionHeader { contribution, signature })) }
}

/// A piece of a vector as a message.
pub fn data(bytes: impl Into<Bytes>) -> ContributeRequest {
    ContributeRequest { part: Some(Part::Data(bytes.into())) }
}

fn path(method: &str) -> PathAndQuery {
    format!("/counterfoil.v1.Coordinator/{method}").parse().unwrap()
}

fn trusting(
    member: &Member,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let kept = std::fs::read(member.state.path("consortium.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    let ca = STANDARD.decode(kept["ca"].as_str().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ca)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
}
