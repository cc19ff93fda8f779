//! Verifier keys as text: `name+id+base64(algorithm ‖ key)` ([C2SP signed-note], "Verifier keys").

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::PublicKey;
use crate::digest::Sha256;

/// Which message an Ed25519 key signs in a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x01: the note's text ([C2SP signed-note]).
    Ed25519,
    /// 0x04: a timestamped cosignature of a checkpoint ([C2SP tlog-cosignature]).
    CosignatureV1,
}

/// A public key with the name and purpose under which it signs notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    key: PublicKey,
}

/// A text or a name is no verifier key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifierKeyError {
    /// The name is empty or holds a Unicode space, a plus sign or an ASCII control character below U+0020.
    #[error("expected a key name without spaces or '+', got {0:?}")]
    Name(String),
    /// The text has another shape.
    #[error("expected name+id+base64 of an Ed25519 key, got something else")]
    Shape,
    /// The id is not the one of this name and key.
    #[error("expected key id {expected:08x}, got {found}")]
    Id {
        /// The id that follows from name and key.
        expected: u32,
        /// What the text says.
        found: String,
    },
}

impl Algorithm {
    /// The byte that stands for it.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

impl VerifierKey {
    /// `key` under `name`.
    ///
    /// # Errors
    ///
    /// [`VerifierKeyError::Name`] if the name cannot stand in a note.
    pub fn new(
        name: impl Into<String>,
        algorithm: Algorithm,
        key: PublicKey,
    ) -> Result<Self, VerifierKeyError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(VerifierKeyError::Name(name));
        }
        Ok(Self { name, algorithm, key })
    }

    /// The name in signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key's id in signature lines: the leading 4 bytes, big-endian, of
    /// SHA-256(name ‖ 0x0A ‖ algorithm ‖ key).
    pub fn id(&self) -> u32 {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update(&[b'\n', self.algorithm.byte()]);
        hasher.update(self.key.as_bytes());
        let digest = hasher.finish();
        digest.as_bytes().iter().take(4).fold(0, |id, byte| id << 8 | u32::from(*byte))
    }
}

/// Whether a name may stand in a signature line.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace() || c < ' ')
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.algorithm.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        // Only the key's base64 may hold further plus signs.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VerifierKeyError::Shape);
        };
        let material = STANDARD.decode(material).map_err(|_| VerifierKeyError::Shape)?;
        let (algorithm, key) = match material.split_first() {
            Some((0x01, key)) => (Algorithm::Ed25519, key),
            Some((0x04, key)) => (Algorithm::CosignatureV1, key),
            _ => return Err(VerifierKeyError::Shape),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| VerifierKeyError::Shape)?;
        let parsed = Self::new(name, algorithm, PublicKey::from_bytes(key))?;
        let expected = parsed.id();
        if id != format!("{expected:08x}") {
            return Err(VerifierKeyError::Id { expected, found: id.chars().take(16).collect() });
        }
        Ok(parsed)
    }
}
