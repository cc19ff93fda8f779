use thiserror::Error;

/// Why a learner did not answer.
#[derive(Debug, Error)]
pub enum LearnerError {
    /// The plan asks for what this learner cannot do. Public: it is found before a row is read.
    #[error("the learner cannot be built: {0}")]
    Unsupported(String),
    /// The meta-initialization does not fit the model. Public: it is found before a row is read.
    #[error("expected a meta-initialization of {expected} weights, got {got}")]
    WeightCount {
        /// What the model has.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// The meta-initialization is not finite. Public: it is found before a row is read.
    #[error("expected finite weights, weight {index} is not")]
    WeightNotFinite {
        /// The first that is not.
        index: usize,
    },
    /// Features and labels do not belong together.
    #[error("expected {rows} rows of {columns} features, got {values} values")]
    Shape {
        /// How many labels came.
        rows: usize,
        /// How many features a row has.
        columns: usize,
        /// How many feature values came.
        values: usize,
    },
    /// The examples are not as wide as the model's input.
    #[error("expected examples of {expected} features, got {got}")]
    Columns {
        /// The model's inputs.
        expected: usize,
        /// The width of the examples.
        got: usize,
    },
    /// A label is not one of the classes.
    #[error("expected a class from 0 to {largest} as label")]
    Label {
        /// The last class.
        largest: usize,
    },
    /// The result is not finite: the inner loop diverged, or a feature or label is not finite.
    #[error("the result is not finite")]
    NotFinite,
    /// An operation has no gradient. A missing gradient is never read as zero.
    #[error("the gradient of layer {layer} is missing")]
    MissingGradient {
        /// The layer, counted from the input.
        layer: usize,
    },
    /// The tensor library refused an operation.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}
