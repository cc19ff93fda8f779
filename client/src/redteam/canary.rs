//! Tasks of nobody, whose meta-gradients an attacker chooses.

use meta::{Examples, Judged, LearnerError, MetaLearner, Predictor, Task};

/// How much longer than the clipping norm a canary's gradient is.
const EXCESS: f64 = 1e6;
/// Direction, index and sign: what a canary's one row holds.
pub(super) const COLUMNS: usize = 3;

/// Where a canary's gradient points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Nowhere: a task that adds nothing.
    Nowhere,
    /// Along one coordinate.
    Axis(u32),
    /// Along one row of the Hadamard matrix: every coordinate ±1. The rows are orthogonal.
    Dense(u32),
}

/// A task of nobody: its gradient is 10⁶ clipping norms long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Where it points.
    pub direction: Direction,
    /// Whether it points the other way.
    pub negative: bool,
}

impl Canary {
    /// A canary along a coordinate.
    pub const fn axis(index: u32) -> Self {
        Self { direction: Direction::Axis(index), negative: false }
    }

    /// The gradient in `dimension` coordinates, before it is clipped to `clip`.
    pub fn gradient(&self, dimension: usize, clip: f64) -> Vec<f64> {
        let length = if self.negative { -EXCESS * clip } else { EXCESS * clip };
        let mut gradient = vec![0.0; dimension];
        match self.direction {
            Direction::Nowhere => {}
            Direction::Axis(index) => {
                let place = usize::try_from(index).ok();
                if let Some(coordinate) = place.and_then(|place| gradient.get_mut(place)) {
                    *coordinate = length;
                }
            }
            Direction::Dense(row) => {
                for (column, coordinate) in (0_u32..).zip(&mut gradient) {
                    let odd = (row & column).count_ones() % 2 == 1;
                    *coordinate = if odd { -length } else { length };
                }
            }
        }
        gradient
    }

    pub(super) fn row(&self) -> [f32; COLUMNS] {
        let (kind, index) = match self.direction {
            Direction::Nowhere => (0.0, 0),
            Direction::Axis(index) => (1.0, index),
            Direction::Dense(row) => (2.0, row),
        };
        #[expect(clippy::cast_precision_loss, reason = "an index below 2^24")]
        let index = index as f32;
        [kind, index, if self.negative { -1.0 } else { 1.0 }]
    }

    fn of_row(row: &[f32]) -> Option<Self> {
        let &[kind, index, sign] = row else { return None };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number below 2^24"
        )]
        let index = index as u32;
        let direction = match kind {
            1.0 => Direction::Axis(index),
            2.0 => Direction::Dense(index),
            _ => Direction::Nowhere,
        };
        Some(Self { direction, negative: sign < 0.0 })
    }
}

/// A learner whose meta-gradient is what the task's one row says.
pub(super) struct CanaryLearner {
    pub(super) dimension: usize,
    pub(super) clip: f64,
}

impl MetaLearner for CanaryLearner {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn features(&self) -> usize {
        COLUMNS
    }

    fn check_theta(&self, _: &[f32]) -> Result<(), LearnerError> {
        Ok(())
    }

    fn judge(&self, _: &[f32], task: &Task, _: bool) -> Result<Judged, LearnerError> {
        let canary = task.query.iter().next().and_then(|(row, _)| Canary::of_row(row));
        let canary = canary.unwrap_or(Canary { direction: Direction::Nowhere, negative: false });
        Ok(Judged { gradient: canary.gradient(self.dimension, self.clip), query_loss: 0.0 })
    }

    fn adapt(&self, _: &[f32], _: &Examples, _: u32) -> Result<Predictor, LearnerError> {
        Err(LearnerError::Unsupported("a canary is nothing to adapt to".to_owned()))
    }
}
