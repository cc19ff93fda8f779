//! The check that every call passes.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures::future::Either;
use tonic::{
    Status,
    body::Body,
    codegen::http::{self, HeaderMap, Method, Request, Response, StatusCode, header},
};
use tower::{Layer, Service};

use crate::{
    Error,
    proto::JOIN_PATH,
    tls::{Clock, Peer, Revocations},
};

/// What load balancers and orchestrators ask; they have no certificate.
const HEALTH_PREFIX: &str = "/grpc.health.v1.Health/";

/// Which paths may be read without a certificate, over and above Join and health checks.
pub type Public = fn(&str) -> bool;

/// No path is public.
pub fn nothing_public(_path: &str) -> bool {
    false
}

/// Refuses calls before any service sees them: with a certificate that is revoked or has run out
/// since the handshake, and without one unless the call is Join, a health check or reads what is
/// public.
#[derive(Clone, Debug)]
pub struct Gate {
    revocations: Revocations,
    clock: Clock,
    public: Public,
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl Gate {
    pub(super) const fn new(revocations: Revocations, clock: Clock, public: Public) -> Self {
        Self { revocations, clock, public }
    }

    fn admit(&self, call: &Call<'_>, peer: Option<&Peer>) -> Result<(), Status> {
        let Some(peer) = peer else { return Err(Status::internal("internal error")) };
        let Some(certificate) = &peer.certificate else {
            let path = call.path;
            let open = path == JOIN_PATH || path.starts_with(HEALTH_PREFIX);
            if open || (call.reads && (self.public)(path)) {
                return Ok(());
            }
            return Err(Status::unauthenticated("a client certificate is needed"));
        };
        self.revocations.check(certificate)?;
        // A clock that cannot be read proves nothing to be in time.
        if self.clock.current_time().is_none_or(|now| certificate.has_expired(now)) {
            return Err(Error::Expired(certificate.identity.to_string()).into());
        }
        Ok(())
    }
}

/// What the gate looks at.
#[derive(Clone, Copy)]
struct Call<'a> {
    path: &'a str,
    reads: bool,
}

impl<'a> Call<'a> {
    fn of<B>(request: &'a Request<B>) -> Self {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Self { path: request.uri().path(), reads }
    }
}

/// A refusal in the terms of whoever is refused: gRPC has its status in trailers under a 200, which a
/// browser takes for an empty page.
fn refusal(headers: &HeaderMap, status: Status) -> Response<Body> {
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        return status.into_http();
    }
    let code = if status.code() == tonic::Code::Unauthenticated {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let text = format!("{}\n", status.message());
    let mut response = Response::new(Body::new(text));
    *response.status_mut() = code;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.clone() }
    }
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>();
        match self.gate.admit(&Call::of(&request), peer) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(refusal(request.headers(), status)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc, time::Duration};

    use rustls_pki_types::UnixTime;
    use tonic::Code;

    use super::*;
    use crate::{
        Identity, Role,
        tls::{PeerCertificate, TimeProvider},
    };

    const RENEW: &str = "/counterfoil.v1.Coordinator/Renew";

    #[derive(Debug)]
    struct At(Option<u64>);

    impl TimeProvider for At {
        fn current_time(&self) -> Option<UnixTime> {
            self.0.map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
        }
    }

    fn bank(institution: &str) -> Peer {
        let certificate = PeerCertificate {
            identity: Identity::new([0; 32], Role::Bank, institution).unwrap(),
            serial: institution.as_bytes().to_vec(),
            key_digest: [0; 32],
            not_after: 100,
        };
        Peer { certificate: Some(Arc::new(certificate)), ..nobody() }
    }

    fn nobody() -> Peer {
        Peer { remote: SocketAddr::from(([127, 0, 0, 1], 1)), certificate: None }
    }

    fn call(path: &str) -> Call<'_> {
        Call { path, reads: false }
    }

    fn verdict(now: Option<u64>, path: &str, peer: Option<&Peer>) -> Option<Code> {
        judge(now, &call(path), peer)
    }

    fn judge(now: Option<u64>, call: &Call<'_>, peer: Option<&Peer>) -> Option<Code> {
        let revocations = Revocations::default();
        revocations.revoke_institution("left");
        revocations.revoke_serials([b"stolen".to_vec()]);
        let gate = Gate::new(revocations, Arc::new(At(now)), |path| path == "/open");
        gate.admit(call, peer).err().map(|s| s.code())
    }

    #[test]
    fn a_certificate_passes_until_it_is_revoked_or_runs_out() {
        let refused = Some(Code::Unauthenticated);
        assert_eq!(verdict(Some(100), RENEW, Some(&bank("north"))), None);
        assert_eq!(verdict(Some(101), RENEW, Some(&bank("north"))), refused);
        assert_eq!(verdict(None, RENEW, Some(&bank("north"))), refused);
        assert_eq!(verdict(Some(100), RENEW, Some(&bank("left"))), refused);
        assert_eq!(verdict(Some(100), JOIN_PATH, Some(&bank("stolen"))), refused);
    }

    #[test]
    fn without_a_certificate_only_join_and_health_pass() {
        let passes = |path| verdict(Some(0), path, Some(&nobody())).is_none();
        assert!(passes(JOIN_PATH) && passes("/grpc.health.v1.Health/Check"));
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        for path in [RENEW, reflection, "", "/", "/counterfoil.v1.Coordinator/Join/", "/Join"] {
            assert!(!passes(path), "{path}");
        }
    }

    #[test]
    fn what_is_public_is_read_and_nothing_else() {
        let read = |path| Call { reads: true, path };
        assert_eq!(judge(Some(0), &read("/open"), Some(&nobody())), None);
        let refused = Some(Code::Unauthenticated);
        assert_eq!(judge(Some(0), &call("/open"), Some(&nobody())), refused);
        assert_eq!(judge(Some(0), &read("/other"), Some(&nobody())), refused);
        // A revoked member is not a stranger.
        assert_eq!(judge(Some(0), &read("/open"), Some(&bank("left"))), refused);
    }

    #[test]
    fn a_call_that_came_past_the_acceptor_is_refused() {
        assert_eq!(verdict(Some(0), JOIN_PATH, None), Some(Code::Internal));
    }
}
