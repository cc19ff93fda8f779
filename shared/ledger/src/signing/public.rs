//! Public keys and signatures.

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;

use super::domain_message;
use crate::digest::Digest;

/// An Ed25519 public key, as RFC 8032 encodes it. Any 32 bytes can be held; bytes that are no key
/// verify nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// An Ed25519 signature, not necessarily a valid one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

/// A signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a valid Ed25519 signature, got one that does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks `signature` over `message`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify under this key (RFC 8032, by ring).
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| BadSignature)
    }

    /// Checks `signature` over the body of a record of `kind` in the log `genesis`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify.
    pub fn verify_body(
        &self,
        kind: &str,
        genesis: &Digest,
        body: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify(&domain_message(kind, genesis, body), signature)
    }
}

impl Signature {
    /// The signature with these bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 64]> for Signature {
    fn from(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = BadSignature;

    fn try_from(bytes: &[u8]) -> Result<Self, BadSignature> {
        bytes.try_into().map(Self).map_err(|_| BadSignature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}
