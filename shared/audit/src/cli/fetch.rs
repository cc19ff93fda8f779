//! A copy of an export to work on.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::USAGE;
use super::output::Output;
use super::show::finding;
use crate::fetch::fetch;

/// From where, and where to.
#[derive(Debug, Args)]
pub(super) struct FetchArguments {
    /// The folder that an export is in.
    source: PathBuf,
    /// A folder that does not exist yet.
    out: PathBuf,
}

/// A copy.
#[derive(Debug, Serialize)]
struct Fetched<'a> {
    path: &'a Path,
    files: u64,
}

pub(super) fn answer(FetchArguments { source, out }: &FetchArguments, json: bool) -> Output {
    if source.to_str().is_some_and(|text| text.contains("://")) {
        let message = format!(
            "{}: this program has no network: counterfoil-client --state DIR fetch OUT writes the log out for a member",
            source.display()
        );
        return Output::failure(USAGE, &message, json);
    }
    match fetch(source, out) {
        Ok(files) => {
            let shown = out.display();
            let text =
                format!("{shown}: {files} files\ncounterfoil-audit verify {shown} --genesis HEX");
            Output::of(json, 0, &Fetched { path: out, files }, text)
        }
        Err(found) => {
            let mut text = String::new();
            finding(&mut text, &found);
            Output::of(json, found.kind.exit_code(), &found, text)
        }
    }
}
