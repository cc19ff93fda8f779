//! All that an audit rests on but the blobs, as one file with the same bytes for the same export, program and options.

mod archive;
mod sbom;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use ledger::receipt::Receipt;
use ledger::record::{Body, LEAF_BYTES_MAX, Leaf, LeafBytes, Payload as _};
use ledger::tile::TILE_WIDTH;
use ledger::tree::inclusion_proof;
use serde::Serialize;

use crate::directory::Directory;
use crate::dossier::{Dossier, Tool};
use crate::export::{CHECKPOINT, GENESIS};
use crate::facts::{Facts, PlanFacts};
use crate::finding::{Finding, Kind};
use crate::log::{self, Log};
use crate::verify::Options;
use archive::Archive;

const SCRIPT: &str = include_str!("../evidence/recompute.py");
const VERIFY: &str = include_str!("../evidence/VERIFY.md");

/// Verifies the export in `directory` and writes its evidence to `out`, a tar archive. Returns what was found.
///
/// Nothing is written if something is wrong: then the export itself is the evidence. Missing blobs are not wrong.
///
/// # Errors
///
/// The [`Finding`], or [`Kind::Failure`] if reading or writing fails.
pub fn pack(
    directory: &Path,
    options: &Options,
    tool: Tool,
    out: impl Write,
) -> Result<Dossier, Finding> {
    let dossier = Dossier::of(directory, options, tool);
    if let Some(finding) = dossier.report.finding.as_ref().filter(|_| !dossier.is_sound()) {
        return Err(finding.clone());
    }
    let directory = Directory::open(directory)?;
    let log = Log::open(&directory, log::identity(&directory)?)?;
    if dossier.report.records != log.head().size {
        let expected = format!("{} records as before", dossier.report.records);
        return Err(Kind::Failure.at(CHECKPOINT, expected, log.head().size));
    }
    let mut archive = Archive::new(out, "evidence");
    said(&mut archive, &dossier).map_err(|error| unwritten(&error))?;
    copied(&mut archive, &directory, &log)?;
    proofs(&mut archive, &log)?;
    archive.finish().map_err(|error| unwritten(&error))?;
    Ok(dossier)
}

fn unwritten(error: &io::Error) -> Finding {
    Kind::Failure.at("the evidence", "a file that can be written", error)
}

/// What the audit found, from which, and by which program.
fn said<W: Write>(archive: &mut Archive<W>, dossier: &Dossier) -> io::Result<()> {
    archive.add("VERIFY.md", verify(dossier).as_bytes())?;
    archive.add("report.html", dossier.html().as_bytes())?;
    archive.add("report.json", &json(dossier))?;
    archive.add("accountant.csv", dossier.csv().as_bytes())?;
    archive.add("recompute.py", SCRIPT.as_bytes())?;
    for plan in plans(&dossier.facts).values() {
        archive.add(&format!("plans/{}.toml", plan.digest), plan.text.as_bytes())?;
        archive.add(&format!("plans/{}.signatures.json", plan.digest), &json(plan))?;
    }
    archive.add("roster.json", &json(&dossier.facts.roster))?;
    archive.add("models.csv", models(&dossier.facts).as_bytes())?;
    archive.add("program.json", &json(&dossier.tool))?;
    archive.add("sbom.cdx.json", &json(&sbom::bill(&dossier.tool)))
}

fn verify(dossier: &Dossier) -> String {
    let report = &dossier.report;
    VERIFY
        .replace("GENESIS", report.genesis.as_deref().unwrap_or_default())
        .replace("RECORDS", &report.records.to_string())
        .replace("CODE", &report.exit_code().to_string())
        .replace("CONSORTIUM", &dossier.facts.consortium)
}

/// The same bytes may be proposed again: the last time counts.
fn plans(facts: &Facts) -> BTreeMap<&str, &PlanFacts> {
    facts.plans.iter().map(|plan| (plan.digest.as_str(), plan)).collect()
}

fn models(facts: &Facts) -> String {
    let mut text = "run,model,leaf,weights_sha256,master_sha256\n".to_owned();
    for of in &facts.models {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{},{},{},{},{}", of.run, of.index, of.leaf, of.theta, of.master);
    }
    text
}

fn json(data: &impl Serialize) -> Vec<u8> {
    // Trees of texts and numbers always have a JSON form.
    let mut text = serde_json::to_vec_pretty(data).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The log as the export has it, without blobs.
fn copied<W: Write>(
    archive: &mut Archive<W>,
    directory: &Directory,
    log: &Log<'_>,
) -> Result<(), Finding> {
    let mut put = |name: &str, bytes: &[u8]| {
        archive.add(&format!("log/{name}"), bytes).map_err(|error| unwritten(&error))
    };
    put(GENESIS, &directory.read(GENESIS, LEAF_BYTES_MAX)?)?;
    put(CHECKPOINT, log.checkpoint().text().as_bytes())?;
    for name in directory.tiles() {
        put(name, &directory.read(name, usize::from(TILE_WIDTH) * (LEAF_BYTES_MAX + 2))?)?;
    }
    Ok(())
}

/// Proofs of the records that others rest on.
fn proofs<W: Write>(archive: &mut Archive<W>, log: &Log<'_>) -> Result<(), Finding> {
    let mut chosen: BTreeMap<u64, (LeafBytes, &'static str)> = BTreeMap::new();
    let mut last_models = BTreeMap::new();
    for leaf in log.leaves() {
        let (index, bytes) = leaf?;
        let leaf: Leaf = Leaf::decode(bytes.as_slice())
            .map_err(|error| Kind::Tampered.at(format!("leaf {index}"), "a record", error))?;
        let kind = leaf.body().kind();
        match leaf.body() {
            Body::Model(model) => {
                last_models.insert(model.run.to_string(), (index, (bytes, kind)));
            }
            Body::PlanProposed(_)
            | Body::Approval(_)
            | Body::RunStarted(_)
            | Body::Abandoned(_)
            | Body::Paused(_)
            | Body::Recalled(_)
            | Body::Decision(_)
            | Body::LogKey(_)
            | Body::Contradiction(_)
            | Body::Evidence(_) => {
                chosen.insert(index, (bytes, kind));
            }
            Body::Genesis(_)
            | Body::Member(_)
            | Body::RoundOpened(_)
            | Body::Accepted(_)
            | Body::Extended(_)
            | Body::Closed(_)
            | Body::RunFinished(_) => {}
        }
    }
    chosen.extend(last_models.into_values());
    for (index, (leaf, kind)) in chosen {
        let proof = inclusion_proof(log.nodes(), index, log.head().size)
            .map_err(|error| Kind::Failure.at(format!("leaf {index}"), "its path", error))?;
        let checkpoint = log.checkpoint().text().to_owned();
        let text = Receipt { index, leaf, proof, checkpoint }.to_text();
        archive
            .add(&format!("proofs/{index}-{kind}.tlog-proof"), text.as_bytes())
            .map_err(|error| unwritten(&error))?;
    }
    Ok(())
}
