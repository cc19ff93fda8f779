//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

use rustls_pki_types::UnixTime;

use crate::{
    Error, Identity, Role,
    digest::sha256,
    identity::{self},
};

/// The other end of an accepted connection; in the extensions of each of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connects from, as the socket says.
    pub remote: SocketAddr,
    /// Its certificate; `None` for a peer that showed none and may only join.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// What a verified client certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom it speaks for.
    pub identity: Identity,
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo (DER); the roster must name it.
    pub key_digest: [u8; 32],
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}

impl PeerCertificate {
    /// Reads a client certificate that the handshake has verified.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] if it names nobody, a coordinator, or a member of another consortium.
    pub(super) fn read(der: &[u8], consortium: &[u8; 32]) -> Result<Self, Error> {
        let certificate = identity::certificate(der)?;
        let identity = Identity::of(&certificate)?;
        if identity.role() == Role::Coordinator {
            return Err(Error::Identity("a coordinator is no client".to_owned()));
        }
        if identity.consortium() != consortium {
            return Err(Error::Identity("it belongs to another consortium".to_owned()));
        }
        let not_after = certificate.validity().not_after.timestamp();
        Ok(Self {
            identity,
            serial: certificate.raw_serial().to_vec(),
            key_digest: sha256(certificate.public_key().raw),
            not_after: u64::try_from(not_after).unwrap_or_default(),
        })
    }

    /// Whether it has run out at `now`.
    pub fn has_expired(&self, now: UnixTime) -> bool {
        now.as_secs() > self.not_after
    }
}
