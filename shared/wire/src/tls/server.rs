//! The coordinator's side of TLS.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::{ALPN_H2, Clock, VERSIONS, provider};
use crate::{Error, NodeKey};

/// What the coordinator shows and checks. The certificates are DER.
#[derive(Clone, Copy, Debug)]
pub struct ServerMaterial<'a> {
    /// The CA that signs clients and the coordinator; sent along, so that a node can pin it.
    pub ca: &'a [u8],
    /// The server's own certificate.
    pub certificate: &'a [u8],
    /// The certificate's key.
    pub key: &'a NodeKey,
    /// The revocation list. Once it is out of date every client is refused.
    pub crl: &'a [u8],
}

/// The server's TLS settings, replaced while it runs. Cheap to clone; clones are one.
#[derive(Clone)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

struct Shared {
    consortium: [u8; 32],
    clock: Clock,
    current: RwLock<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Settings for the coordinator of the consortium whose Genesis has digest `consortium`.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] or [`Error::Configuration`] if the material does not fit together.
    pub fn new(
        material: &ServerMaterial<'_>,
        consortium: [u8; 32],
        clock: Clock,
    ) -> Result<Self, Error> {
        let current = RwLock::new(Arc::new(config(material, &clock)?));
        Ok(Self { shared: Arc::new(Shared { consortium, clock, current }) })
    }

    /// Uses `material` for every handshake from now on. Connections that live are not touched:
    /// [`super::Acceptor::reload`] closes those whose certificates are on the new list.
    ///
    /// # Errors
    ///
    /// As [`ServerTls::new`]; then the old material stays.
    pub(super) fn reload(&self, material: &ServerMaterial<'_>) -> Result<(), Error> {
        let config = Arc::new(config(material, &self.shared.clock)?);
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn clock(&self) -> Clock {
        Arc::clone(&self.shared.clock)
    }

    pub(super) fn consortium(&self) -> &[u8; 32] {
        &self.shared.consortium
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls(…)")
    }
}

/// The serial numbers on a revocation list (DER).
pub(super) fn revoked_serials(crl: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    match CertificateRevocationList::from_der(crl) {
        Ok(([], list)) => {
            Ok(list.iter_revoked_certificates().map(|entry| entry.raw_serial().to_vec()).collect())
        }
        Ok(_) => Err(Error::certificate("revocation list", "bytes follow it")),
        Err(error) => Err(Error::certificate("revocation list", &error)),
    }
}

fn config(material: &ServerMaterial<'_>, clock: &Clock) -> Result<ServerConfig, Error> {
    let ca = CertificateDer::from(material.ca.to_vec());
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(|error| Error::certificate("authority's certificate", &error))?;
    // A certificate is optional here, since Join has none; one that is shown must be good.
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls([CertificateRevocationListDer::from(material.crl.to_vec())])
        .enforce_revocation_expiration()
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::Configuration(error.to_string()))?;
    let chain = vec![CertificateDer::from(material.certificate.to_vec()), ca];
    let mut config = ServerConfig::builder_with_details(provider(), Arc::clone(clock))
        .with_protocol_versions(VERSIONS)
        .map_err(|error| Error::Configuration(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, material.key.private())
        .map_err(|error| Error::Configuration(error.to_string()))?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}
