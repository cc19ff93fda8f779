//! The report of an audit, on standard output or as a folder of files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ledger::digest::{Digest, sha256};
use serde::Serialize;

use super::USAGE;
use super::events::{Refused, failed};
use super::output::Output;
use super::show;
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
        Options { genesis: self.genesis, receipts: self.receipts.clone(), policy: None }
    }
}

/// A report.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    #[command(flatten)]
    export: ExportArguments,
    /// What to print: a page, the accountant's inputs and results, or everything.
    #[arg(long, default_value = "html", conflicts_with = "out")]
    format: Format,
    /// A folder, which must not exist yet, for all of them, and a registry record for each run.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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

/// Files that were written.
#[derive(Debug, Serialize)]
struct Written {
    files: Vec<WrittenFile>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct WrittenFile {
    path: PathBuf,
    bytes: usize,
    sha256: String,
}

pub(super) fn answer(arguments: &ReportArguments, json: bool) -> Output {
    let export = &arguments.export;
    let dossier = Dossier::of(&export.directory, &export.options(), this_program());
    let code = dossier.report.exit_code();
    let Some(folder) = &arguments.out else {
        return Output::of(json, code, &dossier, document(&dossier, arguments.format));
    };
    match write_all(folder, &dossier) {
        Ok(written) => {
            let mut text = String::new();
            if let Some(found) = &dossier.report.finding {
                show::finding(&mut text, found);
            }
            written.files.iter().for_each(|file| show::line(&mut text, format_args!("{file}")));
            Output::of(json, code, &written, text)
        }
        Err((code, message)) => Output::failure(code, &message, json),
    }
}

fn document(dossier: &Dossier, format: Format) -> String {
    match format {
        Format::Html => dossier.html(),
        Format::Csv if dossier.is_sound() => dossier.csv(),
        // A table without lines would look like nothing spent.
        Format::Csv => show::report(&dossier.report),
        // A tree of texts and numbers always has a JSON form.
        Format::Json => serde_json::to_string_pretty(dossier).unwrap_or_default(),
    }
}

fn write_all(folder: &Path, dossier: &Dossier) -> Result<Written, Refused> {
    fs::create_dir(folder).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            (USAGE, format!("expected no {} yet, found one", folder.display()))
        } else {
            failed(folder, &error)
        }
    })?;
    let mut files = vec![
        ("report.html".to_owned(), dossier.html()),
        ("report.json".to_owned(), document(dossier, Format::Json)),
    ];
    if dossier.is_sound() {
        files.push(("accountant.csv".to_owned(), dossier.csv()));
        files.extend(dossier.registry_files());
    }
    let files = files.iter().map(|(name, text)| write(&folder.join(name), text.as_bytes()));
    Ok(Written { files: files.collect::<Result<_, _>>()? })
}

/// Writes a file, which may be there already.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<WrittenFile, Refused> {
    fs::write(path, bytes).map_err(|error| failed(path, &error))?;
    Ok(WrittenFile {
        path: path.to_path_buf(),
        bytes: bytes.len(),
        sha256: sha256(bytes).to_string(),
    })
}

/// This program, by the bytes of its own file.
pub(super) fn this_program() -> Tool {
    let executable = std::env::current_exe().and_then(fs::read);
    Tool::of(executable.ok().map(|bytes| sha256(&bytes)))
}

impl std::fmt::Display for WrittenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} bytes, SHA-256 {}", self.path.display(), self.bytes, self.sha256)
    }
}
