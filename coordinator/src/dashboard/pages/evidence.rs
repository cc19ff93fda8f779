//! Evidence: any record by number, hash, identifier or institution; raw, decoded, and with its proof.

use ledger::digest::Digest;
use ledger::receipt::Receipt;
use ledger::record::{Body as RecordBody, Leaf, Payload as _};
use ledger::tree::{inclusion_proof, leaf_hash};
use round::state::Consortium;

use super::record::{fields, summary};
use crate::dashboard::page::{Body, Cell, Column, Fact, Page, Section, Table};
use crate::dashboard::projection::{DIGITS_MIN, Projection, Standing, digests, institution};
use crate::dashboard::viewer::Viewer;

/// How many records a search lists.
pub(in crate::dashboard) const FOUND_MAX: usize = 50;

/// What a search found.
#[derive(Debug, Default)]
pub(in crate::dashboard) struct Found {
    pub(in crate::dashboard) asked: String,
    /// The records' numbers and what they are.
    pub(in crate::dashboard) leaves: Vec<(u64, Leaf)>,
    /// What the list is, in a sentence.
    pub(in crate::dashboard) note: String,
}

/// The leaves that a question may mean, and what the list is. Who reads them keeps those that
/// [`listed`] agrees with.
pub(in crate::dashboard) fn found_by(
    projection: &Projection,
    viewer: &Viewer,
    asked: &str,
) -> (Vec<u64>, String) {
    let size = projection.standing.as_ref().map_or(0, |standing| standing.state.size);
    if asked.is_empty() {
        let newest = (0..size).rev().take(FOUND_MAX).collect();
        return (newest, "The newest records.".to_owned());
    }
    if let Some((leaves, all)) = projection.index.institution(asked, viewer.sees(asked), FOUND_MAX)
    {
        let note = if viewer.sees(asked) {
            format!("The newest of {all} records about {asked}.")
        } else {
            format!(
                "Roster and approvals of {asked}. Its contributions are listed for itself and for auditors."
            )
        };
        return (leaves, note);
    }
    let mut leaves = vec![];
    if let Ok(number) = asked.parse::<u64>()
        && number < size
        && number.to_string() == asked
    {
        leaves.push(number);
    }
    leaves.extend(projection.index.digest(asked, FOUND_MAX));
    if let Ok(hash) = asked.parse::<Digest>() {
        leaves.extend((0..size).find(|index| projection.nodes.leaf(*index) == Some(hash)));
    }
    leaves.retain(|leaf| *leaf < size);
    (leaves, "Records with this number, or that first name this digest.".to_owned())
}

/// What is said of a question without an answer.
pub(in crate::dashboard) fn nothing(asked: &str) -> String {
    format!(
        "Nothing in the log is called {asked:?}. Digests are searched by at least {DIGITS_MIN} of their first digits, \
         in hexadecimal."
    )
}

/// True if the leaf is what was asked for: prefixes that are longer than the index keeps are compared.
pub(in crate::dashboard) fn listed(asked: &str, index: u64, leaf: &Leaf) -> bool {
    let named = || digests(index, leaf).iter().any(|digest| digest.to_string().starts_with(asked));
    let hash = || leaf_hash(leaf.bytes().as_slice()).to_string() == asked;
    let about = || institution(leaf.body()).is_some_and(|name| name.as_str() == asked);
    asked.is_empty() || asked == index.to_string() || about() || named() || hash()
}

/// The search, and what it found.
pub(in crate::dashboard) fn evidence(viewer: &Viewer, found: &Found) -> Page {
    let columns = vec![
        Column::number("leaf", "Record"),
        Column::text("kind", "Kind"),
        Column::text("institution", "About"),
        Column::text("summary", "What it says"),
        Column::text("at_ms", "When"),
        Column::text("leaf_hash", "Leaf hash"),
    ];
    let row = |(index, leaf): &(u64, Leaf)| {
        vec![
            Cell::leaf(*index),
            Cell::text(leaf.body().kind()),
            about(viewer, leaf),
            Cell::Text(summary(leaf)),
            Cell::At(leaf.at()),
            Cell::hash(leaf_hash(leaf.bytes().as_slice())),
        ]
    };
    let table = Table::new(columns, found.leaves.iter().map(row).collect());
    Page {
        path: "/evidence".to_owned(),
        menu: "/evidence",
        title: "Evidence".to_owned(),
        lead: "Every record that figures rest on: as it is stored, decoded, and with the proof that it is in the log."
            .to_owned(),
        sections: vec![
            Section::new("search", "", Body::Search(found.asked.clone())),
            Section::new("records", "Records", Body::Table(table)).text(found.note.clone()),
        ],
    }
}

/// Whom a record is about; of another bank's contribution a list does not say.
fn about(viewer: &Viewer, leaf: &Leaf) -> Cell {
    let Some(name) = institution(leaf.body()) else { return Cell::Nothing };
    let counts = matches!(leaf.body(), RecordBody::Accepted(_) | RecordBody::Evidence(_));
    if counts && !viewer.sees(name.as_str()) {
        return Cell::text("another bank");
    }
    Cell::Link(name.to_string(), format!("/evidence?q={name}"))
}

/// One record and its proof; none if it is not under the checkpoint.
pub(in crate::dashboard) fn record(
    projection: &Projection,
    standing: &Standing,
    index: u64,
    leaf: &Leaf,
) -> Option<(Page, Receipt)> {
    let size = standing.state.size;
    let proof = inclusion_proof(&projection.nodes, index, size).ok()?;
    let receipt = Receipt {
        index,
        leaf: leaf.bytes().clone(),
        proof,
        checkpoint: standing.checkpoint.to_string(),
    };
    let consortium = standing.state.consortium.as_ref()?;
    let mut sections = vec![
        facts(consortium, index, leaf, &standing.genesis()),
        decoded(index, leaf),
        path(&receipt, size),
        Section::new("receipt", "Proof as a file", Body::Exact(receipt.to_text()))
            .text("The leaf, its path and the signed checkpoint in one file (C2SP tlog-proof).")
            .command(format!(
                "curl --cacert ca.pem --cert own.pem --key own-key.pem -O https://HOST:PORT/evidence/{index}.proof\n\
                 counterfoil-audit verify DIR --genesis {} --receipts {index}.proof",
                standing.genesis()
            )),
        Section::new("raw", "As it is stored", Body::Exact(dump(leaf.bytes().as_slice())))
            .text("The exact bytes that were hashed: canonical protobuf, author and signature included."),
    ];
    if let RecordBody::PlanProposed(proposed) = leaf.body() {
        let text = Body::Exact(proposed.plan.text().to_owned());
        sections.insert(2, Section::new("plan", "The plan, byte for byte", text));
    }
    let page = Page {
        path: format!("/evidence/{index}"),
        menu: "/evidence",
        title: format!("Record {index}: {}", leaf.body().kind()),
        lead: summary(leaf),
        sections,
    };
    Some((page, receipt))
}

fn facts(consortium: &Consortium, index: u64, leaf: &Leaf, genesis: &str) -> Section {
    let mut members = consortium.members.iter();
    let author = members.find(|(_, member)| member.record_key == *leaf.author());
    let author = match author {
        Some((name, _)) => name.to_string(),
        None if *leaf.author() == consortium.genesis.operator_key => "the operator".to_owned(),
        None => "an earlier key".to_owned(),
    };
    let verifies = leaf.verify_signature(&consortium.digest).is_ok();
    let verdict = if verifies { "verifies" } else { "does not verify" };
    let facts = vec![
        Fact::new("leaf", "Record", Cell::Count(index)),
        Fact::new("at_ms", "Recorded", Cell::At(leaf.at())),
        Fact::new("author", "By", Cell::Text(author)),
        Fact::new("signature", "Its signature", Cell::Mark(verifies, verdict.to_owned())),
    ];
    Section::new("record", "", Body::Facts(facts))
        .how("The author’s Ed25519 signature covers the record’s kind, the genesis digest and its body.")
        .command(format!("counterfoil-audit verify DIR --genesis {genesis}"))
}

fn decoded(index: u64, leaf: &Leaf) -> Section {
    let columns = vec![Column::text("field", "Field"), Column::text("value", "Value")];
    let rows = fields(index, leaf).into_iter().map(|(name, cell)| vec![Cell::text(name), cell]);
    Section::new("decoded", "Decoded", Body::Table(Table::new(columns, rows.collect())))
}

fn path(receipt: &Receipt, size: u64) -> Section {
    let columns =
        vec![Column::number("step", "Step"), Column::text("hash", "Hash beside the path")];
    let own = vec![Cell::text("leaf"), Cell::whole(leaf_hash(receipt.leaf.as_slice()))];
    let steps = receipt.proof.iter().enumerate();
    let steps = steps.map(|(at, digest)| vec![Cell::count(at + 1), Cell::text(digest)]);
    let rows = std::iter::once(own).chain(steps).collect();
    Section::new("proof", "Proof that it is in the log", Body::Table(Table::new(columns, rows)))
        .text(format!("From the leaf’s hash up to the root over {size} records."))
        .how("RFC 6962: a leaf is hashed as SHA-256(0x00 ‖ leaf), two nodes as SHA-256(0x01 ‖ left ‖ right).")
}

/// Sixteen bytes a line.
fn dump(bytes: &[u8]) -> String {
    let line = |(at, line): (usize, &[u8])| {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:06x}  {}", at * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect::<Vec<_>>().join("\n")
}
