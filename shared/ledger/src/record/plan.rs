//! Plans, their approval, and the runs they become.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::refused;
use super::{Institution, RecordError, Wire, fixed};
use crate::digest::{Digest, DigestError, Sha256, sha256};
use crate::generated::record as message;

/// The most bytes a plan may have.
pub const PLAN_BYTES_MAX: usize = 32 * 1024;

/// The exact bytes of a plan, and their digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Plan {
    text: String,
    digest: Digest,
}

impl Plan {
    /// The plan with this text.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if the text is empty or longer than [`PLAN_BYTES_MAX`] bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, RecordError> {
        let text = text.into();
        if text.is_empty() || text.len() > PLAN_BYTES_MAX {
            let found = format!("{} bytes", text.len());
            return Err(refused("plan", "1 to 32,768 bytes", found));
        }
        let digest = sha256(text.as_bytes());
        Ok(Self { text, digest })
    }

    /// The plan's text, byte for byte as it was proposed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the plan's exact bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({})", self.digest)
    }
}

/// A plan is put before the members, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanProposed {
    /// The plan.
    pub plan: Plan,
}

/// A member's signature on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The member.
    pub institution: Institution,
    /// SHA-256 of the plan's exact bytes.
    pub plan: Digest,
}

/// A run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStarted {
    /// SHA-256 of the plan's exact bytes.
    pub plan: Digest,
    /// The leaves of the approvals that this run spends.
    pub approvals: BTreeSet<u64>,
}

/// The identifier of a run: one approved plan, started once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Digest);

impl RunId {
    /// The run of `plan` whose RunStarted is leaf `index`: SHA-256(plan ‖ index as 8 bytes
    /// big-endian).
    pub fn derive(plan: &Digest, index: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(plan.as_bytes());
        hasher.update(&index.to_be_bytes());
        Self(hasher.finish())
    }

    /// The run with this identifier.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The identifier as a digest.
    pub const fn as_digest(&self) -> &Digest {
        &self.0
    }
}

impl From<[u8; 32]> for RunId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RunId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

/// The bytes of a run's identifier, as messages carry them.
pub(crate) fn run_bytes(run: &RunId) -> Vec<u8> {
    run.0.as_bytes().to_vec()
}

impl Wire for PlanProposed {
    type Message = message::PlanProposed;
    const TYPE: &'static str = "plan-proposed";

    fn to_message(&self) -> message::PlanProposed {
        message::PlanProposed { plan: self.plan.text.as_bytes().to_vec() }
    }

    fn from_message(m: message::PlanProposed) -> Result<Self, RecordError> {
        let text = String::from_utf8(m.plan)
            .map_err(|error| refused("plan", "text in UTF-8", error.utf8_error().to_string()))?;
        Ok(Self { plan: Plan::new(text)? })
    }
}

impl Wire for Approval {
    type Message = message::Approval;
    const TYPE: &'static str = "approval";

    fn to_message(&self) -> message::Approval {
        message::Approval {
            institution: self.institution.to_string(),
            plan: self.plan.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Approval) -> Result<Self, RecordError> {
        Ok(Self { institution: Institution::new(m.institution)?, plan: fixed("plan", &m.plan)? })
    }
}

impl Wire for RunStarted {
    type Message = message::RunStarted;
    const TYPE: &'static str = "run-started";

    fn to_message(&self) -> message::RunStarted {
        message::RunStarted {
            plan: self.plan.as_bytes().to_vec(),
            approvals: self.approvals.iter().copied().collect(),
        }
    }

    fn from_message(m: message::RunStarted) -> Result<Self, RecordError> {
        Ok(Self { plan: fixed("plan", &m.plan)?, approvals: m.approvals.into_iter().collect() })
    }
}
