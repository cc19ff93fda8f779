//! Budgets: what the log acknowledges of each bank's customers, against what the plan promised.

use std::collections::BTreeMap;

use audit::InstitutionReport;
use privacy::Method;

use super::{epsilon_command, verify_command};
use crate::dashboard::chart::{Steps, steps};
use crate::dashboard::page::{Body, Cell, Column, Fact, Page, Section, Table};
use crate::dashboard::projection::{Projection, RunView};
use crate::dashboard::viewer::Viewer;

/// How many runs the heat map has in HTML.
const HEAT_RUNS: usize = 12;

const LEAD: &str = "What the log acknowledges of each bank’s releases, and what that costs one of its \
    customers. A bank charges itself before it sends, so what it charged is at least this; its lifetime \
    cap is in its own ledger and not known here.";

/// The page for one run, the newest if none is named; none if there is no such run.
pub(in crate::dashboard) fn budgets(
    projection: &Projection,
    viewer: &Viewer,
    run: Option<&str>,
) -> Option<Page> {
    let chosen = match run {
        Some(id) => Some(projection.run(id)?),
        None => projection.runs.last(),
    };
    let mut page = Page {
        path: run.map_or("/budgets".to_owned(), |id| format!("/budgets/{id}")),
        menu: "/budgets",
        title: "Budgets".to_owned(),
        lead: LEAD.to_owned(),
        sections: vec![],
    };
    let Some(chosen) = chosen else {
        let text = vec!["No run has been started: nothing was released.".to_owned()];
        page.sections.push(Section::new("none", "", Body::List(text)));
        page.sections.push(not_protected());
        return Some(page);
    };
    let genesis = projection.genesis();
    let rows = reports(projection, chosen, viewer);
    page.sections.push(label(projection, chosen, &rows));
    page.sections.push(growth(projection, chosen, &rows));
    page.sections.push(acknowledged(projection, chosen, &rows, &genesis));
    page.sections.push(heat(projection, viewer, &genesis));
    page.sections.push(totals(projection, viewer, &genesis));
    if viewer.sees_all() {
        page.sections.push(shared(projection, &genesis));
    }
    page.sections.push(not_protected());
    Some(page)
}

/// The figures of the run that the viewer may see.
fn reports<'a>(
    projection: &'a Projection,
    run: &RunView,
    viewer: &Viewer,
) -> Vec<&'a InstitutionReport> {
    let id = run.account.id.to_string();
    let all = projection.figures.institutions.iter();
    all.filter(|report| report.run == id && viewer.sees(&report.name)).collect()
}

/// What belongs to an ε: unit, relation, δ and method.
fn guarantee(run: &RunView, method: &str) -> String {
    let privacy = &run.account.plan.text().privacy;
    let delta = format!("{:e}", privacy.delta).replace('-', "\u{2011}");
    format!("per {}, {}, δ\u{a0}=\u{a0}{delta}, {method}", privacy.unit, privacy.relation)
}

/// The privacy label: what must be known to read the guarantee.
fn label(projection: &Projection, run: &RunView, rows: &[&InstitutionReport]) -> Section {
    let plan = &run.account.plan;
    let most = rows.iter().max_by(|a, b| a.epsilon.upper.total_cmp(&b.epsilon.upper));
    let rounds = most.map_or(0, |report| report.rounds);
    let spent = most.map_or(Cell::Nothing, |report| Cell::Interval(report.epsilon));
    let method = most.map_or("pld", |report| report.method.as_str());
    let by_rdp = projection.figures.by_rdp(&plan.digest(), rounds);
    let whole = plan.spent(plan.text().rounds);
    let promised = whole.map_or(String::new(), |whole| {
        format!(
            "all {} rounds: {:.4} – {:.4}",
            plan.text().rounds,
            whole.epsilon_lower,
            whole.epsilon_upper
        )
    });
    let facts = vec![
        Fact::new("epsilon", "ε acknowledged, at most", spent).note(guarantee(run, method)),
        Fact::new("promise", "The plan’s ε", Cell::Number(plan.text().privacy.epsilon))
            .note(promised),
        Fact::new(
            "rounds",
            "Rounds acknowledged",
            Cell::text(format!("{rounds} of {}", plan.text().rounds)),
        )
        .note("of the bank with the most"),
        Fact::new(
            "epsilon_rdp",
            "By Rényi divergences alone",
            by_rdp.map_or(Cell::Nothing, |certificate| Cell::Number(certificate.epsilon_upper)),
        )
        .note(format!("upper end; binding: {method}")),
        Fact::new("task_change", "One unit changes", Cell::text(plan.event().change)).note(
            format!(
                "of the tasks; noise {:.4} × the clip, sampling rate {}",
                plan.text().privacy.noise_multiplier,
                plan.text().privacy.sampling_rate
            ),
        ),
        Fact::new("lifetime", "Lifetime cap", Cell::text("at the bank"))
            .note("charged ≥ acknowledged; counterfoil-audit ledger DIR"),
    ];
    Section::new("label", plan.text().name.clone(), Body::Facts(facts))
        .text(format!("Run {}", run.account.id))
        .how("ε lies between two proved bounds, computed from the plan’s mechanism and the number of accepted \
              contributions in the log, by the auditor’s own functions. Of the two accountants, the distribution \
              of the privacy loss (pld) and Rényi divergences (rdp), the lower upper end binds.")
        .command(format!(
            "{}\n{}",
            epsilon_command(plan, rounds, Method::Pld),
            epsilon_command(plan, rounds, Method::Rdp)
        ))
}

/// The staircase of cumulative ε.
fn growth(projection: &Projection, run: &RunView, rows: &[&InstitutionReport]) -> Section {
    let plan = &run.account.plan;
    let columns = vec![
        Column::number("rounds", "Rounds"),
        Column::number("epsilon_upper", "ε, upper end"),
        Column::number("share", "Of the plan’s ε"),
    ];
    let cap = plan.text().privacy.epsilon;
    let Some(curve) = projection.figures.curve(&plan.digest()) else {
        return Section::new("growth", "How ε grows", Body::Table(Table::new(columns, vec![])))
            .text("Being computed; look again in a moment.");
    };
    let least = rows.iter().map(|report| report.rounds).min().unwrap_or(0);
    let most = rows.iter().map(|report| report.rounds).max().unwrap_or(0);
    let end = plan.text().rounds;
    let last =
        curve.points.iter().rev().find(|(at, _)| *at <= end).map_or(0.0, |(_, upper)| *upper);
    let covered = match curve.covered {
        Some(at) if at > end => {
            format!("If its rounds went on, its ε would be exhausted after round {at}.")
        }
        Some(_) => "Its ε is exhausted when it ends.".to_owned(),
        None => "Its ε would cover more than four times its rounds.".to_owned(),
    };
    let acknowledged = if least == most {
        format!("{most} rounds are acknowledged of each bank.")
    } else {
        format!("{least} to {most} rounds are acknowledged of each bank.")
    };
    let described = format!(
        "The proved upper end of ε rises to {last:.4} at the plan’s last round, {end}; the plan’s ε is {cap}. \
         {covered} {acknowledged}"
    );
    let figure = steps(&Steps {
        points: &curve.points,
        cap,
        end,
        covered: curve.covered,
        acknowledged: (least, most),
        described: described.clone(),
    });
    let row = |(at, upper): &(u32, f64)| {
        vec![Cell::count(*at), Cell::Number(*upper), Cell::Share(upper / cap)]
    };
    let table = Table::new(columns, curve.points.iter().map(row).collect());
    Section::new("growth", "How ε grows", Body::Table(table))
        .text(described)
        .figure(Some(figure))
        .how("The upper end is computed at up to 40 numbers of rounds. Between two of them the line shows the later \
              one, so it is never below what is proved. Which round would exhaust the plan’s ε is found by halving.")
        .command(epsilon_command(plan, end, Method::Pld))
}

/// Each bank in the run.
fn acknowledged(
    projection: &Projection,
    run: &RunView,
    rows: &[&InstitutionReport],
    genesis: &str,
) -> Section {
    let columns = vec![
        Column::text("institution", "Bank"),
        Column::number("rounds", "Rounds")
            .how("Accepted contributions of the bank to this run, counted in the log."),
        Column::interval("epsilon", "ε acknowledged")
            .how("Two proved bounds for so many rounds of the plan’s mechanism. The upper end is the guarantee."),
        Column::number("share", "Of the plan’s ε").how("The upper end over the plan’s ε, rounded up."),
        Column::number("epsilon_rdp", "By rdp").how("The upper end that Rényi divergences alone prove."),
        Column::text("binding", "Binding").how("The accountant with the lower upper end."),
        Column::interval("epsilon_other", "Other relation")
            .how("The same contributions under the unit relation that the plan does not speak of."),
        Column::text("run", ""),
        Column::text("unit", ""),
        Column::text("relation", ""),
        Column::number("delta", ""),
        Column::text("task_change", ""),
        Column::text("other_relation", ""),
        Column::number("promise", ""),
    ];
    let plan = &run.account.plan;
    let row = |report: &&InstitutionReport| {
        let by_rdp = projection.figures.by_rdp(&plan.digest(), report.rounds);
        let beside = report.beside.as_ref();
        vec![
            Cell::text(&report.name),
            Cell::count(report.rounds),
            Cell::Interval(report.epsilon),
            Cell::Share(report.epsilon.upper / report.promise),
            by_rdp.map_or(Cell::Nothing, |certificate| Cell::Number(certificate.epsilon_upper)),
            Cell::text(&report.method),
            beside.map_or(Cell::Nothing, |beside| Cell::Interval(beside.epsilon)),
            Cell::text(&report.run),
            Cell::text(&report.unit),
            Cell::text(&report.relation),
            Cell::Small(report.delta),
            Cell::text(&report.task_change),
            beside.map_or(Cell::Nothing, |beside| Cell::text(&beside.relation)),
            Cell::Number(report.promise),
        ]
    };
    let table = Table::new(columns, rows.iter().map(row).collect());
    let text = format!("Each ε {}.", guarantee(run, "by the method that binds"));
    Section::new("acknowledged", "Acknowledged in this run", Body::Table(table))
        .text(text)
        .how("What a bank charged itself is in its own ledger and at least this.")
        .command(format!(
            "{}\ncounterfoil-audit ledger DIR             # a bank’s own export",
            verify_command(genesis)
        ))
}

/// Runs by banks, shaded by the part of the plan's ε.
fn heat(projection: &Projection, viewer: &Viewer, genesis: &str) -> Section {
    let mut banks: BTreeMap<&str, BTreeMap<&str, &InstitutionReport>> = BTreeMap::new();
    for report in projection.figures.institutions.iter().filter(|r| viewer.sees(&r.name)) {
        banks.entry(&report.name).or_default().insert(&report.run, report);
    }
    let runs: Vec<(String, String)> = projection
        .runs
        .iter()
        .rev()
        .map(|run| (run.account.id.to_string(), run.account.plan.text().name.clone()))
        .collect();
    let mut columns = vec![Column::text("institution", "Bank")];
    columns.extend(runs.iter().enumerate().map(|(at, (id, name))| {
        let short = id.get(..6).unwrap_or(id);
        let title = if at < HEAT_RUNS { format!("{name} {short}") } else { String::new() };
        let mut column = Column::number(id, &title);
        column.title = title;
        column
    }));
    let row = |(name, of): (&&str, &BTreeMap<&str, &InstitutionReport>)| {
        let cell = |(id, _): &(String, String)| {
            of.get(id.as_str())
                .map_or(Cell::Nothing, |report| Cell::Heat(report.epsilon.upper / report.promise))
        };
        [vec![Cell::text(name)], runs.iter().map(cell).collect()].concat()
    };
    let mut table = Table::new(columns, banks.iter().map(row).collect());
    table.dense = true;
    Section::new("runs-by-banks", "Runs by banks", Body::Table(table))
        .text("The part of each plan’s ε that is acknowledged; the darker, the more. Newest run first.")
        .how("The upper end of ε in the run over the plan’s ε. A bank without a place in a plan has none.")
        .command(verify_command(genesis))
}

/// Each bank over all its runs.
fn totals(projection: &Projection, viewer: &Viewer, genesis: &str) -> Section {
    let columns = vec![
        Column::text("institution", "Bank"),
        Column::text("unit", "Unit"),
        Column::text("relation", "Relation"),
        Column::number("runs", "Runs"),
        Column::number("rounds", "Rounds"),
        Column::interval("epsilon", "ε together"),
        Column::number("delta", "δ"),
        Column::text("method", "Method"),
    ];
    let seen = projection.figures.totals.iter().filter(|total| viewer.sees(&total.name));
    let row = |total: &audit::Total| {
        vec![
            Cell::text(&total.name),
            Cell::text(&total.unit),
            Cell::text(&total.relation),
            Cell::count(total.runs),
            Cell::Count(total.rounds),
            Cell::Interval(total.epsilon),
            Cell::Small(total.delta),
            Cell::text(&total.method),
        ]
    };
    Section::new("together", "All runs together", Body::Table(Table::new(columns, seen.map(row).collect())))
        .text("Each bank over all its runs that protect the same unit. It holds for plans that were fixed without \
               looking at earlier runs; for others the bank’s own lifetime filter is the guarantee.")
        .how("The contributions of all runs composed, at the least of their δ.")
        .command(verify_command(genesis))
}

/// What those pay whose data several banks hold.
fn shared(projection: &Projection, genesis: &str) -> Section {
    let columns = vec![
        Column::number("banks", "Banks"),
        Column::text("unit", "Unit"),
        Column::text("relation", "Relation"),
        Column::number("epsilon_upper", "ε, at most"),
        Column::number("delta", "δ"),
    ];
    let row = |of: &audit::Shared| {
        vec![
            Cell::count(of.banks),
            Cell::text(&of.unit),
            Cell::text(&of.relation),
            Cell::Number(of.epsilon_upper),
            Cell::Small(of.delta),
        ]
    };
    let table = Table::new(columns, projection.figures.shared.iter().map(row).collect());
    Section::new("several", "Somebody at several banks", Body::Table(table))
        .text("Whose data several banks hold pays their sum.")
        .how("The sum of the largest upper ends, and of the largest δ (Dwork & Roth 2014, theorem 3.16).")
        .command(verify_command(genesis))
}

/// What the figures do not promise; docs/privacy.md has the reasons.
fn not_protected() -> Section {
    let items = [
        "That a bank takes part, its declared units and tasks, and everything else in a plan.",
        "What a whole bank is like: the guarantee is for one unit. So contributions are for the auditor alone.",
        "A person with accounts at several banks pays the sum of their charges.",
        "Several units that act together, such as a household: they pay far more than the sum.",
        "When a contribution is sent, if the plan says “asap”; and what is observed on a bank’s own machine.",
        "Facts about the world that a model learns without any one customer.",
        "What a bank did before it signed: that noise was added and sums clipped is its own work, bound by its ledger.",
    ];
    let items = items.map(str::to_owned).to_vec();
    Section::new("not-protected", "What is not protected", Body::List(items))
}
