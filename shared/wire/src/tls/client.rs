//! A node's side of TLS.

use std::{fmt, sync::Arc};

use rustls::{ClientConfig, client::Resumption};
use rustls_pki_types::CertificateDer;

use super::{
    ALPN_H2, Clock, VERSIONS, provider,
    verify::{Anchor, CoordinatorVerifier, chain_verifier},
};
use crate::{Error, NodeKey};

/// How a node shows itself and whom it accepts as the coordinator.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// For a member: shows `certificate` (DER) with its `key`, trusts the CA `ca` (DER) alone.
    /// `consortium` is the digest of Genesis.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] or [`Error::Configuration`] if these do not fit together.
    pub fn member(
        ca: &[u8],
        consortium: [u8; 32],
        certificate: &[u8],
        key: &NodeKey,
        clock: Clock,
    ) -> Result<Self, Error> {
        let ca = CertificateDer::from(ca);
        let verifier = CoordinatorVerifier::new(Anchor::Known(chain_verifier(&ca)?), consortium);
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let config = builder(verifier, clock)?
            .with_client_auth_cert(chain, key.private())
            .map_err(|error| Error::Configuration(error.to_string()))?;
        Ok(Self::with(config))
    }

    /// For a node that has only an invitation: shows no certificate, and trusts the CA whose DER has
    /// SHA-256 `ca_digest`, which the server must send along.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the TLS library refuses its settings.
    pub fn join(ca_digest: [u8; 32], consortium: [u8; 32], clock: Clock) -> Result<Self, Error> {
        let verifier = CoordinatorVerifier::new(Anchor::Pinned(ca_digest), consortium);
        Ok(Self::with(builder(verifier, clock)?.with_no_client_auth()))
    }

    fn with(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Self { config: Arc::new(config) }
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls(…)")
    }
}

fn builder(
    verifier: CoordinatorVerifier,
    clock: Clock,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Error> {
    Ok(ClientConfig::builder_with_details(provider(), clock)
        .with_protocol_versions(VERSIONS)
        .map_err(|error| Error::Configuration(error.to_string()))?
        // "Dangerous" means a verifier of our own: it is the ordinary one and then stricter.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
}
