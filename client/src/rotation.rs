//! Other keys for the node, between runs.
//!
//! `keys/next/` holds the keys to come, the signed change (`rotated`), and the certificate for the new TLS key (`certificate`) as soon as the
//! coordinator has put the change on record. From then on the new keys are the node's: whoever reads its keys or its membership next moves
//! them to their places, again if a crash broke that off.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::record::{Canonical as _, MemberKeys, MemberRotated};
use ledger::signing::SigningKey;
use wire::NodeKey;

use crate::ClientError;
use crate::joined::Joined;
use crate::keys::{Keys, signing_key, tls_key};
use crate::state_dir::{StateDir, write_durably};

const NAMES: [&str; 3] = ["tls.pem", "record.pem", "cosign.pem"];

/// Which keys are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// The one that proves who connects.
    pub tls: bool,
    /// The one that signs approvals and contributions.
    pub record: bool,
    /// The one that cosigns checkpoints.
    pub cosign: bool,
}

/// A change of keys that is signed and not yet on record, as far as the node knows.
#[derive(Debug)]
pub struct Next {
    folder: PathBuf,
    /// The TLS key to come.
    pub tls: NodeKey,
    /// The signed change.
    pub rotated: MemberRotated,
}

impl Next {
    /// The change that was begun before, or a new one.
    ///
    /// # Errors
    ///
    /// [`ClientError::Usage`] if no key is to change, or the errors of the files.
    pub fn prepare(
        state: &StateDir,
        joined: &Joined,
        keys: &Keys,
        which: Which,
    ) -> Result<Self, ClientError> {
        let folder = folder(state);
        let signed = folder.join("rotated");
        if let Some(bytes) = read(&signed)? {
            let rotated = MemberRotated::decode(&bytes)
                .map_err(|error| ClientError::Damaged { path: signed, why: error.to_string() })?;
            return Ok(Self { tls: tls_key(&folder.join("tls.pem"))?, folder, rotated });
        }
        if !(which.tls || which.record || which.cosign) {
            return Err(ClientError::Usage("expected a key to change".to_owned()));
        }
        fs::create_dir_all(&folder).map_err(|error| ClientError::file("create", &folder, error))?;
        for (name, changes) in NAMES.into_iter().zip([which.tls, which.record, which.cosign]) {
            // What was begun and not signed is begun anew.
            remove(&folder.join(name))?;
            if !changes {
                copy(&state.path("keys").join(name), &folder.join(name))?;
            }
        }
        let tls = tls_key(&folder.join("tls.pem"))?;
        let record = signing_key(&folder.join("record.pem"))?;
        let cosign = signing_key(&folder.join("cosign.pem"))?;
        let rotated = sign(joined, &keys.record, &tls, &record, &cosign);
        write_durably(&signed, &rotated.encode())?;
        Ok(Self { folder, tls, rotated })
    }

    /// Keeps the certificate: from here on the new keys are the node's.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] if the disk fails.
    pub fn is_on_record(&self, certificate: &[u8]) -> Result<(), ClientError> {
        write_durably(&self.folder.join("certificate"), certificate)
    }
}

fn sign(
    joined: &Joined,
    old: &SigningKey,
    tls: &NodeKey,
    record: &SigningKey,
    cosign: &SigningKey,
) -> MemberRotated {
    let keys = MemberKeys {
        institution: joined.institution().clone(),
        tls_key_digest: Digest::from_bytes(tls.digest()),
        record_key: record.public(),
        cosign_key: cosign.public(),
    };
    MemberRotated::prove(keys, old, record, cosign, &joined.genesis_digest())
}

/// Moves keys that are on record to their places.
///
/// # Errors
///
/// The errors of the files, or [`ClientError::Unproven`] if the certificate names somebody else.
pub(crate) fn finish(state: &StateDir) -> Result<(), ClientError> {
    let folder = folder(state);
    let Some(certificate) = read(&folder.join("certificate"))? else { return Ok(()) };
    for name in NAMES {
        copy(&folder.join(name), &state.path("keys").join(name))?;
    }
    Joined::read(state)?.renewed(certificate)?.save(state)?;
    // The certificate goes first: without it nothing is moved again.
    remove(&folder.join("certificate"))?;
    fs::remove_dir_all(&folder).map_err(|error| ClientError::file("remove", &folder, error))
}

fn folder(state: &StateDir) -> PathBuf {
    state.path("keys").join("next")
}

fn copy(from: &Path, to: &Path) -> Result<(), ClientError> {
    let bytes = fs::read(from).map(zeroize::Zeroizing::new);
    write_durably(to, &bytes.map_err(|error| ClientError::file("read", from, error))?)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ClientError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::file("read", path, error)),
    }
}

fn remove(path: &Path) -> Result<(), ClientError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ClientError::file("remove", path, error))
        }
        _ => Ok(()),
    }
}
