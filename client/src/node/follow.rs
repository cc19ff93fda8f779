use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use wire::Connection;
use wire::proto::LogUpdate;

use super::{NEWEST_CHECKPOINT, Node, blocking, confirm, locked};
use crate::ClientError;
use crate::state_dir::replace;

/// Follows the log for ever over one long-lived stream, and comes back by itself.
///
/// # Errors
///
/// [`ClientError::Tampered`] if the log was changed or went back; storage errors.
pub(super) async fn follow(node: Arc<Node>) -> Result<(), ClientError> {
    let mut backoff = node.options.backoff.clone();
    loop {
        let lost = match session(&node, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        node.connection.send_replace(None);
        node.mirror().forget_waiting();
        let ours = matches!(
            lost,
            ClientError::Tampered(_)
                | ClientError::Internal(_)
                | ClientError::Store(_)
                | ClientError::File { .. }
        );
        if ours {
            return Err(lost);
        }
        locked(&node.trouble).following = Some(lost.to_string());
        let wait = backoff.next_wait();
        warn!(error = %lost, ?wait, "the log cannot be followed; trying again");
        sleep(wait).await;
    }
}

/// One connection, from its beginning until it is lost.
async fn session(
    node: &Arc<Node>,
    backoff: &mut crate::backoff::Backoff,
) -> Result<Infallible, ClientError> {
    let (endpoint, tls) = {
        let joined = node.joined();
        let tls = joined.tls(&node.keys.tls, Arc::clone(&node.options.clock))?;
        (joined.endpoint().to_owned(), tls)
    };
    let connection = Connection::open(&endpoint, &tls, node.options.progress).await?;
    let size = node.mirror().head().size;
    let mut updates = connection.follow(size).await?;
    info!(%endpoint, size, "following the log");
    loop {
        let update = tokio::select! {
            update = updates.next() => update?,
            () = node.reconnect.notified() => None,
        };
        let Some(update) = update else {
            return Err(ClientError::Update("the stream has ended".to_owned()));
        };
        let taking = Arc::clone(node);
        let advanced = blocking(move || take(&taking, &update)).await?;
        if advanced {
            // Only a connection that proves something counts as a recovery.
            backoff.reset();
            locked(&node.trouble).following = None;
            node.connection.send_replace(Some(connection.clone()));
            node.wake();
        }
    }
}

/// Has an update verified. Says whether the copy advanced.
fn take(node: &Node, update: &LogUpdate) -> Result<bool, ClientError> {
    let received = Instant::now();
    let checkpoint = std::str::from_utf8(&update.checkpoint)
        .map_err(|error| ClientError::Update(error.to_string()))?;
    let leaves = update.leaves.iter().map(|leaf| leaf.to_vec());
    // The locks are taken in one order everywhere: the copy of the log, then the ledger.
    let mut mirror = node.mirror();
    let advanced = mirror.take(leaves, Some(checkpoint).filter(|text| !text.is_empty()))?;
    if !advanced {
        return Ok(false);
    }
    if let Some(kept) = mirror.checkpoint() {
        replace(&node.state.path(NEWEST_CHECKPOINT), kept.text().as_bytes())?;
    }
    let mut pushed = locked(&node.pushed);
    match mirror.facts().open_round() {
        Some(round) => {
            let key = (round.run, round.number);
            pushed.retain(|known, _| *known == key);
            pushed.entry(key).or_insert(received);
        }
        None => pushed.clear(),
    }
    drop(pushed);
    if update.leaves.is_empty() {
        return Ok(true);
    }
    // What the log has of us must be what our ledger has released: else the ledger went back, or
    // somebody else signs with our key.
    let population = node.population();
    confirm(&population, &mirror).map(|_| true)
}
