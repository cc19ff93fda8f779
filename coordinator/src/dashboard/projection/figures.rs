//! The privacy figures of the pages, computed by the auditor's own functions and kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::{Account, Accountant, Certificates, InstitutionReport, Shared, Total, shared};
use ledger::digest::Digest;
use privacy::{Certificate, Method, PrivacyError, PrivacyEvent, epsilon_by};
use round::Plan;

/// At how many numbers of rounds a plan's ε is computed for its chart.
const POINTS_MAX: u32 = 40;
/// Up to how many times its rounds a plan is followed until its ε is exhausted.
const HORIZON: u32 = 4;

/// The figures of all runs.
#[derive(Debug, Clone, Default)]
pub(in crate::dashboard) struct Figures {
    known: Certificates,
    /// Each institution in each run, in the order of the runs.
    pub(in crate::dashboard) institutions: Vec<InstitutionReport>,
    /// Each institution over its runs.
    pub(in crate::dashboard) totals: Vec<Total>,
    /// What those pay whose data several institutions hold.
    pub(in crate::dashboard) shared: Vec<Shared>,
    /// By plan and number of rounds, what Rényi divergences alone prove.
    by_rdp: BTreeMap<(Digest, u32), Certificate>,
    curves: BTreeMap<Digest, Arc<Curve>>,
}

/// How the ε of a plan grows with its rounds.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dashboard) struct Curve {
    /// Numbers of rounds, ascending, and the proved upper end after so many.
    pub(in crate::dashboard) points: Vec<(u32, f64)>,
    /// The last round that the plan's ε would still cover, were the rounds to go on; none if it is
    /// beyond `HORIZON` times the plan's rounds.
    pub(in crate::dashboard) covered: Option<u32>,
}

impl Figures {
    /// The figures of these runs; what was computed before is not computed again.
    ///
    /// # Errors
    ///
    /// [`audit::Finding`] if a figure cannot be certified.
    pub(super) fn of(runs: &[Account], before: &Self) -> Result<Self, audit::Finding> {
        let mut accountant = Accountant::of(runs, before.known.clone());
        let institutions = accountant.institutions()?;
        let totals = accountant.totals()?;
        let mut by_rdp = BTreeMap::new();
        for run in runs {
            for rounds in run.accepted.values() {
                let key = (run.plan.digest(), *rounds);
                if by_rdp.contains_key(&key) {
                    continue;
                }
                let known = before.by_rdp.get(&key).copied();
                if let Some(certificate) = known.or_else(|| by_rdp_of(&run.plan, *rounds).ok()) {
                    by_rdp.insert(key, certificate);
                }
            }
        }
        Ok(Self {
            known: accountant.into_known(),
            institutions,
            shared: shared(&totals),
            totals,
            by_rdp,
            curves: before.curves.clone(),
        })
    }

    /// What Rényi divergences alone prove of so many rounds.
    pub(in crate::dashboard) fn by_rdp(&self, plan: &Digest, rounds: u32) -> Option<&Certificate> {
        self.by_rdp.get(&(*plan, rounds))
    }

    /// The plan's curve, once it is computed.
    pub(in crate::dashboard) fn curve(&self, plan: &Digest) -> Option<&Arc<Curve>> {
        self.curves.get(plan)
    }

    /// The newest of these plans whose curve is not computed yet.
    pub(super) fn without_curve(&self, runs: &[Arc<Plan>]) -> Option<Arc<Plan>> {
        runs.iter().rev().find(|plan| !self.curves.contains_key(&plan.digest())).map(Arc::clone)
    }

    pub(super) fn with_curve(&self, plan: &Plan, curve: Curve) -> Self {
        let mut with = self.clone();
        with.curves.insert(plan.digest(), Arc::new(curve));
        with
    }
}

impl Curve {
    /// The curve of a plan. What cannot be certified has no point.
    pub(super) fn of(plan: &Plan) -> Self {
        let whole = plan.text().rounds.max(1);
        let step = whole.div_ceil(POINTS_MAX).max(1);
        let mut rounds: Vec<u32> = (1..=whole).step_by(step as usize).collect();
        if rounds.last() != Some(&whole) {
            rounds.push(whole);
        }
        let upper = |rounds: u32| plan.spent(rounds).map(|spent| spent.epsilon_upper);
        let mut points: Vec<(u32, f64)> =
            rounds.into_iter().filter_map(|at| Some((at, upper(at).ok()?))).collect();
        let covered = covered(plan, whole, upper);
        if let Some((end, at)) = covered.and_then(|end| Some((end, upper(end).ok()?)))
            && end > whole
        {
            points.push((end, at));
        }
        Self { points, covered }
    }
}

/// The last number of rounds whose ε is within the plan's, by halving.
fn covered(
    plan: &Plan,
    whole: u32,
    upper: impl Fn(u32) -> Result<f64, PrivacyError>,
) -> Option<u32> {
    let within =
        |rounds: u32| upper(rounds).is_ok_and(|upper| upper <= plan.text().privacy.epsilon);
    let (mut low, mut high) = (whole, whole.saturating_mul(HORIZON));
    if within(high) {
        return None;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if within(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

fn by_rdp_of(plan: &Plan, rounds: u32) -> Result<Certificate, PrivacyError> {
    let event = PrivacyEvent { count: u64::from(rounds), ..plan.event() };
    epsilon_by(Method::Rdp, &[event], plan.delta())
}
