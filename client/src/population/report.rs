use std::collections::BTreeMap;

use ledger::digest::Digest;
use ledger::population::{ChargeLine, Enrolled, Population as Entries, ReserveRequest, Standing};
use ledger::record::RunId;
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
    /// Every cap that was set, the earliest at the start.
    pub caps: Vec<CapReport>,
    /// The ε that all charges together have spent at δ.
    pub spent: f64,
    /// Why nothing is released, if the bank has stopped.
    pub stopped: Option<String>,
    /// How many entries the ledger has.
    pub entries: u64,
    /// The root over them, in hex.
    pub root: String,
    /// The consortia that the ledger is charged for.
    pub consortia: Vec<ConsortiumReport>,
    /// The runs that were charged, in order.
    pub runs: Vec<RunReport>,
    /// The charges in order.
    pub charges: Vec<ChargeReport>,
}

/// What one consortium has of the one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsortiumReport {
    /// The consortium's Genesis digest, in hex.
    pub consortium: String,
    /// The bank's name there.
    pub institution: String,
    /// How many rounds are charged and were not given back.
    pub charged: usize,
    /// Their RDP at the filter's order: its shares add up to what is spent.
    pub rdp: f64,
    /// The ε that they would have spent alone; together they spend less than the sum.
    pub spent_alone: f64,
}

/// A cap and why it was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapReport {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The cap.
    pub epsilon: f64,
    /// Who set it and why.
    pub reason: String,
}

/// One run under its two budgets: its own, and what is left of the lifetime's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The consortium's Genesis digest, in hex.
    pub consortium: String,
    /// The run, in hex.
    pub run: String,
    /// The digest of its plan, in hex.
    pub plan: String,
    /// How many rounds the plan has.
    pub rounds: u32,
    /// How many of them are charged and were not given back.
    pub charged: u32,
    /// The ε that the whole run costs, by its loss distribution, however early it is stopped.
    pub epsilon: f64,
    /// The most that the bank lets a run cost.
    pub epsilon_max: f64,
    /// The δ of both.
    pub delta: f64,
    /// How many further rounds like these the lifetime's filter would admit, up to the plan's last.
    pub lifetime_admits: u32,
    /// The budget that ends the run: `run` if all its rounds fit into the lifetime, `lifetime` if not.
    pub binding: String,
}

/// One charge and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChargeReport {
    /// The leaf of the reservation.
    pub reservation: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The consortium's Genesis digest, in hex.
    pub consortium: String,
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
    /// SHA-256 of what was released, in hex.
    pub vector: Option<String>,
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
            caps: state
                .caps()
                .iter()
                .map(|(at, cap)| CapReport {
                    at_ms: at.as_millis(),
                    epsilon: cap.epsilon(),
                    reason: cap.reason().to_string(),
                })
                .collect(),
            spent,
            stopped: state.stopped().map(ToString::to_string),
            entries: head.size,
            root: head.root.to_string(),
            consortia: consortia(population)?,
            runs: runs(state),
            charges: state.charges().iter().map(|(leaf, line)| charge(*leaf, line)).collect(),
        })
    }
}

fn consortia(population: &Population) -> Result<Vec<ConsortiumReport>, ClientError> {
    let state = population.ledger.state();
    let of = |(consortium, enrolled): (&Digest, &Enrolled)| {
        let charges = state.charges().values().filter(|line| line.is_for(consortium));
        let charged = charges.filter(|line| !matches!(line.standing, Standing::Voided { .. }));
        let rdp = state.spent_for(consortium);
        Ok(ConsortiumReport {
            consortium: consortium.to_string(),
            institution: enrolled.institution.to_string(),
            charged: charged.count(),
            rdp,
            spent_alone: if rdp > 0.0 { population.filter()?.spent_epsilon(rdp) } else { 0.0 },
        })
    };
    state.enrolled().iter().map(of).collect()
}

fn runs(state: &Entries) -> Vec<RunReport> {
    let mut order = Vec::new();
    let mut lines: BTreeMap<(Digest, RunId), (&ReserveRequest, u32)> = BTreeMap::new();
    for line in state.charges().values() {
        let request = &line.reserved.request;
        let key = (request.consortium, request.run);
        let (latest, charged) = lines.entry(key).or_insert_with(|| {
            order.push(key);
            (request, 0)
        });
        *latest = request;
        *charged += u32::from(!matches!(line.standing, Standing::Voided { .. }));
    }
    let budget = state.cap().map_or(0.0, ledger::population::Cap::budget);
    let left = (budget - state.spent()).max(0.0);
    let line = |key| lines.get(&key).map(|(request, charged)| run(request, *charged, left));
    order.into_iter().filter_map(line).collect()
}

/// A run as its latest charge says, with `left` of the lifetime's budget.
fn run(request: &ReserveRequest, charged: u32, left: f64) -> RunReport {
    let terms = &request.terms;
    let to_come = terms.rounds().saturating_sub(charged);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rounds, cut to those of the plan; the filter itself decides"
    )]
    let lifetime_admits = ((left / request.rdp) as u32).min(to_come);
    let binding = if lifetime_admits < to_come { "lifetime" } else { "run" };
    RunReport {
        consortium: request.consortium.to_string(),
        run: request.run.to_string(),
        plan: request.plan.to_string(),
        rounds: terms.rounds(),
        charged,
        epsilon: terms.epsilon(),
        epsilon_max: terms.epsilon_max(),
        delta: terms.delta(),
        lifetime_admits,
        binding: binding.to_owned(),
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
        consortium: request.consortium.to_string(),
        run: request.run.to_string(),
        round: request.round,
        noise_multiplier: request.charge.noise_multiplier(),
        sampling_rate: request.charge.sampling_rate(),
        task_change: request.charge.task_change().as_str().to_owned(),
        rdp: request.rdp,
        standing: standing.to_owned(),
        vector: line.released().map(|(_, vector)| vector.to_string()),
        recomputed: line.recomputed,
    }
}
