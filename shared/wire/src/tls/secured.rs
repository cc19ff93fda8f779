//! An accepted connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::{connections::Registration, peer::Peer};

/// A TLS connection that carries who is at its other end, and ends when it must: its certificate is
/// revoked or runs out, or the server stops. From then on every read and write fails, whereupon the
/// server drops it with all its calls.
#[derive(Debug)]
pub struct Secured {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    registration: Registration,
    life: Pin<Box<Sleep>>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Secured {
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        peer: Peer,
        registration: Registration,
        life: Sleep,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let life = Box::pin(life);
        Self { stream, peer, registration, life, ended: false, _place: place }
    }

    /// Who is at the other end.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// An error once the connection must close; else the task is woken when it must.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // Both must be polled, so that both wake the task. A finished receiver must not be.
        self.ended = self.ended
            || Pin::new(&mut self.registration.closing).poll(cx).is_ready()
            || self.life.as_mut().poll(cx).is_ready();
        if self.ended { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected for Secured {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_open(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
