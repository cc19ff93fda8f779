//! A pilot on the demo's banks in one process: the quantile that the noise leaves, beside the true one.
//!
//! `cargo run --release -p sandbox --example pilot [EPSILON…]`
#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use std::collections::BTreeMap;
use std::error::Error;

use client::data::{DataSource, attach};
use client::learning::learner_of;
use client::tasks::{PopulationKey, Tasks};
use coordinator::plan::{Changes, write};
use meta::MetaLearner as _;
use privacy::{Keystream, NoiseMultiplier, RoundedGaussian, SamplingRate, noise_scale};
use round::Plan;
use round::plan::Participant;
use sandbox::split::{Bank, CARD_HOLDERS, Role, write_banks};
use zeroize::Zeroizing;

type Answer<T> = Result<T, Box<dyn Error>>;

const NAMES: [&str; 5] = ["north", "east", "south", "west", "central"];
const PILOT: &str = "share = 1.0\nmeasures = [{ norm-histogram = { edges = \
                     [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0] } }]";
/// Pilots with noise of their own for each promise.
const PILOTS: u8 = 20;

fn main() -> Answer<()> {
    let mut promises: Vec<f64> =
        std::env::args().skip(1).map(|promise| promise.parse()).collect::<Result<_, _>>()?;
    if promises.is_empty() {
        promises.extend([0.3, 1.0]);
    }
    let folder = tempfile::tempdir()?;
    let banks = write_banks(CARD_HOLDERS, folder.path())?;
    let banks: Vec<&Bank> = banks.iter().filter(|bank| bank.role == Role::Training).collect();
    for promise in promises {
        let plan = plan(&banks, promise)?;
        let everybody = sums(&plan, &banks, None)?;
        let truth = plan.estimates(plan.cohort(), &everybody).and_then(|e| e.norm_histogram);
        let truth = truth.ok_or("expected a histogram")?;
        let noise = plan.text().privacy.noise_multiplier;
        println!("epsilon {promise}: noise {noise:.2}, one round at rate 0.2");
        let total: f64 = truth.shares.iter().sum();
        let parts: Vec<String> =
            truth.shares.iter().map(|share| format!("{:.3}", share / total)).collect();
        println!("parts of all tasks between the edges: {}", parts.join(" "));
        for part in [0.5, 0.9] {
            let expected = truth.quantile(part)?.edge;
            let mut edges: BTreeMap<String, u32> = BTreeMap::new();
            for seed in 0..PILOTS {
                let sum = sums(&plan, &banks, Some(seed))?;
                let found = plan.estimates(plan.cohort(), &sum).and_then(|e| e.norm_histogram);
                let quantile = found.ok_or("expected a histogram")?.quantile(part);
                let edge = quantile.map_or("none".to_owned(), |quantile| quantile.edge.to_string());
                *edges.entry(edge).or_default() += 1;
            }
            println!("quantile {part}: {expected} of all tasks; by {PILOTS} pilots {edges:?}");
        }
    }
    Ok(())
}

fn plan(banks: &[&Bank], promise: f64) -> Answer<Plan> {
    let draft = include_str!("../plan.toml").replace("share = 0.0\nmeasures = []", PILOT);
    let participant = |(bank, name): (&&Bank, &&str)| Participant {
        institution: (*name).to_owned(),
        declared_units: u64::from(bank.card_holders),
        tasks: bank.card_holders.div_ceil(30),
    };
    let cohort = banks.iter().zip(&NAMES).map(participant).collect();
    let changes = Changes { cohort, rounds: Some(1), epsilon: Some(promise), ..Changes::default() };
    Ok(write(&draft, &changes)?)
}

/// The round's sum: every task without noise, or a sample with the noise of each bank.
fn sums(plan: &Plan, banks: &[&Bank], seed: Option<u8>) -> Answer<Vec<i64>> {
    let (text, learner) = (plan.text(), learner_of(plan)?);
    let theta = vec![0.0; plan.dimension()];
    let rate = SamplingRate::new(text.privacy.sampling_rate)?;
    let multiplier = NoiseMultiplier::new(text.privacy.noise_multiplier)?;
    let noise = RoundedGaussian::new(noise_scale(multiplier, text.privacy.grid_bits)?)?;
    let mut total = vec![0; plan.contribution_dimension()];
    for (number, bank) in (0_u8..).zip(banks) {
        let source = DataSource::file(&bank.path);
        let rows = attach(&source, &text.data, &text.tasks, text.model.head)?;
        let key = PopulationKey::new(&Zeroizing::new([number; 32]));
        let tasks = Tasks::form(rows, &text.tasks, bank.card_holders.div_ceil(30), &key)?;
        let sum = match seed {
            None => learner.clipped_sum(&theta, &mut tasks.all(), plan.encoding())?.sum,
            Some(seed) => {
                let mut bytes = Zeroizing::new([seed; 32]);
                bytes[0] = number;
                let mut source = Keystream::from_seed(&bytes);
                let mut sample = tasks.sample(rate, &mut source)?;
                let mut sum = learner.clipped_sum(&theta, &mut sample, plan.encoding())?.sum;
                noise.add_to(&mut sum, &mut source)?;
                sum
            }
        };
        total.iter_mut().zip(sum).for_each(|(total, own)| *total += own);
    }
    Ok(total)
}
