//! How a node recognises the coordinator.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::provider;
use crate::{Error, Identity, Role, digest::sha256};

/// Whose signature a server certificate must carry.
#[derive(Debug)]
pub(super) enum Anchor {
    /// The CA that the node keeps since it joined.
    Known(Arc<WebPkiServerVerifier>),
    /// The CA with this digest, which the server sends along: all that an invitation holds.
    Pinned([u8; 32]),
}

/// Accepts the coordinator of one consortium and nobody else: the chain leads to the consortium's
/// CA, the name fits the address, the certificate is for servers and in time, and its URI name is
/// that of this consortium's coordinator.
#[derive(Debug)]
pub(super) struct CoordinatorVerifier {
    anchor: Anchor,
    consortium: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl CoordinatorVerifier {
    pub(super) fn new(anchor: Anchor, consortium: [u8; 32]) -> Self {
        Self { anchor, consortium, provider: provider() }
    }
}

/// The ordinary verifier with `ca` as its only root.
pub(super) fn chain_verifier(ca: &CertificateDer<'_>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(ca.clone().into_owned())
        .map_err(|error| Error::certificate("authority's certificate", &error))?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| Error::Configuration(error.to_string()))
}

impl ServerCertVerifier for CoordinatorVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain = match &self.anchor {
            Anchor::Known(chain) => Arc::clone(chain),
            Anchor::Pinned(digest) => {
                let ca = intermediates.iter().find(|ca| sha256(ca) == *digest);
                chain_verifier(ca.ok_or(CertificateError::UnknownIssuer)?).map_err(refused)?
            }
        };
        // The CA signs end entities itself, so no intermediate is passed on.
        let verified =
            chain.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)?;
        let identity = Identity::from_certificate(end_entity).map_err(refused)?;
        if identity.role() != Role::Coordinator || identity.consortium() != &self.consortium {
            let why = format!("expected this consortium's coordinator, got {}", identity.uri());
            return Err(refused(Error::Identity(why)));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn refused(error: Error) -> TlsError {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}
