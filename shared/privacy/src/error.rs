/// Why a privacy figure was refused. Every variant is a fact about public parameters, never about rows.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PrivacyError {
    /// A number is not a value of its quantity.
    #[error("{quantity} must be {expected}, not {value}")]
    OutOfRange {
        /// The quantity's name.
        quantity: &'static str,
        /// The values that are allowed.
        expected: &'static str,
        /// The value that came.
        value: f64,
    },
    /// A word is not a name of the notion.
    #[error("{notion} must be one of {expected}")]
    UnknownName {
        /// The notion, for example a unit relation.
        notion: &'static str,
        /// The names that are allowed.
        expected: &'static str,
    },
    /// δ is too large for the declared number of units.
    #[error("delta must be at most {limit} for {units} declared units, not {delta}")]
    DeltaTooLarge {
        /// The δ that came.
        delta: f64,
        /// The declared number of units.
        units: u64,
        /// The largest δ allowed, 1/(10 × units).
        limit: f64,
    },
    /// No value of the parameter that is searched reaches the target.
    #[error("no value in the range searched reaches epsilon {target} at delta {delta}")]
    Unattainable {
        /// The ε that was asked for.
        target: f64,
        /// The δ that was asked for.
        delta: f64,
    },
    /// The cap leaves nothing to spend at this order.
    #[error("a cap of epsilon {epsilon} at delta {delta} leaves no budget at order {order}")]
    NoBudget {
        /// The cap.
        epsilon: f64,
        /// Its δ.
        delta: f64,
        /// The order of the filter.
        order: f64,
    },
    /// A cost or a figure came out non-finite, so nothing can be promised.
    #[error("the {figure} is not a finite number, so it cannot be charged")]
    NotFinite {
        /// What was being computed.
        figure: &'static str,
    },
    /// A δ is below what can be certified.
    #[error("delta {delta} is below what can be certified for these events")]
    DeltaTooSmall {
        /// The δ that was asked for.
        delta: f64,
    },
    /// A privacy loss would need more points than are allowed.
    #[error("the privacy loss needs a finer mesh than fits in memory")]
    TooFine,
    /// A lower bound came out above an upper one: a fault of the program, so neither is given.
    #[error("the bounds of the privacy loss contradict one another: please report these events")]
    Contradiction,
    /// No pair of distributions is proved to dominate the event.
    #[error("no bound is proved for {event}, so it cannot be charged")]
    NotProved {
        /// The event.
        event: &'static str,
    },
    /// A plan's contributions would not fit in 32-bit integers.
    #[error(
        "contributions up to {largest} do not fit below {limit}: fewer tasks, fewer grid bits or less noise"
    )]
    DoesNotFit {
        /// The largest absolute coordinate, in grid units.
        largest: u64,
        /// The first value that does not fit, 2³¹.
        limit: u64,
    },
}
