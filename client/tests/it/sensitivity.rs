//! How far one customer can move what leaves the bank, in integers and exactly, noise and clamping included.
//!
//! Two neighbouring data sets go through the real computation with the same coins and the same noise: what differs then is what
//! the accountant charges for.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use client::data::{DataSource, attach};
use client::release::{Job, Noised};
use client::tasks::{PopulationKey, Tasks};
use ledger::digest::Digest;
use ledger::log_store::BlobStore as _;
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, Opened, PopulationLedger, Reservation, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
    UnitRelation,
};
use ledger::record::{Charge, Institution, RunId, TaskChange, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{Keystream, RandomSource, SourceExhausted};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use round::plan::Plan;
use zeroize::Zeroizing;

use crate::plans;

const AT: Timestamp = Timestamp::from_millis(1);
const RADIUS: i128 = 1 << 16;

/// A ledger in memory with one charge after the other.
struct Vault {
    ledger: PopulationLedger<MemoryLog>,
    blobs: MemoryBlobs,
    rounds: u32,
}

impl Vault {
    fn new() -> Self {
        let blobs = MemoryBlobs::new();
        let opened = Opened {
            institution: Institution::new("north").unwrap(),
            population: Text::new("cards").unwrap(),
            unit: Text::new("customer").unwrap(),
            relation: UnitRelation::AddRemove,
            nonce: [1; 32],
            sketch: Sketch::default(),
        };
        let key = Arc::new(SigningKey::generate(&SystemRandom::new()).unwrap().0);
        let log = MemoryLog::new(blobs.clone());
        let mut ledger = PopulationLedger::register(log, key, AT, opened, &[]).unwrap();
        ledger.set_cap(AT, Cap::new(1e3, 1e-5, 2.0, 900.0, Text::default()).unwrap()).unwrap();
        let (consortium, north) = (Digest::from_bytes([5; 32]), Institution::new("north").unwrap());
        let record_key = SigningKey::generate(&SystemRandom::new()).unwrap().0;
        ledger.enroll(AT, consortium, &north, &record_key).unwrap();
        Self { ledger, blobs, rounds: 0 }
    }

    fn charge(&mut self) -> Reservation {
        let digest = Digest::from_bytes([5; 32]);
        let request = ReserveRequest {
            consortium: digest,
            run: RunId::derive(&digest, 1),
            round: self.rounds,
            plan: digest,
            model: digest,
            charge: Charge::new(8.0, 0.5, TaskChange::Content).unwrap(),
            rdp: 0.01,
            terms: RunTerms::new(u32::MAX, 1.0, 1e-5, 1.0).unwrap(),
        };
        self.rounds += 1;
        match self.ledger.reserve(AT, request).unwrap() {
            ReserveOutcome::Compute(reservation) => reservation,
            ReserveOutcome::Interrupted(_) | ReserveOutcome::Released(_) => panic!("charged twice"),
        }
    }

    /// What would leave the bank.
    fn release(&mut self, job: &Job, tasks: &Tasks, source: &mut impl RandomSource) -> Vec<i128> {
        let noised = Noised::compute(self.charge(), job, tasks, source).unwrap();
        let released = noised.keep(&mut self.ledger, AT, &self.blobs).unwrap();
        let bytes = self.blobs.get(released.vector()).unwrap().unwrap();
        bytes.as_chunks::<4>().0.iter().map(|word| i128::from(i32::from_le_bytes(*word))).collect()
    }
}

/// A customer's row.
#[derive(Clone, Copy, Debug)]
struct Row {
    id: u16,
    x: f64,
    y: f64,
}

/// Ordinary rows, and some that poison the gradient of their task or make it as large as can be.
fn row() -> impl Strategy<Value = Row> {
    let poison = || prop::sample::select(vec![1e300, -1e300, f64::MAX, 3e38, 5e-324, -0.0, 1e30]);
    let value = || prop_oneof![6 => -3.0..3.0f64, 1 => poison()];
    (any::<u16>(), value(), value()).prop_map(|(id, x, y)| Row { id, x, y })
}

fn customers() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 1..24).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        rows
    })
}

/// A plan whose bounds let everything through that a file can hold.
fn plan(family: &str, grouping: &str, rate: &str, head: bool) -> Plan {
    plans::plan(|text| {
        let mut text = text
            .replace("\"buckets\"", &format!("\"{grouping}\""))
            .replace("tasks = 8", "tasks = 40")
            .replace("sampling_rate = 0.5", &format!("sampling_rate = {rate}"))
            .replace("family = \"fomaml\"", &format!("family = \"{family}\""))
            .replace("clip = [-3.0, 3.0]", "clip = [-1e300, 1e300]")
            .replace("row_norm_max = 5.0", "row_norm_max = 1e300");
        if family == "fedsgd" {
            text = text
                .replace("inner_steps = 1", "inner_steps = 0")
                .replace("support_share = 0.5", "support_share = 0.0");
        }
        if head {
            text = text
                .replace("head = { binary = {} }", "head = { regression = {} }")
                .replace("[loss.log-loss]\nclass_weights = [1.0, 1.0]", "[loss.squared-error]")
                .replace(
                    "{ equals = { column = \"y\", value = 1.0 } }",
                    "{ value = { column = \"y\", clip = [-1e300, 1e300] } }",
                );
        }
        text
    })
}

fn plans_of(grouping: &'static str, rate: &'static str) -> impl Strategy<Value = Plan> {
    (prop::sample::select(vec!["maml", "fomaml", "fedsgd"]), any::<bool>())
        .prop_map(move |(family, head)| plan(family, grouping, rate, head))
}

fn job(plan: &Plan) -> Job {
    let theta: Vec<u8> = [0.25_f32, -0.125].iter().flat_map(|w| w.to_le_bytes()).collect();
    Job::new(plan, &Institution::new("north").unwrap(), &theta).unwrap()
}

fn tasks(plan: &Plan, rows: &[Row]) -> Tasks {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = "id,x,y\n".to_owned();
    for Row { id, x, y } in rows {
        writeln!(text, "c{id},{x:e},{y:e}").unwrap();
    }
    std::fs::write(file.path(), text).unwrap();
    let of = plan.text();
    let source = DataSource::file(file.path());
    let rows = attach(&source, &of.data, &of.tasks, of.model.head).unwrap();
    Tasks::form(rows, &of.tasks, 40, &PopulationKey::new(&Zeroizing::new([3; 32]))).unwrap()
}

fn keystream(seed: u8) -> Keystream {
    Keystream::from_seed(&Zeroizing::new([seed; 32]))
}

/// The first words are the coins, the noise comes from behind them.
struct Coins(VecDeque<u64>, Keystream);

impl RandomSource for Coins {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceExhausted> {
        match self.0.pop_front() {
            Some(word) => bytes.copy_from_slice(&word.to_le_bytes()),
            None => self.1.fill(bytes)?,
        }
        Ok(())
    }
}

fn squared_distance(a: &[i128], b: &[i128]) -> i128 {
    assert_eq!((a.len(), b.len()), (2, 2), "the length is the plan's");
    a.iter().zip(b).map(|(a, b)| (a - b).pow(2)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_customer_who_leaves_a_bucket_or_changes_moves_the_release_by_at_most_twice_the_bound(
        plan in plans_of("buckets", "0.5"),
        rows in customers(),
        other in row(),
        place in any::<prop::sample::Index>(),
        seed in any::<u8>(),
    ) {
        let place = place.index(rows.len());
        let (mut vault, job) = (Vault::new(), job(&plan));
        let mut changed = rows.clone();
        changed[place] = Row { id: rows[place].id, ..other };
        let mut without = rows.clone();
        without.remove(place);
        let before = vault.release(&job, &tasks(&plan, &rows), &mut keystream(seed));
        let after = vault.release(&job, &tasks(&plan, &changed), &mut keystream(seed));
        prop_assert!(squared_distance(&before, &after) <= (2 * RADIUS).pow(2));
        if !without.is_empty() {
            let gone = vault.release(&job, &tasks(&plan, &without), &mut keystream(seed));
            prop_assert!(squared_distance(&before, &gone) <= (2 * RADIUS).pow(2));
        }
    }

    #[test]
    fn a_customer_who_is_a_task_moves_the_release_by_at_most_the_bound_when_it_appears(
        plan in plans_of("unit-per-task", "0.5"),
        rows in customers(),
        other in row(),
        place in any::<prop::sample::Index>(),
        seed in any::<u8>(),
        words in prop::collection::vec(any::<u64>(), 24),
        joins in any::<bool>(),
    ) {
        prop_assume!(rows.len() > 1);
        let place = place.index(rows.len());
        let (mut vault, job) = (Vault::new(), job(&plan));
        let mut without = rows.clone();
        let changed = Row { id: without.remove(place).id, ..other };
        let (with, without) = (tasks(&plan, &rows), tasks(&plan, &without));
        // The others' coins are the same in both worlds; the one who appears has a coin of its own.
        let mut coins: VecDeque<u64> = words.into_iter().take(rows.len() - 1).collect();
        let gone = vault.release(&job, &without, &mut Coins(coins.clone(), keystream(seed)));
        let keys: Vec<_> = without.all().map(|task| task.key).collect();
        let new = with.all().position(|task| !keys.contains(&task.key)).unwrap();
        coins.insert(new, if joins { 0 } else { u64::MAX });
        let before = vault.release(&job, &with, &mut Coins(coins.clone(), keystream(seed)));
        let moved = squared_distance(&before, &gone);
        let bound = if joins { RADIUS.pow(2) } else { 0 };
        prop_assert!(moved <= bound);
        // And by at most twice the bound where its content changes.
        let mut rows = rows;
        rows[place] = changed;
        let after = vault.release(&job, &tasks(&plan, &rows), &mut Coins(coins, keystream(seed)));
        prop_assert!(squared_distance(&before, &after) <= (2 * RADIUS).pow(2));
    }
}

#[test]
fn the_bounds_are_reached_and_a_poisonous_customer_reaches_only_half_of_what_changes() {
    // Two labels that pull as hard as can be in opposite directions, in the only task there is.
    let plan = plan("fedsgd", "unit-per-task", "1.0", true);
    let (mut vault, job) = (Vault::new(), job(&plan));
    let mut release = |y: f64| {
        let rows = [Row { id: 1, x: 0.0, y }];
        vault.release(&job, &tasks(&plan, &rows), &mut keystream(7))
    };
    let (up, down, poisonous) = (release(1e9), release(-1e9), release(1e300));
    let near = |square: i128, bound: i128| square <= bound && square > bound - (bound >> 12);
    assert!(near(squared_distance(&up, &down), (2 * RADIUS).pow(2)));
    assert!(near(squared_distance(&up, &poisonous), RADIUS.pow(2)));
    assert!(near(squared_distance(&poisonous, &down), RADIUS.pow(2)));
}
