//! What a coordinator sees of a bank: every call in order, with all that the transport shows of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use wire::proto::ContributeRequest;
use wire::proto::contribute_request::Part;
use wire::tls::Peer;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) remote: SocketAddr,
    /// The path, then the headers.
    pub(crate) head: Vec<String>,
    /// The kind and the length of each message, and how the messages ended.
    pub(crate) messages: Vec<String>,
}

/// Everything since the recording began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Cosignatures, which are handed in beside everything else.
    cosignatures: Arc<Mutex<Vec<Call>>>,
}

impl Seen {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls that hand in a cosignature.
    pub(crate) fn cosignatures(&self) -> Vec<Call> {
        self.cosignatures.lock().unwrap().clone()
    }

    pub(crate) fn clear(&self) {
        self.calls.lock().unwrap().clear();
        self.cosignatures.lock().unwrap().clear();
    }

    /// Adds to the newest call: a bank makes one after the other.
    pub(crate) fn message(&self, what: impl Into<String>) {
        if let Some(call) = self.calls.lock().unwrap().last_mut() {
            call.messages.push(what.into());
        }
    }

    /// The messages of a contribution as they come.
    pub(crate) fn parts<S>(&self, stream: S) -> impl Stream<Item = S::Item> + use<S>
    where
        S: Stream<Item = Result<ContributeRequest, Status>>,
    {
        let seen = self.clone();
        stream.map(move |message| {
            seen.message(match &message {
                Err(status) => format!("broken off: {:?} {}", status.code(), status.message()),
                Ok(ContributeRequest { part: Some(Part::Header(header)) }) => {
                    format!("header {} + {}", header.contribution.len(), header.signature.len())
                }
                Ok(ContributeRequest { part: Some(Part::Data(data)) }) => {
                    format!("data {}", data.len())
                }
                Ok(ContributeRequest { part: None }) => "nothing".to_owned(),
            });
            message
        })
    }
}

impl Call {
    /// How many connections these calls came over.
    pub(crate) fn connections(calls: &[Self]) -> usize {
        calls.iter().map(|call| call.remote).collect::<BTreeSet<_>>().len()
    }
}

/// A service whose calls are recorded, also those that it does not know.
#[derive(Clone)]
pub(crate) struct Recorded<S>(pub(crate) S, pub(crate) Seen);

impl<S: NamedService> NamedService for Recorded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<http::Request<Body>>> Service<http::Request<Body>> for Recorded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let remote = request.extensions().get::<Peer>().unwrap().remote;
        let mut head = vec![format!("{} {}", request.method(), request.uri().path())];
        head.extend(request.headers().iter().map(|(name, value)| format!("{name}: {value:?}")));
        let call = Call { at: Instant::now(), remote, head, messages: vec![] };
        let cosigns = request.uri().path().ends_with("/Cosign");
        let list = if cosigns { &self.1.cosignatures } else { &self.1.calls };
        list.lock().unwrap().push(call);
        self.0.call(request)
    }
}
