//! Whether what is released is what the plan charges for: tests with an error rate, each against what a right pipeline does.

use serde::Serialize;

use super::Claim;
use super::canary::{Canary, Direction};
use super::mechanism::Mechanism;
use super::statistics::{above, chi_square_z, hadamard, real};
use crate::ClientError;

/// A right pipeline fails one of the tests with at most this probability.
const ERROR: f64 = 1e-6;
/// Releases of each test: enough to see a hundredth of the noise, few enough for a minute.
const RELEASES: usize = 64;
/// One canary among so many tasks that add nothing.
const CROWD: usize = 8;

/// What one test found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// What was measured, in clipping norms where it is a length.
    pub what: &'static str,
    /// What a right pipeline gives.
    pub expected: f64,
    /// What this one gave.
    pub found: f64,
    /// The probability that a right pipeline gives something so far off, at most.
    pub p_value: f64,
    /// Whether that is too small to be chance.
    pub failed: bool,
}

impl Test {
    fn new(what: &'static str, expected: f64, found: f64, p_value: f64) -> Self {
        let p_value = p_value.min(1.0);
        Self { what, expected, found, p_value, failed: p_value < ERROR }
    }
}

/// All tests of one mechanism.
///
/// # Errors
///
/// [`ClientError`] if the pipeline fails.
pub fn conformity(mechanism: &mut dyn Mechanism, claim: &Claim) -> Result<Vec<Test>, ClientError> {
    let mut tests = noise(mechanism, claim)?;
    let d = u32::try_from(mechanism.dimension()).unwrap_or(u32::MAX);
    let nowhere = Canary { direction: Direction::Nowhere, negative: false };
    let axes: Vec<Canary> = (0..d).map(Canary::axis).collect();
    tests.push(contribution(mechanism, claim, "a task along one coordinate", &axes, false)?);
    let dense: Vec<Canary> =
        (0..d).map(|row| Canary { direction: Direction::Dense(row), negative: false }).collect();
    tests.push(contribution(mechanism, claim, "a task along all coordinates", &dense, true)?);
    let few = |(place, canary): (usize, &Canary)| {
        if place % CROWD == 0 { *canary } else { nowhere }
    };
    let crowd: Vec<Canary> = axes.iter().enumerate().map(few).collect();
    tests.push(contribution(mechanism, claim, "a task in a crowd", &crowd, false)?);
    tests.extend(sampling(mechanism, claim)?);
    Ok(tests)
}

/// Noise alone: how much there is, and whether two releases share any.
fn noise(mechanism: &mut dyn Mechanism, claim: &Claim) -> Result<Vec<Test>, ClientError> {
    let nobody = [Canary { direction: Direction::Nowhere, negative: false }];
    let mut releases = Vec::new();
    for _ in 0..RELEASES {
        let released = mechanism.release(&nobody)?;
        releases.push(released.iter().map(|&x| f64::from(x) / claim.noise).collect::<Vec<_>>());
    }
    let all = || releases.iter().flatten();
    let (square, count) = (all().map(|x| x * x).sum::<f64>(), real(all().count()));
    let multiplier = claim.noise / claim.radius;
    // Too much noise keeps the promise, so only too little fails.
    let scale = libm::sqrt(square / count) * multiplier;
    let too_little = above(-chi_square_z(square, count));
    let mut alike: f64 = 0.0;
    let mut pairs = 0.0;
    for (first, one) in releases.iter().enumerate() {
        for other in releases.iter().skip(first + 1) {
            let product: f64 = one.iter().zip(other).map(|(a, b)| a * b).sum();
            let (a, b): (f64, f64) =
                (one.iter().map(|x| x * x).sum(), other.iter().map(|x| x * x).sum());
            let correlation = product / libm::sqrt((a * b).max(f64::MIN_POSITIVE));
            alike = alike.max(correlation.abs());
            pairs += 1.0;
        }
    }
    let chance = 2.0 * pairs * above(alike * libm::sqrt(real(mechanism.dimension())));
    Ok(vec![
        Test::new("noise of a release", multiplier, scale, too_little),
        Test::new("correlation of two releases' noise", 0.0, alike, chance),
    ])
}

/// How far a task far beyond the clipping norm moves a release, along directions that do not disturb one another.
fn contribution(
    mechanism: &mut dyn Mechanism,
    claim: &Claim,
    what: &'static str,
    canaries: &[Canary],
    dense: bool,
) -> Result<Test, ClientError> {
    let multiplier = claim.noise / claim.radius;
    let (mut sum, mut count, mut largest) = (0.0, 0.0, f64::NEG_INFINITY);
    for _ in 0..RELEASES {
        let released = mechanism.release(canaries)?;
        let mut scores: Vec<f64> = released.iter().map(|&x| f64::from(x) / claim.radius).collect();
        if dense {
            hadamard(&mut scores);
        }
        for (score, canary) in scores.iter().zip(canaries) {
            if canary.direction != Direction::Nowhere {
                sum += score;
                count += 1.0;
                largest = largest.max(*score);
            }
        }
    }
    // On average each adds the rate times the clipping norm; the coins and the noise spread it.
    let spread = libm::sqrt((claim.rate * (1.0 - claim.rate) + multiplier * multiplier) / count);
    let mean = sum / count;
    let by_mean = 2.0 * above((mean - claim.rate).abs() / spread);
    let by_largest = count * above((largest - 1.0) / multiplier);
    let found = mean / claim.rate;
    Ok(Test::new(what, 1.0, found, 2.0 * by_mean.min(by_largest)))
}

/// How many tasks are drawn, and how that varies: all of them along one coordinate.
fn sampling(mechanism: &mut dyn Mechanism, claim: &Claim) -> Result<Vec<Test>, ClientError> {
    let tasks = mechanism.dimension();
    let canaries = vec![Canary::axis(0); tasks];
    let mut counts = Vec::new();
    for _ in 0..RELEASES {
        let released = mechanism.release(&canaries)?;
        counts.push(released.first().map_or(0.0, |&x| f64::from(x) / claim.radius));
    }
    let (n, multiplier) = (real(counts.len()), claim.noise / claim.radius);
    let mean = counts.iter().sum::<f64>() / n;
    let expected = real(tasks) * claim.rate;
    let variance = expected * (1.0 - claim.rate) + multiplier * multiplier;
    let by_mean = 2.0 * above((mean - expected).abs() / libm::sqrt(variance / n));
    let square = counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>();
    let z = chi_square_z(square / variance, n - 1.0);
    Ok(vec![
        Test::new("tasks in a release", expected, mean, by_mean),
        Test::new(
            "spread of the tasks in a release",
            libm::sqrt(variance),
            libm::sqrt(square / (n - 1.0)),
            2.0 * above(z.abs()),
        ),
    ])
}
