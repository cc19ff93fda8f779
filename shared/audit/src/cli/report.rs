//! The report of an audit as a file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ledger::digest::{Digest, sha256};
use serde::Serialize;

use super::events::{Refused, failed};
use super::output::Output;
use crate::dossier::{Dossier, Tool};
use crate::verify::Options;

/// Which export, and what the auditor knows of it from elsewhere.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The export's directory.
    pub(super) directory: PathBuf,
    /// The consortium's genesis digest, known from elsewhere than the operator.
    #[arg(long, value_name = "HEX")]
    genesis: Option<Digest>,
    /// Receipts that members hold; each must be in the log.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    receipts: Vec<PathBuf>,
}

impl ExportArguments {
    pub(super) fn options(&self) -> Options {
        Options { genesis: self.genesis, receipts: self.receipts.clone() }
    }
}

/// A report.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    #[command(flatten)]
    export: ExportArguments,
    /// A page, the accountant's inputs and results, or everything.
    #[arg(long, default_value = "html")]
    format: Format,
    /// The file to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One page that needs nothing else.
    Html,
    /// The accountant's inputs and results.
    Csv,
    /// Everything.
    Json,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written<'a> {
    path: &'a Path,
    bytes: usize,
    sha256: String,
}

pub(super) fn answer(arguments: &ReportArguments, json: bool) -> Output {
    let export = &arguments.export;
    let dossier = Dossier::of(&export.directory, &export.options(), this_program());
    let code = dossier.report.exit_code();
    let Some(path) = &arguments.output else {
        return Output::of(json, code, &dossier, document(&dossier, arguments.format));
    };
    match write(path, document(&dossier, arguments.format).as_bytes()) {
        Ok(written) => {
            let found = dossier.report.finding.as_ref();
            let text = found.map_or_else(String::new, |finding| format!("{finding}\n"));
            Output::of(json, code, &written, format!("{text}{written}"))
        }
        Err((code, message)) => Output::failure(code, &message, json),
    }
}

fn document(dossier: &Dossier, format: Format) -> String {
    match format {
        Format::Html => dossier.html(),
        Format::Csv => dossier.csv(),
        // A tree of texts and numbers always has a JSON form.
        Format::Json => serde_json::to_string_pretty(dossier).unwrap_or_default(),
    }
}

/// Writes a file, which may be there already.
pub(super) fn write<'a>(path: &'a Path, bytes: &[u8]) -> Result<Written<'a>, Refused> {
    std::fs::write(path, bytes).map_err(|error| failed(path, &error))?;
    Ok(Written { path, bytes: bytes.len(), sha256: sha256(bytes).to_string() })
}

/// This program, by the bytes of its own file.
pub(super) fn this_program() -> Tool {
    let executable = std::env::current_exe().and_then(std::fs::read);
    Tool::of(executable.ok().map(|bytes| sha256(&bytes)))
}

impl std::fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} bytes, SHA-256 {}", self.path.display(), self.bytes, self.sha256)
    }
}
