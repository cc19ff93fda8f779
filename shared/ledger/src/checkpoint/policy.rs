//! Whose cosignatures make a checkpoint count ([C2SP tlog-policy]).
//!
//! ```text
//! log ⟨vkey⟩ [⟨url⟩]
//! witness ⟨name⟩ ⟨vkey⟩ [⟨url⟩]
//! group ⟨name⟩ all|any|⟨k⟩ ⟨name⟩…
//! quorum ⟨name⟩|none
//! ```
//!
//! Names are for the file alone. A name stands in at most one group, so that each witness counts once.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::parse_decimal;
use crate::signing::{Algorithm, VerifierKey};

/// The most bytes that a policy may have.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Which logs and witnesses are known, and which sets of witnesses are enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    /// In the order of the file: a group names only what stands before it.
    names: Vec<Named>,
    quorum: Asked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Witness(VerifierKey),
    Group { least: usize, members: Vec<usize> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nobody,
    /// The witness or group at this place.
    For(usize),
}

/// A file is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: expected {expected}")]
pub struct PolicyError {
    /// Counted from 1; of what is missing, the number of lines.
    pub line: usize,
    /// What should be there.
    pub expected: &'static str,
}

#[derive(Default)]
struct Reading<'a> {
    logs: Vec<VerifierKey>,
    names: Vec<Named>,
    known: BTreeMap<&'a [u8], usize>,
    members: BTreeSet<usize>,
    quorum: Option<Asked>,
}

impl Policy {
    /// Reads a policy. Logs sign with Ed25519 (0x01) and witnesses with cosignature/v1 (0x04): keys of other types are refused.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let refused = |line, expected| Err(PolicyError { line, expected });
        if bytes.len() > POLICY_BYTES_MAX {
            return refused(0, "at most 64 KiB");
        }
        let (mut reading, mut count) = (Reading::default(), 0);
        for line in bytes.split(|byte| *byte == b'\n') {
            count += 1;
            if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
                return refused(count, "no control characters but tab and newline");
            }
            let items = line.split(|byte| matches!(byte, b' ' | b'\t'));
            let items: Vec<&[u8]> = items.filter(|item| !item.is_empty()).collect();
            if let Err(expected) = reading.take(&items) {
                return refused(count, expected);
            }
        }
        let Some(quorum) = reading.quorum else { return refused(count, "a quorum line") };
        Ok(Self { logs: reading.logs, names: reading.names, quorum })
    }

    /// The logs that are known, of which one must have signed; any if there are none.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses that are known.
    pub fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.names.iter().filter_map(|named| match named {
            Named::Witness(key) => Some(key),
            Named::Group { .. } => None,
        })
    }

    /// Whether it is enough that those have cosigned for whom `has_cosigned` says so.
    pub fn is_met(&self, has_cosigned: impl Fn(&VerifierKey) -> bool) -> bool {
        let mut met: Vec<bool> = Vec::with_capacity(self.names.len());
        for named in &self.names {
            met.push(match named {
                Named::Witness(key) => has_cosigned(key),
                Named::Group { least, members } => {
                    let witnessing = members.iter().filter(|at| met.get(**at) == Some(&true));
                    witnessing.count() >= *least
                }
            });
        }
        match self.quorum {
            Asked::Nobody => true,
            Asked::For(at) => met.get(at) == Some(&true),
        }
    }
}

impl<'a> Reading<'a> {
    fn take(&mut self, items: &[&'a [u8]]) -> Result<(), &'static str> {
        match items {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => {
                let key = key_of(key, Algorithm::Ed25519)?;
                if self.logs.iter().any(|known| known.key() == key.key()) {
                    return Err("each log's key once");
                }
                self.logs.push(key);
                Ok(())
            }
            [b"witness", name, key] | [b"witness", name, key, _] => {
                let key = key_of(key, Algorithm::CosignatureV1)?;
                let is_same = |named: &Named| matches!(named, Named::Witness(known) if known.key() == key.key());
                if self.names.iter().any(is_same) {
                    return Err("each witness's key once");
                }
                self.name(name, Named::Witness(key))
            }
            [b"group", name, least, members @ ..] if !members.is_empty() => {
                let members = members.iter().map(|member| self.member(member));
                let members = members.collect::<Result<Vec<_>, _>>()?;
                let least = match *least {
                    b"any" => 1,
                    b"all" => members.len(),
                    number => number_of(number).ok_or("all, any or a number")?,
                };
                if !(1..=members.len()).contains(&least) {
                    return Err("a number from 1 to that of the members");
                }
                self.name(name, Named::Group { least, members })
            }
            [b"quorum", name] => {
                if self.quorum.is_some() {
                    return Err("one quorum line");
                }
                let none = *name == b"none";
                self.quorum = Some(if none { Asked::Nobody } else { Asked::For(self.find(name)?) });
                Ok(())
            }
            _ => Err("a log, witness, group or quorum line, or a comment"),
        }
    }

    fn name(&mut self, name: &'a [u8], named: Named) -> Result<(), &'static str> {
        if name == b"none" || self.known.contains_key(name) {
            return Err("a name that is not taken");
        }
        self.known.insert(name, self.names.len());
        self.names.push(named);
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Result<usize, &'static str> {
        self.known.get(name).copied().ok_or("a name from a line before")
    }

    fn member(&mut self, name: &[u8]) -> Result<usize, &'static str> {
        let at = self.find(name)?;
        if self.members.insert(at) { Ok(at) } else { Err("each name in one group, once") }
    }
}

fn key_of(text: &[u8], algorithm: Algorithm) -> Result<VerifierKey, &'static str> {
    let key = std::str::from_utf8(text).ok().and_then(|text| text.parse::<VerifierKey>().ok());
    key.filter(|key| key.algorithm() == algorithm)
        .ok_or("the verifier key of a log (0x01) or a witness (0x04)")
}

fn number_of(text: &[u8]) -> Option<usize> {
    usize::try_from(parse_decimal(std::str::from_utf8(text).ok()?)?).ok()
}
