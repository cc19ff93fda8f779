//! The node's keys: made here, never sent anywhere.

use std::path::Path;
use std::sync::Arc;

use ledger::signing::{Pkcs8, SigningKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use wire::NodeKey;
use zeroize::Zeroizing;

use crate::ClientError;
use crate::state_dir::{StateDir, must_be_private, read_text, write_durably};
use crate::tasks::PopulationKey;

/// The three keys of a member.
#[derive(Debug)]
pub struct Keys {
    /// Proves who connects.
    pub tls: NodeKey,
    /// Signs approvals and contributions, and says which ledger is the bank's.
    pub record: Arc<SigningKey>,
    /// Cosigns checkpoints.
    pub cosign: SigningKey,
}

impl Keys {
    /// The keys in the state directory; those that are missing are made. A retry finds the same.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`], [`ClientError::Exposed`], or [`ClientError::Key`] if a file holds
    /// no such key.
    pub fn load_or_create(state: &StateDir) -> Result<Self, ClientError> {
        let dir = state.directory("keys")?;
        Ok(Self {
            tls: tls_key(&dir.join("tls.pem"))?,
            record: Arc::new(signing_key(&dir.join("record.pem"))?),
            cosign: signing_key(&dir.join("cosign.pem"))?,
        })
    }
}

/// The key of the population's keyed hashes, made once: with another one a customer would come to
/// another task.
///
/// # Errors
///
/// [`ClientError::File`], [`ClientError::Exposed`], or [`ClientError::Key`] if the file does not
/// hold 32 bytes.
pub fn population_key(state: &StateDir) -> Result<PopulationKey, ClientError> {
    let path = state.directory("keys")?.join("population.key");
    Ok(PopulationKey::new(&secret(&path)?))
}

/// The 32 secret bytes in the file at `path`, made there if it is missing.
///
/// # Errors
///
/// [`ClientError::File`], [`ClientError::Exposed`], or [`ClientError::Key`] if the file does not
/// hold 32 bytes.
pub fn secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, ClientError> {
    if !path.exists() {
        let mut fresh = Zeroizing::new([0; 32]);
        fill_random(&mut fresh)?;
        write_durably(path, fresh.as_slice())?;
    }
    must_be_private(path)?;
    let bytes = std::fs::read(path).map_err(|error| ClientError::file("read", path, error))?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() != 32 {
        let why = format!("expected 32 bytes, got {}", bytes.len());
        return Err(ClientError::Key { path: path.to_owned(), why });
    }
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Fills `bytes` from the system, in place: a secret that were returned would leave copies behind.
///
/// # Errors
///
/// [`ClientError::Randomness`] if it gives none.
pub fn fill_random(bytes: &mut [u8; 32]) -> Result<(), ClientError> {
    SystemRandom::new().fill(bytes).map_err(|_| ClientError::Randomness)
}

fn tls_key(path: &Path) -> Result<NodeKey, ClientError> {
    let wrong = |error: wire::Error| key_error(path, &error);
    if let Some(pem) = private_text(path)? {
        return NodeKey::from_pem(&pem).map_err(wrong);
    }
    let key = NodeKey::generate().map_err(wrong)?;
    write_durably(path, key.to_pem().as_bytes())?;
    Ok(key)
}

fn signing_key(path: &Path) -> Result<SigningKey, ClientError> {
    let wrong = |error: ledger::signing::KeyError| key_error(path, &error);
    if let Some(pem) = private_text(path)? {
        let pkcs8 = Pkcs8::from_pem(&pem).map_err(wrong)?;
        return SigningKey::from_pkcs8(pkcs8.as_der()).map_err(wrong);
    }
    let (key, pkcs8) = SigningKey::generate(&SystemRandom::new()).map_err(wrong)?;
    write_durably(path, pkcs8.to_pem().as_bytes())?;
    Ok(key)
}

/// The ledger's own key in the file at `path`, made there if it is missing.
///
/// # Errors
///
/// [`ClientError::File`], [`ClientError::Exposed`], or [`ClientError::Key`] if the file holds no such
/// key.
pub(crate) fn ledger_key(path: &Path) -> Result<SigningKey, ClientError> {
    signing_key(path)
}

fn private_text(path: &Path) -> Result<Option<Zeroizing<String>>, ClientError> {
    let text = read_text(path)?.map(Zeroizing::new);
    if text.is_some() {
        must_be_private(path)?;
    }
    Ok(text)
}

fn key_error(path: &Path, error: &dyn std::error::Error) -> ClientError {
    ClientError::Key { path: path.to_owned(), why: error.to_string() }
}
