use ledger::population::{ChargeLine, Standing};
use serde::{Deserialize, Serialize};

use super::Population;
use crate::ClientError;

/// The ledger as people read it: what was charged, for whom, against which cap.
///
/// ε is what was *charged*; what the audit of the consortium's log finds is at most that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerReport {
    /// The population.
    pub population: String,
    /// What is protected.
    pub unit: String,
    /// Which data sets are neighbours.
    pub relation: String,
    /// The cap; none before the ledger has one.
    pub cap: Option<f64>,
    /// The δ of cap and spending.
    pub delta: Option<f64>,
    /// The order of the filter.
    pub order: Option<f64>,
    /// The ε that all charges together have spent at δ.
    pub spent: f64,
    /// Why nothing is released, if the bank has stopped.
    pub stopped: Option<String>,
    /// How many entries the ledger has.
    pub entries: u64,
    /// The root over them, in hex.
    pub root: String,
    /// The charges in order.
    pub charges: Vec<ChargeReport>,
}

/// One charge and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargeReport {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The run, in hex.
    pub run: String,
    /// The round.
    pub round: u32,
    /// The noise, in clipping norms.
    pub noise_multiplier: f64,
    /// The probability of each task.
    pub sampling_rate: f64,
    /// What one unit changes.
    pub task_change: String,
    /// What was charged, at the filter's order.
    pub rdp: f64,
    /// `reserved`, `unreleased`, `released`, `acknowledged` or `voided`.
    pub standing: String,
    /// How often the computation was started again.
    pub recomputed: u32,
}

impl LedgerReport {
    /// The report of a ledger.
    ///
    /// # Errors
    ///
    /// [`ClientError::Privacy`] if the cap is none.
    pub fn of(population: &Population) -> Result<Self, ClientError> {
        let ledger = &population.ledger;
        let (state, head) = (ledger.state(), ledger.head());
        let cap = state.cap();
        let spent = match cap {
            Some(_) => population.filter()?.spent_epsilon(state.spent()),
            None => 0.0,
        };
        Ok(Self {
            population: state.opened().population.to_string(),
            unit: state.opened().unit.to_string(),
            relation: state.opened().relation.as_str().to_owned(),
            cap: cap.map(ledger::population::Cap::epsilon),
            delta: cap.map(ledger::population::Cap::delta),
            order: cap.map(ledger::population::Cap::order),
            spent,
            stopped: state.stopped().map(ToString::to_string),
            entries: head.size,
            root: head.root.to_string(),
            charges: state.charges().iter().map(|(leaf, line)| charge(*leaf, line)).collect(),
        })
    }
}

fn charge(reservation: u64, line: &ChargeLine) -> ChargeReport {
    let request = &line.reserved.request;
    let standing = match &line.standing {
        Standing::Open if line.is_exhausted() => "unreleased",
        Standing::Open => "reserved",
        Standing::Released { .. } => "released",
        Standing::Acknowledged { .. } => "acknowledged",
        Standing::Voided { .. } => "voided",
    };
    ChargeReport {
        reservation,
        at_ms: line.at.as_millis(),
        run: request.run.to_string(),
        round: request.round,
        noise_multiplier: request.charge.noise_multiplier(),
        sampling_rate: request.charge.sampling_rate(),
        task_change: request.charge.task_change().as_str().to_owned(),
        rdp: request.rdp,
        standing: standing.to_owned(),
        recomputed: line.recomputed,
    }
}
