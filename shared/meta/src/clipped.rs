//! The streaming sum of clipped vectors.

use privacy::Outcome;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::{Judged, Task};
use round::metrics::Encoding;

/// How many tasks are in memory at once.
const MICRO_BATCH: usize = 256;

/// The sum of a bank's clipped vectors, metrics included, before noise. It is a statistic of private rows: it must not
/// leave the bank and implements neither `Debug` nor `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClippedSum {
    /// One integer a weight and then one a metric, in units of the grid.
    pub sum: Vec<i64>,
    /// How many tasks failed and added zero. For the bank's own eyes; never reported.
    pub failed: u64,
}

/// Σ over tasks of the vector on the grid; a task that cannot be judged adds zero.
pub(crate) fn clipped_sum(
    tasks: &mut dyn Iterator<Item = Task>,
    encoding: &Encoding,
    judge: &(dyn Fn(&Task) -> Option<Judged> + Sync),
) -> ClippedSum {
    let dimension = encoding.dimension();
    let mut total = ClippedSum::zero(dimension);
    loop {
        let batch: Vec<Task> = (&mut *tasks).take(MICRO_BATCH).collect();
        if batch.is_empty() {
            return total;
        }
        let zero = || ClippedSum::zero(dimension);
        let sum = batch
            .par_iter()
            .fold(zero, |sum, task| sum.plus(task, judge(task), encoding))
            .reduce(zero, ClippedSum::merge);
        total = total.merge(sum);
    }
}

impl ClippedSum {
    fn zero(dimension: usize) -> Self {
        Self { sum: vec![0; dimension], failed: 0 }
    }

    fn plus(mut self, task: &Task, judged: Option<Judged>, encoding: &Encoding) -> Self {
        let outcome = judged.map_or(Outcome::Zeroed, |judged| {
            // An empty query judges nothing, and so measures nothing.
            let query_loss = (!task.query.is_empty()).then_some(judged.query_loss);
            encoding.contribute(&judged.gradient, query_loss, &mut self.sum)
        });
        self.failed += u64::from(outcome == Outcome::Zeroed);
        self
    }

    fn merge(mut self, other: Self) -> Self {
        self.sum.iter_mut().zip(other.sum).for_each(|(s, x)| *s = s.wrapping_add(x));
        self.failed += other.failed;
        self
    }
}
