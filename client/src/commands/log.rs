use std::sync::Arc;

use ledger::memory::MemoryLog;
use tokio::time::timeout;
use wire::Connection;
use wire::tls::system_clock;

use crate::ClientError;
use crate::joined::Joined;
use crate::keys::Keys;
use crate::mirror::Mirror;
use crate::state_dir::{StateDir, read_text};

/// The log as it is now, fetched and verified from Genesis by this command itself.
pub(super) struct VerifiedLog {
    pub(super) joined: Joined,
    pub(super) keys: Keys,
    pub(super) mirror: Mirror<MemoryLog>,
    pub(super) connection: Connection,
    /// The checkpoint that was verified, with the cosignatures that came with it.
    pub(super) note: String,
}

impl VerifiedLog {
    /// Fetches and verifies the log. It must extend what the daemon has verified.
    pub(super) async fn fetch(state: &StateDir) -> Result<Self, ClientError> {
        let joined = Joined::load(state)?;
        let keys = Keys::load_or_create(state)?;
        let tls = joined.tls(&keys.tls, system_clock())?;
        let progress = wire::limits::PROGRESS_TIMEOUT;
        let connection = Connection::open(joined.endpoint(), &tls, progress).await?;
        let (institution, key) = (joined.institution().clone(), keys.record.public());
        let mut mirror = Mirror::open(MemoryLog::default(), joined.log(), institution, key)?;
        let mut updates = connection.follow(0).await?;
        let mut cosigned = Vec::new();
        let note = loop {
            let update = timeout(progress, updates.next()).await;
            let update = update.map_err(|_| wire::Error::Stalled(progress))??;
            let update =
                update.ok_or_else(|| ClientError::Update("the stream has ended".to_owned()))?;
            let checkpoint = std::str::from_utf8(&update.checkpoint)
                .map_err(|error| ClientError::Update(error.to_string()))?;
            let leaves = update.leaves.iter().map(|leaf| leaf.to_vec());
            cosigned.extend_from_slice(&update.cosigned);
            if mirror.take(leaves, Some(checkpoint).filter(|text| !text.is_empty()))? {
                break checkpoint.to_owned();
            }
        };
        let note = with_cosignatures(&mirror, &cosigned).unwrap_or(note);
        if let Some(text) = read_text(&state.path(crate::follower::NEWEST_CHECKPOINT))? {
            let earlier = mirror.keys().open(&text).map_err(|error| {
                let path = state.path(crate::follower::NEWEST_CHECKPOINT);
                ClientError::Damaged { path, why: error.to_string() }
            })?;
            mirror.check_extends(&earlier)?;
        }
        Ok(Self {
            joined,
            keys: Keys { record: Arc::clone(&keys.record), ..keys },
            mirror,
            connection,
            note,
        })
    }
}

/// The note among `cosigned` that signs the very head of the copy.
fn with_cosignatures<T: AsRef<[u8]>>(mirror: &Mirror<MemoryLog>, cosigned: &[T]) -> Option<String> {
    let texts = cosigned.iter().filter_map(|note| std::str::from_utf8(note.as_ref()).ok());
    let is_head = |text: &&str| {
        mirror.keys().open(text).is_ok_and(|checkpoint| checkpoint.head() == mirror.head())
    };
    texts.into_iter().find(is_head).map(str::to_owned)
}
