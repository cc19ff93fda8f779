//! Health: what the operator and the auditor watch.

use ledger::signing::PublicKey;
use ledger::time::Timestamp;

use super::verify_command;
use crate::dashboard::page::{Body, Cell, Column, Fact, Page, Section, Table};
use crate::dashboard::projection::{Projection, Standing};
use crate::dashboard::viewer::Viewer;

/// What the log does not say.
#[derive(Debug, Clone)]
pub(in crate::dashboard) struct Now {
    pub(in crate::dashboard) at: Timestamp,
    pub(in crate::dashboard) connections: usize,
    /// How many leaves the sequencer has published.
    pub(in crate::dashboard) published: u64,
    /// The newest checkpoint with cosignatures, if there is one.
    pub(in crate::dashboard) cosigned: Option<String>,
}

/// The page.
pub(in crate::dashboard) fn health(
    projection: &Projection,
    standing: &Standing,
    viewer: &Viewer,
    now: &Now,
) -> Page {
    let mut sections = vec![
        log(standing, viewer, now),
        Section::new("checkpoint", "Checkpoint", Body::Exact(standing.checkpoint.to_string()))
            .text("Origin, size and root, signed by the log’s key (C2SP tlog-checkpoint).")
            .command("curl --cacert ca.pem --cert own.pem --key own-key.pem https://HOST:PORT/checkpoint"),
        cosigned(now),
        round(standing, viewer, now),
        kinds(projection),
        convictions(projection, viewer),
        contradictions(projection, standing),
    ];
    sections.retain(|section| !section.key.is_empty());
    Page {
        path: "/health".to_owned(),
        menu: "/health",
        title: "Health".to_owned(),
        lead: "The log, its newest checkpoint and who cosigned it, the open round, and who misbehaved.".to_owned(),
        sections,
    }
}

fn log(standing: &Standing, viewer: &Viewer, now: &Now) -> Section {
    let state = &standing.state;
    let behind = now.published.saturating_sub(state.size);
    let mut facts = vec![
        Fact::new("records", "Records", Cell::Count(state.size)).note(if behind == 0 {
            "these pages are up to date".to_owned()
        } else {
            format!("these pages are {behind} behind")
        }),
        Fact::new("last_ms", "Last record", Cell::At(state.at)),
        Fact::new("idle_ms", "Nothing recorded for", Cell::Lasted(now.at.millis_since(state.at))),
    ];
    if viewer.sees_all() {
        facts.push(
            Fact::new("connections", "Connections", Cell::count(now.connections))
                .note("of all members, and pages"),
        );
    }
    Section::new("log", "The log", Body::Facts(facts))
}

fn cosigned(now: &Now) -> Section {
    let columns = vec![Column::text("witness", "Witness"), Column::text("line", "Signature line")];
    let lines =
        now.cosigned.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("— "));
    // The first line is the log's own.
    let row = |line: &str| {
        let name = line.split(' ').nth(1).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name);
        vec![Cell::text(name), Cell::text(line.split(' ').nth(2).unwrap_or_default())]
    };
    let rows: Vec<_> = lines.skip(1).map(row).collect();
    let size = now.cosigned.as_ref().and_then(|text| text.lines().nth(1));
    let text = size.map_or("No checkpoint has a cosignature yet.".to_owned(), |size| {
        format!("Members that vouch to have seen this log, and no other, up to record {size}.")
    });
    Section::new("cosigned", "Cosigned by", Body::Table(Table::new(columns, rows)))
        .text(text)
        .how("Each witness checked that the checkpoint goes on from the one that it saw before (C2SP tlog-cosignature).")
}

fn round(standing: &Standing, viewer: &Viewer, now: &Now) -> Section {
    let Some(round) = standing.state.round() else {
        let text = vec!["No round is open.".to_owned()];
        return Section::new("round", "Open round", Body::List(text));
    };
    let late = now.at > round.deadline;
    let mut facts = vec![
        Fact::new("round", "Round", Cell::count(round.number))
            .note(format!("extended {} times", round.extensions)),
        Fact::new(
            "accepted",
            "Accepted",
            Cell::text(format!("{} of {}", round.accepted.len(), round.cohort.len())),
        ),
        Fact::new("deadline_ms", "Due", Cell::At(round.deadline)).note(if late {
            "overdue"
        } else {
            ""
        }),
    ];
    if viewer.sees_all() {
        let missing: Vec<&str> = round
            .cohort
            .iter()
            .filter(|name| !round.accepted.contains_key(*name))
            .map(ledger::record::Institution::as_str)
            .collect();
        facts.push(
            Fact::new("missing", "Still expected", Cell::count(missing.len()))
                .note(missing.join(", ")),
        );
    }
    Section::new("round", "Open round", Body::Facts(facts))
}

fn kinds(projection: &Projection) -> Section {
    let columns = vec![Column::text("kind", "Kind"), Column::number("records", "Records")];
    let rows =
        projection.kinds.iter().map(|(kind, count)| vec![Cell::text(kind), Cell::Count(*count)]);
    Section::new("kinds", "Records by kind", Body::Table(Table::new(columns, rows.collect())))
        .how("Counted in the log.")
        .command(verify_command(&projection.genesis()))
}

/// What convicts a key of the log. It is about no bank, so every member sees it.
fn contradictions(projection: &Projection, standing: &Standing) -> Section {
    let columns = vec![
        Column::text("log_key", "Key"),
        Column::text("now", "Now"),
        Column::number("leaf", "Record"),
    ];
    let consortium = standing.state.consortium.as_ref();
    let newest = consortium.map(|consortium| consortium.log_keys.newest().key);
    let pairs = consortium.into_iter().flat_map(|consortium| {
        consortium
            .convicted
            .iter()
            .flat_map(|(key, pairs)| pairs.values().map(move |leaf| (key, *leaf)))
    });
    let row = |(key, leaf): (&PublicKey, u64)| {
        let signs = newest == Some(*key);
        let now = if signs { "signs this log" } else { "was changed" };
        vec![Cell::whole(key), Cell::Mark(false, now.to_owned()), Cell::leaf(leaf)]
    };
    let table = Table::new(columns, pairs.map(row).collect());
    Section::new("contradictions", "Two histories", Body::Table(table))
        .text("Keys of this log that signed two histories: each record holds two heads that exclude each other.")
        .how("Handed in by members, and checked by everybody who folds the log: counterfoil-client report-contradiction.")
        .command(verify_command(&projection.genesis()))
}

fn convictions(projection: &Projection, viewer: &Viewer) -> Section {
    let columns = vec![
        Column::text("institution", "Bank"),
        Column::text("fault", "Fault"),
        Column::number("round", "Round"),
        Column::number("leaf", "Record"),
        Column::text("run", "Run"),
    ];
    let seen = projection.convictions.iter().filter(|of| viewer.sees(&of.institution));
    let rows = seen.map(|of| {
        vec![
            Cell::text(&of.institution),
            Cell::Mark(false, of.fault.clone()),
            Cell::count(of.round),
            Cell::leaf(of.leaf),
            Cell::hash(&of.run),
        ]
    });
    let section = Section::new(
        "evidence",
        "Evidence of misbehaviour",
        Body::Table(Table::new(columns, rows.collect())),
    );
    let text = if viewer.sees_all() {
        "What a bank’s own signature convicts it of."
    } else {
        "Of your own bank; auditors see all."
    };
    section.text(text).command(verify_command(&projection.genesis()))
}
