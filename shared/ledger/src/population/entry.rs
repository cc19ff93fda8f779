//! What the entries of a population's ledger say.

use super::Sketch;
use crate::digest::Digest;
use crate::generated::population as message;
use crate::record::{Institution, RecordError, Text, Wire, fixed, payload, positive, refused};

mod enrolled;
mod reserve;

pub use enrolled::Enrolled;
pub use reserve::{ReserveRequest, Reserved, RunTerms};

payload! {
    /// What an entry of a population's ledger says. All are by the ledger's own key.
    pub enum Entry, genesis Opened {
        /// The population is registered. Leaf 0.
        1 => Opened(Opened),
        /// The lifetime budget is set or changed.
        2 => Cap(Cap),
        /// A release is charged, before any row is touched.
        3 => Reserved(Reserved),
        /// The noised bytes are durable and may be sent.
        4 => Released(ReleasedEntry),
        /// The computation starts again under the same reservation; nothing was sent.
        5 => Recomputed(Recomputed),
        /// An operator gives a reservation back.
        6 => Voided(Voided),
        /// The coordinator's receipt is held.
        7 => Acknowledged(Acknowledged),
        /// Nothing is released from here on.
        8 => Stopped(Stopped),
        /// Releases are allowed again.
        9 => Resumed(Resumed),
        /// A consortium is named in which this ledger is the bank's.
        10 => Enrolled(Enrolled),
    }
}

/// A population is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The institution, as the consortium knows it whose node registered the population.
    pub institution: Institution,
    /// The population's name at the bank; not empty.
    pub population: Text<64>,
    /// What is protected: `customer`, `account`, `loan`; not empty.
    pub unit: Text<32>,
    /// Which data sets are neighbours.
    pub relation: UnitRelation,
    /// Random, so that two populations never share a genesis digest.
    pub nonce: [u8; 32],
    /// A keyed sketch of the unit ids.
    pub sketch: Sketch,
}

/// Which data sets are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitRelation {
    /// One has one unit more.
    AddRemove,
    /// One unit is another.
    ReplaceOne,
}

/// The lifetime budget: an RDP filter at one fixed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Cap {
    epsilon: f64,
    delta: f64,
    order: f64,
    budget: f64,
    reason: Text<256>,
}

/// The noised bytes are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasedEntry {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// SHA-256 of the bytes.
    pub vector: Digest,
}

/// The computation starts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recomputed {
    /// The leaf of the reservation.
    pub reservation: u64,
}

/// A reservation is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// Who and why, for people.
    pub reason: Text<256>,
}

/// The coordinator's receipt is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// The leaf of the Accepted record in the consortium's log.
    pub index: u64,
    /// SHA-256 of the receipt as it is stored.
    pub receipt: Digest,
}

/// Nothing is released from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Who and why, for people.
    pub reason: Text<256>,
}

/// Releases are allowed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Who and why, for people.
    pub reason: Text<256>,
}

impl UnitRelation {
    /// `add-remove` or `replace-one`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddRemove => "add-remove",
            Self::ReplaceOne => "replace-one",
        }
    }

    /// The relation called `name`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] if none is called so.
    pub fn from_name(name: &str) -> Result<Self, RecordError> {
        match name {
            "add-remove" => Ok(Self::AddRemove),
            "replace-one" => Ok(Self::ReplaceOne),
            other => Err(refused("relation", "add-remove or replace-one", format!("{other:?}"))),
        }
    }
}

impl Cap {
    /// A filter at `order` with `budget`, which keeps all releases together within `epsilon` at
    /// `delta`. That the four belong together is for the accountant to see to.
    ///
    /// # Errors
    ///
    /// [`RecordError::Field`] unless all are finite, epsilon and budget above zero, delta between zero
    /// and one, and the order above one.
    pub fn new(
        epsilon: f64,
        delta: f64,
        order: f64,
        budget: f64,
        reason: Text<256>,
    ) -> Result<Self, RecordError> {
        let delta = positive("delta", delta)?;
        if delta >= 1.0 {
            return Err(refused("delta", "below one", delta.to_string()));
        }
        let order = positive("order", order)?;
        if order <= 1.0 {
            return Err(refused("order", "above one", order.to_string()));
        }
        let (epsilon, budget) = (positive("epsilon", epsilon)?, positive("budget", budget)?);
        Ok(Self { epsilon, delta, order, budget, reason })
    }

    /// The largest epsilon that all releases together may reach.
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The delta of that epsilon.
    pub const fn delta(&self) -> f64 {
        self.delta
    }

    /// The order of the filter.
    pub const fn order(&self) -> f64 {
        self.order
    }

    /// The largest cumulative RDP at that order.
    pub const fn budget(&self) -> f64 {
        self.budget
    }

    /// Who set it and why.
    pub const fn reason(&self) -> &Text<256> {
        &self.reason
    }
}

impl Wire for Opened {
    type Message = message::Opened;
    const TYPE: &'static str = "opened";

    fn to_message(&self) -> message::Opened {
        message::Opened {
            institution: self.institution.to_string(),
            population: self.population.to_string(),
            unit: self.unit.to_string(),
            relation: self.relation.as_str().to_owned(),
            nonce: self.nonce.to_vec(),
            sketch: self.sketch.to_bytes(),
        }
    }

    fn from_message(m: message::Opened) -> Result<Self, RecordError> {
        if m.population.is_empty() || m.unit.is_empty() {
            return Err(refused("population and unit", "named", "an empty name"));
        }
        Ok(Self {
            institution: Institution::new(m.institution)?,
            population: Text::new(m.population)?,
            unit: Text::new(m.unit)?,
            relation: UnitRelation::from_name(&m.relation)?,
            nonce: fixed("nonce", &m.nonce)?,
            sketch: Sketch::from_bytes(&m.sketch)?,
        })
    }
}

impl Wire for Cap {
    type Message = message::Cap;
    const TYPE: &'static str = "cap";

    fn to_message(&self) -> message::Cap {
        message::Cap {
            epsilon: self.epsilon,
            delta: self.delta,
            order: self.order,
            budget: self.budget,
            reason: self.reason.to_string(),
        }
    }

    fn from_message(m: message::Cap) -> Result<Self, RecordError> {
        Self::new(m.epsilon, m.delta, m.order, m.budget, Text::new(m.reason)?)
    }
}

impl Wire for ReleasedEntry {
    type Message = message::Released;
    const TYPE: &'static str = "released";

    fn to_message(&self) -> message::Released {
        message::Released { reservation: self.reservation, vector: self.vector.as_bytes().to_vec() }
    }

    fn from_message(m: message::Released) -> Result<Self, RecordError> {
        Ok(Self { reservation: m.reservation, vector: fixed("vector", &m.vector)? })
    }
}

impl Wire for Recomputed {
    type Message = message::Recomputed;
    const TYPE: &'static str = "recomputed";

    fn to_message(&self) -> message::Recomputed {
        message::Recomputed { reservation: self.reservation }
    }

    fn from_message(m: message::Recomputed) -> Result<Self, RecordError> {
        Ok(Self { reservation: m.reservation })
    }
}

impl Wire for Voided {
    type Message = message::Voided;
    const TYPE: &'static str = "voided";

    fn to_message(&self) -> message::Voided {
        message::Voided { reservation: self.reservation, reason: self.reason.to_string() }
    }

    fn from_message(m: message::Voided) -> Result<Self, RecordError> {
        Ok(Self { reservation: m.reservation, reason: Text::new(m.reason)? })
    }
}

impl Wire for Acknowledged {
    type Message = message::Acknowledged;
    const TYPE: &'static str = "acknowledged";

    fn to_message(&self) -> message::Acknowledged {
        message::Acknowledged {
            reservation: self.reservation,
            index: self.index,
            receipt: self.receipt.as_bytes().to_vec(),
        }
    }

    fn from_message(m: message::Acknowledged) -> Result<Self, RecordError> {
        Ok(Self {
            reservation: m.reservation,
            index: m.index,
            receipt: fixed("receipt", &m.receipt)?,
        })
    }
}

impl Wire for Stopped {
    type Message = message::Stopped;
    const TYPE: &'static str = "stopped";

    fn to_message(&self) -> message::Stopped {
        message::Stopped { reason: self.reason.to_string() }
    }

    fn from_message(m: message::Stopped) -> Result<Self, RecordError> {
        Ok(Self { reason: Text::new(m.reason)? })
    }
}

impl Wire for Resumed {
    type Message = message::Resumed;
    const TYPE: &'static str = "resumed";

    fn to_message(&self) -> message::Resumed {
        message::Resumed { reason: self.reason.to_string() }
    }

    fn from_message(m: message::Resumed) -> Result<Self, RecordError> {
        Ok(Self { reason: Text::new(m.reason)? })
    }
}
