//! A node's TLS key.

use std::fmt;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, digest::sha256};

/// A P-256 key made on the machine that uses it. It leaves memory only as [`NodeKey::to_pem`], is
/// wiped when dropped, and does not print.
pub struct NodeKey(KeyPair);

impl NodeKey {
    /// A fresh key from the system's randomness.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] if the system gives no randomness.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// The key in a PKCS#8 PEM file.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] if it is not a P-256 key in PKCS#8.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|error| Error::Key(error.to_string()))
    }

    /// The key as PKCS#8 PEM. The caller writes it with mode 0600.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// A certificate signing request (DER) that proves this key is held and says nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::Signing`] if signing fails.
    pub fn csr(&self) -> Result<Vec<u8>, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        Ok(params.serialize_request(&self.0)?.der().to_vec())
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo (DER).
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.0.subject_public_key_info())
    }

    pub(crate) const fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub(crate) fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialized_der().to_vec()).into()
    }
}

impl Drop for NodeKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey(…)")
    }
}
