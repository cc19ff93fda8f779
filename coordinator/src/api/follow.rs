//! The log as it grows.

use std::sync::Arc;

use ledger::log_store::BlobStore;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::chunk;
use wire::limits::LEAVES_PER_UPDATE_MAX;
use wire::proto::LogUpdate;

use super::{Answers, Service, status_of};
use crate::sequencer::{Handle, Published, Tail};
use crate::witnesses::Witnesses;

/// How many updates wait for a slow reader; then it holds up nobody but itself.
const UPDATES_AHEAD: usize = 4;

impl<B: BlobStore + Clone + Send + Sync + 'static> Service<B> {
    /// Everything from leaf `size` on, each commit as it happens, and the cosignatures that a round waits for. Who holds more than this
    /// log has is sent its signed checkpoint: whether that is proof of a log that went back, the caller judges.
    pub(super) fn updates(&self, size: u64) -> Answers<LogUpdate> {
        let (sender, receiver) = mpsc::channel(UPDATES_AHEAD);
        let follower = Follower {
            sequencer: self.sequencer.clone(),
            tail: Arc::clone(&self.tail),
            witnesses: Arc::clone(&self.witnesses),
            sent: size,
        };
        tokio::spawn(follower.run(self.published.clone(), sender));
        Box::pin(ReceiverStream::new(receiver))
    }
}

struct Follower {
    sequencer: Handle,
    tail: Arc<Tail>,
    witnesses: Arc<Witnesses>,
    sent: u64,
}

impl Follower {
    /// Sends until the reader or the coordinator goes away.
    async fn run(
        mut self,
        mut published: watch::Receiver<Arc<Published>>,
        sender: mpsc::Sender<Result<LogUpdate, Status>>,
    ) {
        let mut cosigned = self.witnesses.cosigned();
        cosigned.mark_changed();
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
            if self.sent < newest.state.size {
                continue;
            }
            loop {
                tokio::select! {
                    biased;
                    changed = published.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    changed = cosigned.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let notes = Arc::clone(&cosigned.borrow_and_update());
                        if !notes.is_empty() && sender.send(Ok(self.cosigned(&notes))).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Cosigned checkpoints. They are of checkpoints that were published before they were cosigned, so of no more leaves than were sent.
    fn cosigned(&self, notes: &[Arc<str>]) -> LogUpdate {
        let cosigned = notes.iter().map(|note| note.as_bytes().to_vec().into()).collect();
        LogUpdate { first: self.sent, cosigned, ..LogUpdate::default() }
    }

    /// The next leaves up to the newest checkpoint. Only what reaches it carries it, for a
    /// checkpoint speaks of exactly its own size.
    async fn batch(&mut self, newest: &Published) -> Result<Vec<LogUpdate>, Status> {
        let size = newest.state.size;
        if self.sent > size {
            let checkpoint = newest.checkpoint.to_string();
            return Ok(chunk::updates(self.sent, vec![], checkpoint.into()));
        }
        let range = self.sent..size.min(self.sent + LEAVES_PER_UPDATE_MAX as u64);
        let first = range.start;
        let leaves = if let Some(leaves) = self.tail.leaves(&range) {
            leaves
        } else {
            self.sequencer.leaves(range).await.map_err(|error| status_of(&error))?
        };
        self.sent += leaves.len() as u64;
        let checkpoint = if self.sent == size {
            self.witnesses.sent(&newest.state, &newest.checkpoint);
            newest.checkpoint.to_string()
        } else {
            String::new()
        };
        let leaves = leaves.into_iter().map(|leaf| leaf.into_vec().into()).collect();
        Ok(chunk::updates(first, leaves, checkpoint.into()))
    }
}
