//! Measures what one more charge costs a bank: the divergence at the filter's order, the rule, and the durable entry.
//!
//! `cargo run --release -p client --example ledger_figures DIRECTORY`, on the disk that is to be measured.

#![expect(clippy::print_stdout, reason = "a program that measures and prints")]

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use ledger::digest::Digest;
use ledger::log_store::LogStore;
use ledger::memory::MemoryLog;
use ledger::population::{
    Cap, Opened, PopulationLedger, ReserveRequest, RunTerms, Sketch, UnitRelation,
};
use ledger::record::{Charge, Institution, RunId, TaskChange, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{
    Delta, Epsilon, Filter, Mechanism, NoiseMultiplier, Order, PrivacyEvent, SamplingRate,
};
use ring::rand::SystemRandom;

const CHARGES: u32 = 500;
const AT: Timestamp = Timestamp::from_millis(1);

fn filter() -> Result<Filter, Box<dyn Error>> {
    Ok(Filter::new(Epsilon::new(1000.0)?, Delta::new(1e-6)?, Order::new(9.5)?)?)
}

fn event() -> Result<PrivacyEvent, Box<dyn Error>> {
    let mechanism = Mechanism::PoissonGaussian {
        noise_multiplier: NoiseMultiplier::new(4.0)?,
        sampling_rate: SamplingRate::new(0.2)?,
    };
    Ok(PrivacyEvent { mechanism, change: privacy::TaskChange::ContentChanges, count: 1 })
}

fn ledger<S: LogStore>(
    store: S,
    key: &Arc<SigningKey>,
) -> Result<PopulationLedger<S>, Box<dyn Error>> {
    let opened = Opened {
        institution: Institution::new("north")?,
        population: Text::new("cards")?,
        unit: Text::new("customer")?,
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let mut ledger = PopulationLedger::register(store, Arc::clone(key), AT, opened, &[])?;
    let filter = filter()?;
    let cap = Cap::new(1000.0, 1e-6, filter.order().get(), filter.budget(), Text::default())?;
    ledger.set_cap(AT, cap)?;
    let (record_key, _) = SigningKey::generate(&SystemRandom::new())?;
    ledger.enroll(AT, Digest::ZERO, &Institution::new("north")?, &record_key)?;
    Ok(ledger)
}

/// Milliseconds that one charge takes, its divergence computed anew each time. They are made by `ledgers` in turn.
fn charge<S: LogStore>(ledgers: &mut [PopulationLedger<S>]) -> Result<f64, Box<dyn Error>> {
    let (filter, event) = (filter()?, event()?);
    let start = Instant::now();
    let mut turn = 0;
    for round in 0..CHARGES {
        turn = (turn + 1) % ledgers.len();
        let Some(ledger) = ledgers.get_mut(turn) else { continue };
        let request = ReserveRequest {
            consortium: Digest::ZERO,
            run: RunId::derive(&Digest::ZERO, 0),
            round,
            plan: Digest::ZERO,
            model: Digest::ZERO,
            charge: Charge::new(4.0, 0.2, TaskChange::Content)?,
            rdp: filter.cost(&event)?,
            terms: RunTerms::new(CHARGES, 1.0, 1e-6, 1.0)?,
        };
        ledger.reserve(AT, request)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(CHARGES))
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).ok_or("expected a directory")?;
    let (filter, event) = (filter()?, event()?);
    let start = Instant::now();
    for _ in 0..CHARGES {
        std::hint::black_box(filter.cost(&event)?);
    }
    let cost = start.elapsed().as_secs_f64() * 1e3 / f64::from(CHARGES);
    println!("divergence of one release at the filter's order: {cost:.3} ms");
    let key = Arc::new(SigningKey::generate(&SystemRandom::new())?.0);
    let memory = charge(&mut [ledger(MemoryLog::default(), &key)?])?;
    println!("one charge, ledger in memory: {memory:.3} ms");
    let folder = tempfile::tempdir_in(&root)?;
    for (writers, second_place) in [(1, false), (2, false), (2, true)] {
        let name = format!("{writers} {second_place}");
        let (place, elsewhere) = (folder.path().join(&name), folder.path().join(name + " head"));
        std::fs::create_dir(&elsewhere)?;
        let open = || -> Result<store::SqliteLog, store::StoreError> {
            let (log, _) = store::open_shared(&place)?;
            if second_place { log.confirmed_by(&elsewhere) } else { Ok(log) }
        };
        let mut ledgers = vec![ledger(open()?, &key)?];
        for _ in 1..writers {
            ledgers.push(PopulationLedger::open(open()?, Arc::clone(&key))?);
        }
        let took = charge(&mut ledgers)?;
        let place = if second_place { "with a second place" } else { "in one place" };
        println!("one charge, durable {place}, {writers} in turn: {took:.3} ms");
    }
    let mut file = std::fs::File::create(folder.path().join("fsync"))?;
    let start = Instant::now();
    for _ in 0..CHARGES {
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
    }
    let fsync = start.elapsed().as_secs_f64() * 1e3 / f64::from(CHARGES);
    println!("of which one fsync of 4 KiB on the same disk: {fsync:.3} ms");
    Ok(())
}
