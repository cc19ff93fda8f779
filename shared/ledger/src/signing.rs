//! Ed25519 keys, domain-separated messages and verifier keys.
//!
//! A signature covers `counterfoil/v1/` ‖ type ‖ 0x00 ‖ genesis digest ‖ body ([`domain_message`]),
//! so that what was signed as one kind of record, or for one log, proves nothing as another kind or
//! in another log.

mod key;
mod public;
mod verifier;

pub use key::{KeyError, Pkcs8, SigningKey};
pub use public::{BadSignature, PublicKey, Signature};
pub(crate) use verifier::is_key_name;
pub use verifier::{Algorithm, VerifierKey, VerifierKeyError};

use crate::digest::Digest;

/// The bytes that a signature on `body` covers: `counterfoil/v1/` ‖ `kind` ‖ 0x00 ‖ `genesis` ‖
/// `body`.
///
/// No kind holds a zero byte and a digest has 32, so two different triples give different messages.
pub fn domain_message(kind: &str, genesis: &Digest, body: &[u8]) -> Vec<u8> {
    [b"counterfoil/v1/", kind.as_bytes(), &[0], genesis.as_bytes(), body].concat()
}
