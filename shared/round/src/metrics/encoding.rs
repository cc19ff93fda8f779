//! How one task becomes one vector.

use std::borrow::Cow;

use privacy::{Grid, Outcome};

use crate::plan::{Measure, MetricsSpec};

/// How one task becomes one vector on the grid: its meta-gradient, clipped, and then its metrics.
///
/// With a share s of the clipping norm C for G measures, the gradient is clipped to C·√(1 − s²) and
/// each measure has a norm of at most s·C/√G, so the whole has at most C. That is arithmetic on
/// floating point and only keeps the measures exact: what bounds a task is the grid's own check of all
/// the integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    grid: Grid,
    parameters: usize,
    metrics: MetricsSpec,
    gradient_clip: f64,
    steps: f64,
}

impl Encoding {
    /// The encoding of a model with `parameters` weights and these metrics.
    ///
    /// ```
    /// use privacy::{ClipNorm, Grid};
    /// use round::metrics::Encoding;
    /// use round::plan::{Measure, MetricsSpec};
    /// let grid = Grid::new(ClipNorm::new(0.5)?, 16)?;
    /// let metrics = MetricsSpec { share: 0.6, measures: vec![Measure::QueryLoss { max: 2.0 }] };
    /// let encoding = Encoding::new(grid, 2, metrics);
    /// let mut sum = vec![0; encoding.dimension()];
    /// // The gradient is clipped to 0.8 of the norm; half the largest loss is half of the other 0.6.
    /// encoding.contribute(&[3.0, 0.0], Some(1.0), &mut sum);
    /// assert_eq!(sum, [52_428, 0, 19_661]);
    /// # Ok::<(), privacy::PrivacyError>(())
    /// ```
    pub fn new(grid: Grid, parameters: usize, metrics: MetricsSpec) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a plan has three measures at most")]
        let parts = metrics.measures.len().max(1) as f64;
        // Half a step is left for rounding to the nearest.
        let steps = libm::floor(metrics.share * grid.radius() / libm::sqrt(parts) - 0.5).max(0.0);
        let gradient_clip = grid.clip().get() * metrics.gradient_share();
        Self { grid, parameters, metrics, gradient_clip, steps }
    }

    /// The encoding of gradients alone.
    pub fn of_gradients(grid: Grid, parameters: usize) -> Self {
        Self::new(grid, parameters, MetricsSpec { share: 0.0, measures: vec![] })
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The number of weights of the model.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The length of a contribution: the model's weights, none in a pilot, and then the metrics.
    pub fn dimension(&self) -> usize {
        self.metrics.contribution_dimension(self.parameters)
    }

    /// The norm that a task's meta-gradient is clipped to.
    pub fn gradient_clip(&self) -> f64 {
        self.gradient_clip
    }

    /// True if the loss on the query is asked for.
    pub fn asks_for_loss(&self) -> bool {
        self.metrics.measures.iter().any(|m| matches!(m, Measure::QueryLoss { .. }))
    }

    /// The part of a sum that the model takes its step along: none in a pilot.
    pub fn gradient<'a>(&self, sum: &'a [i64]) -> &'a [i64] {
        sum.get(..self.gradients()).unwrap_or_default()
    }

    /// The part of a sum that holds the measures, each with its coordinates; none if the sum is not as
    /// long as a contribution.
    pub(super) fn measured<'a>(
        &'a self,
        sum: &'a [i64],
    ) -> Option<impl Iterator<Item = (&'a Measure, &'a [i64])>> {
        let mut rest = sum.get(self.gradients()..)?;
        let parts = self.metrics.measures.iter().map(|measure| {
            let (own, after) = rest.split_at_checked(measure.coordinates())?;
            rest = after;
            Some((measure, own))
        });
        let parts = parts.collect::<Option<Vec<_>>>()?;
        rest.is_empty().then(|| parts.into_iter())
    }

    /// How many steps of the grid a measure's largest value is.
    pub(super) fn steps(&self) -> f64 {
        self.steps
    }

    /// Adds one task to `sum`, which is as long as a contribution.
    ///
    /// `query_loss` is the loss on the task's query; none if the query is empty, which measures nothing.
    /// Total: it neither fails nor panics. A task whose gradient is not finite, or whose loss is no
    /// number though it is asked for, adds zero everywhere. The integers depend on the task and the
    /// plan alone.
    pub fn contribute(
        &self,
        gradient: &[f64],
        query_loss: Option<f64>,
        sum: &mut [i64],
    ) -> Outcome {
        match self.vector(gradient, query_loss) {
            Some(vector) => self.grid.contribute(&vector, sum),
            None => Outcome::Zeroed,
        }
    }

    /// The task's vector before the grid; none if it has none.
    fn vector<'a>(&self, gradient: &'a [f64], query_loss: Option<f64>) -> Option<Cow<'a, [f64]>> {
        if gradient.len() != self.parameters {
            return None;
        }
        if self.metrics.measures.is_empty() {
            return Some(Cow::Borrowed(gradient));
        }
        let norm = libm::sqrt(gradient.iter().map(|x| x * x).sum());
        // In a pilot the grid never sees the gradient. A loss that is no number it does see.
        if !norm.is_finite() {
            return None;
        }
        let factor = if norm > self.gradient_clip { self.gradient_clip / norm } else { 1.0 };
        let mut vector = Vec::with_capacity(self.dimension());
        vector.extend(gradient.iter().take(self.gradients()).map(|x| x * factor));
        for measure in &self.metrics.measures {
            self.measure(measure, norm, query_loss, &mut vector);
        }
        Some(Cow::Owned(vector))
    }

    fn measure(
        &self,
        measure: &Measure,
        norm: f64,
        query_loss: Option<f64>,
        vector: &mut Vec<f64>,
    ) {
        // The grid truncates: half a step more makes that rounding to the nearest.
        let whole = |part: f64| (part * self.steps + 0.5) * self.grid.unit();
        let flag = |holds: bool| if holds { whole(1.0) } else { 0.0 };
        match (measure, query_loss) {
            (_, None) => vector.resize(vector.len() + measure.coordinates(), 0.0),
            (Measure::QueryLoss { max }, Some(loss)) => {
                vector.push(whole((loss / max).clamp(0.0, 1.0)));
            }
            (Measure::Clipped {}, Some(_)) => vector.push(flag(norm > self.gradient_clip)),
            (Measure::NormHistogram { edges }, Some(_)) => {
                let place = edges.partition_point(|edge| norm > *edge);
                vector.extend((0..=edges.len()).map(|bin| flag(bin == place)));
            }
        }
    }

    /// How many coordinates of a contribution are the model's.
    fn gradients(&self) -> usize {
        if self.metrics.is_pilot() { 0 } else { self.parameters }
    }
}
