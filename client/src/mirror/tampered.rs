use std::fmt;

use ledger::checkpoint::Contradiction;
use ledger::tree::Head;
use serde::{Deserialize, Serialize};

use crate::ClientError;
use crate::state_dir::{StateDir, read_text, write_durably};

const FILE: &str = "tampered.json";
const CONTRADICTION: &str = "contradiction.json";

/// Proof that a log or the bank's own records were changed or went back.
///
/// Once found it is written down, and the node releases nothing any more, across restarts, until an
/// operator has looked at it and removed the file. Where the log's key has signed two heads that exclude each other, the proof lies
/// beside it, as a file that convicts by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tampered {
    /// What does not hold.
    reason: String,
    /// How many leaves the bank had verified before.
    verified_size: u64,
    /// The root over them, in hex.
    verified_root: String,
    /// The checkpoint that the bank had verified before.
    ours: Option<String>,
    /// The checkpoint that contradicts it, signed by the log's own key.
    theirs: Option<String>,
    /// What convicts the log's key; a file of its own.
    #[serde(skip)]
    contradiction: Option<Contradiction>,
}

impl Tampered {
    pub(super) fn new(
        reason: &str,
        verified: Head,
        ours: Option<String>,
        theirs: Option<String>,
    ) -> Self {
        let (size, root) = (verified.size, verified.root.to_string());
        let reason = reason.to_owned();
        let (verified_size, verified_root) = (size, root);
        Self { reason, verified_size, verified_root, ours, theirs, contradiction: None }
    }

    pub(super) fn of_copy(reason: &str) -> Self {
        Self::new(reason, Head::empty(), None, None)
    }

    /// The bank's own ledger does not hold what the log proves that the bank has signed.
    pub fn of_own_ledger(reason: &str, verified: Head, checkpoint: Option<&str>) -> Self {
        Self::new(reason, verified, checkpoint.map(ToOwned::to_owned), None)
    }

    /// What was found before, if anything was.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] or [`ClientError::Damaged`].
    pub fn load(state: &StateDir) -> Result<Option<Self>, ClientError> {
        let path = state.path(FILE);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| ClientError::Damaged { path, why: error.to_string() })
    }

    /// The same, with what convicts the log's key.
    pub(crate) fn proved_by(self, contradiction: Option<Contradiction>) -> Self {
        Self { contradiction, ..self }
    }

    /// The log's own checkpoint that is not the copy's, unless it is convicted already.
    pub(crate) fn unproved(&self) -> Option<&str> {
        self.theirs.as_deref().filter(|_| self.contradiction.is_none())
    }

    /// Writes it down, durably; what was found before stays.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] if the disk fails.
    pub fn save(&self, state: &StateDir) -> Result<(), ClientError> {
        let path = state.path(FILE);
        if path.exists() {
            return Ok(());
        }
        // First: whoever finds that something was changed finds the proof.
        if let Some(contradiction) = &self.contradiction {
            write_durably(&state.path(CONTRADICTION), contradiction.to_text().as_bytes())?;
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| ClientError::Damaged { path: path.clone(), why: error.to_string() })?;
        write_durably(&path, &text)
    }

    /// What does not hold.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} records had been verified before", self.reason, self.verified_size)?;
        if self.contradiction.is_some() {
            write!(f, "; {CONTRADICTION} convicts the log's key")?;
        }
        Ok(())
    }
}

impl std::error::Error for Tampered {}
