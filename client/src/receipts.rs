//! Receipts: kept as files that prove themselves.

use std::path::{Path, PathBuf};

use ledger::checkpoint::LogKeys;
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore;
use ledger::receipt::Receipt;
use ledger::record::{Body, Contribution, LeafBytes, RunId};
use ledger::signing::PublicKey;
use serde::{Deserialize, Serialize};

use crate::ClientError;
use crate::mirror::Mirror;
use crate::state_dir::{StateDir, read_text, write_durably};

const SUFFIX: &str = "receipt";

/// What a receipt file proves, or why it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The file.
    pub file: PathBuf,
    /// The leaf in the consortium's log.
    pub index: Option<u64>,
    /// The round.
    pub round: Option<u32>,
    /// The run, in hex.
    pub run: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A receipt as it came over the wire. Nothing about it is verified yet.
///
/// # Errors
///
/// [`ClientError::Unproven`] if it cannot be one.
pub fn receipt_of(message: &wire::proto::Receipt) -> Result<Receipt, ClientError> {
    let unproven = |why: String| ClientError::Unproven(format!("the receipt: {why}"));
    let hash = |bytes: &wire::Bytes| {
        Digest::try_from(bytes.as_ref()).map_err(|error| unproven(error.to_string()))
    };
    Ok(Receipt {
        index: message.index,
        leaf: LeafBytes::new(message.leaf.to_vec()).map_err(|error| unproven(error.to_string()))?,
        proof: message.proof.iter().map(hash).collect::<Result<_, _>>()?,
        checkpoint: String::from_utf8(message.checkpoint.to_vec())
            .map_err(|error| unproven(error.to_string()))?,
    })
}

/// Checks that `receipt` proves that the log holds `contribution`, signed by `key`.
///
/// # Errors
///
/// [`ClientError::Unproven`] with what does not hold.
pub fn verify(
    receipt: &Receipt,
    log: &LogKeys,
    contribution: &Contribution,
    key: &PublicKey,
) -> Result<(), ClientError> {
    let proven = receipt
        .verify_in::<Body>(log)
        .map_err(|error| ClientError::Unproven(format!("the receipt: {error}")))?;
    let ours = matches!(proven.leaf.body(), Body::Accepted(accepted) if accepted == contribution);
    if ours && proven.leaf.author() == key {
        Ok(())
    } else {
        Err(ClientError::Unproven("the receipt is of another record".to_owned()))
    }
}

/// Keeps a verified receipt, durably, and says under which digest.
///
/// # Errors
///
/// [`ClientError::File`] if the disk fails.
pub fn keep(
    state: &StateDir,
    run: &RunId,
    round: u32,
    receipt: &Receipt,
) -> Result<Digest, ClientError> {
    let text = receipt.to_text();
    let path = state.directory("receipts")?.join(format!("{run}-{round}.{SUFFIX}"));
    write_durably(&path, text.as_bytes())?;
    Ok(sha256(text.as_bytes()))
}

/// Verifies every receipt file of the node: by itself, and against `mirror`, the verified copy of the log.
///
/// # Errors
///
/// [`ClientError::File`] if the directory or a file cannot be read.
pub fn verify_all<S: LogStore>(
    state: &StateDir,
    mirror: &Mirror<S>,
) -> Result<Vec<Verified>, ClientError> {
    let dir = state.directory("receipts")?;
    let failed = |error| ClientError::file("read", &dir, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            files.push(path);
        }
    }
    files.sort();
    files.into_iter().map(|file| verify_file(file, mirror)).collect()
}

fn verify_file<S: LogStore>(file: PathBuf, mirror: &Mirror<S>) -> Result<Verified, ClientError> {
    let text = read_text(&file)?.unwrap_or_default();
    Ok(match proven(&file, &text, mirror) {
        Ok((index, contribution)) => Verified {
            file,
            index: Some(index),
            round: Some(contribution.round),
            run: Some(contribution.run.to_string()),
            error: None,
        },
        Err(why) => Verified { file, index: None, round: None, run: None, error: Some(why) },
    })
}

/// The leaf and the contribution that a receipt file proves.
fn proven<S: LogStore>(
    file: &Path,
    text: &str,
    mirror: &Mirror<S>,
) -> Result<(u64, Contribution), String> {
    let receipt = Receipt::from_text(text).map_err(|error| error.to_string())?;
    let proven = receipt.verify_in::<Body>(&mirror.keys()).map_err(|error| error.to_string())?;
    let Body::Accepted(contribution) = proven.leaf.body() else {
        return Err("expected an accepted contribution, got another record".to_owned());
    };
    if !mirror.facts().is_own_key(proven.leaf.author()) {
        return Err("expected a contribution of this bank, got one by another key".to_owned());
    }
    let name = format!("{}-{}.{SUFFIX}", contribution.run, contribution.round);
    if file.file_name().is_none_or(|found| found != name.as_str()) {
        return Err(format!("expected the file name {name}"));
    }
    let size = proven.checkpoint.head().size;
    if size > mirror.head().size {
        let known = mirror.head().size;
        return Err(format!("expected a head of the log's {known} known leaves, got {size}"));
    }
    mirror.check_extends(&proven.checkpoint).map_err(|error| error.to_string())?;
    Ok((proven.index, contribution.clone()))
}
