//! What a member decides beside plans.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::digest::Digest;
use ledger::record::{Body, Canonical, Decision, LogKeyChange, Text};
use ledger::tree::{ProofError, root_at};
use serde::Deserialize;
use serde_json::json;

use super::log::VerifiedLog;
use super::wait;
use crate::ClientError;
use crate::cli::Output;
use crate::receipts::receipt_of;
use crate::state_dir::{StateDir, read_text};

/// A change of the log's key, as the operator hands it out. The rest of the file is for people.
#[derive(Deserialize)]
struct Change {
    change: String,
}

/// Records a decision in the consortium's log.
///
/// # Errors
///
/// [`ClientError::Usage`] if the text is empty, too long or not plain, [`ClientError::Wire`] with the coordinator's reason, or
/// [`ClientError::Unproven`] if its receipt proves nothing.
pub fn decide(state: &Path, text: &str, about: Option<&str>) -> Result<Output, ClientError> {
    let usage = |error: &dyn std::fmt::Display| ClientError::Usage(error.to_string());
    let state = StateDir::open(state)?;
    if text.is_empty() {
        return Err(usage(&"expected a text of 1 to 1024 characters"));
    }
    let text = Text::new(text).map_err(|error| usage(&error))?;
    let about = about.map(str::parse::<Digest>).transpose().map_err(|error| usage(&error))?;
    wait(async {
        let log = VerifiedLog::fetch(&state).await?;
        let institution = log.joined.institution().clone();
        let consortium = log.mirror.facts().state().consortium.as_ref();
        let member = consortium.and_then(|consortium| consortium.active(&institution));
        let number = member.map_or(0, |member| member.decisions);
        let decision = Decision { institution, text, about, number };
        let (body, genesis) = (decision.encode(), log.joined.genesis_digest());
        let signature = log.keys.record.sign_body(Decision::TYPE, &genesis, &body);
        let answer = log.connection.decide(body, signature.as_bytes().to_vec()).await?;
        let unproven = |why: String| ClientError::Unproven(format!("the receipt: {why}"));
        let proven = receipt_of(&answer)?
            .verify_in::<Body>(&log.mirror.keys())
            .map_err(|error| unproven(error.to_string()))?;
        if *proven.leaf.body() != Body::Decision(decision) {
            return Err(unproven("it is of another record".to_owned()));
        }
        let text = format!("the decision is leaf {}", proven.index);
        Ok(Output::new(json!({ "leaf": proven.index, "number": number }), text))
    })
}

/// Signs a change of the log's key: this bank holds that the log has the root that the change names, and that the new key is to sign it.
///
/// # Errors
///
/// [`ClientError::Usage`] if the file holds no change, [`ClientError::Unproven`] if it is from another key than the log's, or over
/// another history than this bank has verified.
pub fn sign_log_key(state: &Path, file: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let wrong = |error: &dyn std::fmt::Display| {
        ClientError::Usage(format!("expected a change of the log's key: {error}"))
    };
    let text =
        read_text(file)?.ok_or_else(|| wrong(&format!("{} is not there", file.display())))?;
    let change: Change = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let bytes = STANDARD.decode(&change.change).map_err(|error| wrong(&error))?;
    let change = LogKeyChange::decode(&bytes).map_err(|error| wrong(&error))?;
    wait(async {
        let log = VerifiedLog::fetch(&state).await?;
        let (keys, size) = (log.mirror.keys(), change.anchor.size);
        if change.old_key != keys.newest().key {
            let found = keys.newest().key;
            let why = format!("the change is from another key than the log's, {found}");
            return Err(ClientError::Unproven(why));
        }
        let root = match root_at(log.mirror.store(), size) {
            Ok(root) => Some(root),
            Err(ProofError::OutOfRange { .. }) => None,
            Err(ProofError::Source(error)) => return Err(ClientError::Internal(error.to_string())),
        };
        if root != Some(change.anchor.root) {
            let why = format!("the change is over another history of {size} records");
            return Err(ClientError::Unproven(why));
        }
        let signature = change.sign(&log.keys.record, &log.joined.genesis_digest());
        let signature = STANDARD.encode(signature.as_bytes());
        let institution = log.joined.institution();
        let line = format!("{institution}={signature}");
        let data = json!({ "institution": institution.as_str(), "signature": signature,
            "old_key": change.old_key.to_string(), "new_key": change.new_key.to_string(),
            "size": size, "reason": change.reason.as_str() });
        Ok(Output::new(data, line))
    })
}
