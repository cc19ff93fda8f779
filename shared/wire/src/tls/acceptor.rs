//! Accepts TCP, shakes hands, and yields connections to serve.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;
use tracing::{debug, warn};

use super::{
    ALPN_H2, Connections, Revocations, Secured, ServerMaterial, ServerTls,
    handshakes::{Handshakes, UnderWay},
    peer::{Peer, PeerCertificate},
    server::revoked_serials,
};
use crate::{Error, limits};

/// How long to wait when the system has no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// No certificate outlives this; longer timers are cut to it.
const LIFE_MAX: Duration = Duration::from_hours(24 * 365);

/// How much the acceptor takes on.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Time for one handshake.
    pub handshake_timeout: Duration,
    /// Handshakes at once.
    pub handshakes_max: usize,
    /// Handshakes at once from one address; one more is dropped unanswered.
    pub handshakes_per_address_max: usize,
    /// Connections at once; more wait in the listen queue.
    pub connections_max: usize,
    /// Connections at once of one identity; one more is dropped.
    pub per_identity_max: usize,
    /// Connections at once without a certificate; one more is dropped.
    pub uncertified_max: usize,
    /// How long a connection without a certificate may live.
    pub uncertified_life: Duration,
}

impl Default for AcceptLimits {
    /// Those of [`crate::limits`].
    fn default() -> Self {
        Self {
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            handshakes_max: limits::HANDSHAKES_MAX,
            handshakes_per_address_max: limits::HANDSHAKES_PER_ADDRESS_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            per_identity_max: limits::CONNECTIONS_PER_IDENTITY_MAX,
            uncertified_max: limits::UNCERTIFIED_MAX,
            uncertified_life: limits::UNCERTIFIED_LIFE,
        }
    }
}

/// The server's socket with its TLS settings, its connections and its revocations. Cheap to clone;
/// clones are one.
#[derive(Clone, Debug)]
pub struct Acceptor {
    tls: ServerTls,
    limits: AcceptLimits,
    connections: Connections,
    revocations: Revocations,
}

impl Acceptor {
    /// An acceptor that nobody is connected to yet.
    pub fn new(tls: ServerTls, limits: AcceptLimits) -> Self {
        let connections = Connections::default();
        let revocations = Revocations::new(connections.clone());
        Self { tls, limits, connections, revocations }
    }

    /// Listens on `address`, and yields connections as their handshakes end. Dropping the stream
    /// closes the socket and breaks off the handshakes under way.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be bound.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> Result<Incoming, Error> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let (ready, connections) = mpsc::channel(self.limits.handshakes_max.max(1));
        tokio::spawn(accept(listener, self.clone(), ready));
        Ok(Incoming { connections, local })
    }

    /// Shows and checks `material` from the next handshake on, and closes the connections whose
    /// certificates are on its revocation list.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] or [`Error::Configuration`]; then everything stays as it was.
    pub fn reload(&self, material: &ServerMaterial<'_>) -> Result<(), Error> {
        let serials = revoked_serials(material.crl)?;
        self.tls.reload(material)?;
        self.revocations.revoke_serials(serials);
        Ok(())
    }

    /// The connections that live.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Who is revoked.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    pub(crate) fn tls(&self) -> &ServerTls {
        &self.tls
    }

    /// The connection, once its handshake is over and its peer is welcome.
    async fn secure(
        &self,
        tcp: TcpStream,
        remote: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> Result<Option<Secured>, Error> {
        tcp.set_nodelay(true)?;
        let deadline = self.limits.handshake_timeout;
        let stream = timeout(deadline, TlsAcceptor::from(self.tls.current()).accept(tcp))
            .await
            .map_err(|_| Error::Stalled(deadline))??;
        let peer = self.peer(&stream, remote)?;
        let life = self.life(&peer)?;
        let Some(registration) = self.connections.enter(
            &peer,
            self.limits.per_identity_max,
            self.limits.uncertified_max,
        ) else {
            return Ok(None);
        };
        // After entering: a revocation that came in between either closed it or is seen here.
        if let Some(certificate) = &peer.certificate {
            self.revocations.check(certificate)?;
        }
        Ok(Some(Secured::new(stream, peer, registration, life, place)))
    }

    fn peer(&self, stream: &TlsStream<TcpStream>, remote: SocketAddr) -> Result<Peer, Error> {
        let (_, session) = stream.get_ref();
        // A client that offers no protocol at all passes rustls, but has not asked for HTTP/2.
        if session.alpn_protocol() != Some(ALPN_H2) {
            return Err(Error::Protocol("none".to_owned()));
        }
        let certificate = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|der| PeerCertificate::read(der, self.tls.consortium()).map(Arc::new))
            .transpose()?;
        Ok(Peer { remote, certificate })
    }

    /// A timer for the rest of the certificate's time, or for a short visit without one.
    fn life(&self, peer: &Peer) -> Result<Sleep, Error> {
        let Some(certificate) = &peer.certificate else {
            return Ok(sleep(self.limits.uncertified_life));
        };
        let now = self.tls.clock().current_time().ok_or_else(|| {
            Error::Configuration("the clock must tell the time to check a certificate".to_owned())
        })?;
        let rest = (certificate.not_after + 1).saturating_sub(now.as_secs());
        Ok(sleep(Duration::from_secs(rest).min(LIFE_MAX)))
    }
}

/// Connections whose handshakes have ended, for tonic's `serve_with_incoming_shutdown`.
#[derive(Debug)]
pub struct Incoming {
    connections: mpsc::Receiver<Secured>,
    local: SocketAddr,
}

impl Incoming {
    /// The address that is listened on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Stream for Incoming {
    type Item = io::Result<Secured>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.connections.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

/// Takes sockets off the listen queue until nobody wants their connections any more.
async fn accept(listener: TcpListener, acceptor: Acceptor, ready: mpsc::Sender<Secured>) {
    let limits = acceptor.limits;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let turns = Arc::new(Semaphore::new(limits.handshakes_max));
    let by_address = Handshakes::default();
    let mut handshakes = JoinSet::new();
    loop {
        let (place, turn, socket) = tokio::select! {
            () = ready.closed() => return,
            Some(_) = handshakes.join_next() => continue,
            next = next(&listener, &places, &turns) => next,
        };
        let (tcp, remote) = match socket {
            Ok(socket) => socket,
            Err(error) => {
                warn!(%error, "no socket");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(counted) = by_address.begin(remote.ip(), limits.handshakes_per_address_max) else {
            debug!(%remote, "too many handshakes from one address");
            continue;
        };
        let under_way = (turn, counted);
        handshakes.spawn(hand_over(acceptor.clone(), tcp, remote, place, under_way, ready.clone()));
    }
}

/// A socket, and the right to shake hands and to keep it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    turns: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>)
{
    // Neither semaphore is ever closed, so both permits are always there.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let turn = Arc::clone(turns).acquire_owned().await.ok();
    (place, turn, listener.accept().await)
}

async fn hand_over(
    acceptor: Acceptor,
    tcp: TcpStream,
    remote: SocketAddr,
    place: Option<OwnedSemaphorePermit>,
    under_way: (Option<OwnedSemaphorePermit>, UnderWay),
    ready: mpsc::Sender<Secured>,
) {
    let Some(place) = place else { return };
    match acceptor.secure(tcp, remote, place).await {
        Ok(Some(connection)) => {
            // Fails only when the server has stopped listening; then the connection is dropped.
            let _ = ready.send(connection).await;
        }
        Ok(None) => debug!(%remote, "too many connections of one kind"),
        Err(error) => debug!(%remote, %error, "handshake failed"),
    }
    drop(under_way);
}
