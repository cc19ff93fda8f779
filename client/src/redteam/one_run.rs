//! A lower bound on ε from one run, guessed from what the run sends.

use privacy::{Delta, TaskChange, one_run_epsilon};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;

use super::Claim;
use super::canary::{Canary, Direction};
use super::mechanism::Mechanism;
use super::statistics::real;
use crate::ClientError;

/// The parts of all canaries that are guessed, the surest at first; fixed before anything is seen.
const PARTS: [u64; 4] = [64, 16, 4, 1];

/// What one run proves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneRun {
    /// How many rounds it had.
    pub rounds: u32,
    /// How many canaries took part by a coin of their own.
    pub canaries: u64,
    /// How many of them were guessed; on the others the attacker abstained.
    pub guesses: u64,
    /// How many guesses were right.
    pub correct: u64,
    /// The ε below which the run is refuted.
    pub epsilon_lower: f64,
    /// The probability that a mechanism which keeps its promise is refuted is at most one minus this.
    pub confidence: f64,
    /// The most that so many canaries could have shown.
    pub epsilon_showable: f64,
}

/// Runs `rounds` rounds over canaries whose coins are tossed first, and guesses the coins from the sums of what was released.
///
/// The coin decides what the claim's task change changes: whether a canary is there, which way its content points, or which way two contents point.
/// Guesses are counted at four thresholds, each at a quarter of the error ([Steinke, Nasr & Jagielski 2023]).
///
/// # Errors
///
/// [`ClientError`] if the pipeline or the system's randomness fails.
pub fn one_run(
    mechanism: &mut dyn Mechanism,
    claim: &Claim,
    rounds: u32,
    delta: Delta,
    confidence: f64,
) -> Result<OneRun, ClientError> {
    let tasks_each = if claim.change == TaskChange::TwoContentsChange { 2 } else { 1 };
    let coins = coins(mechanism.dimension() / tasks_each)?;
    let canaries = canaries(&coins, claim.change);
    let mut sums = vec![0.0; coins.len()];
    for _ in 0..rounds {
        let released = mechanism.release(&canaries)?;
        sums.iter_mut().zip(released).for_each(|(sum, x)| *sum += f64::from(x));
    }
    // Halfway between what the two sides of a coin give on average.
    let middle = match claim.change {
        TaskChange::Appears => 0.5 * f64::from(rounds) * claim.rate * claim.radius,
        TaskChange::ContentChanges | TaskChange::TwoContentsChange => 0.0,
    };
    guess(&coins, &sums, middle, delta, confidence).map(|found| OneRun { rounds, ..found })
}

/// Guesses the surest coins, and counts.
fn guess(
    coins: &[bool],
    sums: &[f64],
    middle: f64,
    delta: Delta,
    confidence: f64,
) -> Result<OneRun, ClientError> {
    let mut guessed: Vec<(f64, bool)> = sums
        .iter()
        .zip(coins)
        .map(|(sum, coin)| ((sum - middle).abs(), (*sum > middle) == *coin))
        .collect();
    guessed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let canaries = coins.len() as u64;
    let error = (1.0 - confidence) / real(PARTS.len());
    let nothing = OneRun {
        rounds: 0,
        canaries,
        guesses: 0,
        correct: 0,
        epsilon_lower: 0.0,
        confidence,
        epsilon_showable: 0.0,
    };
    PARTS.iter().try_fold(nothing, |best, part| {
        let guesses = (canaries / part).max(1);
        let taken = guessed.iter().take(usize::try_from(guesses).unwrap_or(usize::MAX));
        let correct = taken.filter(|(_, right)| *right).count() as u64;
        let bound = |correct| one_run_epsilon(canaries, guesses, correct, delta, 1.0 - error);
        let epsilon_lower = bound(correct)?;
        let epsilon_showable = bound(guesses)?.max(best.epsilon_showable);
        Ok(if epsilon_lower > best.epsilon_lower || best.guesses == 0 {
            OneRun { guesses, correct, epsilon_lower, epsilon_showable, ..best }
        } else {
            OneRun { epsilon_showable, ..best }
        })
    })
}

/// Fair coins from the system.
fn coins(count: usize) -> Result<Vec<bool>, ClientError> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ClientError::Randomness)?;
    Ok(bytes.iter().map(|byte| byte & 1 == 1).collect())
}

fn canaries(coins: &[bool], change: TaskChange) -> Vec<Canary> {
    let each = (0_u32..).zip(coins).flat_map(|(index, &coin)| {
        let content = Canary { direction: Direction::Axis(index), negative: !coin };
        let absent = Canary { direction: Direction::Nowhere, negative: false };
        match change {
            TaskChange::Appears if coin => vec![content],
            // A task that adds nothing is as good as none, and the number of tasks stays the same.
            TaskChange::Appears => vec![absent],
            TaskChange::ContentChanges => vec![content],
            TaskChange::TwoContentsChange => vec![content, content],
        }
    });
    each.collect()
}
