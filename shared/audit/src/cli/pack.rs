//! The evidence of an audit as one file.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger::digest::Sha256;
use serde::Serialize;

use super::USAGE;
use super::events::{Refused, failed};
use super::output::Output;
use super::report::{ExportArguments, this_program};
use super::show::{finding, line};
use crate::finding::Finding;
use crate::pack::pack;

/// What is packed, and where to.
#[derive(Debug, Args)]
pub(super) struct PackArguments {
    #[command(flatten)]
    export: ExportArguments,
    /// The file to write, which must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The file that was written, or what is wrong.
#[derive(Debug, Serialize)]
struct Packed {
    path: PathBuf,
    bytes: Option<u64>,
    sha256: Option<String>,
    finding: Option<Finding>,
}

pub(super) fn answer(arguments: &PackArguments, json: bool) -> Output {
    match written(arguments) {
        Ok(packed) => {
            let code = packed.finding.as_ref().map_or(0, |finding| finding.kind.exit_code());
            Output::of(json, code, &packed, text(&packed))
        }
        Err((code, message)) => Output::failure(code, &message, json),
    }
}

fn written(arguments: &PackArguments) -> Result<Packed, Refused> {
    let PackArguments { export, out } = arguments;
    let file = File::create_new(out).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            (USAGE, format!("expected no {} yet, found one", out.display()))
        } else {
            failed(out, &error)
        }
    })?;
    let packed = pack(&export.directory, &export.options(), this_program(), BufWriter::new(file));
    let path = out.clone();
    match packed {
        Ok(dossier) => {
            let (bytes, sha256) = measured(out).map_err(|error| failed(out, &error))?;
            let finding = dossier.report.finding;
            Ok(Packed { path, bytes: Some(bytes), sha256: Some(sha256), finding })
        }
        Err(finding) => {
            fs::remove_file(out).map_err(|error| failed(out, &error))?;
            Ok(Packed { path, bytes: None, sha256: None, finding: Some(finding) })
        }
    }
}

/// The file's length and SHA-256, read back.
fn measured(path: &Path) -> io::Result<(u64, String)> {
    struct Hashed(Sha256);
    impl io::Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = Hashed(Sha256::new());
    let bytes = io::copy(&mut File::open(path)?, &mut hashed)?;
    Ok((bytes, hashed.0.finish().to_string()))
}

fn text(of: &Packed) -> String {
    let mut text = String::new();
    if let Some(found) = &of.finding {
        finding(&mut text, found);
    }
    match (&of.bytes, &of.sha256) {
        (Some(bytes), Some(sha256)) => {
            line(&mut text, format_args!("{}: {bytes} bytes", of.path.display()));
            line(&mut text, format_args!("SHA-256 {sha256}"));
            line(&mut text, format_args!("unpack it with tar, and follow evidence/VERIFY.md"));
        }
        _ => line(&mut text, format_args!("nothing was written: the export is the evidence")),
    }
    text
}
