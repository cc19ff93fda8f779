//! What the operator and the members decide beside plans and the roster.

use super::{Institution, RecordError, RunId, Text, Wire, fixed, refused, run_bytes};
use crate::digest::Digest;
use crate::generated::record as message;

/// A run opens no further round until it is resumed; a round that is open goes on to its close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// The run.
    pub run: RunId,
    /// True if the run pauses here, false if it goes on.
    pub paused: bool,
    /// Why, for people.
    pub reason: Text<256>,
}

/// Models of an ended run are withdrawn: nobody should adapt from them any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The run.
    pub run: RunId,
    /// The first withdrawn model; all later ones of the run come from it and are withdrawn with it.
    pub from: u32,
    /// Why, for people.
    pub reason: Text<256>,
}

/// What a member decided about the consortium's affairs. Decisions about customers stay in the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The member.
    pub institution: Institution,
    /// The decision, for people; not empty.
    pub text: Text<1024>,
    /// SHA-256 of what it is about: a plan's bytes, a leaf or a document.
    pub about: Option<Digest>,
    /// How many decisions the member recorded before, so that nobody can record this one a second time.
    pub number: u32,
}

impl Wire for Paused {
    type Message = message::Paused;
    const TYPE: &'static str = "paused";

    fn to_message(&self) -> message::Paused {
        message::Paused {
            run: run_bytes(&self.run),
            paused: self.paused,
            reason: self.reason.to_string(),
        }
    }

    fn from_message(m: message::Paused) -> Result<Self, RecordError> {
        Ok(Self { run: fixed("run", &m.run)?, paused: m.paused, reason: Text::new(m.reason)? })
    }
}

impl Wire for Recalled {
    type Message = message::Recalled;
    const TYPE: &'static str = "recalled";

    fn to_message(&self) -> message::Recalled {
        message::Recalled {
            run: run_bytes(&self.run),
            from: self.from,
            reason: self.reason.to_string(),
        }
    }

    fn from_message(m: message::Recalled) -> Result<Self, RecordError> {
        Ok(Self { run: fixed("run", &m.run)?, from: m.from, reason: Text::new(m.reason)? })
    }
}

impl Wire for Decision {
    type Message = message::Decision;
    const TYPE: &'static str = "decision";

    fn to_message(&self) -> message::Decision {
        message::Decision {
            institution: self.institution.to_string(),
            text: self.text.to_string(),
            about: self.about.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default(),
            number: self.number,
        }
    }

    fn from_message(m: message::Decision) -> Result<Self, RecordError> {
        if m.text.is_empty() {
            return Err(refused("text", "1 to 1024 characters", "none"));
        }
        let about = (!m.about.is_empty()).then(|| fixed("about", &m.about)).transpose()?;
        let institution = Institution::new(m.institution)?;
        Ok(Self { institution, text: Text::new(m.text)?, about, number: m.number })
    }
}
