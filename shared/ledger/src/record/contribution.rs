//! What a bank sends, and what it charged for it.

use super::refused;
use super::run_bytes;
use super::{Institution, RecordError, RunId, Wire, fixed, positive, rate};
use crate::digest::Digest;
use crate::generated::record as message;

/// A contribution: what the bank signs, and what is logged when it was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The run.
    pub run: RunId,
    /// The round's number.
    pub round: u32,
    /// SHA-256 of the plan's exact bytes.
    pub plan: Digest,
    /// SHA-256 of the meta-initialization that it was computed from.
    pub model: Digest,
    /// The contributing institution.
    pub institution: Institution,
    /// SHA-256 of the vector: i32 little-endian.
    pub vector: Digest,
    /// The blinded head of the bank's own ledger.
    pub ledger_head: Digest,
    /// What the bank charged, as it computed it from the plan.
    pub charge: Charge,
}

/// One release as the bank's ledger charged it.
///
/// A reader recomputes it from the plan and never trusts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    noise_multiplier: f64,
    sampling_rate: f64,
    task_change: TaskChange,
}

/// What adding, removing or replacing one unit does to the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskChange {
    /// One task appears or disappears.
    Appears,
    /// The content of one task changes.
    Content,
    /// The contents of two tasks change.
    TwoContents,
}

impl Charge {
    /// A release with noise of `noise_multiplier` clipping norms, where each task takes part with
    /// probability `sampling_rate`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] unless the noise is finite and above zero, and the rate is above zero
    /// and at most one.
    pub fn new(
        noise_multiplier: f64,
        sampling_rate: f64,
        task_change: TaskChange,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            noise_multiplier: positive("noise_multiplier", noise_multiplier)?,
            sampling_rate: rate("sampling_rate", sampling_rate)?,
            task_change,
        })
    }

    /// Standard deviation of the noise, in units of the clipping norm.
    pub const fn noise_multiplier(&self) -> f64 {
        self.noise_multiplier
    }

    /// The probability with which each task takes part.
    pub const fn sampling_rate(&self) -> f64 {
        self.sampling_rate
    }

    /// What one unit changes.
    pub const fn task_change(&self) -> TaskChange {
        self.task_change
    }
}

impl TaskChange {
    /// `appears`, `content` or `two-contents`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Appears => "appears",
            Self::Content => "content",
            Self::TwoContents => "two-contents",
        }
    }

    /// The change called `name`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if none is called so.
    pub fn from_name(name: &str) -> Result<Self, RecordError> {
        match name {
            "appears" => Ok(Self::Appears),
            "content" => Ok(Self::Content),
            "two-contents" => Ok(Self::TwoContents),
            other => Err(refused(
                "task_change",
                "appears, content or two-contents",
                format!("{other:?}"),
            )),
        }
    }
}

impl Wire for Contribution {
    type Message = message::Contribution;
    const TYPE: &'static str = "accepted";

    fn to_message(&self) -> message::Contribution {
        message::Contribution {
            run: run_bytes(&self.run),
            round: self.round,
            plan: self.plan.as_bytes().to_vec(),
            model: self.model.as_bytes().to_vec(),
            institution: self.institution.to_string(),
            vector: self.vector.as_bytes().to_vec(),
            ledger_head: self.ledger_head.as_bytes().to_vec(),
            charge: Some(message::Charge {
                noise_multiplier: self.charge.noise_multiplier,
                sampling_rate: self.charge.sampling_rate,
                task_change: self.charge.task_change.as_str().to_owned(),
            }),
        }
    }

    fn from_message(m: message::Contribution) -> Result<Self, RecordError> {
        let charge = m.charge.ok_or_else(|| refused("charge", "present", "nothing"))?;
        Ok(Self {
            run: fixed("run", &m.run)?,
            round: m.round,
            plan: fixed("plan", &m.plan)?,
            model: fixed("model", &m.model)?,
            institution: Institution::new(m.institution)?,
            vector: fixed("vector", &m.vector)?,
            ledger_head: fixed("ledger_head", &m.ledger_head)?,
            charge: Charge::new(
                charge.noise_multiplier,
                charge.sampling_rate,
                TaskChange::from_name(&charge.task_change)?,
            )?,
        })
    }
}
