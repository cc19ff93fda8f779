//! The check that every call passes.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures::future::Either;
use tonic::{
    Status,
    body::Body,
    codegen::http::{Request, Response},
};
use tower::{Layer, Service};

use crate::{
    Error,
    proto::JOIN_PATH,
    tls::{Clock, Peer, Revocations},
};

/// What load balancers and orchestrators ask; they have no certificate.
const HEALTH_PREFIX: &str = "/grpc.health.v1.Health/";

/// Refuses calls before any service sees them: with a certificate that is revoked or has run out
/// since the handshake, and without one unless the call is Join or a health check.
#[derive(Clone, Debug)]
pub struct Gate {
    revocations: Revocations,
    clock: Clock,
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl Gate {
    pub(super) const fn new(revocations: Revocations, clock: Clock) -> Self {
        Self { revocations, clock }
    }

    fn admit(&self, path: &str, peer: Option<&Peer>) -> Result<(), Status> {
        let Some(peer) = peer else { return Err(Status::internal("internal error")) };
        let Some(certificate) = &peer.certificate else {
            if path == JOIN_PATH || path.starts_with(HEALTH_PREFIX) {
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
        match self.gate.admit(request.uri().path(), peer) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}
