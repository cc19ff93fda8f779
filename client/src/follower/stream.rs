use std::convert::Infallible;
use std::sync::Arc;

use ledger::record::{Body, Leaf};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use wire::Connection;
use wire::proto::LogUpdate;

use super::{Follows, NEWEST_CHECKPOINT, blocking, locked, proof};
use crate::backoff::Backoff;
use crate::state_dir::replace;
use crate::witness::Handed;
use crate::{ClientError, clock};

/// Follows the log for ever over one long-lived stream, and comes back by itself.
///
/// # Errors
///
/// [`ClientError::Tampered`] if the log was changed or went back; storage errors.
pub(super) async fn follow<F: Follows>(daemon: Arc<F>) -> Result<(), ClientError> {
    let follower = daemon.follower();
    let mut backoff = follower.options.backoff.clone();
    loop {
        let lost = match session(&daemon, &mut backoff).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        follower.connection.send_replace(None);
        follower.mirror().forget_waiting();
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
        *locked(&follower.trouble) = Some(lost.to_string());
        let wait = backoff.next_wait();
        warn!(error = %lost, ?wait, "the log cannot be followed; trying again");
        sleep(wait).await;
    }
}

/// One connection, from its beginning until it is lost.
async fn session<F: Follows>(
    daemon: &Arc<F>,
    backoff: &mut Backoff,
) -> Result<Infallible, ClientError> {
    let follower = daemon.follower();
    let (endpoint, tls) = {
        let joined = follower.joined();
        let tls = joined.tls(&follower.keys.tls, Arc::clone(&follower.options.clock))?;
        (joined.endpoint().to_owned(), tls)
    };
    let connection = Connection::open(&endpoint, &tls, follower.options.progress).await?;
    let size = follower.mirror().head().size;
    let mut updates = connection.follow(size).await?;
    info!(%endpoint, size, "following the log");
    // A coordinator forgets cosignatures when it stops, so each connection hands them in once.
    let mut handed_in = None;
    loop {
        let update = tokio::select! {
            update = updates.next() => update?,
            () = follower.reconnect.notified() => None,
        };
        let Some(update) = update else {
            return Err(ClientError::Update("the stream has ended".to_owned()));
        };
        let taking = Arc::clone(daemon);
        let taken = blocking(move || take(&*taking, &update, handed_in)).await;
        let Taken { advanced, cosigned } = match taken {
            Err(ClientError::Tampered(tampered)) => {
                let proved = proof::of(follower, &connection, *tampered).await;
                return Err(ClientError::Tampered(Box::new(proved)));
            }
            taken => taken?,
        };
        if let Some(cosigned) = cosigned {
            handed_in = Some(cosigned.size);
            tokio::spawn(hand_in(connection.clone(), cosigned));
        }
        if advanced {
            // Only a connection that proves something counts as a recovery.
            backoff.reset();
            *locked(&follower.trouble) = None;
            follower.connection.send_replace(Some(connection.clone()));
            daemon.wake();
        }
    }
}

/// What became of an update.
#[derive(Default)]
struct Taken {
    /// The copy advanced, or more is known of its witnesses.
    advanced: bool,
    /// What is to be handed in.
    cosigned: Option<Handed>,
}

/// Others may wait for it, this node does not.
async fn hand_in(connection: Connection, cosigned: Handed) {
    if let Err(error) = connection.cosign(cosigned.size, cosigned.line).await {
        warn!(%error, size = cosigned.size, "the cosignature was not taken");
    }
}

/// Has an update verified, and cosigns what it leads to unless that is `handed_in`.
fn take<F: Follows>(
    daemon: &F,
    update: &LogUpdate,
    handed_in: Option<u64>,
) -> Result<Taken, ClientError> {
    let follower = daemon.follower();
    let received = Instant::now();
    let checkpoint = std::str::from_utf8(&update.checkpoint)
        .map_err(|error| ClientError::Update(error.to_string()))?;
    let leaves = update.leaves.iter().map(|leaf| leaf.to_vec());
    // The locks are taken in one order everywhere: the copy of the log, then what else there is.
    let mut mirror = follower.mirror();
    // Otherwise the leaves before these wait since an earlier update.
    let whole = update.first == mirror.head().size;
    let advanced = mirror.take(leaves, Some(checkpoint).filter(|text| !text.is_empty()))?;
    for note in &update.cosigned {
        let note =
            std::str::from_utf8(note).map_err(|error| ClientError::Update(error.to_string()))?;
        mirror.witness(note)?;
    }
    if !advanced {
        return Ok(Taken { advanced: !update.cosigned.is_empty(), cosigned: None });
    }
    // Contributions come in one by one and end with a Closed: nobody waits for their cosignatures.
    let only_accepted =
        whole && !update.leaves.is_empty() && update.leaves.iter().all(|leaf| is_accepted(leaf));
    let cosigned = if only_accepted || handed_in == Some(mirror.head().size) {
        None
    } else {
        locked(&follower.witness).cosign(&mirror, &follower.keys.cosign, clock::now())?
    };
    if let Some(kept) = mirror.checkpoint() {
        replace(&follower.state.path(NEWEST_CHECKPOINT), kept.text().as_bytes())?;
    }
    daemon.took(update, &mirror, received)?;
    Ok(Taken { advanced: true, cosigned })
}

/// Whether a verified leaf is a contribution.
fn is_accepted(leaf: &[u8]) -> bool {
    Leaf::decode(leaf).is_ok_and(|leaf: Leaf| matches!(leaf.body(), Body::Accepted(_)))
}
