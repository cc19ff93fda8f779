//! A task: the support examples that a model adapts to and the query examples that judge it.

use crate::LearnerError;

/// Labelled examples of one task.
///
/// It holds people's rows, so it implements neither `Debug` nor `Serialize`.
#[derive(Clone, Default, PartialEq)]
pub struct Examples {
    columns: usize,
    features: Vec<f32>,
    labels: Vec<f32>,
}

impl Examples {
    /// Examples of `columns` features each; `features` is row-major, one row a label.
    ///
    /// # Errors
    ///
    /// [`LearnerError::Shape`] if `features` does not hold `columns` values for each label.
    pub fn new(columns: usize, features: Vec<f32>, labels: Vec<f32>) -> Result<Self, LearnerError> {
        if Some(features.len()) != columns.checked_mul(labels.len()) {
            let (rows, values) = (labels.len(), features.len());
            return Err(LearnerError::Shape { rows, columns, values });
        }
        Ok(Self { columns, features, labels })
    }

    /// No example, of the given width.
    pub fn none(columns: usize) -> Self {
        Self { columns, features: Vec::new(), labels: Vec::new() }
    }

    /// How many features an example has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All features, row-major.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// The label of each example: a class as a whole number from 0, or the value of a regression.
    pub fn labels(&self) -> &[f32] {
        &self.labels
    }

    /// Each example: its features and its label.
    pub fn iter(&self) -> impl Iterator<Item = (&[f32], f32)> {
        // A width of zero is refused by every learner; `max` only keeps the chunk size legal.
        self.features.chunks_exact(self.columns.max(1)).zip(self.labels.iter().copied())
    }
}

/// What names a task for its bank, for ever: a keyed hash, never a position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey(pub [u8; 32]);

/// One meta-learning task.
///
/// It holds people's rows, so it implements neither `Debug` nor `Serialize`.
#[derive(Clone, PartialEq)]
pub struct Task {
    /// Its name.
    pub key: TaskKey,
    /// What the model adapts to. May be empty: the inner loop then changes nothing.
    pub support: Examples,
    /// What judges the adapted model. May be empty: the meta-gradient is then zero.
    pub query: Examples,
}
