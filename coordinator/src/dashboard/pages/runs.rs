//! Runs: all of them, and one with its rounds.

use audit::RunStatus;
use round::plan::{Measure, PlanText};
use round::state::{Phase, State};

use super::verify_command;
use crate::dashboard::chart::{band, timeline};
use crate::dashboard::html::lasted;
use crate::dashboard::page::{Body, Cell, Column, Fact, Page, Section, Table};
use crate::dashboard::projection::{Projection, RoundView, RunView, Standing};
use crate::dashboard::viewer::Viewer;

/// How many rounds a table shows in HTML, newest first.
const ROUNDS_SHOWN: usize = 50;

/// All runs, newest first.
pub(in crate::dashboard) fn runs(projection: &Projection) -> Page {
    let columns = vec![
        Column::text("name", "Run"),
        Column::text("application", "For"),
        Column::text("status", "Status"),
        Column::number("rounds_closed", "Rounds").how("Closed rounds, counted in the log."),
        Column::number("rounds", "Of"),
        Column::number("banks", "Banks"),
        Column::number("epsilon", "ε at most")
            .how("What the plan promises of the whole run, per bank."),
        Column::number("delta", "δ"),
        Column::text("unit", "Unit"),
        Column::text("relation", "Relation"),
        Column::text("started_ms", "Started"),
        Column::text("run", "Id"),
        Column::text("plan", "Plan"),
    ];
    let row = |run: &RunView| {
        let text = run.account.plan.text();
        let id = run.account.id.to_string();
        vec![
            Cell::Link(text.name.clone(), format!("/runs/{id}")),
            Cell::text(&text.application),
            status(run),
            Cell::count(run.account.rounds_closed),
            Cell::count(text.rounds),
            Cell::count(text.cohort.len()),
            Cell::Number(text.privacy.epsilon),
            Cell::Small(text.privacy.delta),
            Cell::text(&text.privacy.unit),
            Cell::text(text.privacy.relation),
            Cell::At(run.started.at),
            Cell::Hash(id),
            Cell::hash(run.account.plan.digest()),
        ]
    };
    let table = Table::new(columns, projection.runs.iter().rev().map(row).collect());
    let section = Section::new("runs", "", Body::Table(table))
        .how("A run is one approved plan, started once. Its identifier is SHA-256 of the plan’s digest and the record that started it.")
        .command(verify_command(&projection.genesis()));
    Page {
        path: "/runs".to_owned(),
        menu: "/runs",
        title: "Runs".to_owned(),
        lead: "Every approved plan that was started, newest first.".to_owned(),
        sections: vec![section],
    }
}

/// One run; none if there is no such run.
pub(in crate::dashboard) fn run(
    projection: &Projection,
    standing: &Standing,
    viewer: &Viewer,
    id: &str,
) -> Option<Page> {
    let run = projection.run(id)?;
    let text = run.account.plan.text();
    let genesis = standing.genesis();
    let mut sections = vec![
        progress(run, &standing.state),
        rules(text),
        rounds_picture(run),
        rounds_table(run, &genesis),
        cohort(run, viewer, &genesis),
    ];
    sections.splice(3..3, metrics(run));
    Some(Page {
        path: format!("/runs/{id}"),
        menu: "/runs",
        title: text.name.clone(),
        lead: format!("Run {id}, for {}.", text.application),
        sections,
    })
}

fn status(run: &RunView) -> Cell {
    match run.account.status {
        RunStatus::Open => Cell::Mark(true, "open".to_owned()),
        RunStatus::Finished => Cell::text("finished"),
        RunStatus::Abandoned => Cell::Mark(false, "abandoned".to_owned()),
    }
}

fn progress(run: &RunView, state: &State) -> Section {
    let account = &run.account;
    let waiting = state.run().filter(|open| open.id == account.id);
    let phase = waiting.map_or("ended".to_owned(), |open| match &open.phase {
        Phase::ExpectInitialModel => "computing the first model".to_owned(),
        Phase::ExpectRound(number) => format!("opening round {number}"),
        Phase::Open(round) => {
            format!(
                "round {} takes contributions: {} of {}",
                round.number,
                round.accepted.len(),
                round.cohort.len()
            )
        }
        Phase::ExpectModel(round) => format!("computing the model of round {}", round.number),
    });
    let took: Vec<u64> = run.rounds.iter().filter_map(duration).collect();
    let typical = median(&took);
    let remaining = u64::from(account.plan.text().rounds.saturating_sub(account.rounds_closed));
    let pace = typical.map_or("no round is closed yet".to_owned(), |typical| {
        if account.status == RunStatus::Open {
            format!("at this pace {} to the plan’s end", lasted(typical.saturating_mul(remaining)))
        } else {
            "from opening to close".to_owned()
        }
    });
    let ended = run.ended.map_or(Cell::Nothing, |ended| Cell::At(ended.at));
    let facts = vec![
        Fact::new("status", "Status", status(run)).note(phase),
        Fact::new(
            "rounds",
            "Rounds closed",
            Cell::text(format!("{} of {}", account.rounds_closed, account.plan.text().rounds)),
        ),
        Fact::new("round_ms", "A round takes", typical.map_or(Cell::Nothing, Cell::Lasted))
            .note(pace),
        Fact::new("started_ms", "Started", Cell::At(run.started.at))
            .note(format!("record {}", run.started.leaf)),
        Fact::new("ended_ms", "Ended", ended),
        Fact::new("model", "Newest model", account.model.map_or(Cell::Nothing, Cell::hash)),
    ];
    Section::new("progress", "Where it stands", Body::Facts(facts))
        .how("Times are those of the log’s records. How long a round takes is the median from opening to close.")
}

fn rules(text: &PlanText) -> Section {
    let privacy = &text.privacy;
    let schedule = &text.schedule;
    let promise = format!("per {}, {}, δ = {:e}", privacy.unit, privacy.relation, privacy.delta);
    let facts = vec![
        Fact::new("epsilon", "ε at most", Cell::Number(privacy.epsilon)).note(promise),
        Fact::new("clip_norm", "Clip", Cell::Number(privacy.clip_norm))
            .note("norm of one task’s vector"),
        Fact::new("noise_multiplier", "Noise", Cell::Number(privacy.noise_multiplier))
            .note("× the clip, added by each bank"),
        Fact::new("sampling_rate", "Sampling rate", Cell::Number(privacy.sampling_rate))
            .note("each task’s own coin, inside the bank"),
        Fact::new(
            "quorum",
            "Quorum",
            Cell::text(format!("{} of {}", schedule.quorum, text.cohort.len())),
        )
        .note("contributions that close a round"),
        Fact::new("deadline_ms", "Deadline", Cell::Lasted(schedule.deadline_ms)).note(format!(
            "extended at most {} times by {}",
            schedule.extensions_max,
            lasted(schedule.extension_ms)
        )),
    ];
    Section::new("rules", "What the plan says", Body::Facts(facts))
        .how("Read from the plan’s exact bytes, which a quorum of members signed.")
        .command("counterfoil-audit plan PLAN.toml")
}

fn rounds_picture(run: &RunView) -> Section {
    let took: Vec<(f64, bool)> = run
        .rounds
        .iter()
        .filter_map(|round| Some((seconds(duration(round)?), round.extensions > 0)))
        .collect();
    let extended = took.iter().filter(|(_, extended)| *extended).count();
    let described = format!("{} rounds are closed; {extended} of them were extended.", took.len());
    let columns =
        vec![Column::number("round", "Round"), Column::number("took_ms", "From opening to close")];
    let row =
        |round: &RoundView| Some(vec![Cell::count(round.number), Cell::Lasted(duration(round)?)]);
    let mut table = Table::new(columns, run.rounds.iter().rev().filter_map(row).collect());
    table.shown = Some(ROUNDS_SHOWN);
    let figure = (!took.is_empty()).then(|| timeline(&took, &described));
    Section::new("timeline", "Timeline", Body::Table(table)).text(described).figure(figure)
}

fn rounds_table(run: &RunView, genesis: &str) -> Section {
    let columns = vec![
        Column::number("round", "Round"),
        Column::number("accepted", "Accepted"),
        Column::number("expected", "Of"),
        Column::number("extensions", "Extended"),
        Column::text("opened_ms", "Opened"),
        Column::number("took_ms", "Took"),
        Column::text("model", "Model"),
        Column::number("opened_leaf", "Record"),
    ];
    let row = |round: &RoundView| {
        vec![
            Cell::count(round.number),
            Cell::count(round.accepted),
            Cell::count(round.expected),
            Cell::count(round.extensions),
            Cell::At(round.opened.at),
            duration(round).map_or(Cell::Mark(true, "open".to_owned()), Cell::Lasted),
            round.model.map_or(Cell::Nothing, |(_, digest)| Cell::hash(digest)),
            Cell::leaf(round.opened.leaf),
        ]
    };
    let mut table = Table::new(columns, run.rounds.iter().rev().map(row).collect());
    table.shown = Some(ROUNDS_SHOWN);
    Section::new("rounds", "Rounds", Body::Table(table))
        .how("Counted in the log: accepted contributions between a round’s opening and its close. The model is what follows from the round’s sum; an audit computes it again bit for bit.")
        .command(verify_command(genesis))
}

/// What the rounds measured, if the plan pays for it.
fn metrics(run: &RunView) -> Vec<Section> {
    let text = run.account.plan.text();
    if text.metrics.measures.is_empty() {
        return vec![];
    }
    let loss =
        run.account.metrics.iter().filter_map(|of| {
            of.estimates.query_loss.map(|e| (of.round, e.value, e.standard_error))
        });
    let loss: Vec<_> = loss.collect();
    let columns = vec![
        Column::number("round", "Round"),
        Column::number("query_loss", "Query loss"),
        Column::number("query_loss_error", "±"),
        Column::number("clipped", "Clipped"),
        Column::number("clipped_error", "±"),
        Column::number("median_norm_at_most", "Median norm at most"),
    ];
    let number = |value: Option<f64>| value.map_or(Cell::Nothing, Cell::Number);
    let row = |of: &audit::RoundMetrics| {
        let e = &of.estimates;
        let median = e.norm_histogram.as_ref().and_then(|h| h.quantile(0.5).ok());
        vec![
            Cell::count(of.round),
            number(e.query_loss.map(|e| e.value)),
            number(e.query_loss.map(|e| e.standard_error)),
            number(e.clipped.map(|e| e.value)),
            number(e.clipped.map(|e| e.standard_error)),
            number(median.map(|quantile| quantile.edge)),
        ]
    };
    let mut table = Table::new(columns, run.account.metrics.iter().rev().map(row).collect());
    table.shown = Some(ROUNDS_SHOWN);
    let names: Vec<&str> = text.metrics.measures.iter().map(Measure::name).collect();
    let section = Section::new("metrics", "What the rounds measured", Body::Table(table))
        .text(format!(
            "{}, noised in the sum. {}.",
            names.join(", "),
            run.account.plan.metrics_price()
        ))
        .figure((!loss.is_empty()).then(|| band(&loss, "query loss")))
        .how("Estimates from each round’s sum and the plan alone, divided by the expected number of tasks; the error is the standard deviation that the banks’ noise gives them. Post-processing, so no further ε.")
        .command(format!("counterfoil-coordinator metrics --run {}", run.account.id));
    vec![section]
}

fn cohort(run: &RunView, viewer: &Viewer, genesis: &str) -> Section {
    let columns = vec![
        Column::text("institution", "Bank"),
        Column::number("acknowledged", "Rounds acknowledged")
            .how("Accepted contributions in the log. Shown to the bank itself and to auditors."),
    ];
    let row = |participant: &round::plan::Participant| {
        let name = &participant.institution;
        let mut counted = run.account.accepted.iter();
        let counted = counted.find(|(of, _)| of.as_str() == name).map_or(0, |(_, rounds)| *rounds);
        let counted = if viewer.sees(name) { Cell::count(counted) } else { Cell::Nothing };
        vec![Cell::Text(name.clone()), counted]
    };
    let rows = run.account.plan.text().cohort.iter().map(row).collect();
    Section::new("cohort", "Cohort", Body::Table(Table::new(columns, rows)))
        .text("Who signed the plan to train on it. What each declared of its data is in the plan itself.")
        .command(verify_command(genesis))
}

fn duration(round: &RoundView) -> Option<u64> {
    round.closed.map(|closed| closed.at.millis_since(round.opened.at))
}

fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a round ends within thirty days and extensions")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
