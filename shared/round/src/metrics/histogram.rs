//! A noised histogram of norms, and the quantile from which a clipping norm is chosen.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The shares of tasks whose norm lies between public edges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The edges, ascending.
    pub edges: Vec<f64>,
    /// The share of tasks at or below the first edge, then above each edge and at or below the next,
    /// and at last above the last edge; per expected task, so that noise may make one negative.
    pub shares: Vec<f64>,
    /// The standard deviation that the noise gives each share.
    pub standard_error: f64,
}

/// An edge below which a wanted part of the tasks lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantile {
    /// The smallest edge that reaches what was wanted.
    pub edge: f64,
    /// The part of the tasks whose norm is at most the edge, among all that were counted.
    pub reached: f64,
    /// The standard deviation that the noise gives that part.
    pub standard_error: f64,
}

/// Why a histogram has no such edge.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoQuantile {
    /// The wanted part is none.
    #[error("expected a part of the tasks above 0 and below 1, got {0}")]
    Part(f64),
    /// The noise is as large as everything that was counted.
    #[error(
        "expected a histogram that stands out from its noise, \
         got {total:.3} of the tasks with a standard error of {standard_error:.3}"
    )]
    Noise {
        /// The sum of all shares.
        total: f64,
        /// The standard deviation that the noise gives it.
        standard_error: f64,
    },
    /// The norm lies above every edge.
    #[error(
        "expected an edge that reaches it, but only {reached:.3} of the tasks lie at or below the last, {edge}"
    )]
    Beyond {
        /// The last edge.
        edge: f64,
        /// The part of the tasks that lies at or below it.
        reached: f64,
    },
}

/// A total below this many of its standard errors says nothing of its parts.
const STANDS_OUT: f64 = 4.0;

impl Histogram {
    /// A histogram of `shares`, one more than there are `edges`.
    pub fn new(edges: Vec<f64>, shares: Vec<f64>, standard_error: f64) -> Self {
        Self { edges, shares, standard_error }
    }

    /// The mean of several rounds' histograms of the same edges; none if there is no round or the
    /// edges differ.
    pub fn mean(rounds: &[&Self]) -> Option<Self> {
        let (first, rest) = rounds.split_first()?;
        let mut mean = (*first).clone();
        let mut variance = mean.standard_error * mean.standard_error;
        for round in rest {
            if round.edges != mean.edges {
                return None;
            }
            mean.shares.iter_mut().zip(&round.shares).for_each(|(sum, share)| *sum += share);
            variance += round.standard_error * round.standard_error;
        }
        let count = real(rounds.len());
        mean.shares.iter_mut().for_each(|sum| *sum /= count);
        mean.standard_error = libm::sqrt(variance) / count;
        Some(mean)
    }

    /// The smallest edge at or below which at least the part `wanted` of the counted tasks lies, by the
    /// noised counts.
    ///
    /// The part is of the noised total, not of the expected tasks: empty tasks and units that are not
    /// there are not counted, and how many tasks took part cancels. With F the part reached, n of m
    /// shares up to the edge and σ the error of a share, its error is σ/total·√(n(1 − F)² + (m − n)F²).
    ///
    /// ```
    /// use round::metrics::Histogram;
    /// let histogram = Histogram::new(vec![0.1, 0.2, 0.4], vec![0.2, 0.4, 0.3, 0.1], 0.01);
    /// let median = histogram.quantile(0.5)?;
    /// assert_eq!(median.edge, 0.2);
    /// assert!((median.reached - 0.6).abs() < 1e-12);
    /// # Ok::<(), round::metrics::NoQuantile>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NoQuantile`] if `wanted` is no part, the total does not stand out from the noise, or no edge
    /// reaches it.
    pub fn quantile(&self, wanted: f64) -> Result<Quantile, NoQuantile> {
        if !(wanted > 0.0 && wanted < 1.0) {
            return Err(NoQuantile::Part(wanted));
        }
        let all = real(self.shares.len());
        let total: f64 = self.shares.iter().sum();
        let error = self.standard_error * libm::sqrt(all);
        // Written so that a total or an error that is no number is noise.
        if !(total > 0.0 && total >= STANDS_OUT * error) {
            return Err(NoQuantile::Noise { total, standard_error: error });
        }
        let (mut below, mut count, mut reached) = (0.0, 0.0, 0.0);
        for (edge, share) in self.edges.iter().zip(&self.shares) {
            below += share;
            count += 1.0;
            reached = below / total;
            if reached >= wanted {
                let rest = 1.0 - reached;
                let spread = count * rest * rest + (all - count) * reached * reached;
                let standard_error = self.standard_error / total * libm::sqrt(spread);
                return Ok(Quantile { edge: *edge, reached, standard_error });
            }
        }
        let edge = self.edges.last().copied().unwrap_or(0.0);
        Err(NoQuantile::Beyond { edge, reached })
    }
}

/// A share a line.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.edges.last().map(|edge| format!("above {edge}"));
        let places = self.edges.iter().map(|edge| format!("at most {edge}")).chain(last);
        let lines: Vec<String> = places
            .zip(&self.shares)
            .map(|(place, share)| format!("  {place:<18} {share:>8.4}"))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are few edges and few rounds")]
fn real(count: usize) -> f64 {
    count as f64
}
