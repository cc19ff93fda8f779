//! What a member decides beside plans.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::Contradiction;
use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::record::{Body, Canonical, Contradicted, Decision, LogKeyChange, Text};
use serde::Deserialize;
use serde_json::json;
use wire::Connection;
use wire::tls::system_clock;

use super::log::VerifiedLog;
use super::wait;
use crate::ClientError;
use crate::cli::Output;
use crate::joined::Joined;
use crate::keys::Keys;
use crate::receipts::receipt_of;
use crate::rotation::{Next, Which};
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

/// Puts on record that the log's key signed two histories.
///
/// The log in which it is recorded is verified first, and must go on from what this node has verified.
///
/// # Errors
///
/// [`ClientError::Usage`] if the file does not convict the key of this log, [`ClientError::Wire`] with the coordinator's reason, or
/// [`ClientError::Unproven`] if its receipt proves nothing.
pub fn report_contradiction(state: &Path, file: &Path) -> Result<Output, ClientError> {
    let usage =
        |error: &dyn std::fmt::Display| ClientError::Usage(format!("{}: {error}", file.display()));
    let state = StateDir::open(state)?;
    let text = read_text(file)?.ok_or_else(|| usage(&"no such file"))?;
    let shown = Contradiction::from_text(&text).map_err(|error| usage(&error))?;
    wait(async {
        let log = VerifiedLog::fetch(&state).await?;
        let (institution, genesis) =
            (log.joined.institution().clone(), log.joined.genesis_digest());
        let found = Contradicted::hand_in(institution, &shown).map_err(|error| usage(&error))?;
        found.verify(&genesis).map_err(|_| usage(&"it is about another log"))?;
        let body = found.encode();
        let signature = log.keys.record.sign_body(Contradicted::TYPE, &genesis, &body);
        let signature = signature.as_bytes().to_vec();
        let answer = log.connection.report_contradiction(body, signature).await?;
        let unproven = |why: String| ClientError::Unproven(format!("the receipt: {why}"));
        let proven = receipt_of(&answer)?
            .verify_in::<Body>(&log.mirror.keys())
            .map_err(|error| unproven(error.to_string()))?;
        // Somebody else may have handed the same in before.
        let Body::Contradiction(recorded) = proven.leaf.body() else {
            return Err(unproven("it is of another record".to_owned()));
        };
        if recorded.pair() != found.pair() {
            return Err(unproven("it is of another contradiction".to_owned()));
        }
        let (leaf, by, key) = (proven.index, &recorded.institution, found.log_key.to_string());
        let text =
            format!("the contradiction is leaf {leaf}, handed in by {by}: {key} is convicted");
        Ok(Output::new(json!({ "leaf": leaf, "by": by.as_str(), "log_key": key }), text))
    })
}

/// Changes keys of this member: on record first, by the old record key's signature, then here. The node must be at rest, and no run open.
///
/// # Errors
///
/// [`ClientError::Locked`] while the node runs, [`ClientError::Wire`] with the coordinator's reason, [`ClientError::Unproven`] if the log
/// does not say afterwards what it should.
pub fn rotate_keys(state: &Path, which: Which) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let _lock = state.lock()?;
    let (joined, keys) = (Joined::load(&state)?, Keys::load_or_create(&state)?);
    let next = Next::prepare(&state, &joined, &keys, which)?;
    wait(async {
        let tls = joined.tls(&keys.tls, system_clock())?;
        let progress = wire::limits::PROGRESS_TIMEOUT;
        let connection = Connection::open(joined.endpoint(), &tls, progress).await?;
        let answer = connection.rotate(next.rotated.encode(), next.tls.csr()?).await?;
        let renewed = joined.renewed(answer.certificate.to_vec())?;
        // The certificate must fit the key before anything is given up.
        renewed.tls(&next.tls, system_clock())?;
        next.is_on_record(renewed.certificate())?;
        let log = VerifiedLog::fetch(&state).await?;
        let consortium = log.mirror.facts().state().consortium.as_ref();
        let member = consortium.and_then(|consortium| consortium.active(joined.institution()));
        if !member.is_some_and(|member| member.has(&next.rotated.keys)) {
            let why = "the log does not hold the change of keys that was acknowledged".to_owned();
            return Err(ClientError::Unproven(why));
        }
        let keys = &next.rotated.keys;
        let data = json!({ "record_key": keys.record_key.to_string(),
            "cosign_key": keys.cosign_key.to_string(),
            "tls_key_sha256": keys.tls_key_digest.to_string() });
        let text = format!(
            "{} signs with {} from here on; members that pin its key must pin this one",
            joined.institution(),
            keys.record_key
        );
        Ok(Output::new(data, text))
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
        let store = log.mirror.store();
        if !store.extends(&change.anchor).map_err(|e| ClientError::Internal(e.to_string()))? {
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
