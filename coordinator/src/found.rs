//! The birth of a consortium.

use std::path::Path;

use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore;
use ledger::record::{Genesis, QuorumRule, Text};
use ledger::signing::SigningKey;
use ring::rand::{SecureRandom, SystemRandom};
use round::decide::{Request, decide};
use round::state::State;
use wire::NodeKey;

use crate::clock;
use crate::directory::{Directory, Settings};
use crate::error::Error;
use crate::governance::Certificates;

/// What a founder says.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The consortium's name, for people.
    pub name: String,
    /// The quorum: more than this fraction of the active banks signs a plan.
    pub quorum: (u32, u32),
    /// Where the coordinator listens and how it is reached.
    pub settings: Settings,
}

/// Makes a state directory: CA, operator and log keys, Genesis, and no member. Returns the digest of
/// Genesis, which everybody pins.
///
/// # Errors
///
/// [`Error::Usage`] if the directory holds a consortium already or the founding is no Genesis;
/// [`Error::File`] or [`Error::Storage`] if something cannot be written.
pub fn found(root: &Path, founding: &Founding) -> Result<Digest, Error> {
    let usage = |error: &dyn std::fmt::Display| Error::Usage(error.to_string());
    let directory = Directory::at(root);
    if directory.settings().is_ok() {
        return Err(Error::Usage(format!("{} holds a consortium already", root.display())));
    }
    directory.create()?;
    let now = clock::now();
    let random = SystemRandom::new();
    let authority = Certificates::create_authority(&founding.name, now)?;
    directory.write_key("ca", &authority.key_pem())?;
    directory.write_certificate("ca", &authority.certificate_pem())?;
    directory.write_key("server", &NodeKey::generate()?.to_pem())?;
    let mut keys = vec![];
    for name in ["operator", "log"] {
        let (key, pkcs8) = SigningKey::generate(&random).map_err(|error| usage(&error))?;
        directory.write_key(name, &pkcs8.to_pem())?;
        keys.push(key);
    }
    let [operator, log_key] = keys.as_slice() else {
        return Err(Error::Usage("two keys were to be made".to_owned()));
    };
    let mut nonce = [0; 32];
    random.fill(&mut nonce).map_err(|_| usage(&"the system gave no randomness"))?;
    let genesis = Genesis {
        name: Text::new(founding.name.clone()).map_err(|error| usage(&error))?,
        operator_key: operator.public(),
        log_key: log_key.public(),
        ca_digest: Digest::from_bytes(authority.digest()),
        quorum: QuorumRule::more_than(founding.quorum.0, founding.quorum.1)
            .map_err(|error| usage(&error))?,
        nonce,
    };
    let digest = record(root, genesis, operator, log_key)?;
    // Last: a directory without settings is not a consortium's, and `init` may begin again.
    directory.write_settings(&founding.settings)?;
    Ok(digest)
}

/// Leaf 0 and the first checkpoint.
fn record(
    root: &Path,
    genesis: Genesis,
    operator: &SigningKey,
    log_key: &SigningKey,
) -> Result<Digest, Error> {
    let (mut log, _) = store::open(root).map_err(|error| Error::storage(&error))?;
    let drafts = decide(&State::empty(), clock::now(), Request::Found(genesis))?;
    let mut leaves = vec![];
    for draft in drafts {
        let leaf = draft.seal(operator, &Digest::ZERO);
        leaves.push(leaf.map_err(|error| Error::Usage(error.to_string()))?.into_bytes());
    }
    let digest = leaves.first().map(|leaf| sha256(leaf.as_slice())).unwrap_or_default();
    let expected = log.head();
    if expected.size > 0 {
        return Err(Error::Usage(format!("{} holds a log already", root.display())));
    }
    let head = log.append(&expected, &leaves, &[]).map_err(|error| Error::storage(&error))?;
    let checkpoint =
        SignedCheckpoint::sign(&digest, head, log_key).map_err(|error| Error::storage(&error))?;
    log.put_checkpoint(&checkpoint).map_err(|error| Error::storage(&error))?;
    Ok(digest)
}
