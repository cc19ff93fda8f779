//! The bank's own ledger: show, check, void, raise, mirror, export.

use std::path::Path;

use serde_json::json;

use super::daemon::{directly, read_population, rules, said, unexpected};
use super::wait;
use crate::cli::Output;
use crate::control::{Answer, Command, call};
use crate::population::{ConsortiumReport, LedgerReport, RunReport, place};
use crate::state_dir::StateDir;
use crate::{ClientError, clock};

/// The bank's own ledger.
///
/// # Errors
///
/// [`ClientError::NoPopulation`] if the node has never run, or the ledger's error.
pub fn show(state: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let report = match wait(call(&state, &Command::Ledger {}))? {
        Some(Answer::Ledger(report)) => *report,
        Some(other) => return Ok(unexpected(other)),
        None => {
            let _lock = state.lock()?;
            LedgerReport::of(&read_population(&state)?)?
        }
    };
    Ok(Output::new(json!(report), text(&report)))
}

/// Checks the ledger at rest: every leaf against the tree, every entry by folding it, every released vector by its digest, and the
/// head by the second place that the policy names. Changes nothing.
///
/// # Errors
///
/// [`ClientError::NoPopulation`] if the node has never run, [`ClientError::Locked`] while it runs, or what is wrong.
pub fn check(state: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let _lock = state.lock()?;
    let rules = rules(&state)?;
    {
        let (log, _) = store::open_shared(&place(&state, &rules))?;
        log.scrub()?;
    }
    let population = read_population(&state)?;
    let vectors = population.check_vectors()?;
    let charges = population.ledger.state().charges().len();
    let place = rules.second_place.as_ref().map(|place| place.display().to_string());
    let by = place.as_deref().unwrap_or("no second place");
    let text = format!(
        "sound: {charges} charges, {vectors} released vectors whole, head confirmed by {by}"
    );
    let data = json!({ "charges": charges, "vectors": vectors, "second_place": place });
    Ok(Output::new(data, text))
}

/// Gives a reservation back under which nothing was released: a signed entry of the ledger.
///
/// # Errors
///
/// [`ClientError::NotVoidable`] if something was released or there is no such reservation, [`ClientError::Usage`] without a
/// reason, or the ledger's error.
pub fn void(state: &Path, reservation: u64, reason: &str) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let done = format!("reservation {reservation} is given back; its round may be charged anew");
    let command = Command::Void { reservation, reason: reason.to_owned() };
    match wait(call(&state, &command))? {
        Some(answer) => Ok(said(answer, &done)),
        None => directly(&state, |population| population.void(reservation, reason, clock::now()))
            .map(|()| Output::new(json!({ "reservation": reservation }), done)),
    }
}

/// Raises the lifetime cap to the policy's: a signed entry of the ledger. The node must be at rest.
///
/// # Errors
///
/// [`ClientError::Budget`] if the policy names another ε, the cap is not below it, or without a reason;
/// [`ClientError::Locked`] while the node runs.
pub fn raise(state: &Path, epsilon: f64, reason: &str) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let rules = rules(&state)?;
    directly(&state, |population| population.raise_cap(&rules, epsilon, reason, clock::now()))?;
    let text = format!("the lifetime cap is epsilon {epsilon}; earlier caps stay in the ledger");
    Ok(Output::new(json!({ "epsilon": epsilon, "reason": reason }), text))
}

/// Keeps the ledger's head in a second place. The node must be at rest.
///
/// # Errors
///
/// [`ClientError::NoPopulation`] if the node has never run, [`ClientError::Locked`] while it runs, or the store's error: a place that
/// holds a head which this ledger does not go on from is not overwritten.
pub fn mirror(state: &Path, directory: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let _lock = state.lock()?;
    let (mut log, _) = store::open_shared(&place(&state, &rules(&state)?))?;
    let head = log.start_second_place(directory)?;
    let data =
        json!({ "directory": directory, "leaves": head.size, "root": head.root.to_string() });
    let text = format!(
        "{} holds the head of {} leaves; name it in the policy as population.second_place",
        directory.display(),
        head.size
    );
    Ok(Output::new(data, text))
}

/// Writes the ledger out for an auditor.
///
/// # Errors
///
/// [`ClientError::Export`] if there is something at the place or it cannot be written, [`ClientError::NoPopulation`] if the node has
/// never run.
pub fn export(state: &Path, directory: &Path) -> Result<Output, ClientError> {
    let state = StateDir::open(state)?;
    let directory = std::path::absolute(directory)
        .map_err(|error| ClientError::file("find", directory, error))?;
    let entries = match wait(call(&state, &Command::Export { directory: directory.clone() }))? {
        Some(Answer::Exported { entries }) => entries,
        Some(other) => return Ok(unexpected(other)),
        None => {
            let _lock = state.lock()?;
            read_population(&state)?.export(&directory)?
        }
    };
    let text = format!("{entries} entries are in {}", directory.display());
    Ok(Output::new(json!({ "entries": entries, "directory": directory }), text))
}

fn text(report: &LedgerReport) -> String {
    let number = |value: Option<f64>| value.map_or("not set".to_owned(), |v| v.to_string());
    let mut lines = vec![format!(
        "{} (unit {}, {}): charged epsilon {:.6} at delta {}, lifetime cap {}, filter of order {}",
        report.population,
        report.unit,
        report.relation,
        report.spent,
        number(report.delta),
        number(report.cap),
        number(report.order),
    )];
    lines.extend(report.stopped.as_ref().map(|reason| format!("stopped: {reason}")));
    let caps = report.caps.iter().skip(1);
    lines.extend(
        caps.map(|cap| {
            format!("cap changed to {} at {} ms: {}", cap.epsilon, cap.at_ms, cap.reason)
        }),
    );
    lines.extend(report.consortia.iter().map(consortium_text));
    lines.extend(report.runs.iter().map(run_text));
    lines.extend(report.charges.iter().map(|charge| {
        format!(
            "leaf {}  consortium {}  run {}  round {}  rdp {:.6}  {}",
            charge.reservation,
            short(&charge.consortium),
            charge.run,
            charge.round,
            charge.rdp,
            charge.standing
        )
    }));
    lines.join("\n")
}

fn consortium_text(of: &ConsortiumReport) -> String {
    format!(
        "consortium {} as {}: {} rounds charged, rdp {:.6}; alone epsilon {:.6}",
        of.consortium, of.institution, of.charged, of.rdp, of.spent_alone
    )
}

/// Enough of a digest to tell a bank's consortia apart.
fn short(hex: &str) -> String {
    hex.chars().take(12).collect()
}

fn run_text(run: &RunReport) -> String {
    let binding = match run.binding.as_str() {
        "lifetime" => format!(
            "the lifetime binds: it admits {} of the {} rounds to come",
            run.lifetime_admits,
            run.rounds.saturating_sub(run.charged)
        ),
        _ => "the run's cap binds".to_owned(),
    };
    format!(
        "run {} in {}: {} of {} rounds charged; whole, epsilon {:.6} of at most {} at delta {}; {binding}",
        run.run,
        short(&run.consortium),
        run.charged,
        run.rounds,
        run.epsilon,
        run.epsilon_max,
        run.delta
    )
}
