//! The projection kept up with the log.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use audit::RoundMetrics;
use ledger::digest::Digest;
use ledger::log_store::BlobStore;
use ledger::record::{Body, Closed, Leaf, LeafBytes};
use round::Plan;
use tokio::sync::watch;

use super::{Curve, Figures, Projection};
use crate::error::Error;
use crate::run_metrics;
use crate::sequencer::{Handle, Published, Tail};

/// How many leaves are folded while readers wait.
const PAGE_LEAVES: u64 = 512;
/// The least time between two looks at the log: rounds of milliseconds are not slowed down by pages.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a projection up with what the sequencer publishes.
pub(crate) struct Updater<B> {
    pub(crate) projection: Arc<RwLock<Projection>>,
    pub(crate) sequencer: Handle,
    pub(crate) tail: Arc<Tail>,
    pub(crate) blobs: B,
}

impl<B: BlobStore + Clone + Send + Sync + 'static> Updater<B> {
    /// Follows until the sequencer ends.
    pub(crate) async fn run(self, mut published: watch::Receiver<Arc<Published>>) {
        let updater = Arc::new(self);
        loop {
            let newest = Arc::clone(&published.borrow_and_update());
            let working = Arc::clone(&updater);
            let caught_up = tokio::task::spawn_blocking(move || working.catch_up(&newest)).await;
            match caught_up {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the pages are behind the log"),
                Err(_) => return,
            }
            tokio::time::sleep(PAUSE).await;
            if published.changed().await.is_err() {
                return;
            }
        }
    }

    fn catch_up(&self, newest: &Published) -> Result<(), Error> {
        loop {
            let start = self.read(Projection::size);
            if start >= newest.state.size {
                break;
            }
            let range = start..newest.state.size.min(start + PAGE_LEAVES);
            let leaves = match self.tail.leaves(&range) {
                Some(leaves) => leaves,
                None => self.sequencer.leaves_blocking(range)?,
            };
            if leaves.is_empty() {
                return Err(Error::Damaged(format!("leaf {start} is missing")));
            }
            let folded = leaves.into_iter().map(|bytes| self.prepared(bytes, newest));
            let folded: Vec<_> = folded.collect::<Result<_, _>>()?;
            self.write(|projection| {
                for (leaf, metrics) in folded {
                    projection.fold(&leaf, &newest.state, metrics);
                }
            });
        }
        self.write(|projection| {
            projection.stand(Arc::clone(&newest.state), Arc::clone(&newest.checkpoint));
        });
        self.compute()
    }

    /// A leaf, and what its round measured: read and summed before anybody has to wait.
    fn prepared(
        &self,
        bytes: LeafBytes,
        newest: &Published,
    ) -> Result<(Leaf, Option<RoundMetrics>), Error> {
        let leaf: Leaf = Leaf::decode(bytes.into_vec())
            .map_err(|error| Error::Damaged(format!("a leaf: {error}")))?;
        let mut metrics = None;
        if let Body::Closed(closed) = leaf.body() {
            let plan = newest.state.plan_of(&closed.run);
            metrics = plan.and_then(|plan| self.metrics(plan, closed));
        }
        Ok((leaf, metrics))
    }

    /// What a closed round measured; none if its plan measures nothing or its sum cannot be read.
    fn metrics(&self, plan: &Plan, closed: &Closed) -> Option<RoundMetrics> {
        if plan.text().metrics.measures.is_empty() {
            return None;
        }
        let blob = |digest: &Digest| self.blobs.get(digest).map_err(|error| Error::storage(&error));
        run_metrics::estimated(plan, closed, blob).ok()
    }

    /// Certificates take milliseconds each: they are computed while everybody may read.
    fn compute(&self) -> Result<(), Error> {
        let (accounts, plans, before) =
            self.read(|p| (p.accounts(), p.plans(), Arc::clone(&p.figures)));
        let figures = Figures::of(&accounts, &before)
            .map_err(|finding| Error::Damaged(finding.to_string()))?;
        let mut figures = Arc::new(figures);
        self.write(|projection| projection.figures = Arc::clone(&figures));
        while let Some(plan) = figures.without_curve(&plans) {
            figures = Arc::new(figures.with_curve(&plan, Curve::of(&plan)));
            self.write(|projection| projection.figures = Arc::clone(&figures));
        }
        Ok(())
    }

    fn read<T>(&self, look: impl FnOnce(&Projection) -> T) -> T {
        look(&self.projection.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Projection)) {
        change(&mut self.projection.write().unwrap_or_else(PoisonError::into_inner));
    }
}
