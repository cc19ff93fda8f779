//! Proofs that are one small file: made from an export, checked without one.

use std::path::PathBuf;

use clap::Args;
use ledger::digest::Digest;
use ledger::signing::VerifierKey;

use super::output::Output;
use super::report::write;
use super::show::{finding, line};
use crate::check::{self, Anchor, Checked};
use crate::facts::utc;
use crate::prove::{self, Proved};

/// What is proved, and from what.
#[derive(Debug, Args)]
pub(super) struct ProveArguments {
    /// A receipt that a member holds.
    receipt: PathBuf,
    /// The consortium's export.
    #[arg(long, value_name = "EXPORT")]
    log: PathBuf,
    /// The consortium's genesis digest, known from elsewhere than the operator.
    #[arg(long, value_name = "HEX")]
    genesis: Option<Digest>,
    /// The file to write; without it, standard output.
    #[arg(long, value_name = "PROOF")]
    out: Option<PathBuf>,
}

/// A proof, and what the auditor knows of the log from elsewhere.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// A proof of a record (a receipt is one), or of two histories.
    proof: PathBuf,
    /// The record's exact bytes, for a proof that does not hold them.
    leaf: Option<PathBuf>,
    /// The consortium's genesis digest.
    #[arg(long, value_name = "HEX")]
    genesis: Option<Digest>,
    /// The key that signs the log's heads.
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// Leaf 0, which names that key: the file "genesis" of any export.
    #[arg(long, value_name = "FILE")]
    founding: Option<PathBuf>,
    /// The key of a witness that must have cosigned.
    #[arg(long, value_name = "VKEY")]
    witness: Vec<VerifierKey>,
}

pub(super) fn prove(arguments: &ProveArguments, json: bool) -> Output {
    let proved = prove::prove(&arguments.receipt, &arguments.log, arguments.genesis);
    let code = proved.exit_code();
    let (Some(file), Some(path)) = (&proved.file, &arguments.out) else {
        // A proof on standard output is nothing but the proof.
        let text = match (&proved.file, &proved.finding) {
            (Some(file), None) => file.clone(),
            _ => proved_text(&proved),
        };
        return Output::of(json, code, &proved, text);
    };
    match write(path, file.as_bytes()) {
        Ok(written) => {
            let mut text = proved_text(&proved);
            line(&mut text, format_args!("{written}"));
            if let Some(key) = &proved.key {
                let path = path.display();
                line(&mut text, format_args!("counterfoil-audit check {path} --key {key}"));
            }
            Output::of(json, code, &proved, text)
        }
        Err((code, message)) => Output::failure(code, &message, json),
    }
}

fn proved_text(of: &Proved) -> String {
    let mut text = String::new();
    match &of.finding {
        Some(found) => finding(&mut text, found),
        None if of.anchored => line(&mut text, format_args!("proved")),
        None => line(&mut text, format_args!("proved, anchor not given (--genesis HEX)")),
    }
    if let Some(genesis) = &of.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    if let (Some(leaf), Some(record)) = (of.leaf, of.record) {
        line(&mut text, format_args!("record       leaf {leaf}, {record}"));
    }
    if of.records > 0 {
        line(&mut text, format_args!("log          {} records", of.records));
    }
    if of.finding.is_some() && of.file.is_some() {
        line(
            &mut text,
            format_args!("Two signed heads exclude each other; the file (--out) proves it."),
        );
    }
    text
}

pub(super) fn check(arguments: &CheckArguments, json: bool) -> Output {
    let anchor = Anchor {
        genesis: arguments.genesis,
        key: arguments.key.clone(),
        founding: arguments.founding.clone(),
        witnesses: arguments.witness.clone(),
    };
    let checked = check::check(&arguments.proof, &anchor, arguments.leaf.as_deref());
    let text = checked_text(&checked);
    Output::of(json, checked.exit_code(), &checked, text)
}

fn checked_text(of: &Checked) -> String {
    let mut text = String::new();
    let whose = if of.anchored { "" } else { ", anchor not given (--genesis HEX or --key VKEY)" };
    match (&of.finding, &of.split) {
        (None, _) => line(&mut text, format_args!("proved{whose}")),
        (Some(found), Some(_)) => {
            line(&mut text, format_args!("split view proved{whose}"));
            finding(&mut text, found);
        }
        (Some(found), None) => finding(&mut text, found),
    }
    if let Some(genesis) = &of.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    let Some(record) = &of.record else { return text };
    let (leaf, kind, at) = (record.leaf, record.kind, utc(record.at_ms));
    line(&mut text, format_args!("record       leaf {leaf}, {kind}, {at} by the operator's clock"));
    line(&mut text, format_args!("  SHA-256    {}", record.sha256));
    line(&mut text, format_args!("  author     {}", record.author));
    line(&mut text, format_args!("log          {} records, root {}", record.records, record.root));
    if !of.cosigned_by.is_empty() {
        line(&mut text, format_args!("cosigned by  {}", of.cosigned_by.join(", ")));
    }
    if of.unchecked_signatures > 0 {
        let count = of.unchecked_signatures;
        line(&mut text, format_args!("not checked  {count} more signature lines (--witness VKEY)"));
    }
    line(
        &mut text,
        format_args!("Whether the author is a member, an export says: counterfoil-audit verify."),
    );
    text
}
