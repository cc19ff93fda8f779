//! Answers for people: at most a screenful.

use std::fmt::Write as _;

use privacy::{Certificate, Interval, TaskChange};

use super::account::{Calibrated, Curve, Loss, Priced};
use super::plan::{Lifetime, Price};
use crate::finding::{Finding, Kind};
use crate::population::{ChargedRun, EnrolledIn, PopulationReport};
use crate::report::{
    ConvictedLogKey, InstitutionReport, Report, RunReport, RunStatus, Shared, Total,
};
use crate::rounded::{down, up};

/// How many lines each list may take.
const LINES_MAX: usize = 6;

/// The verdict, then what it rests on, then what each institution spent.
pub(super) fn report(report: &Report) -> String {
    let mut text = verdict(report);
    if let Some(genesis) = &report.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    if report.runs.is_empty() && report.finding.is_some() {
        return text;
    }
    line(&mut text, format_args!("records      {}", report.records));
    line(&mut text, format_args!("cosigned by  {}", witnesses(&report.cosigned_by)));
    if let Some(quorum) = report.quorum.as_ref().filter(|quorum| quorum.met) {
        let by = witnesses(&quorum.cosigned_by);
        line(&mut text, format_args!("policy       met by {by}"));
    }
    line(&mut text, format_args!("receipts     {}", report.receipts));
    let contradictions = report.convicted_log_keys.iter().map(|of| {
        let still = if of.signs_now { "; it signs this log still" } else { "" };
        let ConvictedLogKey { log_key, smaller, larger, by, leaf, .. } = of;
        format!(
            "{log_key}: heads of {smaller} and {larger} records, from {by} (leaf {leaf}){still}"
        )
    });
    list(&mut text, "a key of this log signed two histories", contradictions.collect());
    if report.runs.is_empty() {
        return text;
    }
    line(&mut text, format_args!("models       {} replayed bit for bit", report.models_replayed));
    let runs = report.runs.iter().map(run).collect();
    list(&mut text, "runs", runs);
    list(
        &mut text,
        "measured in the newest round",
        report.runs.iter().filter_map(measured).collect(),
    );
    let convictions = report.evidence.iter().map(|conviction| {
        let (name, fault) = (&conviction.institution, &conviction.fault);
        format!("{name}: {fault} in round {} (leaf {})", conviction.round, conviction.leaf)
    });
    list(&mut text, "evidence", convictions.collect());
    list(&mut text, "acknowledged", report.institutions.iter().map(institution).collect());
    if report.runs.len() > 1 {
        list(&mut text, "all runs together", report.totals.iter().map(total).collect());
    }
    list(
        &mut text,
        "whose data several hold pays the sum",
        report.shared.iter().map(sum).collect(),
    );
    text
}

fn witnesses(names: &[String]) -> String {
    let more = names.len().saturating_sub(LINES_MAX);
    let listed = names.iter().take(LINES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (names.len(), more) {
        (0, _) => "nobody".to_owned(),
        (_, 0) => listed,
        _ => format!("{listed} and {more} more: see --json"),
    }
}

/// What a bank's own ledger says.
pub(super) fn population(report: &PopulationReport) -> String {
    let mut text = String::new();
    if let Some(found) = &report.finding {
        finding(&mut text, found);
        return text;
    }
    line(&mut text, format_args!("verified"));
    if let Some(genesis) = &report.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    if let Some(key) = &report.key {
        line(&mut text, format_args!("key          {key}"));
    }
    let PopulationReport { institution, population, unit, relation, .. } = report;
    line(
        &mut text,
        format_args!("population   {population} of {institution}, per {unit}, {relation}"),
    );
    line(&mut text, format_args!("entries      {}", report.entries));
    if let (Some(delta), Some(order), Some(cap)) = (report.delta, report.order, report.caps.last())
    {
        let spent = report.spent;
        line(
            &mut text,
            format_args!(
                "lifetime     ε {} of {cap}, δ = {delta:e}, filter of order {order}",
                up(spent, 4)
            ),
        );
    }
    list(
        &mut text,
        "signed for by the record key, to be compared with the roster",
        report.consortia.iter().map(enrolled).collect(),
    );
    list(&mut text, "charged", report.runs.iter().map(charged).collect());
    text
}

fn enrolled(of: &EnrolledIn) -> String {
    let id: String = of.consortium.chars().take(12).collect();
    format!("{id}: {} with {}; alone ε {:.4}", of.institution, of.record_key, of.spent_alone)
}

fn charged(of: &ChargedRun) -> String {
    let id: String = of.run.chars().take(12).collect();
    let consortium: String = of.consortium.chars().take(12).collect();
    // A logged figure is never used; where it is not the computed one, it is shown beside it.
    let logged = if of.logged < of.whole.lower || of.logged > of.whole.upper * (1.0 + 1e-12) {
        format!("; the ledger says {}", of.logged)
    } else {
        String::new()
    };
    format!(
        "{id} in {consortium}: {} of {} rounds ({} released, {} acknowledged, {} given back), {}; whole {} of at most {}, δ = {:e}{logged}",
        of.charged,
        of.rounds,
        of.released,
        of.acknowledged,
        of.voided,
        epsilon(of.epsilon),
        epsilon(of.whole),
        of.epsilon_max,
        of.delta,
    )
}

pub(super) fn finding(text: &mut String, finding: &Finding) {
    line(text, format_args!("{} (exit {})", finding.kind, finding.kind.exit_code()));
    line(text, format_args!("  at        {}", finding.place));
    line(text, format_args!("  expected  {}", finding.expected));
    line(text, format_args!("  found     {}", finding.found));
}

fn verdict(report: &Report) -> String {
    let mut text = String::new();
    match &report.finding {
        None if report.anchored => line(&mut text, format_args!("verified")),
        None => line(&mut text, format_args!("consistent, anchor not given (--genesis HEX)")),
        Some(found) => {
            finding(&mut text, found);
            if found.kind == Kind::Incomplete {
                line(&mut text, format_args!("everything that is there verified"));
            }
        }
    }
    text
}

fn run(run: &RunReport) -> String {
    let status = match run.status {
        RunStatus::Open => "open",
        RunStatus::Finished => "finished",
        RunStatus::Abandoned => "abandoned",
    };
    let id: String = run.id.chars().take(12).collect();
    format!("{id} {:?}: {} of {} rounds, {status}", run.name, run.rounds_closed, run.rounds)
}

fn measured(run: &RunReport) -> Option<String> {
    let newest = run.metrics.last()?;
    let id: String = run.id.chars().take(12).collect();
    Some(format!("{id} round {}: {}", newest.round, newest.estimates))
}

fn institution(of: &InstitutionReport) -> String {
    let id: String = of.run.chars().take(12).collect();
    let beside = of.beside.as_ref().map_or("the other relation: no figure".to_owned(), |beside| {
        format!("{}: {}", beside.relation, epsilon(beside.epsilon))
    });
    format!(
        "{} in {id}: {} rounds, {} of {} promised, δ = {:e}\n  \
         per {}, {}; tasks: {}; method {}; {beside}",
        of.name,
        of.rounds,
        epsilon(of.epsilon),
        of.promise,
        of.delta,
        of.unit,
        of.relation,
        of.task_change,
        of.method,
    )
}

fn total(of: &Total) -> String {
    format!(
        "{}: {} rounds in {} runs, {}, δ = {:e}, per {}, {}",
        of.name,
        of.rounds,
        of.runs,
        epsilon(of.epsilon),
        of.delta,
        of.unit,
        of.relation,
    )
}

fn sum(of: &Shared) -> String {
    let Shared { banks, unit, relation, epsilon_upper, delta } = of;
    let epsilon_upper = up(*epsilon_upper, 4);
    format!("a {unit} of {banks} institutions: ε ≤ {epsilon_upper}, δ = {delta:e}, {relation}")
}

pub(super) fn epsilon(of: Interval) -> String {
    format!("ε in [{}, {}]", down(of.lower, 4), up(of.upper, 4))
}

/// The ε of listed events, and beside it that of the other task changes.
pub(super) fn priced(priced: &Priced) -> String {
    let mut text = certificate(&priced.certificate);
    for other in &priced.beside {
        let (lower, upper) = (down(other.epsilon_lower, 6), up(other.epsilon_upper, 6));
        let change = other.change.map(|change| change.to_string()).unwrap_or_default();
        line(
            &mut text,
            format_args!("{change:<13}ε in [{lower}, {upper}], {}", meaning(other.change)),
        );
    }
    text
}

fn certificate(certificate: &Certificate) -> String {
    let mut text = String::new();
    let (lower, upper) = (down(certificate.epsilon_lower, 6), up(certificate.epsilon_upper, 6));
    let delta = certificate.delta.get();
    line(&mut text, format_args!("ε in [{lower}, {upper}] at δ = {delta:e}"));
    let change =
        certificate.change.map_or("none or several".to_owned(), |change| change.to_string());
    line(
        &mut text,
        format_args!("unit         what one task holds; {}", meaning(certificate.change)),
    );
    line(&mut text, format_args!("task change  {change}"));
    let order = certificate.order.map(|order| format!(" at order {order:.4}")).unwrap_or_default();
    line(&mut text, format_args!("method       {}{order}", certificate.method));
    if !certificate.is_tight() {
        line(
            &mut text,
            format_args!("the bounds could not be brought within 0.001 or a part in a thousand"),
        );
    }
    text
}

/// Between which data sets a task change lies.
const fn meaning(change: Option<TaskChange>) -> &'static str {
    match change {
        Some(TaskChange::Appears) => "add or remove one unit (one unit a task)",
        Some(TaskChange::ContentChanges) => {
            "replace one unit (one unit a task), or add or remove one (buckets)"
        }
        Some(TaskChange::TwoContentsChange) => "replace one unit (buckets)",
        None => "no common relation",
    }
}

/// The δ of listed events.
pub(super) fn loss(loss: &Loss) -> String {
    let Interval { lower, upper } = loss.delta;
    format!(
        "δ in [{lower:.6e}, {upper:.6e}] at ε = {}\nmethod       {}\n",
        loss.epsilon, loss.method
    )
}

/// A parameter that was found.
pub(super) fn calibrated(found: &Calibrated) -> String {
    let event = serde_json::to_string(&found.event).unwrap_or_default();
    format!("{event}\n{}", certificate(&found.certificate))
}

/// A curve, a point a line.
pub(super) fn curve(curve: &Curve) -> String {
    let mut text = String::new();
    match curve {
        Curve::Rdp(points) => {
            for point in points {
                line(
                    &mut text,
                    format_args!("order {:<12} divergence {:.9}", point.order, point.value),
                );
            }
        }
        Curve::Pld(points) => {
            for point in points {
                let (delta, lower, upper) =
                    (point.delta.get(), down(point.epsilon_lower, 6), up(point.epsilon_upper, 6));
                line(&mut text, format_args!("δ = {delta:<8e} ε in [{lower}, {upper}]"));
            }
        }
    }
    text
}

/// What a plan costs.
pub(super) fn price(price: &Price) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("plan         {} {}", price.name, price.digest));
    line(
        &mut text,
        format_args!(
            "promise      ε = {} per {}, {}, over {} rounds",
            price.promise, price.unit, price.relation, price.rounds
        ),
    );
    line(&mut text, format_args!("metrics      {}", price.metrics));
    for of in &price.relations {
        let lower = down(of.certificate.epsilon_lower, 4);
        let upper = up(of.certificate.epsilon_upper, 4);
        line(
            &mut text,
            format_args!(
                "{:<13}ε in [{lower}, {upper}] at δ = {:e}; tasks: {}; method {}",
                of.relation,
                of.certificate.delta.get(),
                of.task_change,
                of.certificate.method
            ),
        );
        let Lifetime { order, rdp, epsilon } = of.lifetime;
        line(
            &mut text,
            format_args!(
                "  of a lifetime {rdp:.6} at order {order:.3}: ε = {} if alone",
                up(epsilon, 4)
            ),
        );
    }
    text
}

pub(super) fn list(text: &mut String, title: &str, items: Vec<String>) {
    if items.is_empty() {
        return;
    }
    line(text, format_args!("{title}"));
    let more = items.len().saturating_sub(LINES_MAX);
    for item in items.into_iter().take(LINES_MAX) {
        line(text, format_args!("  {}", item.replace('\n', "\n  ")));
    }
    if more > 0 {
        line(text, format_args!("  and {more} more: see --json"));
    }
}

pub(super) fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{arguments}");
}
