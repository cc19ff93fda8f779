//! The page.

use std::collections::BTreeSet;

use super::Dossier;
use super::inputs::{Input, command_of_total};
use super::markup::{Cell, Markup};
use crate::facts::utc;
use crate::report::RunStatus;
use crate::rounded::{down, up};

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Counterfoil audit</title>
<style>
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
th { background: var(--soft); } td.n { text-align: right; font-variant-numeric: tabular-nums; } td.n, td.k { white-space: nowrap; }
code { font: 12.5px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); padding: .5rem; white-space: pre-wrap; margin: .4rem 0; }
@media screen and (max-width: 50rem) { table { display: block; overflow-x: auto; } }
@media print {
  body { font-size: 10pt; margin: 0; max-width: none; } h2 { break-after: avoid; }
  tr, pre { break-inside: avoid; } thead { display: table-header-group; }
}
</style></head><body>
"#;

/// The whole page.
pub(super) fn page(of: &Dossier) -> String {
    let mut page = Markup::default();
    page.raw(HEAD);
    verdict(&mut page, of);
    if of.is_sound() {
        spent(&mut page, of);
        together(&mut page, of);
        runs(&mut page, of);
        evidence(&mut page, of);
        roster(&mut page, of);
        governance(&mut page, of);
        checklist(&mut page, of);
        registry(&mut page, of);
    } else {
        page.element("p", "No figure is given: what the export says of spending and models proves nothing now. Keep it as it is.");
    }
    page.element("h2", "What this does not show");
    page.raw(LIMITS);
    page.raw("</body></html>\n");
    page.into_string()
}

const LIMITS: &str = "<ul>
<li>What an institution did before it signed: that it clipped and added the noise. Its own ledger says what it charged; <code>counterfoil-audit reconcile</code> compares the two.</li>
<li>What was charged. The figures count what the log acknowledges; an institution charges itself before it sends, so what it charged is at least that.</li>
<li>A lifetime. The runs are composed as if all plans had been fixed in advance; for plans that were chosen in the light of earlier runs, the institution's own lifetime cap is the figure.</li>
<li>Records at the end of the log that nobody has a receipt for.</li>
</ul>
";

fn verdict(page: &mut Markup, of: &Dossier) {
    let report = &of.report;
    page.element("h1", format_args!("Audit of {}", consortium(of)));
    match &report.finding {
        None if report.anchored => page.element("p", "Verified: everything that was checked holds."),
        None => page.element(
            "p",
            "Consistent, anchor not given: the export agrees with itself, but whose it is was not checked.",
        ),
        Some(finding) => {
            let rest = if of.is_sound() { " All that is there was checked and holds." } else { "" };
            let (kind, code) = (finding.kind, finding.kind.exit_code());
            page.element("p", format_args!("Finding: {kind} (exit {code}).{rest}"));
            let row = |name: &str, text: &str| vec![Cell::Text(name.into()), Cell::Code(text.into())];
            page.table(
                &["finding", ""],
                vec![
                    row("at", &finding.place),
                    row("expected", &finding.expected),
                    row("found", &finding.found),
                ],
            )
        }
    };
    let genesis = report.genesis.clone().unwrap_or_default();
    let row = |name: &str, cell: Cell| vec![Cell::Text(name.into()), cell];
    let mut rows = vec![row("genesis", Cell::Code(genesis.clone()))];
    if of.is_sound() {
        let (first, last) = (utc(of.facts.first_ms), utc(of.facts.last_ms));
        let records = format!("{}, from {first} to {last} by the operator's clock", report.records);
        let (replayed, models) = (report.models_replayed, of.facts.models.len());
        let by = report.cosigned_by.join(", ");
        rows.extend([
            row("records", Cell::Text(records)),
            row("receipts", Cell::Text(format!("{} in the log", report.receipts))),
            row("cosigned by", Cell::Text(if by.is_empty() { "nobody".into() } else { by })),
            row("models", Cell::Text(format!("{replayed} of {models} computed anew, bit for bit"))),
        ]);
    }
    let program = format!("{} {}", of.tool.name, of.tool.version);
    rows.extend([
        row("program", Cell::Text(program)),
        row("its SHA-256", Cell::Code(of.tool.sha256.clone().unwrap_or("not read".into()))),
    ]);
    page.table(&["what", "which"], rows);
    page.command(format_args!("counterfoil-audit verify EXPORT --genesis {genesis}"));
}

fn consortium(of: &Dossier) -> &str {
    if of.facts.consortium.is_empty() { "an export" } else { &of.facts.consortium }
}

fn spent(page: &mut Markup, of: &Dossier) {
    page.element("h2", "What each institution spent in each run");
    let rows = of.report.institutions.iter().map(|of| {
        let beside = of.beside.as_ref().map_or_else(
            || "no figure".to_owned(),
            |beside| format!("{}: {}", beside.relation, interval(beside.epsilon)),
        );
        vec![
            Cell::Text(of.name.clone()),
            Cell::Short(short(&of.run)),
            Cell::Number(of.rounds.to_string()),
            Cell::Number(interval(of.epsilon)),
            Cell::Number(of.promise.to_string()),
            Cell::Number(format!("{:e}", of.delta)),
            Cell::Text(format!(
                "per {}, {}; tasks: {}; {}",
                of.unit, of.relation, of.task_change, of.method
            )),
            Cell::Text(beside),
        ]
    });
    let heads = [
        "institution",
        "run",
        "releases",
        "ε spent",
        "ε promised",
        "δ",
        "of what",
        "the other relation",
    ];
    page.table(&heads, rows.collect());
    page.element("p", "Each figure again, from the mechanism's parameters alone:");
    let mut seen = BTreeSet::new();
    for input in &of.inputs {
        if seen.insert(input.command()) {
            page.element("p", same_figure(of, input));
            page.command(input.command());
        }
    }
}

/// Whose figure a command computes, and which it is.
fn same_figure(of: &Dossier, input: &Input) -> String {
    let same = of.inputs.iter().filter(|other| other.command() == input.command());
    let mut names: Vec<&str> = same.map(|other| other.institution.as_str()).collect();
    names.dedup();
    format!("{} ({}): {}", names.join(", "), input.relation, interval(input.epsilon))
}

fn together(page: &mut Markup, of: &Dossier) {
    page.element("h2", "All runs together");
    let rows = of.report.totals.iter().map(|of| {
        vec![
            Cell::Text(of.name.clone()),
            Cell::Number(of.runs.to_string()),
            Cell::Number(of.rounds.to_string()),
            Cell::Number(interval(of.epsilon)),
            Cell::Number(format!("{:e}", of.delta)),
            Cell::Text(format!("per {}, {}; {}", of.unit, of.relation, of.method)),
        ]
    });
    page.table(&["institution", "runs", "releases", "ε", "δ", "of what"], rows.collect());
    page.element(
        "p",
        "Composed from the events of all its runs in one list, at the least of their δ:",
    );
    let mut seen = BTreeSet::new();
    for total in &of.report.totals {
        let command = command_of_total(&of.inputs, total);
        if seen.insert(command.clone()) {
            page.element("p", format_args!("{}: {}", total.name, interval(total.epsilon)));
            page.command(command);
        }
    }
    page.element("h2", "A person whose data several institutions hold");
    let rows = of.report.shared.iter().map(|of| {
        vec![
            Cell::Number(of.banks.to_string()),
            Cell::Number(format!("at most {}", up(of.epsilon_upper, 4))),
            Cell::Number(format!("{:e}", of.delta)),
            Cell::Text(format!("per {}, {}", of.unit, of.relation)),
        ]
    });
    page.table(&["institutions", "ε", "δ", "of what"], rows.collect());
    page.element("p", "The sum of the largest figures above, ε and δ each.");
}

fn runs(page: &mut Markup, of: &Dossier) {
    page.element("h2", "Runs and who signed them");
    for run in &of.report.runs {
        page.element("h3", format_args!("{} ({})", run.name, short(&run.id)));
        let status = match run.status {
            RunStatus::Open => "open",
            RunStatus::Finished => "finished",
            RunStatus::Abandoned => "abandoned",
        };
        let row = |name: &str, cell: Cell| vec![Cell::Text(name.into()), cell];
        let mut rows = vec![
            row("run", Cell::Code(run.id.clone())),
            row("plan", Cell::Code(run.plan.clone())),
            row(
                "status",
                Cell::Text(format!("{status}, {} of {} rounds", run.rounds_closed, run.rounds)),
            ),
            row("last model", Cell::Code(run.model.clone().unwrap_or_else(|| "none".into()))),
        ];
        if let Some(plan) = of.facts.plan_of(&run.id) {
            let p = &plan.privacy;
            rows.push(row("mechanism", Cell::Text(format!(
                "Poisson-sampled Gaussian: noise {} × clip {}, sampling rate {}, grid of 2^-{} clip",
                p.noise_multiplier, p.clip_norm, p.sampling_rate, p.grid_bits
            ))));
        }
        if let Some(newest) = run.metrics.last() {
            let text = format!("round {}: {}", newest.round, newest.estimates);
            rows.push(row("measured last", Cell::Text(text)));
        }
        page.table(&["what", "which"], rows);
        let spent = of.facts.runs.iter().find(|facts| facts.id == run.id);
        let approvals =
            of.facts.plan(&run.plan).map(|plan| plan.approvals.as_slice()).unwrap_or_default();
        let signed =
            approvals.iter().filter(|by| spent.is_some_and(|run| run.approvals.contains(&by.leaf)));
        let rows = signed.map(|by| {
            vec![
                Cell::Text(by.institution.clone()),
                Cell::Number(by.leaf.to_string()),
                Cell::Text(utc(by.at_ms)),
                Cell::Code(by.key.clone()),
            ]
        });
        page.table(&["signed by", "leaf", "when", "key"], rows.collect());
    }
}

fn evidence(page: &mut Markup, of: &Dossier) {
    two_histories(page, of);
    page.element("h2", "Evidence against institutions");
    let rows = of.report.evidence.iter().map(|of| {
        vec![
            Cell::Text(of.institution.clone()),
            Cell::Text(of.fault.clone()),
            Cell::Short(short(&of.run)),
            Cell::Number(of.round.to_string()),
            Cell::Number(of.leaf.to_string()),
        ]
    });
    page.table(&["institution", "fault", "run", "round", "leaf"], rows.collect());
}

/// Nothing where there is nothing: that is what readers expect of a log.
fn two_histories(page: &mut Markup, of: &Dossier) {
    let convicted = &of.report.convicted_log_keys;
    if convicted.is_empty() {
        return;
    }
    page.element("h2", "Keys of this log that signed two histories");
    let rows = convicted.iter().map(|of| {
        vec![
            Cell::Code(of.log_key.clone()),
            Cell::Text(if of.signs_now { "signs this log" } else { "was changed" }.to_owned()),
            Cell::Number(of.smaller.to_string()),
            Cell::Number(of.larger.to_string()),
            Cell::Text(of.by.clone()),
            Cell::Number(of.leaf.to_string()),
        ]
    });
    let head = ["key", "now", "records", "records", "handed in by", "leaf"];
    page.table(&head, rows.collect());
}

fn roster(page: &mut Markup, of: &Dossier) {
    page.element("h2", "The roster's history");
    let rows = of.facts.roster.iter().map(|change| {
        let what = match (&change.role, &change.revoked) {
            (Some(role), _) => format!("joins as {role}"),
            (None, Some(reason)) => format!("revoked: {reason}"),
            (None, None) => "changes keys".to_owned(),
        };
        let key = change.keys.as_ref().map(|keys| keys.record.clone()).unwrap_or_default();
        vec![
            Cell::Text(change.institution.clone()),
            Cell::Text(what),
            Cell::Number(change.leaf.to_string()),
            Cell::Text(utc(change.at_ms)),
            Cell::Code(key),
        ]
    });
    page.table(&["institution", "change", "leaf", "when", "record key"], rows.collect());
}

fn governance(page: &mut Markup, of: &Dossier) {
    page.element("h2", "Decisions");
    let rows = of.facts.governance.iter().map(|of| {
        vec![
            Cell::Text(of.kind.into()),
            Cell::Text(of.by.clone().unwrap_or_else(|| "the operator".to_owned())),
            Cell::Text(of.text.clone()),
            Cell::Short(of.about.as_deref().map(short).unwrap_or_default()),
            Cell::Number(of.leaf.to_string()),
            Cell::Text(utc(of.at_ms)),
        ]
    });
    page.table(&["kind", "by", "what", "about", "leaf", "when"], rows.collect());
}

fn checklist(page: &mut Markup, of: &Dossier) {
    page.element("h2", "Components of the guarantee (NIST SP 800-226)");
    page.element(
        "p",
        "Components and sections as in the initial public draft of December 2023; the final publication of March 2025 was not re-read \
         for this list.",
    );
    let rows = of.checklist.iter().map(|of| {
        vec![
            Cell::Text(of.component.into()),
            Cell::Text(of.section.into()),
            Cell::Text(of.answer.as_str().into()),
            Cell::Text(of.text.clone()),
        ]
    });
    page.table(&["component", "section", "answer", "what the evidence says"], rows.collect());
}

fn registry(page: &mut Markup, of: &Dossier) {
    page.element("h2", "Records for the OpenDP deployments registry");
    page.element("p", "Drafts: what the log does not know is for a person to fill in.");
    for record in &of.registry {
        page.command(super::registry::yaml(record));
    }
}

fn interval(of: privacy::Interval) -> String {
    format!("{} to {}", down(of.lower, 4), up(of.upper, 4))
}

fn short(hex: &str) -> String {
    hex.chars().take(12).collect()
}
