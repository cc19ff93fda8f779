//! The auditor's commands.
//!
//! Every command takes `--json` and then prints one envelope,
//! `{"schema_version": 1, "status": "ok" | "failed", "exit_code": …, "data": …}`.

mod account;
mod events;
mod explain;
mod fetch;
mod lineage;
mod output;
mod pack;
mod plan;
mod prove;
mod reconciled;
mod report;
mod show;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use ledger::digest::Digest;
use serde::Serialize;

use crate::population::verify_population;
use crate::reconcile::reconcile;
use crate::verify::{Options, verify};
use output::Output;

/// The exit code of a command line that says nothing that can be done.
const USAGE: u8 = 64;

/// Verifies what a consortium's operator exports, offline and without trust in the operator.
#[derive(Debug, Parser)]
#[command(name = "counterfoil-audit", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON envelope instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify an export, replay every model bit for bit, and compute every ε anew.
    Verify {
        /// The export's directory.
        directory: PathBuf,
        /// The consortium's genesis digest, known from elsewhere than the operator.
        #[arg(long, value_name = "HEX")]
        genesis: Option<Digest>,
        /// Receipts that members hold; each must be in the log.
        #[arg(long, value_name = "FILE", num_args = 1..)]
        receipts: Vec<PathBuf>,
        /// A file that says which witnesses must have cosigned (C2SP tlog-policy).
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Verify a bank's own ledger as the bank exports it, and compute every charge and ε anew.
    Ledger {
        /// The export's directory.
        directory: PathBuf,
        /// The ledger's genesis digest, if it is known from elsewhere.
        #[arg(long, value_name = "HEX")]
        genesis: Option<Digest>,
    },
    /// Verify an export and say what was found, with all that it rests on: a page, a table or everything.
    Report(report::ReportArguments),
    /// Prove in one small file that the record of a receipt is in the log of an export.
    Prove(prove::ProveArguments),
    /// Check a proof of a record, or of two histories, without an export.
    Check(prove::CheckArguments),
    /// Compute one model anew, bit for bit, and say which contributions, sums and steps lead to it.
    Replay(lineage::ReplayArguments),
    /// Verify an export and pack all that the audit rests on, but the blobs, into one file.
    Pack(pack::PackArguments),
    /// Copy an export from a folder that somebody else can write to: its own files, and nothing else.
    Fetch(fetch::FetchArguments),
    /// Compare banks' own ledgers with the log: what one side has and the other lacks, and whose fault it is.
    Reconcile {
        /// The directories that banks exported their ledgers to.
        #[arg(required = true, value_name = "LEDGER")]
        ledgers: Vec<PathBuf>,
        /// The consortium's export.
        #[arg(long, value_name = "EXPORT")]
        log: PathBuf,
        /// The consortium's genesis digest, known from elsewhere than the operator.
        #[arg(long, value_name = "HEX")]
        genesis: Option<Digest>,
        /// Receipts that the banks hold.
        #[arg(long, value_name = "FILE", num_args = 1..)]
        receipts: Vec<PathBuf>,
    },
    /// The ε of a list of privacy events.
    Epsilon(account::EpsilonArguments),
    /// The δ of a list of privacy events.
    Delta(account::DeltaArguments),
    /// The noise, the sampling rate or the number of releases that just keeps a promise.
    Calibrate(account::CalibrateArguments),
    /// ε over δ, or the Rényi divergence over its order.
    Curve(account::CurveArguments),
    /// What a plan costs each institution, before anybody signs it.
    Plan {
        /// The plan's file.
        plan: PathBuf,
    },
    /// What an exit code means, and what to do.
    Explain {
        /// The exit code.
        code: u8,
    },
}

/// Runs the command in `args`, the program's name included, and prints its answer.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let output = match Arguments::try_parse_from(args) {
        Ok(arguments) => answer(arguments),
        Err(error) => refused(&error),
    };
    output.print()
}

fn refused(error: &clap::Error) -> Output {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.to_string();
    if asked { Output::text(text) } else { Output::failure(USAGE, text.trim_end(), false) }
}

fn answer(Arguments { command, json }: Arguments) -> Output {
    match command {
        Command::Verify { directory, genesis, receipts, policy } => {
            let report = verify(&directory, &Options { genesis, receipts, policy });
            let text = show::report(&report);
            Output::of(json, report.exit_code(), &report, text)
        }
        Command::Ledger { directory, genesis } => {
            let report = verify_population(&directory, genesis);
            let text = show::population(&report);
            Output::of(json, report.exit_code(), &report, text)
        }
        Command::Report(arguments) => report::answer(&arguments, json),
        Command::Replay(arguments) => lineage::replay(&arguments, json),
        Command::Fetch(arguments) => fetch::answer(&arguments, json),
        Command::Pack(arguments) => pack::answer(&arguments, json),
        Command::Prove(arguments) => prove::prove(&arguments, json),
        Command::Check(arguments) => prove::check(&arguments, json),
        Command::Reconcile { ledgers, log, genesis, receipts } => {
            let reconciliation =
                reconcile(&log, &Options { genesis, receipts, policy: None }, &ledgers);
            let text = reconciled::text(&reconciliation);
            Output::of(json, reconciliation.exit_code(), &reconciliation, text)
        }
        Command::Epsilon(arguments) => match account::epsilon(&arguments) {
            // A batch has been answered line by line.
            Ok(None) => Output::nothing(),
            Ok(Some(priced)) => Output::of(json, 0, &priced, show::priced(&priced)),
            Err((code, message)) => Output::failure(code, &message, json),
        },
        Command::Delta(arguments) => shown(json, account::delta(&arguments), show::loss),
        Command::Calibrate(arguments) => {
            shown(json, account::calibrate(&arguments), show::calibrated)
        }
        Command::Curve(arguments) => shown(json, account::curve(&arguments), show::curve),
        Command::Plan { plan } => shown(json, plan::price(&plan), show::price),
        Command::Explain { code } => {
            let known = explain::explain(code)
                .map(|explanation| Output::of(json, 0, &explanation, explanation.to_string()));
            known.unwrap_or_else(|| {
                Output::failure(USAGE, &format!("expected 0 to 10 or 64, got {code}"), json)
            })
        }
    }
}

/// An answer, or why there is none.
fn shown<T: Serialize>(
    json: bool,
    answer: Result<T, events::Refused>,
    text: impl Fn(&T) -> String,
) -> Output {
    match answer {
        Ok(data) => Output::of(json, 0, &data, text(&data)),
        Err((code, message)) => Output::failure(code, &message, json),
    }
}
