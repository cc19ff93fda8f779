//! The attacks find what is wrong, and nothing where nothing is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers of a pipeline that is wrong anyway"
)]

use std::sync::Arc;

use client::ClientError;
use client::redteam::{Canary, Claim, Mechanism, Redteam, attack_pipeline};
use privacy::{ClipNorm, Grid, Keystream, RoundedGaussian, SamplingRate, bernoulli};
use ring::rand::{SecureRandom as _, SystemRandom};
use round::plan::Plan;
use zeroize::Zeroizing;

#[path = "it/plans.rs"]
mod plans;

const DIMENSION: usize = 256;
/// How many tasks a sabotaged pipeline takes at once.
const BATCH: usize = 64;

/// What is wrong with a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    Nothing,
    NoiseHalved,
    ClipOff,
    /// The mean of a batch is clipped, not each task, and counted as often as the batch has tasks.
    ClipPerBatch,
    /// So many tasks in every round, charged as if each had a coin.
    FixedBatches,
    /// One seed for all rounds.
    NoiseReused,
    /// Each coordinate is clipped to C, so the norm may be C·√d.
    BoundOffByRootD,
}

/// The pipeline written out once more, with something wrong in it.
struct Sabotaged {
    how: Sabotage,
    claim: Claim,
    grid: Grid,
    seed: [u8; 32],
    /// Where the fixed batches have come to.
    next: usize,
}

fn seed() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

impl Sabotaged {
    fn new(how: Sabotage, plan: &Plan) -> Self {
        let grid = Grid::new(ClipNorm::new(1.0).unwrap(), 16).unwrap();
        Self { how, claim: Claim::of(plan).unwrap(), grid, seed: seed(), next: 0 }
    }

    fn drawn<'a>(&mut self, canaries: &'a [Canary]) -> Vec<&'a Canary> {
        if self.how == Sabotage::FixedBatches {
            let size = (canaries.len() as f64 * self.claim.rate).round().max(1.0) as usize;
            let batch = canaries.iter().cycle().skip(self.next).take(size).collect();
            self.next = (self.next + size) % canaries.len();
            return batch;
        }
        let rate = SamplingRate::new(self.claim.rate).unwrap();
        let mut coins = Keystream::from_seed(&Zeroizing::new(seed()));
        canaries.iter().filter(|_| bernoulli(&mut coins, rate).unwrap()).collect()
    }

    fn sum(&self, drawn: &[&Canary]) -> Vec<i64> {
        let mut sum = vec![0; DIMENSION];
        let radius = self.claim.radius;
        match self.how {
            Sabotage::ClipPerBatch => {
                for batch in drawn.chunks(BATCH) {
                    let mut mean = vec![0.0; DIMENSION];
                    for canary in batch {
                        let gradient = canary.gradient(DIMENSION, 1.0);
                        mean.iter_mut().zip(gradient).for_each(|(m, g)| *m += g);
                    }
                    let (clipped, _) = self.grid.integers(&mean);
                    let tasks = i64::try_from(batch.len()).unwrap();
                    sum.iter_mut().zip(clipped).for_each(|(s, c)| *s += tasks * c);
                }
            }
            Sabotage::ClipOff | Sabotage::BoundOffByRootD => {
                let most = if self.how == Sabotage::ClipOff { 20.0 } else { 1.0 };
                for canary in drawn {
                    for (s, g) in sum.iter_mut().zip(canary.gradient(DIMENSION, 1.0)) {
                        *s += (g.clamp(-most, most) * radius) as i64;
                    }
                }
            }
            Sabotage::Nothing
            | Sabotage::NoiseHalved
            | Sabotage::FixedBatches
            | Sabotage::NoiseReused => {
                for canary in drawn {
                    self.grid.contribute(&canary.gradient(DIMENSION, 1.0), &mut sum);
                }
            }
        }
        sum
    }
}

impl Mechanism for Sabotaged {
    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn release(&mut self, canaries: &[Canary]) -> Result<Vec<i32>, ClientError> {
        let drawn = self.drawn(canaries);
        let mut sum = self.sum(&drawn);
        let halved = self.how == Sabotage::NoiseHalved;
        let scale = if halved { 0.5 * self.claim.noise } else { self.claim.noise };
        let reused = self.how == Sabotage::NoiseReused;
        let mut noise =
            Keystream::from_seed(&Zeroizing::new(if reused { self.seed } else { seed() }));
        RoundedGaussian::new(scale as u64).unwrap().add_to(&mut sum, &mut noise).unwrap();
        Ok(sum
            .into_iter()
            .map(|x| i32::try_from(x.clamp(-2_000_000_000, 2_000_000_000)).unwrap())
            .collect())
    }
}

/// A plan for each task change, and one where every task takes part.
fn plan_of(grouping: &str, relation: &str, noise: f64, rate: f64) -> Arc<Plan> {
    Arc::new(plans::plan(|text| {
        let text = text
            .replace("grouping = \"buckets\"", &format!("grouping = \"{grouping}\""))
            .replace("relation = \"add-remove\"", &format!("relation = \"{relation}\""))
            .replace("epsilon = 8.0", "epsilon = 200.0")
            .replace("noise_multiplier = 8.0", &format!("noise_multiplier = {noise:?}"));
        text.replace("sampling_rate = 0.5", &format!("sampling_rate = {rate:?}"))
    }))
}

fn found(how: Sabotage, plan: &Plan) -> Redteam {
    Redteam::attack(&mut Sabotaged::new(how, plan), plan, plan.text().rounds, 0.95).unwrap()
}

#[test]
fn six_ways_of_sabotage_are_found() {
    let plan = plan_of("buckets", "add-remove", 1.0, 0.25);
    for (how, by) in [
        (Sabotage::NoiseHalved, "noise of a release"),
        (Sabotage::ClipOff, "a task along one coordinate"),
        (Sabotage::ClipPerBatch, "a task in a crowd"),
        (Sabotage::FixedBatches, "spread of the tasks in a release"),
        (Sabotage::NoiseReused, "correlation of two releases' noise"),
        (Sabotage::BoundOffByRootD, "a task along all coordinates"),
    ] {
        let found = found(how, &plan);
        let test = found.tests.iter().find(|test| test.what == by).unwrap();
        assert!(test.failed, "{how:?}: {found:?}");
        assert!(!found.is_sound());
    }
}

#[test]
fn a_run_without_clipping_is_refuted_by_what_it_sends_alone() {
    let plan = plan_of("buckets", "add-remove", 8.0, 0.5);
    let found = found(Sabotage::ClipOff, &plan);
    assert!(found.refuted, "{found:?}");
    assert!(found.one_run.epsilon_lower > found.claimed_upper);
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for (grouping, relation, noise, rate) in [
        ("buckets", "add-remove", 4.0, 0.25),
        ("buckets", "replace-one", 6.0, 0.5),
        ("unit-per-task", "add-remove", 1.0, 0.1),
        ("unit-per-task", "add-remove", 3.0, 1.0),
    ] {
        let plan = plan_of(grouping, relation, noise, rate);
        let rewritten = found(Sabotage::Nothing, &plan);
        assert!(rewritten.is_sound(), "{rewritten:?}");
        let own = attack_pipeline(&plan, DIMENSION, plan.text().rounds, 0.95).unwrap();
        assert!(own.is_sound(), "{own:?}");
        assert!(own.one_run.epsilon_lower <= own.claimed_upper);
    }
}

/// The bound is not empty: where a mechanism leaks, the run shows it.
#[test]
fn a_run_with_little_noise_is_seen_to_cost_something() {
    let plan = plan_of("unit-per-task", "replace-one", 0.5, 1.0);
    let own = attack_pipeline(&plan, 1024, 1, 0.95).unwrap();
    assert!(own.one_run.epsilon_lower > 1.0, "{own:?}");
    assert!(own.is_sound(), "{own:?}");
}

#[test]
fn a_command_prints_what_it_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plan.toml");
    let plan = plan_of("buckets", "add-remove", 8.0, 0.5);
    std::fs::write(&file, plan.bytes()).unwrap();
    let file = file.to_str().unwrap();
    let main = |arguments: &[&str]| {
        client::cli::main([&["counterfoil-client", "redteam", file], arguments].concat())
    };
    assert_eq!(main(&["--canaries", "64", "--rounds", "1"]), 0);
    assert_eq!(main(&["--canaries", "64", "--rounds", "4000"]), 64);
    assert_eq!(main(&["--confidence", "1"]), 64);
}
