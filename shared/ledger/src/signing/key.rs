//! Secret keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{PublicKey, Signature, domain_message};
use crate::digest::Digest;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// An Ed25519 key that can sign.
///
/// Nothing prints it. ring keeps the expanded key in memory for as long as this value lives and
/// does not erase it afterwards.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A secret key as PKCS#8 (DER), erased when dropped. Nothing prints it.
pub struct Pkcs8(Zeroizing<Vec<u8>>);

/// A key cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The random source failed.
    #[error("expected random bytes for a new key, got none")]
    NoRandomness,
    /// Not an Ed25519 key in PKCS#8.
    #[error("expected an Ed25519 key in PKCS#8, got something else")]
    NotEd25519,
    /// Not a PEM file with one private key.
    #[error("expected one \"PRIVATE KEY\" block in PEM, got something else")]
    NotPem,
}

impl SigningKey {
    /// A new key and the bytes to keep it by.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoRandomness`] if `random` fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<(Self, Pkcs8), KeyError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(random).map_err(|_| KeyError::NoRandomness)?;
        let pkcs8 = Pkcs8(Zeroizing::new(document.as_ref().to_vec()));
        Ok((Self::from_pkcs8(pkcs8.as_der())?, pkcs8))
    }

    /// The key in a PKCS#8 document, with or without its public half.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEd25519`] if it is none, or its two halves do not belong together.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::NotEd25519)?;
        let public: [u8; 32] =
            pair.public_key().as_ref().try_into().map_err(|_| KeyError::NotEd25519)?;
        Ok(Self { pair, public: PublicKey::from_bytes(public) })
    }

    /// The public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The signature over `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(self.pair.sign(message).as_ref()) {
            *to = *from;
        }
        Signature::from_bytes(bytes)
    }

    /// The signature over the body of a record of `kind` in the log `genesis`.
    pub fn sign_body(&self, kind: &str, genesis: &Digest, body: &[u8]) -> Signature {
        self.sign(&domain_message(kind, genesis, body))
    }
}

impl Pkcs8 {
    /// The DER bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// The document as a PEM file: what key files hold.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(&*self.0));
        let mut pem = Zeroizing::new(String::with_capacity(body.len() + 64));
        pem.push_str(PEM_BEGIN);
        for (index, character) in body.chars().enumerate() {
            if index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push('\n');
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }

    /// The document in a PEM file.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotPem`] if the file is anything but one "PRIVATE KEY" block.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body = pem
            .trim()
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END))
            .ok_or(KeyError::NotPem)?;
        let joined: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = STANDARD.decode(joined.as_bytes()).map_err(|_| KeyError::NotPem)?;
        Ok(Self(Zeroizing::new(der)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(secret, public {})", self.public)
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(secret)")
    }
}
