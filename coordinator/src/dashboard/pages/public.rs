//! What the public may read, where the operator lets it in: promises and the log's head, no names.

use crate::dashboard::page::{Body, Cell, Column, Page, Section, Table};
use crate::dashboard::projection::{Projection, Standing};

/// The page.
pub(in crate::dashboard) fn public(projection: &Projection, standing: &Standing) -> Page {
    let columns = vec![
        Column::text("name", "Run"),
        Column::text("application", "For"),
        Column::text("unit", "Unit"),
        Column::text("relation", "Relation"),
        Column::number("epsilon", "ε at most"),
        Column::number("delta", "δ"),
        Column::number("rounds", "Rounds"),
    ];
    let row = |run: &crate::dashboard::projection::RunView| {
        let text = run.account.plan.text();
        vec![
            Cell::text(&text.name),
            Cell::text(&text.application),
            Cell::text(&text.privacy.unit),
            Cell::text(text.privacy.relation),
            Cell::Number(text.privacy.epsilon),
            Cell::Small(text.privacy.delta),
            Cell::count(text.rounds),
        ]
    };
    let runs = Table::new(columns, projection.runs.iter().rev().map(row).collect());
    let sections = vec![
        Section::new("promises", "What was promised", Body::Table(runs))
            .text("The most that each whole run may cost one unit of one bank, by plans that the banks signed.")
            .how("The plan’s own ε, which its certificate does not exceed. What was spent is for members and auditors."),
        Section::new("checkpoint", "Checkpoint", Body::Exact(standing.checkpoint.to_string()))
            .text("Who keeps it can later see that this log was never rewritten: its hashes are at /tile/.")
            .command("curl https://HOST:PORT/checkpoint\ncurl https://HOST:PORT/tile/0/000"),
    ];
    Page {
        path: "/public".to_owned(),
        menu: "",
        title: "What this consortium promises".to_owned(),
        lead: "Banks that learn together without sharing rows. Every step stands in an append-only log.".to_owned(),
        sections,
    }
}
