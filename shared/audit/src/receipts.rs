//! Receipts against the log: what a member holds must be in what the auditor got.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use ledger::checkpoint::LogKeys;
use ledger::digest::{Digest, sha256};
use ledger::receipt::{Proven, Receipt};
use ledger::record::Body;
use ledger::tree::{leaf_hash, root_at};

use crate::directory::unreadable;
use crate::finding::{Finding, Kind};
use crate::log::Log;

/// A leaf in base64, 64 hashes and a checkpoint fit well.
const RECEIPT_BYTES_MAX: u64 = 256 * 1024;

/// Checks that the record of the receipt in `path` is in the log, at the place and under the head
/// that the log's key signed for it.
pub(crate) fn check(path: &Path, log: &Log<'_>) -> Result<(), Finding> {
    let (receipt, proven, _) = open(path, log.keys())?;
    stands(path, &receipt, &proven, log)
}

/// The same of a receipt that has been opened.
pub(crate) fn stands(
    path: &Path,
    receipt: &Receipt,
    proven: &Proven<Body>,
    log: &Log<'_>,
) -> Result<(), Finding> {
    let place = path.display().to_string();
    let hash = leaf_hash(receipt.leaf.as_slice());
    if !log.nodes().contains(&hash) {
        let size = log.head().size;
        let expected = format!("the acknowledged record, leaf {}, in the log", proven.index);
        return Err(Kind::Omission.at(place, expected, format!("none among {size} leaves")));
    }
    let signed = proven.checkpoint.head();
    if signed.size <= log.head().size {
        let held = root_at(log.nodes(), signed.size)
            .map_err(|error| Kind::Failure.at(&place, "an earlier root", error))?;
        if held != signed.root {
            let expected = format!("root {} at size {}", signed.root, signed.size);
            return Err(Kind::SplitView.at(place, expected, format!("root {held}")));
        }
    } else if log.nodes().leaf(proven.index) != Some(hash) {
        // The receipt's history is longer than the export, and yet has another record there.
        let expected = format!("the acknowledged record at leaf {}", proven.index);
        return Err(Kind::SplitView.at(place, expected, "it at another"));
    }
    Ok(())
}

/// The receipt in the file `path`, which a log with these keys signed, and the SHA-256 of the file.
pub(crate) fn open(
    path: &Path,
    keys: &LogKeys,
) -> Result<(Receipt, Proven<Body>, Digest), Finding> {
    let wrong = |error: &dyn std::fmt::Display| {
        Kind::Tampered.at(path.display(), "a receipt that this log signed", error)
    };
    let text = read(path, "a receipt", RECEIPT_BYTES_MAX)?;
    let receipt = Receipt::from_text(&text).map_err(|error| wrong(&error))?;
    let proven = receipt.verify_in(keys).map_err(|error| wrong(&error))?;
    Ok((receipt, proven, sha256(text.as_bytes())))
}

/// The text in a file of at most `bytes_max`, which should be `what`.
pub(crate) fn read(path: &Path, what: &str, bytes_max: u64) -> Result<String, Finding> {
    let place = path.display();
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            Kind::NotFound.at(&place, what, "nothing")
        } else if error.kind() == io::ErrorKind::InvalidData {
            Kind::Tampered.at(&place, what, "no text")
        } else {
            unreadable(&place, &error)
        }
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(bytes_max).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
