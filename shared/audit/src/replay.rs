//! One run, computed anew from its plan and its contributions.

use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::record::{Closed, Contribution, Model};
use round::Plan;
use round::initialization::initial_weights;
use round::metrics::Estimates;
use round::outer::{Master, Scale};

use crate::blobs::Blobs;
use crate::finding::{Finding, Kind};

/// A run as far as it was replayed. Holds one model and one sum.
///
/// Where a vector is missing, the replay goes on from the recorded sum, and where that is missing
/// too, from the recorded master state: so one missing blob leaves one step unproved.
#[derive(Debug)]
pub(crate) struct Replay {
    plan: Arc<Plan>,
    /// The model that the log's last model must be, or lead to; none if it cannot be known.
    master: Option<Master>,
    /// The sum of the open round; none if a vector of it is missing.
    sum: Option<Vec<i64>>,
    /// True if the next model follows from contributions that are all there.
    proved: bool,
}

impl Replay {
    /// A run before its initial model.
    pub(crate) fn of(plan: Arc<Plan>) -> Self {
        Self { plan, master: None, sum: None, proved: false }
    }

    /// A round begins.
    pub(crate) fn opened(&mut self) {
        self.sum = Some(vec![0; self.plan.contribution_dimension()]);
    }

    /// Adds an accepted vector, which must be what was signed and within the public bound.
    pub(crate) fn accepted(
        &mut self,
        index: u64,
        contribution: &Contribution,
        blobs: &mut Blobs<'_>,
    ) -> Result<(), Finding> {
        let name = &contribution.institution;
        let what = || format!("the vector of {name} in round {}", contribution.round);
        let place = || format!("leaf {index}, {}", what());
        let bytes_max = 4 * self.plan.contribution_dimension();
        let Some(bytes) = blobs.get(&contribution.vector, bytes_max, what)? else {
            self.sum = None;
            return Ok(());
        };
        let (chunks, rest) = bytes.as_chunks::<4>();
        if chunks.len() != self.plan.contribution_dimension() || !rest.is_empty() {
            let found = format!("{} bytes", bytes.len());
            return Err(Kind::Tampered.at(place(), format!("{bytes_max} bytes"), found));
        }
        let vector: Vec<i32> = chunks.iter().map(|chunk| i32::from_le_bytes(*chunk)).collect();
        let bound = self
            .plan
            .public_bound(name)
            .ok_or_else(|| Kind::Tampered.at(place(), "an institution of the plan", "another"))?;
        bound
            .check(&vector)
            .map_err(|error| Kind::Tampered.at(place(), "a vector within its bound", error))?;
        if let Some(sum) = &mut self.sum {
            sum.iter_mut().zip(&vector).for_each(|(sum, value)| *sum += i64::from(*value));
        }
        Ok(())
    }

    /// A round ends: the sum must be the recorded one, and the master state takes a step. What the sum
    /// says of the tasks, if the plan measures anything and the sum is there.
    pub(crate) fn closed(
        &mut self,
        index: u64,
        closed: &Closed,
        blobs: &mut Blobs<'_>,
    ) -> Result<Option<Estimates>, Finding> {
        let place = format!("leaf {index}, the sum of round {}", closed.round);
        let dimension = self.plan.contribution_dimension();
        if let Some(sum) = &self.sum {
            let bytes: Vec<u8> = sum.iter().flat_map(|value| value.to_le_bytes()).collect();
            same(&place, &sha256(&bytes), &closed.aggregate)?;
        }
        let what = || format!("the sum of round {}", closed.round);
        let recorded = blobs.get(&closed.aggregate, 8 * dimension, what)?;
        self.proved = self.sum.is_some() && self.master.is_some();
        let sum = match (self.sum.take(), recorded) {
            (Some(sum), _) => Some(sum),
            (None, Some(bytes)) => Some(parse_sum(&place, &bytes, dimension)?),
            (None, None) => None,
        };
        match (&mut self.master, &sum) {
            (Some(master), Some(sum)) => {
                let scale = Scale::of(&self.plan, &closed.survivors);
                master.step(self.plan.encoding().gradient(sum), scale);
            }
            (master, _) => *master = None,
        }
        Ok(sum.and_then(|sum| self.plan.estimates(&closed.survivors, &sum)))
    }

    /// A model is recorded, which must be the replayed one. True if it was proved to be.
    pub(crate) fn model(
        &mut self,
        index: u64,
        model: &Model,
        blobs: &mut Blobs<'_>,
    ) -> Result<bool, Finding> {
        let text = self.plan.text();
        if model.index == 0 {
            let weights = initial_weights(self.plan.layout(), &text.model.initialization);
            self.master = Some(Master::new(weights, &text.optimizer));
            self.proved = true;
        }
        let place = |what: &str| format!("leaf {index}, {what} of model {}", model.index);
        if let Some(master) = &self.master {
            same(&place("the weights"), &sha256(&master.theta_bytes()), &model.theta)?;
            same(&place("the master state"), &sha256(&master.to_bytes()), &model.master)?;
        }
        let dimension = self.plan.dimension();
        let what = |what: &str| format!("{what} of model {}", model.index);
        blobs.get(&model.theta, 4 * dimension, || what("the weights"))?;
        let bytes = blobs.get(&model.master, 24 * dimension + 16, || what("the master state"))?;
        if let (None, Some(bytes)) = (&self.master, bytes) {
            let master =
                Master::from_bytes(&bytes, dimension, &text.optimizer).map_err(|error| {
                    Kind::Tampered.at(
                        place("the master state"),
                        "a state of the plan's size",
                        error,
                    )
                })?;
            same(&place("the weights"), &sha256(&master.theta_bytes()), &model.theta)?;
            self.master = Some(master);
        }
        Ok(std::mem::take(&mut self.proved))
    }
}

fn same(place: &str, computed: &Digest, recorded: &Digest) -> Result<(), Finding> {
    if computed == recorded {
        Ok(())
    } else {
        Err(Kind::Tampered.at(place, format!("{computed} by replay"), recorded))
    }
}

fn parse_sum(place: &str, bytes: &[u8], dimension: usize) -> Result<Vec<i64>, Finding> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    if chunks.len() == dimension && rest.is_empty() {
        return Ok(chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect());
    }
    let (expected, found) = (format!("{} bytes", 8 * dimension), format!("{} bytes", bytes.len()));
    Err(Kind::Tampered.at(place, expected, found))
}
