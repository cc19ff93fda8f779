//! The bank as a witness: it cosigns what it has verified, and remembers what it cosigned.
//!
//! `cosigned.log` in the state directory holds every checkpoint that was cosigned since the file was last cut short, one JSON string a
//! line, the newest at the end. It lies beside the copy of the log and not in it: a copy that is fetched anew, or put back, must still
//! extend the newest. A checkpoint is durable there before its cosignature leaves, so a line without its end was never cosigned.

pub mod daemon;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use ledger::checkpoint::{LogKeys, SignedCheckpoint, witness_key};
use ledger::log_store::LogStore;
use ledger::record::Institution;
use ledger::signing::{SigningKey, VerifierKey};
use ledger::time::Timestamp;

use crate::ClientError;
use crate::mirror::Mirror;
use crate::state_dir::{StateDir, read_text, write_durably};

const FILE: &str = "cosigned.log";
/// A longer file is cut short at the next start.
const BYTES_MAX: usize = 64 * 1024;

/// What a bank has cosigned, and the right to cosign what extends it.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    file: File,
    newest: Option<SignedCheckpoint>,
    name: VerifierKey,
}

/// A cosignature to hand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// How many leaves the checkpoint has.
    pub size: u64,
    /// The signature line.
    pub line: String,
}

impl Witness {
    /// Reads what was cosigned before. `key` is the bank's cosigning key.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`], or [`ClientError::Damaged`] if a line that has its end is no checkpoint of the log: then nobody knows what was
    /// cosigned, and an operator has to find out.
    pub fn open(
        state: &StateDir,
        log: &LogKeys,
        institution: &Institution,
        key: &SigningKey,
    ) -> Result<Self, ClientError> {
        let path = state.path(FILE);
        let damaged = |why: String| ClientError::Damaged { path: path.clone(), why };
        let text = read_text(&path)?.unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let newest = whole.lines().next_back().map(|line| {
            let note: String =
                serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
            log.open(&note).map_err(|error| damaged(error.to_string()))
        });
        let newest = newest.transpose()?;
        let torn = !text.is_empty() && !text.ends_with('\n');
        if torn || text.len() > BYTES_MAX {
            let kept = newest.as_ref().map(line_of).transpose()?.unwrap_or_default();
            write_durably(&path, kept.as_bytes())?;
        } else if !path.exists() {
            write_durably(&path, b"")?;
        }
        let file = OpenOptions::new().append(true).mode(0o600).open(&path);
        let file = file.map_err(|error| ClientError::file("open", &path, error))?;
        let name = witness_key(&log.newest().genesis, institution.as_str(), key.public())
            .map_err(|error| ClientError::Internal(error.to_string()))?;
        Ok(Self { path, file, newest, name })
    }

    /// Cosigns the newest checkpoint of the verified copy at `now`, after checking that it extends what was cosigned before; none while the
    /// copy is shorter than that, or empty. Checked, kept and signed in one go: nobody else holds the witness meanwhile.
    ///
    /// # Errors
    ///
    /// [`ClientError::Tampered`] if the copy has another history than what was cosigned; [`ClientError::File`] if that cannot be kept.
    pub fn cosign<S: LogStore>(
        &mut self,
        mirror: &Mirror<S>,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Option<Handed>, ClientError>
    where
        ClientError: From<crate::mirror::MirrorError<S::Error>>,
    {
        let Some(checkpoint) = mirror.checkpoint() else { return Ok(None) };
        if let Some(newest) = &self.newest {
            if newest.head().size > checkpoint.head().size {
                return Ok(None);
            }
            mirror.check_extends(newest)?;
        }
        if self.newest.as_ref().map(SignedCheckpoint::head) != Some(checkpoint.head()) {
            let line = line_of(checkpoint)?;
            let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
            written.map_err(|error| ClientError::file("write", &self.path, error))?;
            self.newest = Some(checkpoint.clone());
        }
        // Only here: what is cosigned is durable.
        let log = mirror.keys().newest();
        let cosignature = checkpoint
            .cosign(&log, &self.name, key, now.as_millis() / 1000)
            .map_err(|error| ClientError::Internal(error.to_string()))?;
        Ok(Some(Handed { size: checkpoint.head().size, line: cosignature.line().to_string() }))
    }
}

fn line_of(checkpoint: &SignedCheckpoint) -> Result<String, ClientError> {
    let line = serde_json::to_string(checkpoint.text());
    line.map(|line| line + "\n").map_err(|error| ClientError::Internal(error.to_string()))
}
