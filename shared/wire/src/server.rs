//! The coordinator's server: settings, who may call what, and how it stops.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::sleep};
use tonic::{
    Request, Status,
    transport::{Server, server::Router},
};
use tower::layer::util::{Identity as NoLayer, Stack};

use crate::{
    Error, limits,
    proto::{Coordinator, CoordinatorServer},
    tls::{Acceptor, Incoming, Peer, PeerCertificate},
};

mod gate;

pub use gate::{Gate, Gated, Public, nothing_public};

/// The layers of a server made here.
pub type Guarded = Stack<Gate, NoLayer>;

/// A tonic server with the limits of [`crate::limits`], every call of which passes a [`Gate`]. The
/// caller adds services: [`coordinator`], health, reflection, pages. Who shows no certificate may also
/// read what is `public`.
pub fn builder(acceptor: &Acceptor, public: Public) -> Server<Guarded> {
    Server::builder()
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .http2_max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .layer(Gate::new(acceptor.revocations().clone(), acceptor.tls().clock(), public))
}

/// The service with its message limits.
pub fn coordinator<T: Coordinator>(service: T) -> CoordinatorServer<T> {
    CoordinatorServer::new(service)
        .max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
        .max_encoding_message_size(limits::MESSAGE_BYTES_MAX)
}

/// Serves until `shutdown` resolves; then takes no more connections or calls, lets running calls
/// end, and after `grace` closes what is left (a `Follow` never ends by itself).
///
/// # Errors
///
/// [`Error::Transport`] if the server cannot go on.
pub async fn serve(
    router: Router<Guarded>,
    acceptor: &Acceptor,
    incoming: Incoming,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> Result<(), Error> {
    let stopping = Arc::new(Notify::new());
    let told = Arc::clone(&stopping);
    let signal = async move {
        shutdown.await;
        told.notify_one();
    };
    let close = async {
        stopping.notified().await;
        sleep(grace).await;
        acceptor.connections().close_all();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = router.serve_with_incoming_shutdown(incoming, signal) => {
            served.map_err(|error| Error::transport(&error))
        }
        () = close => Ok(()),
    }
}

/// Who makes a request.
///
/// # Errors
///
/// `internal` if the request did not come through an [`Acceptor`].
pub fn peer<T>(request: &Request<T>) -> Result<&Peer, Status> {
    request.extensions().get::<Peer>().ok_or_else(|| Status::internal("internal error"))
}

/// The certificate that a request is made with.
///
/// # Errors
///
/// `unauthenticated` if the caller has shown none.
pub fn caller<T>(request: &Request<T>) -> Result<&PeerCertificate, Status> {
    let certificate = peer(request)?.certificate.as_deref();
    certificate.ok_or_else(|| Status::unauthenticated("a client certificate is needed"))
}
