//! A proof, checked without an export: that a record is in a log, or that a log's key signed two histories.

use std::path::{Path, PathBuf};

use ledger::checkpoint::{CONTRADICTION_BYTES_MAX, Contradiction, LogIdentity, SignedCheckpoint};
use ledger::digest::Digest;
use ledger::receipt::{Proven, Receipt};
use ledger::record::{Body, LEAF_BYTES_MAX, LeafBytes, Payload as _};
use ledger::signing::{Algorithm, VerifierKey};
use serde::Serialize;

use crate::directory::read_file;
use crate::finding::{Finding, Kind};
use crate::log::founded_by;
use crate::receipts;

/// What the auditor knows of the log from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The log's genesis digest.
    pub genesis: Option<Digest>,
    /// The key that signs its heads, which names the genesis digest too.
    pub key: Option<VerifierKey>,
    /// A file with leaf 0, which names the key; whose it is, the genesis digest says.
    pub founding: Option<PathBuf>,
    /// Keys of witnesses: each must have cosigned.
    pub witnesses: Vec<VerifierKey>,
}

/// What a proof proves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checked {
    /// The log, by its genesis digest in hex.
    pub genesis: Option<String>,
    /// True if the caller named the log's genesis digest or key: without, the proof may be about another consortium's log.
    pub anchored: bool,
    /// The record that is in the log.
    pub record: Option<ProvedRecord>,
    /// Two heads of which one is a lie.
    pub split: Option<ProvedSplit>,
    /// The witnesses that were asked for and have cosigned.
    pub cosigned_by: Vec<String>,
    /// How many further signature lines there are, which were not checked.
    pub unchecked_signatures: usize,
    /// What is wrong; none if a record is proved.
    pub finding: Option<Finding>,
}

/// A record that is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvedRecord {
    /// Its index.
    pub leaf: u64,
    /// Its kind.
    pub kind: &'static str,
    /// The key of its author, in hex. Whether that is a member's, the log says.
    pub author: String,
    /// When, in milliseconds since 1970 by the operator's clock.
    pub at_ms: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// How many records the signed head covers.
    pub records: u64,
    /// The signed root, in hex.
    pub root: String,
}

/// Two heads that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvedSplit {
    /// The size of the head that is not larger.
    pub smaller: u64,
    /// Its signed root, in hex.
    pub root: String,
    /// The size of the other.
    pub larger: u64,
    /// The root that the other's history has at the smaller size.
    pub other_root: String,
}

impl Checked {
    /// The process's exit code: 0 if a record is proved, 8 if two histories are.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}

/// Checks the proof in the file `proof`. `leaf` is a file with the record's bytes, for proofs that do not hold them.
pub fn check(proof: &Path, anchor: &Anchor, leaf: Option<&Path>) -> Checked {
    let anchored = anchor.genesis.is_some() || anchor.key.is_some();
    let mut checked = Checked { anchored, ..Checked::default() };
    checked.finding = run(proof, anchor, leaf, &mut checked).err();
    checked
}

fn run(
    path: &Path,
    anchor: &Anchor,
    leaf: Option<&Path>,
    checked: &mut Checked,
) -> Result<(), Finding> {
    let bytes_max = u64::try_from(CONTRADICTION_BYTES_MAX).unwrap_or(u64::MAX);
    let text = receipts::read(path, "a proof", bytes_max)?;
    if text.starts_with('{') {
        split(path, &text, anchor, checked)
    } else {
        record(path, &text, anchor, leaf, checked)
    }
}

fn record(
    path: &Path,
    text: &str,
    anchor: &Anchor,
    leaf: Option<&Path>,
    checked: &mut Checked,
) -> Result<(), Finding> {
    let log = identity(path, anchor)?;
    checked.genesis = Some(log.genesis.to_string());
    let wrong = |error: &dyn std::fmt::Display| {
        Kind::Tampered.at(path.display(), "a proof of a record that this log signed", error)
    };
    let receipt = match leaf {
        None => Receipt::from_text(text),
        Some(leaf) => {
            let bytes = LeafBytes::new(read_file(leaf, "a record", LEAF_BYTES_MAX)?);
            Receipt::from_text_with(text, bytes.map_err(|error| wrong(&error))?)
        }
    }
    .map_err(|error| wrong(&error))?;
    let Proven { index, leaf, checkpoint } =
        receipt.verify::<Body>(&log).map_err(|error| wrong(&error))?;
    let head = checkpoint.head();
    cosigned(path, &checkpoint, &log, anchor, checked)?;
    checked.record = Some(ProvedRecord {
        leaf: index,
        kind: leaf.body().kind(),
        author: leaf.author().to_string(),
        at_ms: leaf.at().as_millis(),
        sha256: leaf.digest().to_string(),
        records: head.size,
        root: head.root.to_string(),
    });
    Ok(())
}

fn cosigned(
    path: &Path,
    checkpoint: &SignedCheckpoint,
    log: &LogIdentity,
    anchor: &Anchor,
    checked: &mut Checked,
) -> Result<(), Finding> {
    for witness in &anchor.witnesses {
        let wrong = |found: &dyn std::fmt::Display| {
            Kind::Tampered.at(path.display(), format!("a cosignature by {}", witness.name()), found)
        };
        let found = checkpoint.cosignature(log, witness).map_err(|error| wrong(&error))?;
        if found.is_none() {
            return Err(wrong(&"none"));
        }
        checked.cosigned_by.push(witness.name().to_owned());
    }
    let others = checkpoint.other_signatures().len();
    checked.unchecked_signatures = others.saturating_sub(checked.cosigned_by.len());
    Ok(())
}

fn split(path: &Path, text: &str, anchor: &Anchor, checked: &mut Checked) -> Result<(), Finding> {
    let place = path.display();
    let convicted = Contradiction::from_text(text)
        .and_then(|contradiction| contradiction.verify())
        .map_err(|error| Kind::Tampered.at(&place, "a proof of two histories", error))?;
    checked.genesis = Some(convicted.log.genesis.to_string());
    if anchor.key.is_some() || anchor.founding.is_some() {
        let expected = identity(path, anchor)?;
        if expected != convicted.log {
            let expected = format!("heads of the log {}", expected.genesis);
            let found = format!("heads of {}, or by another key", convicted.log.genesis);
            return Err(Kind::Tampered.at(place, expected, found));
        }
    }
    named(path, anchor, &convicted.log)?;
    let (early, late) = (convicted.smaller.head(), convicted.larger.head());
    checked.split = Some(ProvedSplit {
        smaller: early.size,
        root: early.root.to_string(),
        larger: late.size,
        other_root: convicted.root_at_smaller.to_string(),
    });
    let expected = format!("one history: at size {} the root {}", early.size, early.root);
    let other = convicted.root_at_smaller;
    Err(Kind::SplitView.at(
        place,
        expected,
        format!("{other} under the signed head of size {}", late.size),
    ))
}

/// The log that the anchor names, with its key.
fn identity(path: &Path, anchor: &Anchor) -> Result<LogIdentity, Finding> {
    let named_by_key = anchor.key.as_ref().map(identity_of).transpose()?;
    let founded = anchor.founding.as_deref().map(|file| {
        founded_by(file.display(), &read_file(file, "a genesis record", LEAF_BYTES_MAX)?)
    });
    let log = match (named_by_key, founded.transpose()?) {
        (None, None) => {
            let expected =
                "--key VKEY, or --founding FILE and --genesis HEX, to know the log's key";
            return Err(Kind::Usage.at(path.display(), expected, "neither"));
        }
        (Some(one), Some(other)) if one != other => {
            return Err(Kind::Tampered.at("--founding", one.genesis, other.genesis));
        }
        (Some(log), _) | (None, Some(log)) => log,
    };
    named(path, anchor, &log)?;
    Ok(log)
}

fn named(path: &Path, anchor: &Anchor, log: &LogIdentity) -> Result<(), Finding> {
    match anchor.genesis.filter(|expected| *expected != log.genesis) {
        Some(expected) => {
            Err(Kind::Tampered.at(path.display(), format!("the log {expected}"), log.genesis))
        }
        None => Ok(()),
    }
}

/// A log's verifier key has the log's name, and so its genesis digest.
fn identity_of(key: &VerifierKey) -> Result<LogIdentity, Finding> {
    let genesis = key.name().strip_prefix("counterfoil/").and_then(|hex| hex.parse().ok());
    match (genesis, key.algorithm()) {
        (Some(genesis), Algorithm::Ed25519) => Ok(LogIdentity { genesis, key: *key.key() }),
        _ => Err(Kind::Usage.at("--key", "counterfoil/⟨genesis⟩+id+key of a log", key)),
    }
}
