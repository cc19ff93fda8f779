//! A round from its opening to its close, and the end of a run.

use std::collections::BTreeSet;

use super::run_bytes;
use super::{Institution, RecordError, RunId, Text, Wire, fixed};
use crate::digest::Digest;
use crate::generated::record as message;
use crate::time::Timestamp;

/// A round begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundOpened {
    /// The run.
    pub run: RunId,
    /// The round's number, from 0.
    pub round: u32,
    /// SHA-256 of the meta-initialization (f32 little-endian) that clients start from.
    pub model: Digest,
    /// The institutions that are expected.
    pub cohort: BTreeSet<Institution>,
    /// When the round is due.
    pub deadline: Timestamp,
}

/// The deadline passed without a quorum: same round, same model, accepted contributions stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// The run.
    pub run: RunId,
    /// The round's number.
    pub round: u32,
    /// When the round is due now.
    pub deadline: Timestamp,
}

/// A round is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The run.
    pub run: RunId,
    /// The round's number.
    pub round: u32,
    /// All institutions whose contribution was accepted.
    pub survivors: BTreeSet<Institution>,
    /// SHA-256 of the sum of their vectors: i64 little-endian.
    pub aggregate: Digest,
}

/// A run ends early. What was charged stays charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The run.
    pub run: RunId,
    /// Why, for people.
    pub reason: Text<256>,
}

/// A run has closed its last round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFinished {
    /// The run.
    pub run: RunId,
    /// The number of its last model.
    pub model: u32,
}

fn names(institutions: &BTreeSet<Institution>) -> Vec<String> {
    institutions.iter().map(ToString::to_string).collect()
}

/// Order and repetition are checked by encoding again: a set has one order and no repetition.
fn set(names: Vec<String>) -> Result<BTreeSet<Institution>, RecordError> {
    names.into_iter().map(Institution::new).collect()
}

impl Wire for RoundOpened {
    type Message = message::RoundOpened;
    const TYPE: &'static str = "round-opened";

    fn to_message(&self) -> message::RoundOpened {
        message::RoundOpened {
            run: run_bytes(&self.run),
            round: self.round,
            model: self.model.as_bytes().to_vec(),
            cohort: names(&self.cohort),
            deadline_ms: self.deadline.as_millis(),
        }
    }

    fn from_message(m: message::RoundOpened) -> Result<Self, RecordError> {
        Ok(Self {
            run: fixed("run", &m.run)?,
            round: m.round,
            model: fixed("model", &m.model)?,
            cohort: set(m.cohort)?,
            deadline: Timestamp::from_millis(m.deadline_ms),
        })
    }
}

impl Wire for Extended {
    type Message = message::Extended;
    const TYPE: &'static str = "extended";

    fn to_message(&self) -> message::Extended {
        message::Extended {
            run: run_bytes(&self.run),
            round: self.round,
            deadline_ms: self.deadline.as_millis(),
        }
    }

    fn from_message(m: message::Extended) -> Result<Self, RecordError> {
        Ok(Self {
            run: fixed("run", &m.run)?,
            round: m.round,
            deadline: Timestamp::from_millis(m.deadline_ms),
        })
    }
}

impl Wire for Closed {
    type Message = message::Closed;
    const TYPE: &'static str = "closed";

    fn to_message(&self) -> message::Closed {
        message::Closed {
            run: run_bytes(&self.run),
            round: self.round,
            survivors: names(&self.survivors),
            aggregate: self.aggregate.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Closed) -> Result<Self, RecordError> {
        Ok(Self {
            run: fixed("run", &m.run)?,
            round: m.round,
            survivors: set(m.survivors)?,
            aggregate: fixed("aggregate", &m.aggregate)?,
        })
    }
}

impl Wire for Abandoned {
    type Message = message::Abandoned;
    const TYPE: &'static str = "abandoned";

    fn to_message(&self) -> message::Abandoned {
        message::Abandoned { run: run_bytes(&self.run), reason: self.reason.to_string() }
    }

    fn from_message(m: message::Abandoned) -> Result<Self, RecordError> {
        Ok(Self { run: fixed("run", &m.run)?, reason: Text::new(m.reason)? })
    }
}

impl Wire for RunFinished {
    type Message = message::RunFinished;
    const TYPE: &'static str = "run-finished";

    fn to_message(&self) -> message::RunFinished {
        message::RunFinished { run: run_bytes(&self.run), model: self.model }
    }

    fn from_message(m: message::RunFinished) -> Result<Self, RecordError> {
        Ok(Self { run: fixed("run", &m.run)?, model: m.model })
    }
}
