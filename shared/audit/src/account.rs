//! What the log acknowledges of each institution, and what that costs, from parameters alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::record::{Body, Institution, RunId};
use privacy::{Certificate, Delta, Interval, PrivacyError, PrivacyEvent, TaskChange, UnitRelation};
use round::Plan;

use crate::finding::{Finding, Kind};
use crate::report::{Beside, InstitutionReport, RoundMetrics, RunReport, RunStatus, Shared, Total};

/// At how many institutions one person's data is assumed to lie, for the figures printed.
const SHARED_BANKS: [u32; 2] = [2, 3];

/// What was acknowledged in one run.
///
/// Auditor and coordinator keep it with the same functions, so that a page and an audit say the same.
#[derive(Clone, Debug)]
pub struct Account {
    /// The run.
    pub id: RunId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// How many contributions of each institution of the plan.
    pub accepted: BTreeMap<Institution, u32>,
    /// How many rounds were closed.
    pub rounds_closed: u32,
    /// How far it came.
    pub status: RunStatus,
    /// SHA-256 of the last model's weights.
    pub model: Option<Digest>,
    /// What each closed round measured.
    pub metrics: Vec<RoundMetrics>,
}

impl Account {
    /// A run before its first round.
    pub fn open(id: RunId, plan: Arc<Plan>) -> Self {
        let accepted = plan.cohort().iter().map(|name| (name.clone(), 0)).collect();
        let status = RunStatus::Open;
        Self { id, plan, accepted, rounds_closed: 0, status, model: None, metrics: Vec::new() }
    }

    /// Takes note of a record about this run.
    pub fn take(&mut self, body: &Body) {
        match body {
            Body::Accepted(contribution) => {
                *self.accepted.entry(contribution.institution.clone()).or_default() += 1;
            }
            Body::Closed(_) => self.rounds_closed += 1,
            Body::Model(model) => self.model = Some(model.theta),
            Body::Abandoned(_) => self.status = RunStatus::Abandoned,
            Body::RunFinished(_) => self.status = RunStatus::Finished,
            Body::Genesis(_)
            | Body::Member(_)
            | Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::RoundOpened(_)
            | Body::Extended(_)
            | Body::Evidence(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_) => {}
        }
    }

    pub(crate) fn report(&self) -> RunReport {
        RunReport {
            id: self.id.to_string(),
            name: self.plan.text().name.clone(),
            plan: self.plan.digest().to_string(),
            rounds: self.plan.text().rounds,
            rounds_closed: self.rounds_closed,
            status: self.status,
            model: self.model.map(|digest| digest.to_string()),
            metrics: self.metrics.clone(),
        }
    }

    fn relation(&self) -> UnitRelation {
        self.plan.text().privacy.relation
    }

    fn change(&self, relation: UnitRelation) -> TaskChange {
        TaskChange::of(self.plan.text().tasks.grouping, relation)
    }
}

/// So many contributions to one of the runs, under a task change.
type Share = (usize, TaskChange, u32);

/// Certificates that were computed, to be used again for the same runs or more.
#[derive(Clone, Debug, Default)]
pub struct Certificates(BTreeMap<Vec<Share>, Certificate>);

/// Computes certificates; most institutions took part in equally many rounds, so each only once.
#[derive(Debug)]
pub struct Accountant<'a> {
    runs: &'a [Account],
    known: Certificates,
}

impl<'a> Accountant<'a> {
    /// An accountant of these runs, with what was computed before for the leading ones of them.
    pub const fn of(runs: &'a [Account], known: Certificates) -> Self {
        Self { runs, known }
    }

    /// What was computed so far.
    pub fn into_known(self) -> Certificates {
        self.known
    }

    /// Each institution in each run.
    ///
    /// # Errors
    ///
    /// [`Finding`] if a figure cannot be certified.
    pub fn institutions(&mut self) -> Result<Vec<InstitutionReport>, Finding> {
        let mut reports = Vec::new();
        for (index, run) in self.runs.iter().enumerate() {
            for (name, rounds) in &run.accepted {
                reports.push(self.institution(index, run, name, *rounds)?);
            }
        }
        Ok(reports)
    }

    /// Each institution over all runs that protect the same unit under the same relation.
    ///
    /// # Errors
    ///
    /// [`Finding`] if a figure cannot be certified.
    pub fn totals(&mut self) -> Result<Vec<Total>, Finding> {
        let mut shares: BTreeMap<(&Institution, &str, UnitRelation), Vec<Share>> = BTreeMap::new();
        for (index, run) in self.runs.iter().enumerate() {
            let (unit, relation) = (run.plan.text().privacy.unit.as_str(), run.relation());
            for (name, rounds) in &run.accepted {
                let share = (index, run.change(relation), *rounds);
                shares.entry((name, unit, relation)).or_default().push(share);
            }
        }
        let total = |((name, unit, relation), shares): ((&Institution, &str, _), Vec<Share>)| {
            let rounds = shares.iter().map(|(_, _, rounds)| u64::from(*rounds)).sum();
            let runs = u32::try_from(shares.len()).unwrap_or(u32::MAX);
            let certificate = self.certificate(shares).map_err(|error| {
                Kind::Failure.at(format!("all runs of {name}"), "a certified epsilon", error)
            })?;
            Ok(Total {
                name: name.to_string(),
                unit: unit.to_owned(),
                relation: UnitRelation::to_string(&relation),
                runs,
                rounds,
                delta: certificate.delta.get(),
                epsilon: interval(&certificate),
                method: certificate.method.to_string(),
            })
        };
        shares.into_iter().map(total).collect()
    }

    fn institution(
        &mut self,
        index: usize,
        run: &Account,
        name: &Institution,
        rounds: u32,
    ) -> Result<InstitutionReport, Finding> {
        let text = run.plan.text();
        let relation = run.relation();
        let change = run.change(relation);
        let certificate = self.certificate(vec![(index, change, rounds)]).map_err(|error| {
            Kind::Failure.at(format!("run {}", run.id), "a certified epsilon", error)
        })?;
        let other = match relation {
            UnitRelation::AddRemove => UnitRelation::ReplaceOne,
            UnitRelation::ReplaceOne => UnitRelation::AddRemove,
        };
        let other_change = run.change(other);
        let beside = self.certificate(vec![(index, other_change, rounds)]).ok();
        Ok(InstitutionReport {
            name: name.to_string(),
            run: run.id.to_string(),
            unit: text.privacy.unit.clone(),
            relation: relation.to_string(),
            task_change: change.to_string(),
            delta: certificate.delta.get(),
            rounds,
            epsilon: interval(&certificate),
            method: certificate.method.to_string(),
            promise: text.privacy.epsilon,
            beside: beside.map(|certificate| Beside {
                relation: other.to_string(),
                task_change: other_change.to_string(),
                epsilon: interval(&certificate),
            }),
        })
    }

    /// The certificate of these contributions together, at the least of their runs' δ.
    fn certificate(&mut self, shares: Vec<Share>) -> Result<Certificate, PrivacyError> {
        if let Some(certificate) = self.known.0.get(&shares) {
            return Ok(*certificate);
        }
        let certificate = self.compute(&shares)?;
        self.known.0.insert(shares, certificate);
        Ok(certificate)
    }

    fn compute(&self, shares: &[Share]) -> Result<Certificate, PrivacyError> {
        if let [(index, change, rounds)] = shares
            && let Some(run) = self.runs.get(*index)
            && *change == run.plan.event().change
        {
            // The plan's own figure, which was computed when its bytes were read from the log.
            return run.plan.spent(*rounds);
        }
        let parts: Vec<(Delta, PrivacyEvent)> = shares
            .iter()
            .filter_map(|(index, change, rounds)| {
                let plan = &self.runs.get(*index)?.plan;
                let event = plan.event();
                let event = PrivacyEvent { change: *change, count: u64::from(*rounds), ..event };
                Some((plan.delta(), event))
            })
            .collect();
        let delta =
            parts.iter().map(|(delta, _)| *delta).min_by(|a, b| a.get().total_cmp(&b.get()));
        let delta = delta.ok_or(PrivacyError::NotFinite { figure: "delta of no run" })?;
        let events: Vec<PrivacyEvent> = parts.into_iter().map(|(_, event)| event).collect();
        privacy::epsilon(&events, delta)
    }
}

/// What several institutions together cost somebody whose data they all hold: the sum of ε and of δ,
/// over those where it is most ([Dwork & Roth 2014], theorem 3.16).
pub fn shared(totals: &[Total]) -> Vec<Shared> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Total>> = BTreeMap::new();
    for total in totals {
        groups.entry((&total.unit, &total.relation)).or_default().push(total);
    }
    let mut shared = Vec::new();
    for ((unit, relation), mut group) in groups {
        group.sort_by(|a, b| b.epsilon.upper.total_cmp(&a.epsilon.upper));
        for banks in SHARED_BANKS {
            let worst = group.get(..banks as usize);
            shared.extend(worst.map(|worst| Shared {
                banks,
                unit: unit.to_owned(),
                relation: relation.to_owned(),
                epsilon_upper: worst.iter().map(|total| total.epsilon.upper).sum(),
                delta: greatest_sum(&group, banks),
            }));
        }
    }
    shared
}

/// The sum of the largest δ, so that the pair holds whichever institutions they are.
fn greatest_sum(group: &[&Total], banks: u32) -> f64 {
    let mut deltas: Vec<f64> = group.iter().map(|total| total.delta).collect();
    deltas.sort_by(|a, b| b.total_cmp(a));
    deltas.into_iter().take(banks as usize).sum()
}

const fn interval(certificate: &Certificate) -> Interval {
    Interval { lower: certificate.epsilon_lower, upper: certificate.epsilon_upper }
}
