//! What an audit found out, with what it rests on: for whoever has to sign it.

mod checklist;
mod html;
mod inputs;
mod markup;
mod registry;

pub use checklist::{Answer, Item};
pub use inputs::Input;

use std::path::Path;

use ledger::digest::Digest;
use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::finding::Kind;
use crate::report::Report;
use crate::verify::{Options, verify_and_see};

/// What an audit found out, with what it rests on.
#[derive(Debug, Serialize)]
pub struct Dossier {
    /// Which program says so.
    pub tool: Tool,
    /// What was found out.
    pub report: Report,
    /// What the log says.
    pub facts: Facts,
    /// Each figure with all that it was computed from.
    pub inputs: Vec<Input>,
    /// The components of a guarantee, and what the evidence says of each.
    pub checklist: Vec<Item>,
    /// A record for a registry of deployments, one a run.
    pub registry: Vec<Value>,
}

/// The program that made a dossier.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// SHA-256 of the executable, in hex; none if it could not be read.
    pub sha256: Option<String>,
}

impl Tool {
    /// This program; `executable` is the SHA-256 of its file.
    pub fn of(executable: Option<Digest>) -> Self {
        let sha256 = executable.map(|digest| digest.to_string());
        Self { name: "counterfoil-audit", version: env!("CARGO_PKG_VERSION"), sha256 }
    }
}

impl Dossier {
    /// Verifies the export in `directory` and says what it found, with all that it rests on.
    ///
    /// Where something is wrong, the report has the finding and no figures.
    pub fn of(directory: &Path, options: &Options, tool: Tool) -> Self {
        let mut facts = Facts::default();
        let report = verify_and_see(directory, options, &mut |index, leaf| facts.see(index, leaf));
        if !is_sound(&report) {
            facts = Facts::default();
        }
        let inputs = inputs::of(&report, &facts);
        let checklist = checklist::of(&report, &facts);
        let registry = registry::records(&report, &facts, &tool);
        Self { tool, report, facts, inputs, checklist, registry }
    }

    /// True if all that is there holds, so that figures and facts may be used.
    pub fn is_sound(&self) -> bool {
        is_sound(&self.report)
    }

    /// Each registry record as YAML, with the name of its file.
    pub fn registry_files(&self) -> Vec<(String, String)> {
        let file = |record: &Value| {
            let name = record.get("url_slug").and_then(Value::as_str).unwrap_or_default();
            (format!("{name}.yaml"), registry::yaml(record))
        };
        self.registry.iter().map(file).collect()
    }

    /// As one page that needs nothing else: no script, no address.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// The accountant's inputs and results, a line each, the names of the columns at the top.
    pub fn csv(&self) -> String {
        inputs::csv(&self.inputs)
    }
}

fn is_sound(report: &Report) -> bool {
    report.finding.as_ref().is_none_or(|finding| finding.kind == Kind::Incomplete)
}
