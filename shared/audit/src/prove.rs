//! From a receipt and an export, a file that proves alone that the record is in the log, or that the log's key signed two histories.

use std::path::Path;

use ledger::checkpoint::Contradiction;
use ledger::digest::Digest;
use ledger::receipt::{Proven, Receipt};
use ledger::record::{Body, LEAF_BYTES_MAX, LeafBytes, Payload as _};
use ledger::tree::inclusion_proof;
use serde::Serialize;

use crate::directory::Directory;
use crate::export::{CHECKPOINT, GENESIS};
use crate::finding::{Finding, Kind};
use crate::log::{self, Log};
use crate::receipts;

/// What came of a receipt and an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Proved {
    /// The genesis digest that the export has, in hex; none if it could not be read.
    pub genesis: Option<String>,
    /// True if the caller named the genesis digest.
    pub anchored: bool,
    /// The key that signed the export's checkpoint, as a C2SP verifier key, with which the file is checked.
    pub key: Option<String>,
    /// The record's index.
    pub leaf: Option<u64>,
    /// What kind of record it is.
    pub record: Option<&'static str>,
    /// How many records the export's checkpoint covers.
    pub records: u64,
    /// The proof: of the record ([C2SP tlog-proof](https://c2sp.org/tlog-proof)), or of two histories. None if neither can be proved.
    pub file: Option<String>,
    /// What is wrong; none if the record is in the log.
    pub finding: Option<Finding>,
}

impl Proved {
    /// The process's exit code: 0 if the record is in the log.
    pub fn exit_code(&self) -> u8 {
        self.finding.as_ref().map_or(0, |finding| finding.kind.exit_code())
    }
}

/// Proves that the record of the receipt in the file `receipt` is in the log in the directory `export`, under the export's checkpoint.
///
/// Checked are files, anchor, checkpoint, tree and receipt, as in [`verify()`](crate::verify()), but not the rules between records. If
/// the receipt's checkpoint and the export's exclude each other, the file proves that instead, and the finding is the split view.
pub fn prove(receipt: &Path, export: &Path, genesis: Option<Digest>) -> Proved {
    let mut proved = Proved { anchored: genesis.is_some(), ..Proved::default() };
    proved.finding = run(receipt, export, genesis, &mut proved).err();
    proved
}

fn run(
    path: &Path,
    export: &Path,
    genesis: Option<Digest>,
    proved: &mut Proved,
) -> Result<(), Finding> {
    let directory = Directory::open(export)?;
    let identity = log::identity(&directory)?;
    proved.genesis = Some(identity.genesis.to_string());
    if let Some(expected) = genesis.filter(|expected| *expected != identity.genesis) {
        return Err(Kind::Tampered.at(GENESIS, expected, identity.genesis));
    }
    let log = Log::open(&directory, identity)?;
    proved.records = log.head().size;
    let key = log.keys().at(log.head().size).verifier_key();
    let key = key.map_err(|error| Kind::Failure.at(CHECKPOINT, "a key", error))?;
    proved.key = Some(key.to_string());
    let (receipt, proven, _) = receipts::open(path, log.keys())?;
    proved.leaf = Some(proven.index);
    proved.record = Some(proven.leaf.body().kind());
    if let Err(finding) = receipts::stands(path, &receipt, &proven, &log) {
        if finding.kind == Kind::SplitView {
            proved.file = contradiction(&directory, &proven, &log)?;
        }
        return Err(finding);
    }
    let place = path.display();
    let proof = inclusion_proof(log.nodes(), proven.index, log.head().size)
        .map_err(|error| Kind::Failure.at(place, "the path of the record", error))?;
    let checkpoint = log.checkpoint().text().to_owned();
    proved.file = Some(Receipt { proof, checkpoint, ..receipt }.to_text());
    Ok(())
}

/// The proof that the receipt's head and the export's exclude each other. None if the receipt's is larger: what it covers is not here;
/// and none if the log's key had changed: such a file knows only the first.
fn contradiction(
    directory: &Directory,
    proven: &Proven<Body>,
    log: &Log<'_>,
) -> Result<Option<String>, Finding> {
    if proven.checkpoint.head().size > log.head().size {
        return Ok(None);
    }
    let failed = |error: &dyn std::fmt::Display| Kind::Failure.at(GENESIS, "two heads", error);
    let leaf =
        LeafBytes::new(directory.read(GENESIS, LEAF_BYTES_MAX)?).map_err(|error| failed(&error))?;
    Contradiction::between(&leaf, &proven.checkpoint, log.checkpoint(), log.nodes())
        .map(|found| found.filter(|found| found.verify().is_ok()).map(|found| found.to_text()))
        .map_err(|error| failed(&error))
}
