//! TLS 1.3 on both sides: no older version, no resumption, HTTP/2 only.
//!
//! Resumption is off because rustls does not verify a resumed client again: a revoked node would
//! come back with its old session.

use std::sync::Arc;

use rustls::{crypto::CryptoProvider, time_provider::DefaultTimeProvider};

mod acceptor;
mod client;
mod connections;
mod handshakes;
mod peer;
mod secured;
mod server;
mod verify;

pub use acceptor::{AcceptLimits, Acceptor, Incoming};
pub use client::ClientTls;
pub use connections::{Connections, Revocations};
pub use peer::{Peer, PeerCertificate};
pub use rustls::time_provider::TimeProvider;
pub use secured::Secured;
pub use server::{ServerMaterial, ServerTls};

/// The time that certificates and revocation lists are checked against.
pub type Clock = Arc<dyn TimeProvider>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(DefaultTimeProvider)
}

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
const ALPN_H2: &[u8] = b"h2";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
