//! Notes: a text and its signature lines ([C2SP signed-note]).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::CHECKPOINT_BYTES_MAX;
use crate::signing::is_key_name;

/// One signature line of a note: a key's name and id, and the signature's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: u32,
    bytes: Vec<u8>,
}

/// A note, taken apart.
pub(super) struct Note<'a> {
    /// The signed text, with its last newline.
    pub(super) body: &'a str,
    pub(super) signatures: Vec<NoteSignature>,
}

impl NoteSignature {
    pub(super) fn new(name: &str, id: u32, signature: &[u8]) -> Self {
        Self { name: name.to_owned(), id, bytes: signature.to_vec() }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The signature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature in a line, without its newline; none if it is no signature line.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (id, signature) = decoded.split_first_chunk::<4>()?;
        if !is_key_name(name) || signature.is_empty() {
            return None;
        }
        Some(Self::new(name, u32::from_be_bytes(*id), signature))
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl<'a> Note<'a> {
    /// Takes a note apart, or says what is wrong with it.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err("more than 64 KiB");
        }
        if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err("control characters");
        }
        // The last empty line separates; the body keeps the newline before it.
        let separator = text.rfind("\n\n").ok_or("no empty line before the signatures")?;
        let (body, signatures) =
            text.split_at_checked(separator + 1).ok_or("no empty line before the signatures")?;
        let lines = signatures
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or("no newline at its end")?;
        let signatures = lines
            .split('\n')
            .map(NoteSignature::parse)
            .collect::<Option<Vec<_>>>()
            .ok_or("a malformed signature line")?;
        Ok(Self { body, signatures })
    }
}
