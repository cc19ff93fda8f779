//! A meta-initialization.

use super::run_bytes;
use super::{RecordError, RunId, Wire, fixed};
use crate::digest::Digest;
use crate::generated::record as message;

/// A meta-initialization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The run.
    pub run: RunId,
    /// Its number: 0 is the plan's initialization, r + 1 comes from round r.
    pub index: u32,
    /// SHA-256 of the weights: f32 little-endian.
    pub theta: Digest,
    /// SHA-256 of the master weights and the optimizer's state: f64 little-endian.
    pub master: Digest,
}

impl Wire for Model {
    type Message = message::Model;
    const TYPE: &'static str = "model";

    fn to_message(&self) -> message::Model {
        message::Model {
            run: run_bytes(&self.run),
            index: self.index,
            theta: self.theta.as_bytes().to_vec(),
            master: self.master.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Model) -> Result<Self, RecordError> {
        Ok(Self {
            run: fixed("run", &m.run)?,
            index: m.index,
            theta: fixed("theta", &m.theta)?,
            master: fixed("master", &m.master)?,
        })
    }
}
