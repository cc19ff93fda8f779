//! A certificate signing request that has proved its key.

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SubjectPublicKeyInfo};
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

use crate::{Error, digest::sha256, limits::REQUEST_BYTES_MAX};

/// The public key of a PKCS#10 request whose signature was made with that key. Nothing else of the
/// request is kept: not its subject, not its names, not its extensions.
#[derive(Clone, Debug)]
pub struct VerifiedRequest {
    key: SubjectPublicKeyInfo,
    key_digest: [u8; 32],
}

impl VerifiedRequest {
    /// Verifies a request (DER).
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if it cannot be read, is too long, is followed by other bytes, its key is
    /// not on P-256, or the signature is not by that key.
    pub fn verify(der: &[u8]) -> Result<Self, Error> {
        if der.len() > REQUEST_BYTES_MAX {
            return Err(refused("it is longer than 4 KiB"));
        }
        let request = match X509CertificationRequest::from_der(der) {
            Ok(([], request)) => request,
            Ok(_) => return Err(refused("bytes follow it")),
            Err(error) => return Err(refused(&error)),
        };
        request.verify_signature().map_err(|_| refused("its signature is not by its key"))?;
        let spki = request.certification_request_info.subject_pki.raw;
        let key = SubjectPublicKeyInfo::from_der(spki).map_err(|error| refused(&error))?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(refused("its key is not on P-256"));
        }
        Ok(Self { key, key_digest: sha256(spki) })
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo (DER); what the roster names.
    pub const fn key_digest(&self) -> [u8; 32] {
        self.key_digest
    }

    pub(super) const fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.key
    }
}

fn refused(why: &(impl ToString + ?Sized)) -> Error {
    Error::Request(why.to_string())
}
