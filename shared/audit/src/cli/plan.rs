//! What a plan costs, before anybody signs it.

use std::io::Read as _;
use std::path::Path;

use privacy::{Certificate, Epsilon, Filter, PrivacyEvent, TaskChange, UnitRelation};
use round::Plan;
use round::plan::MetricsPrice;
use serde::Serialize;

use super::account::refused;
use super::events::{Refused, failed, usage};

/// The most bytes that are read of a file that should be a plan; a plan itself has fewer.
const PLAN_BYTES_MAX: u64 = 64 * 1024;

/// What a plan costs each institution.
#[derive(Debug, Serialize)]
pub(super) struct Price {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) rounds: u32,
    pub(super) unit: String,
    /// The relation that the plan's promise speaks of.
    pub(super) relation: String,
    /// What the plan measures beside gradients, and what that leaves of them.
    pub(super) metrics: MetricsPrice,
    /// The promised ε.
    pub(super) promise: f64,
    pub(super) relations: Vec<Related>,
}

/// What it costs under one relation between data sets.
#[derive(Debug, Serialize)]
pub(super) struct Related {
    pub(super) relation: String,
    pub(super) task_change: String,
    #[serde(flatten)]
    pub(super) certificate: Certificate,
    /// What a lifetime's filter charges at the order that is best for this plan alone.
    pub(super) lifetime: Lifetime,
}

/// A charge to a lifetime's budget.
#[derive(Debug, Serialize)]
pub(super) struct Lifetime {
    pub(super) order: f64,
    pub(super) rdp: f64,
    pub(super) epsilon: f64,
}

/// The price of the plan in the file `path`.
pub(super) fn price(path: &Path) -> Result<Price, Refused> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(PLAN_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| failed(path, &error))?;
    let plan =
        Plan::parse(&bytes).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    let text = plan.text();
    let relations = [UnitRelation::AddRemove, UnitRelation::ReplaceOne]
        .into_iter()
        .map(|relation| related(&plan, relation))
        .collect::<Result<_, _>>()?;
    Ok(Price {
        name: text.name.clone(),
        digest: plan.digest().to_string(),
        rounds: text.rounds,
        unit: text.privacy.unit.clone(),
        relation: text.privacy.relation.to_string(),
        metrics: plan.metrics_price(),
        promise: text.privacy.epsilon,
        relations,
    })
}

fn related(plan: &Plan, relation: UnitRelation) -> Result<Related, Refused> {
    let text = plan.text();
    let change = TaskChange::of(text.tasks.grouping, relation);
    let event = PrivacyEvent { change, count: u64::from(text.rounds), ..plan.event() };
    let certificate = privacy::epsilon(&[event], plan.delta()).map_err(refused)?;
    let order = Filter::best_order(&[event], plan.delta()).map_err(refused)?;
    // Any cap has the same charge at an order; this one only has to be large enough to exist.
    let cap = Epsilon::new(f64::from(u32::MAX)).map_err(refused)?;
    let filter = Filter::new(cap, plan.delta(), order).map_err(refused)?;
    let rdp = filter.cost(&event).map_err(refused)?;
    let lifetime = Lifetime { order: order.get(), rdp, epsilon: filter.spent_epsilon(rdp) };
    Ok(Related {
        relation: relation.to_string(),
        task_change: change.to_string(),
        certificate,
        lifetime,
    })
}
