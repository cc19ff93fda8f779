//! One-time invitations.
//!
//! The secret is never kept, only its SHA-256, which names the invitation's file. The first
//! redemption binds the invitation to the keys that came with it, durably, before anything else
//! happens; from then on only the same keys are answered, so that a lost answer can be had again and
//! a stolen invitation is worth nothing after its use.

use std::path::PathBuf;

use ledger::digest::{Digest, sha256};
use ledger::record::{Institution, Role};
use ledger::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::{Directory, read_json, write_json};
use crate::error::Error;

/// An invitation as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    institution: String,
    role: String,
    expires_ms: u64,
    /// SHA-256 over the keys that it was redeemed with.
    redeemed_by: Option<String>,
}

/// The invitations of a coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Invitations {
    folder: PathBuf,
}

/// Why a redemption is refused. One text for all, so that nobody learns which secrets exist.
pub(crate) const REFUSED: &str =
    "the invitation is unknown, used, expired, or for another institution or role";

impl Invitations {
    pub(crate) fn of(directory: &Directory) -> Self {
        Self { folder: directory.invitations() }
    }

    /// Keeps a new invitation.
    pub(crate) fn keep(
        &self,
        token: &[u8],
        institution: &Institution,
        role: Role,
        expires: Timestamp,
    ) -> Result<(), Error> {
        let kept = Kept {
            institution: institution.to_string(),
            role: role.as_str().to_owned(),
            expires_ms: expires.as_millis(),
            redeemed_by: None,
        };
        write_json(&self.path(token), &kept)
    }

    /// Redeems an invitation for `keys`; again, for the same keys, as often as the answer is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] with [`REFUSED`], or a file error.
    pub(crate) fn redeem(
        &self,
        token: &[u8],
        institution: &Institution,
        role: Role,
        keys: &Digest,
        now: Timestamp,
    ) -> Result<(), Error> {
        let refused = || Error::Usage(REFUSED.to_owned());
        let path = self.path(token);
        if !path.exists() {
            return Err(refused());
        }
        let mut kept: Kept = read_json(&path)?;
        let meant = kept.institution == institution.as_str() && kept.role == role.as_str();
        if !meant || now.as_millis() >= kept.expires_ms {
            return Err(refused());
        }
        let keys = keys.to_string();
        match &kept.redeemed_by {
            Some(earlier) if *earlier == keys => {}
            Some(_) => return Err(refused()),
            None => {
                kept.redeemed_by = Some(keys);
                // Bound before anything is recorded: a crash after this leaves an invitation that
                // only the same keys can use.
                write_json(&path, &kept)?;
            }
        }
        Ok(())
    }

    fn path(&self, token: &[u8]) -> PathBuf {
        self.folder.join(format!("{}.json", sha256(token)))
    }
}
