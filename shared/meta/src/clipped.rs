//! The streaming sum of clipped vectors.

use privacy::{Grid, Outcome};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::Task;

/// How many tasks are in memory at once.
const MICRO_BATCH: usize = 256;

/// The sum of a bank's clipped vectors, before noise. It is a statistic of private rows: it must not
/// leave the bank and implements neither `Debug` nor `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClippedSum {
    /// One integer a weight, in units of the grid.
    pub sum: Vec<i64>,
    /// How many tasks failed and added zero. For the bank's own eyes; never reported.
    pub failed: u64,
}

/// Σ over tasks of the vector on the grid; a task without a vector adds zero.
pub(crate) fn clipped_sum(
    dimension: usize,
    tasks: &mut dyn Iterator<Item = Task>,
    grid: &Grid,
    vector: &(dyn Fn(&Task) -> Option<Vec<f64>> + Sync),
) -> ClippedSum {
    let mut total = ClippedSum::zero(dimension);
    loop {
        let batch: Vec<Task> = (&mut *tasks).take(MICRO_BATCH).collect();
        if batch.is_empty() {
            return total;
        }
        let zero = || ClippedSum::zero(dimension);
        let sum = batch
            .par_iter()
            .fold(zero, |sum, task| sum.plus(vector(task), grid))
            .reduce(zero, ClippedSum::merge);
        total = total.merge(sum);
    }
}

impl ClippedSum {
    fn zero(dimension: usize) -> Self {
        Self { sum: vec![0; dimension], failed: 0 }
    }

    fn plus(mut self, vector: Option<Vec<f64>>, grid: &Grid) -> Self {
        // A vector that is missing is not finite either: it has no coordinates and adds zero.
        let outcome = grid.contribute(&vector.unwrap_or_default(), &mut self.sum);
        self.failed += u64::from(outcome == Outcome::Zeroed);
        self
    }

    fn merge(mut self, other: Self) -> Self {
        self.sum.iter_mut().zip(other.sum).for_each(|(s, x)| *s = s.wrapping_add(x));
        self.failed += other.failed;
        self
    }
}
