//! What convicts the log's key, when it signed a longer history that is not the copy's.

use std::time::Duration;

use ledger::checkpoint::{Contradiction, SignedCheckpoint};
use ledger::digest::Digest;
use ledger::tree::{LeafHashes, leaf_hash};
use tokio::time::timeout;
use tracing::{info, warn};
use wire::Connection;

use super::Follower;
use crate::ClientError;
use crate::mirror::Tampered;

/// How long the other history may take to come.
const PATIENCE: Duration = Duration::from_mins(2);
/// The most leaves that it may have.
const LEAVES_MAX: u64 = 10_000_000;

/// The same finding, with a file that convicts if one can be made.
///
/// The copy shows what was under a head that is not longer than it. Of a longer one it takes the other history's own leaves, which whoever
/// shows it also sends from the beginning; if they do not come, the two heads stay in the finding and prove what they prove.
pub(super) async fn of(
    follower: &Follower,
    connection: &Connection,
    tampered: Tampered,
) -> Tampered {
    let other = tampered.unproved().and_then(|text| follower.mirror().keys().open(text).ok());
    let Some(other) = other else { return tampered };
    match timeout(PATIENCE, ask(follower, connection, &other)).await {
        Ok(Ok(Some(contradiction))) => {
            info!("the log's key is convicted by its own other history");
            tampered.proved_by(Some(contradiction))
        }
        Ok(Ok(None)) => tampered,
        Ok(Err(error)) => {
            warn!(%error, "the other history was not shown: the two heads are all that there is");
            tampered
        }
        Err(_) => {
            warn!("the other history did not come in time: the two heads are all that there is");
            tampered
        }
    }
}

async fn ask(
    follower: &Follower,
    connection: &Connection,
    other: &SignedCheckpoint,
) -> Result<Option<Contradiction>, ClientError> {
    let size = other.head().size;
    if size > LEAVES_MAX {
        return Err(ClientError::Update(format!("a history of {size} records")));
    }
    let mut leaves: Vec<Digest> = Vec::new();
    let mut updates = connection.follow(0).await?;
    while u64::try_from(leaves.len()).unwrap_or(u64::MAX) < size {
        let update = updates.next().await?;
        let update =
            update.ok_or_else(|| ClientError::Update("the stream has ended".to_owned()))?;
        leaves.extend(update.leaves.iter().map(|leaf| leaf_hash(leaf)));
    }
    Ok(follower.mirror().convicting(other, &LeafHashes(&leaves)))
}
