//! The secret keys that sign the log, and how one follows another.
//!
//! `keys/log.pem` signs until the log holds a record that brings another key; from that record on `keys/log.next.pem` does, and takes the
//! other's place. A crash in between leaves both, and the log says which one signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::checkpoint::{LogIdentity, LogKeys, SignedCheckpoint};
use ledger::digest::Digest;
use ledger::record::{Canonical, Institution, LogKey, LogKeyChange, Text};
use ledger::signing::{PublicKey, Signature, SigningKey};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::Directory;
use crate::error::Error;

/// The key in use, and the one that is to follow it, as far as their files are there.
#[derive(Debug, Default)]
pub(crate) struct LogSigners(Vec<SigningKey>);

impl LogSigners {
    /// Reads the files.
    pub(crate) fn of(directory: &Directory) -> Result<Self, Error> {
        let names = ["log", "log.next"].into_iter().filter(|name| directory.has_key(name));
        names.map(|name| directory.signing_key(name)).collect::<Result<_, _>>().map(Self)
    }

    /// Takes one more key.
    pub(crate) fn add(&mut self, key: SigningKey) {
        self.0.push(key);
    }

    /// The public halves.
    pub(crate) fn public(&self) -> Vec<PublicKey> {
        self.0.iter().map(SigningKey::public).collect()
    }

    /// The key that signs a checkpoint of `size` leaves.
    pub(crate) fn of_size(&self, size: u64, keys: &LogKeys) -> Option<&SigningKey> {
        let signs = keys.at(size).key;
        self.0.iter().find(|key| key.public() == signs)
    }
}

impl From<SigningKey> for LogSigners {
    fn from(key: SigningKey) -> Self {
        Self(vec![key])
    }
}

/// A change of the log's key on its way to those who sign it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// The consortium's Genesis digest, in hex.
    pub(crate) genesis: String,
    /// Why.
    pub(crate) reason: String,
    /// The size of the log that everybody is to hold true.
    pub(crate) size: u64,
    /// The body that is signed, in base64.
    pub(crate) change: String,
}

impl Draft {
    /// A change to the key in `keys/log.next.pem`, which is made if it is not there. `status` is what the coordinator says of itself,
    /// `checkpoint` the one that banks are to hold true.
    pub(crate) fn new(
        directory: &Directory,
        status: &Value,
        checkpoint: &str,
        reason: &str,
    ) -> Result<Self, Error> {
        let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
        let said = |name| status.get(name).and_then(Value::as_str).unwrap_or_default();
        let genesis: Digest = said("genesis").parse().map_err(|error| usage(&error))?;
        let old_key: Digest = said("log_key").parse().map_err(|error| usage(&error))?;
        let old_key = PublicKey::from_bytes(*old_key.as_bytes());
        let log = LogIdentity { genesis, key: old_key };
        let anchor =
            SignedCheckpoint::open(checkpoint, &log).map_err(|error| usage(&error))?.head();
        if !directory.has_key("log.next") {
            let made = SigningKey::generate(&SystemRandom::new());
            let (_, pkcs8) = made.map_err(|error| Error::Usage(error.to_string()))?;
            directory.write_key("log.next", &pkcs8.to_pem())?;
        }
        let new_key = directory.signing_key("log.next")?.public();
        let text = Text::new(reason).map_err(|error| usage(&error))?;
        let change = LogKeyChange { old_key, new_key, anchor, reason: text };
        let (reason, change) = (reason.to_owned(), STANDARD.encode(change.encode()));
        Ok(Self { genesis: genesis.to_string(), reason, size: anchor.size, change })
    }

    fn change(&self) -> Result<LogKeyChange, Error> {
        let wrong =
            |why: String| Error::Usage(format!("expected a change of the log's key: {why}"));
        let bytes = STANDARD.decode(&self.change).map_err(|error| wrong(error.to_string()))?;
        LogKeyChange::decode(&bytes).map_err(|error| wrong(error.to_string()))
    }

    /// The record, with the banks' `approvals`, each `institution=signature in base64`, and the old key's signature unless it is `lost`.
    pub(crate) fn complete(
        &self,
        directory: &Directory,
        approvals: &[String],
        lost: bool,
    ) -> Result<LogKey, Error> {
        let change = self.change()?;
        let genesis = self.genesis.parse();
        let genesis = genesis.map_err(|error| Error::Usage(format!("genesis: {error}")))?;
        let sign = |name| Ok::<_, Error>(change.sign(&directory.signing_key(name)?, &genesis));
        Ok(LogKey {
            key_proof: sign("log.next")?,
            handover: if lost { None } else { Some(sign("log")?) },
            approvals: approvals.iter().map(|text| approval(text)).collect::<Result<_, _>>()?,
            change: change.clone(),
        })
    }
}

fn approval(text: &str) -> Result<(Institution, Signature), Error> {
    let wrong = || Error::Usage(format!("expected INSTITUTION=SIGNATURE, got {text:?}"));
    let (name, signature) = text.trim().split_once('=').ok_or_else(wrong)?;
    let bytes = STANDARD.decode(signature).map_err(|_| wrong())?;
    let signature = Signature::try_from(bytes.as_slice()).map_err(|_| wrong())?;
    Ok((Institution::new(name).map_err(|_| wrong())?, signature))
}
