//! Approvals: who signed which plan, and who is missing.

use std::collections::BTreeMap;

use ledger::record::{Institution, Role};
use round::Plan;
use round::state::{Consortium, State};

use super::verify_command;
use crate::dashboard::page::{Body, Cell, Column, Page, Section, Table};

/// The page.
pub(in crate::dashboard) fn approvals(state: &State) -> Page {
    let sections = state.consortium.as_ref().map_or(vec![], |consortium| {
        vec![waiting(consortium), missing(consortium), spent(consortium), members(consortium)]
    });
    Page {
        path: "/approvals".to_owned(),
        menu: "/approvals",
        title: "Approvals".to_owned(),
        lead: "A plan runs when more than the founding fraction of the banks signed its exact bytes, and every \
               bank of its cohort did. A run spends its approvals once."
            .to_owned(),
        sections,
    }
}

fn waiting(consortium: &Consortium) -> Section {
    let columns = vec![
        Column::text("name", "Plan"),
        Column::number("signed", "Signed"),
        Column::number("banks", "Of banks"),
        Column::text("quorum", "Quorum").how(
            "More than the fraction that Genesis names of the active banks, and the whole cohort.",
        ),
        Column::number("epsilon", "ε at most"),
        Column::number("delta", "δ"),
        Column::number("rounds", "Rounds"),
        Column::text("plan", "Digest"),
    ];
    let banks = consortium.members.values();
    let banks = banks.filter(|m| m.role == Role::Bank && m.revoked.is_none()).count();
    let row = |proposal: &round::state::Proposal| {
        let text = proposal.plan.text();
        let reached = consortium.quorum(&proposal.plan, &proposal.approvals);
        let quorum = if reached { "reached" } else { "not yet" };
        vec![
            Cell::text(&text.name),
            Cell::count(proposal.approvals.len()),
            Cell::count(banks),
            Cell::Mark(reached, quorum.to_owned()),
            Cell::Number(text.privacy.epsilon),
            Cell::Small(text.privacy.delta),
            Cell::count(text.rounds),
            Cell::hash(proposal.plan.digest()),
        ]
    };
    let table = Table::new(columns, consortium.proposals.values().map(row).collect());
    Section::new("waiting", "Plans that wait for signatures", Body::Table(table))
        .command("counterfoil-client plan show DIGEST\ncounterfoil-client plan sign DIGEST")
}

fn missing(consortium: &Consortium) -> Section {
    let mut rows = vec![];
    for proposal in consortium.proposals.values() {
        for name in proposal.plan.cohort() {
            let signed = proposal.approvals.get(name);
            rows.push(vec![
                Cell::text(&proposal.plan.text().name),
                Cell::text(name),
                Cell::Mark(
                    signed.is_some(),
                    if signed.is_some() { "signed" } else { "missing" }.to_owned(),
                ),
                signed.map_or(Cell::Nothing, |leaf| Cell::leaf(*leaf)),
            ]);
        }
    }
    let columns = vec![
        Column::text("plan", "Plan"),
        Column::text("institution", "Bank of its cohort"),
        Column::text("signature", "Signature"),
        Column::number("leaf", "Record"),
    ];
    Section::new("signatures", "Their cohorts", Body::Table(Table::new(columns, rows)))
}

fn spent(consortium: &Consortium) -> Section {
    let mut rows = vec![];
    let mut add = |plan: &Plan, run: String, approvals: &BTreeMap<Institution, u64>| {
        for (name, leaf) in approvals {
            rows.push(vec![
                Cell::Link(plan.text().name.clone(), format!("/runs/{run}")),
                Cell::text(name),
                Cell::leaf(*leaf),
                Cell::hash(plan.digest()),
                Cell::Text(run.clone()),
            ]);
        }
    };
    if let Some(run) = &consortium.run {
        add(&run.plan, run.id.to_string(), &run.approvals);
    }
    for (id, ending) in &consortium.ended {
        add(&ending.plan, id.to_string(), &ending.approvals);
    }
    let columns = vec![
        Column::text("name", "Run"),
        Column::text("institution", "Signed by"),
        Column::number("leaf", "Record"),
        Column::text("plan", "Plan"),
        Column::text("run", ""),
    ];
    let mut table = Table::new(columns, rows);
    table.shown = Some(200);
    Section::new("spent", "Signatures that runs spent", Body::Table(table))
        .how("Each is a record by the bank’s own key over the plan’s digest; an audit verifies it.")
        .command(verify_command(&consortium.digest.to_string()))
}

fn members(consortium: &Consortium) -> Section {
    let columns = vec![
        Column::text("institution", "Member"),
        Column::text("role", "Role"),
        Column::text("status", "Status"),
        Column::number("admitted", "Admitted by"),
        Column::number("revoked", "Put out by"),
        Column::text("tls_key_digest", "TLS key"),
    ];
    let row = |(name, member): (&Institution, &round::state::Membership)| {
        let active = member.revoked.is_none();
        vec![
            Cell::Link(name.to_string(), format!("/evidence?q={name}")),
            Cell::text(member.role.as_str()),
            Cell::Mark(active, if active { "active" } else { "put out" }.to_owned()),
            Cell::leaf(member.admitted),
            member.revoked.map_or(Cell::Nothing, Cell::leaf),
            Cell::hash(member.tls_key_digest),
        ]
    };
    let rows = consortium.members.iter().map(row).collect();
    Section::new("members", "Members", Body::Table(Table::new(columns, rows)))
        .text("There is no operator among them: a role in a certificate counts only if the roster gives the same.")
}
