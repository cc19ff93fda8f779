//! The log as it grows.

use std::sync::Arc;

use ledger::log_store::BlobStore;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::chunk;
use wire::limits::LEAVES_PER_UPDATE_MAX;
use wire::proto::LogUpdate;

use super::{Answers, Service, status_of};
use crate::sequencer::{Handle, Published, Tail};

/// How many updates wait for a slow reader; then it holds up nobody but itself.
const UPDATES_AHEAD: usize = 4;

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// Everything from leaf `size` on, and each commit as it happens.
    pub(super) fn updates(&self, size: u64) -> Result<Answers<LogUpdate>, Status> {
        let known = self.published.borrow().state.size;
        if size > known {
            return Err(Status::out_of_range(format!(
                "this log has {known} leaves, and you hold {size} of it"
            )));
        }
        let (sender, receiver) = mpsc::channel(UPDATES_AHEAD);
        let follower = Follower {
            sequencer: self.sequencer.clone(),
            tail: Arc::clone(&self.tail),
            sent: size,
        };
        tokio::spawn(follower.run(self.published.clone(), sender));
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

struct Follower {
    sequencer: Handle,
    tail: Arc<Tail>,
    sent: u64,
}

impl Follower {
    /// Sends until the reader or the coordinator goes away.
    async fn run(
        mut self,
        mut published: tokio::sync::watch::Receiver<Arc<Published>>,
        sender: mpsc::Sender<Result<LogUpdate, Status>>,
    ) {
        loop {
            let newest = Arc::clone(&published.borrow_and_update());
            match self.batch(&newest).await {
                Ok(updates) => {
                    for update in updates {
                        if sender.send(Ok(update)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(status) => {
                    let _ = sender.send(Err(status)).await;
                    return;
                }
            }
            if self.sent == newest.state.size && published.changed().await.is_err() {
                return;
            }
        }
    }

    /// The next leaves up to the newest checkpoint. Only what reaches it carries it, for a
    /// checkpoint speaks of exactly its own size.
    async fn batch(&mut self, newest: &Published) -> Result<Vec<LogUpdate>, Status> {
        let size = newest.state.size;
        let range = self.sent..size.min(self.sent + LEAVES_PER_UPDATE_MAX as u64);
        let first = range.start;
        let leaves = if let Some(leaves) = self.tail.leaves(&range) {
            leaves
        } else {
            self.sequencer.leaves(range).await.map_err(|error| status_of(&error))?
        };
        self.sent += leaves.len() as u64;
        let checkpoint =
            if self.sent == size { newest.checkpoint.to_string() } else { String::new() };
        let leaves = leaves.into_iter().map(|leaf| leaf.into_vec().into()).collect();
        Ok(chunk::updates(first, leaves, checkpoint.into()))
    }
}
