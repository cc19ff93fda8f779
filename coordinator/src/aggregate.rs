//! The sum of a round and the model that follows, on a thread of their own.
//!
//! Accepted vectors are added as they come into one vector of i64, so memory is that of a few models
//! whatever the number of banks. Integers make the sum exact and independent of the order, so what
//! recovery computes again from the blobs has the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

use ledger::digest::Digest;
use ledger::log_store::{BlobStore, SmallBlob};
use ledger::record::{Institution, RunId};
use round::Plan;
use round::decide::{NewModel, Request};
use round::initialization::initial_weights;
use round::outer::{Master, Scale};
use round::state::ModelRef;

use crate::error::Error;
use crate::sequencer::{Command, Vector};

/// Work for the aggregator.
pub(crate) enum Job {
    /// Add an accepted vector to the running sum.
    Add(Vector),
    /// Compute the plan's initial model.
    Initialize { run: RunId, plan: Arc<Plan> },
    /// Close a round: the sum over `survivors`, one optimizer step, the model that follows.
    Finish {
        run: RunId,
        plan: Arc<Plan>,
        round: u32,
        survivors: BTreeMap<Institution, Digest>,
        model: ModelRef,
    },
}

/// What was computed: a request for the sequencer, and the blobs that are committed with it. Larger
/// blobs are durable already.
pub(crate) struct Computed {
    pub(crate) request: Request,
    pub(crate) blobs: Vec<SmallBlob>,
}

/// A sender of jobs.
pub(crate) struct Handle(Sender<Job>);

impl Handle {
    pub(crate) fn new(jobs: Sender<Job>) -> Self {
        Self(jobs)
    }

    pub(crate) fn send(&self, job: Job) {
        // The aggregator ends only after the sequencer, or with an error that the sequencer is told.
        let _ = self.0.send(job);
    }
}

/// The aggregator.
pub(crate) struct Aggregator<B> {
    blobs: B,
    jobs: Receiver<Job>,
    results: SyncSender<Command>,
    sum: Option<Sum>,
    /// The master state of the newest model, so that it is not read back every round.
    master: Option<(Digest, Master)>,
}

/// The running sum of one round.
struct Sum {
    run: RunId,
    round: u32,
    included: BTreeMap<Institution, Digest>,
    values: Vec<i64>,
}

impl<B: BlobStore + Sync> Aggregator<B> {
    pub(crate) fn new(blobs: B, jobs: Receiver<Job>, results: SyncSender<Command>) -> Self {
        Self { blobs, jobs, results, sum: None, master: None }
    }

    /// Works until the sequencer is gone.
    pub(crate) fn run(mut self) {
        while let Ok(job) = self.jobs.recv() {
            let computed = match job {
                Job::Add(vector) => {
                    self.add(&vector);
                    continue;
                }
                Job::Initialize { run, plan } => self.initialize(run, &plan),
                Job::Finish { run, plan, round, survivors, model } => {
                    self.finish(run, &plan, round, survivors, model)
                }
            };
            if self.results.send(Command::Computed(computed)).is_err() {
                return;
            }
        }
    }

    fn add(&mut self, vector: &Vector) {
        let Vector { run, round, institution, digest, bytes } = vector;
        let sum = match &mut self.sum {
            Some(sum) if sum.run == *run && sum.round == *round => sum,
            _ => self.sum.insert(Sum::new(*run, *round, bytes.len() / 4)),
        };
        sum.add(institution.clone(), *digest, bytes);
    }

    fn initialize(&mut self, run: RunId, plan: &Plan) -> Result<Computed, Error> {
        let text = plan.text();
        let weights = initial_weights(plan.layout(), &text.model.initialization);
        let master = Master::new(weights, &text.optimizer);
        let mut blobs = vec![];
        let [theta, digest] = self.keep([master.theta_bytes(), master.to_bytes()], &mut blobs)?;
        self.master = Some((digest, master));
        let model = NewModel { run, theta, master: digest };
        Ok(Computed { request: Request::Begin(model), blobs })
    }

    fn finish(
        &mut self,
        run: RunId,
        plan: &Plan,
        round: u32,
        survivors: BTreeMap<Institution, Digest>,
        model: ModelRef,
    ) -> Result<Computed, Error> {
        let mut master = self.master(plan, &model.master)?;
        let sum = self.sum_of(run, round, plan.contribution_dimension(), &survivors)?;
        let mut blobs = vec![];
        let bytes: Vec<u8> = sum.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        master.step(plan.encoding().gradient(&sum.values), Scale::of(plan, survivors.keys()));
        self.sum = Some(sum);
        let [aggregate, theta, digest] =
            self.keep([bytes, master.theta_bytes(), master.to_bytes()], &mut blobs)?;
        self.master = Some((digest, master));
        let model = NewModel { run, theta, master: digest };
        let survivors = survivors.into_keys().collect();
        Ok(Computed { request: Request::Close { round, survivors, aggregate, model }, blobs })
    }

    /// The sum over exactly these survivors: the running one, or all read again.
    fn sum_of(
        &mut self,
        run: RunId,
        round: u32,
        dimension: usize,
        survivors: &BTreeMap<Institution, Digest>,
    ) -> Result<Sum, Error> {
        let running = self.sum.take().filter(|sum| sum.run == run && sum.round == round);
        if let Some(sum) = running.filter(|sum| sum.included == *survivors) {
            return Ok(sum);
        }
        let mut sum = Sum::new(run, round, dimension);
        for (institution, digest) in survivors {
            let bytes = self.read(digest)?;
            sum.add(institution.clone(), *digest, &bytes);
        }
        Ok(sum)
    }

    fn master(&mut self, plan: &Plan, digest: &Digest) -> Result<Master, Error> {
        if let Some((_, master)) = self.master.take().filter(|(known, _)| known == digest) {
            return Ok(master);
        }
        let bytes = self.read(digest)?;
        Master::from_bytes(&bytes, plan.dimension(), &plan.text().optimizer)
            .map_err(|error| Error::Damaged(error.to_string()))
    }

    /// Small blobs wait for the commit; large ones are durable when this returns. They are written
    /// side by side: their fsyncs do not wait for each other.
    fn keep<const N: usize>(
        &self,
        all: [Vec<u8>; N],
        small: &mut Vec<SmallBlob>,
    ) -> Result<[Digest; N], Error> {
        let blobs = &self.blobs;
        let mut digests = [Digest::ZERO; N];
        std::thread::scope(|scope| {
            let mut writing = vec![];
            for (bytes, digest) in all.into_iter().zip(&mut digests) {
                match SmallBlob::new(bytes) {
                    Ok(blob) => {
                        *digest = *blob.digest();
                        small.push(blob);
                    }
                    Err(large) => {
                        writing.push((digest, scope.spawn(move || blobs.put(&large.bytes))));
                    }
                }
            }
            for (digest, written) in writing {
                let written = written
                    .join()
                    .map_err(|_| Error::Storage("a blob's writer ended abnormally".to_owned()))?;
                *digest = written.map_err(|error| Error::storage(&error))?;
            }
            Ok(digests)
        })
    }

    fn read(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let bytes = self.blobs.get(digest).map_err(|error| Error::storage(&error))?;
        bytes.ok_or_else(|| Error::Damaged(format!("blob {digest} is missing")))
    }
}

impl Sum {
    fn new(run: RunId, round: u32, dimension: usize) -> Self {
        Self { run, round, included: BTreeMap::new(), values: vec![0; dimension] }
    }

    fn add(&mut self, institution: Institution, digest: Digest, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<4>();
        for (sum, word) in self.values.iter_mut().zip(words) {
            *sum += i64::from(i32::from_le_bytes(*word));
        }
        self.included.insert(institution, digest);
    }
}
