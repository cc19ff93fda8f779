use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use ledger::population::{Interrupted, Released, Reservation, ReserveOutcome};
use ledger::receipt::Receipt;
use ledger::record::RunId;
use privacy::PrivacyEvent;
use round::plan::Send;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};
use wire::Connection;

use super::admission::{Admitted, admit};
use super::agenda::{Duty, GivenUp, next_duty};
use super::schedule::slot_end;
use super::{Node, blocking, locked};
use crate::mirror::{OpenRound, OwnAccepted};
use crate::release::{Noised, Parcel, fresh_randomness, send};
use crate::{ClientError, clock, receipts};

/// How often an idle node looks at a ledger that others write to.
const LOOK_AT_LEDGER: Duration = Duration::from_secs(2);

/// Does what there is to do, one duty after the other, for ever.
///
/// # Errors
///
/// [`ClientError`] if the bank's own ledger cannot go on.
pub(super) async fn work(node: Arc<Node>) -> Result<(), ClientError> {
    let mut given_up = GivenUp::new();
    let mut backoff = node.follower.options.backoff.clone();
    let mut due = node.due.subscribe();
    loop {
        due.mark_unchanged();
        // The locks are taken in one order everywhere: the copy of the log, then the ledger.
        // Another node may hold the ledger: that is waited for here, with nothing else in hand. What it writes after this is
        // found when the duty is decided on.
        let looking = Arc::clone(&node);
        let fresh = blocking(move || looking.fresh_population().map(|_| ())).await;
        let duty = fresh.map(|()| {
            let mirror = node.mirror();
            next_duty(mirror.facts(), &node.population().ledger, &given_up)
        });
        let (round, done) = match duty {
            Ok(Some(duty)) => (Some(round_of(&duty)), perform(&node, duty).await),
            Ok(None) => {
                if !idle(&node, &mut due).await {
                    return Ok(());
                }
                continue;
            }
            Err(error) => (None, Err(error)),
        };
        match done {
            Ok(()) => {
                backoff.reset();
                locked(&node.trouble).working = None;
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) if may_pass(&error) => {
                locked(&node.trouble).working = Some(error.to_string());
                let wait = backoff.next_wait();
                warn!(%error, ?wait, "trying again");
                tokio::select! {
                    () = sleep(wait) => {}
                    _ = due.changed() => {}
                }
            }
            Err(error) => {
                let Some(round) = round else { return Err(error) };
                tell(&error, round);
                locked(&node.trouble).working = Some(error.to_string());
                given_up.insert(round);
            }
        }
    }
}

/// Waits until something may have become due; false at the end. Nobody says so where another node has resumed or given back.
async fn idle(node: &Node, due: &mut watch::Receiver<u64>) -> bool {
    if node.policy.population.ledger.is_none() {
        return due.changed().await.is_ok();
    }
    tokio::select! {
        changed = due.changed() => changed.is_ok(),
        () = sleep(LOOK_AT_LEDGER) => true,
    }
}

/// Logs are collected and sent on. What speaks of rows is told on the node's own socket alone.
fn tell(error: &ClientError, (run, round): (RunId, u32)) {
    let why: &dyn Display = if error.speaks_of_rows() {
        &"its rows do not fit the plan, `status` says why"
    } else {
        error
    };
    error!(error = %why, %run, round, "the bank takes no part in this round");
}

fn round_of(duty: &Duty) -> (RunId, u32) {
    match duty {
        Duty::Acknowledge { released, .. } => {
            let request = released.request();
            (request.run, request.round)
        }
        Duty::Send { round, .. } | Duty::Recompute { round, .. } | Duty::Enter { round } => {
            (round.run, round.number)
        }
    }
}

async fn perform(node: &Arc<Node>, duty: Duty) -> Result<(), ClientError> {
    match duty {
        Duty::Acknowledge { released, accepted } => from_copy(node, released, accepted).await,
        Duty::Send { released, round } => deliver(node, released, &round).await,
        Duty::Recompute { interrupted, round } => {
            let connection = connected(node).await?;
            let admitted = admit(node, &connection, &round).await?;
            let charging = Arc::clone(node);
            let reservation = blocking(move || again(&charging, &interrupted)).await?;
            compute(node, reservation, admitted).await
        }
        Duty::Enter { round } => {
            let connection = connected(node).await?;
            let admitted = admit(node, &connection, &round).await?;
            let (charging, charged) = (Arc::clone(node), round.clone());
            match blocking(move || charge(&charging, &charged)).await? {
                // Crash here: charged, nothing computed; the next start computes.
                ReserveOutcome::Compute(reservation) => compute(node, reservation, admitted).await,
                // The next duty sees to what was begun before.
                ReserveOutcome::Interrupted(_) | ReserveOutcome::Released(_) => Ok(()),
            }
        }
    }
}

/// Charges the round, durably.
fn charge(node: &Node, round: &OpenRound) -> Result<ReserveOutcome, ClientError> {
    let mut population = node.population();
    let rounds = u64::from(round.plan.text().rounds);
    let expected = PrivacyEvent { count: rounds, ..round.plan.event() };
    population.keep_cap(&node.policy.population, Some(&expected), clock::now())?;
    let per_run = node.policy.allow.epsilon_per_run_max;
    let per_run = per_run.ok_or_else(|| ClientError::Budget("no cap on a run".to_owned()))?;
    let request = population.request(round, per_run)?;
    let charged = population.ledger.reserve(clock::now(), request).map_err(ClientError::ledger)?;
    info!(run = %round.run, round = round.number, "charged");
    Ok(charged)
}

/// Starts the computation again under its charge.
fn again(node: &Node, interrupted: &Interrupted) -> Result<Reservation, ClientError> {
    let mut population = node.population();
    population.ledger.recompute(clock::now(), interrupted).map_err(ClientError::ledger)
}

/// Computes, makes the bytes durable and records that they may be sent. One piece of work: it comes
/// to its end even while the node is ending.
async fn compute(
    node: &Arc<Node>,
    reservation: Reservation,
    admitted: Admitted,
) -> Result<(), ClientError> {
    let node = Arc::clone(node);
    blocking(move || {
        let mut source = fresh_randomness()?;
        let Admitted { job, tasks } = admitted;
        let noised = Noised::compute(reservation, &job, &tasks, &mut source)
            .map_err(|error| ClientError::Internal(error.to_string()))?;
        let mut population = node.population();
        let super::Population { ledger, blobs } = &mut *population;
        let released = noised.keep(ledger, clock::now(), blobs).map_err(ClientError::ledger)?;
        info!(vector = %released.vector(), round = released.request().round, "released");
        // Crash from here on: the same bytes are sent.
        Ok(())
    })
    .await
}

/// Sends what was released at the plan's time, and acknowledges the receipt.
async fn deliver(
    node: &Arc<Node>,
    released: Released,
    round: &OpenRound,
) -> Result<(), ClientError> {
    let connection = connected(node).await?;
    let mut stopped = node.stopped.subscribe();
    let log = node.mirror().keys();
    let parcel = {
        let population = node.population();
        Parcel::pack(&population.ledger, &population.blobs, &released, &node.follower.keys.record)?
    };
    let sending = async {
        if let Some(at) = send_at(node, round) {
            sleep_until(at).await;
        }
        let looking = Arc::clone(node);
        blocking(move || must_be_allowed(&looking)).await?;
        send(&connection, &parcel, &log, &node.follower.keys.record).await
    };
    let receipt = tokio::select! {
        receipt = sending => receipt?,
        // A stop holds back what has not left, and breaks off what is leaving.
        _ = stopped.wait_for(|stopped| *stopped) => {
            return Err(ClientError::Stopped("told to stop".to_owned()));
        }
    };
    let node = Arc::clone(node);
    blocking(move || acknowledge(&node, &released, &receipt)).await
}

/// A stop by another node of the bank is in the ledger and nowhere else.
fn must_be_allowed(node: &Node) -> Result<(), ClientError> {
    let population = node.fresh_population()?;
    let stopped = population.ledger.state().stopped();
    stopped.map_or(Ok(()), |reason| Err(ClientError::Stopped(reason.to_string())))
}

/// The end of the slot, if the plan has slots.
fn send_at(node: &Node, round: &OpenRound) -> Option<Instant> {
    let schedule = &round.plan.text().schedule;
    match schedule.send {
        Send::Asap => None,
        Send::SlotEnd => {
            let ready = Instant::now();
            let pushed = locked(&node.pushed).get(&(round.run, round.number)).copied();
            let slot = Duration::from_millis(schedule.slot_ms);
            Some(slot_end(pushed.unwrap_or(ready), ready, slot))
        }
    }
}

/// Keeps the receipt that the verified copy of the log gives.
async fn from_copy(
    node: &Arc<Node>,
    released: Released,
    accepted: OwnAccepted,
) -> Result<(), ClientError> {
    let node = Arc::clone(node);
    blocking(move || {
        let receipt = node.mirror().receipt(accepted.index)?;
        match receipt {
            Some(receipt) => acknowledge(&node, &released, &receipt),
            None => Err(ClientError::Update("the record is not in a checkpoint yet".to_owned())),
        }
    })
    .await
}

/// Keeps a verified receipt, then records it: a receipt that is recorded is there.
fn acknowledge(node: &Node, released: &Released, receipt: &Receipt) -> Result<(), ClientError> {
    let request = released.request();
    let digest = receipts::keep(&node.follower.state, &request.run, request.round, receipt)?;
    let mut population = node.population();
    let acknowledged = population.ledger.acknowledge(clock::now(), released, receipt.index, digest);
    acknowledged.map_err(ClientError::ledger)?;
    info!(run = %request.run, round = request.round, leaf = receipt.index, "acknowledged");
    Ok(())
}

/// The connection, as soon as there is one that follows the log.
async fn connected(node: &Node) -> Result<Connection, ClientError> {
    let mut connection = node.follower.connection.subscribe();
    let current = connection.wait_for(Option::is_some).await;
    let current = current.map_err(|error| ClientError::Internal(error.to_string()))?;
    current.clone().ok_or_else(|| ClientError::Internal("no connection".to_owned()))
}

/// Errors after which the bank's own records may not be trusted until they are opened again.
const fn is_final(error: &ClientError) -> bool {
    !may_pass(error)
        && matches!(
            error,
            ClientError::Tampered(_)
                | ClientError::Ledger(_)
                | ClientError::LedgerDamaged(_)
                | ClientError::Store(_)
                | ClientError::Internal(_)
        )
}

/// Errors that the network or the coordinator may recover from.
const fn may_pass(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Wire(_)
            | ClientError::Update(_)
            | ClientError::Unproven(_)
            | ClientError::Stopped(_)
            | ClientError::Voided(_)
            | ClientError::File { .. }
            // Another node holds the ledger for longer than it should: nothing was decided.
            | ClientError::Store(store::StoreError::Locked(_))
    )
}
