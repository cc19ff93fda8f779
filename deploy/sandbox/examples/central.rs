//! The demo's training in one process, without network, ledgers or records: what the plan can reach.
//!
//! `cargo run --release -p sandbox --example central [SEED…]`
#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::error::Error;

use client::data::{DataSource, Rows, attach};
use client::evaluate::{EpisodeSpec, choose_steps, evaluate};
use client::tasks::{PopulationKey, Tasks};
use meta::{EpisodeShape, GradientLearner, MetaLearner};
use privacy::{
    ClipNorm, Delta, Epsilon, Grid, Keystream, Mechanism, NoiseMultiplier, PrivacyEvent,
    RoundedGaussian, SamplingRate, TaskChange, UnitRelation, calibrate_noise, loss_predictor,
    noise_scale,
};
use round::metrics::Encoding;
use round::plan::{DataSpec, Family, LearnerSpec, LossSpec, ModelSpec, OptimizerSpec, TaskSpec};
use sandbox::split::{CARD_HOLDERS, Role, write_banks};
use serde::Deserialize;
use zeroize::Zeroizing;

type Answer<T> = Result<T, Box<dyn Error>>;

/// The part of the plan that a simulation needs.
#[derive(Deserialize)]
struct Sketch {
    rounds: u32,
    privacy: Privacy,
    tasks: TaskSpec,
    data: DataSpec,
    model: ModelSpec,
    learner: LearnerSpec,
    loss: LossSpec,
    optimizer: OptimizerSpec,
}

#[derive(Deserialize)]
struct Privacy {
    epsilon: f64,
    delta: f64,
    sampling_rate: f64,
    clip_norm: f64,
    grid_bits: u32,
}

fn main() -> Answer<()> {
    let mut seeds: Vec<u64> =
        std::env::args().skip(1).map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    if seeds.is_empty() {
        seeds.push(7);
    }
    let sketch: Sketch = toml::from_str(include_str!("../plan.toml"))?;
    let noise = noise(&sketch)?;
    let folder = tempfile::tempdir()?;
    let banks = write_banks(CARD_HOLDERS, folder.path())?;
    let rows = |role: Role| -> Answer<Vec<Rows>> {
        let of = banks.iter().filter(|bank| bank.role == role);
        of.map(|bank| {
            let source = DataSource::file(&bank.path);
            Ok(attach(&source, &sketch.data, &sketch.tasks, sketch.model.head)?)
        })
        .collect()
    };
    let (tuning, unseen) = (rows(Role::Tuning)?, rows(Role::Unseen)?);
    println!("noise multiplier {:.3} per bank, epsilon {}", noise.get(), sketch.privacy.epsilon);
    for family in [Family::Fomaml, Family::Fedsgd, Family::Maml] {
        for &seed in &seeds {
            let learner = learner(&sketch, family)?;
            let theta = train(&sketch, &learner, rows(Role::Training)?, noise, seed, family)?;
            for shots in [5, 10, 20] {
                let spec = EpisodeSpec {
                    shots,
                    query_positive: 100,
                    query_negative: 200,
                    episodes: 100,
                    seed,
                };
                let candidates = &sketch.learner.adaptation_steps;
                let steps = choose_steps(&learner, &theta, &tuning[0], candidates, spec)?;
                let found = evaluate(&learner, &theta, &unseen[0], steps, spec)?;
                let [low, high] = found.interval95;
                println!(
                    "{family:?} seed {seed} K={shots}: adapted {:.3} ({steps} steps), unadapted {:.3}, \
                     local {:.3}, gain {:+.3} [{low:+.3}, {high:+.3}]",
                    found.adapted,
                    found.unadapted,
                    found.local_only,
                    found.adapted - found.local_only,
                );
            }
        }
    }
    Ok(())
}

fn noise(sketch: &Sketch) -> Answer<NoiseMultiplier> {
    let mechanism = Mechanism::PoissonGaussian {
        noise_multiplier: NoiseMultiplier::new(1.0)?,
        sampling_rate: SamplingRate::new(sketch.privacy.sampling_rate)?,
    };
    let change = TaskChange::of(sketch.tasks.grouping, UnitRelation::AddRemove);
    let event = PrivacyEvent { mechanism, change, count: u64::from(sketch.rounds) };
    let (target, delta) =
        (Epsilon::new(sketch.privacy.epsilon)?, Delta::new(sketch.privacy.delta)?);
    Ok(calibrate_noise(target, delta, &event)?)
}

fn learner(sketch: &Sketch, family: Family) -> Answer<GradientLearner> {
    let zero_step = family == Family::Fedsgd;
    let inner_steps = if zero_step { 0 } else { sketch.learner.inner_steps };
    let spec = LearnerSpec { family, inner_steps, ..sketch.learner.clone() };
    let shape = EpisodeShape {
        features: sketch.data.features.len(),
        nominal_units: sketch.tasks.nominal_units,
        support_share: if zero_step { 0.0 } else { sketch.tasks.support_share },
    };
    Ok(meta::learner(&sketch.model, &spec, &sketch.loss, shape)?)
}

/// Trains over the banks and prints what privacy is predicted to cost.
fn train(
    sketch: &Sketch,
    learner: &GradientLearner,
    banks: Vec<Rows>,
    noise: NoiseMultiplier,
    seed: u64,
    family: Family,
) -> Answer<Vec<f32>> {
    let privacy = &sketch.privacy;
    let grid = Grid::new(ClipNorm::new(privacy.clip_norm)?, privacy.grid_bits)?;
    let rate = SamplingRate::new(privacy.sampling_rate)?;
    let gaussian = RoundedGaussian::new(noise_scale(noise, privacy.grid_bits)?)?;
    let OptimizerSpec::Sgd { learning_rate } = sketch.optimizer else {
        return Err("expected plain gradient descent".into());
    };
    let mut spec = sketch.tasks.clone();
    if family == Family::Fedsgd {
        spec.support_share = 0.0;
    }
    let mut nodes = Vec::new();
    let mut total = 0;
    for (bank, rows) in (0_u8..).zip(banks) {
        let tasks = u32::try_from((rows.units() + 15) / 30)?;
        total += tasks;
        let mut bytes = Zeroizing::new([bank; 32]);
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let tasks = Tasks::form(rows, &spec, tasks, &PopulationKey::new(&bytes))?;
        nodes.push((tasks, Keystream::from_seed(&bytes)));
    }
    let dimension = learner.dimension();
    let encoding = Encoding::of_gradients(grid, dimension);
    let rho = loss_predictor(
        TaskChange::of(spec.grouping, UnitRelation::AddRemove),
        u64::try_from(nodes.len())?,
        u64::try_from(dimension)?,
        Epsilon::new(privacy.epsilon)?,
        Delta::new(privacy.delta)?,
        u64::from(total),
    );
    println!("{family:?} seed {seed}: {total} tasks, {dimension} weights, rho {rho:.3}");
    let mut master = vec![0.0_f64; dimension];
    for _ in 0..sketch.rounds {
        #[expect(clippy::cast_possible_truncation, reason = "the model that banks see is f32")]
        let theta: Vec<f32> = master.iter().map(|w| *w as f32).collect();
        let mut sum = vec![0_i64; dimension];
        for (tasks, source) in &mut nodes {
            let mut sample = tasks.sample(rate, source)?;
            let mut own = learner.clipped_sum(&theta, &mut sample, &encoding)?;
            gaussian.add_to(&mut own.sum, source)?;
            sum.iter_mut().zip(own.sum).for_each(|(s, x)| *s += x);
        }
        #[expect(clippy::cast_precision_loss, reason = "sums are far below 2^52")]
        for (w, s) in master.iter_mut().zip(&sum) {
            *w -= learning_rate * *s as f64 * grid.unit() / (rate.get() * f64::from(total));
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "the model that banks see is f32")]
    Ok(master.iter().map(|w| *w as f32).collect())
}
