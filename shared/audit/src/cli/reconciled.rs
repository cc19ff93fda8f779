//! What came of comparing both sides, for people.

use super::show::{epsilon, finding, line, list};
use crate::reconcile::{Difference, ReconciledRun, Reconciliation};

pub(super) fn text(of: &Reconciliation) -> String {
    let mut text = String::new();
    match &of.finding {
        None if of.anchored => line(&mut text, format_args!("reconciled")),
        None => line(&mut text, format_args!("reconciled, anchor not given (--genesis HEX)")),
        Some(found) => finding(&mut text, found),
    }
    if let Some(genesis) = &of.genesis {
        line(&mut text, format_args!("genesis      {genesis}"));
    }
    line(&mut text, format_args!("records      {}", of.records));
    line(&mut text, format_args!("receipts     {} in the log", of.receipts));
    let (wrong, ordinary): (Vec<_>, Vec<_>) = of.differences.iter().partition(|of| of.wrong);
    list(&mut text, "wrong", wrong.into_iter().map(difference).collect());
    list(&mut text, "charged, as the bank says; acknowledged, as the log says", runs(&of.runs));
    list(&mut text, "ordinary", ordinary.into_iter().map(difference).collect());
    text
}

fn runs(runs: &[ReconciledRun]) -> Vec<String> {
    let run = |of: &ReconciledRun| {
        let acknowledged = of.epsilon_acknowledged.map_or("no such run".to_owned(), epsilon);
        format!(
            "{} in {}: {} charged, {}; {} acknowledged, {acknowledged}; δ = {:e}",
            of.institution,
            short(&of.run),
            of.charged,
            epsilon(of.epsilon_charged),
            of.accepted,
            of.delta,
        )
    };
    runs.iter().map(run).collect()
}

fn difference(of: &Difference) -> String {
    let round = of.round.map(|round| format!(" round {round} of {}", short(&of.run)));
    let (round, kind, fault) = (round.unwrap_or_default(), of.kind.as_str(), of.fault.as_str());
    let code =
        if of.wrong { format!(" (exit {})", of.finding.kind.exit_code()) } else { String::new() };
    format!("{}{round}: {kind}{code}, {fault}\n  {}", of.institution, of.finding)
}

fn short(run: &str) -> &str {
    run.get(..12).unwrap_or(run)
}
