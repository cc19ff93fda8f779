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

fn ledger<S: LogStore>(store: S) -> Result<PopulationLedger<S>, Box<dyn Error>> {
    let (key, _) = SigningKey::generate(&SystemRandom::new())?;
    let opened = Opened {
        institution: Institution::new("north")?,
        population: Text::new("cards")?,
        unit: Text::new("customer")?,
        relation: UnitRelation::AddRemove,
        nonce: [1; 32],
        sketch: Sketch::default(),
    };
    let mut ledger = PopulationLedger::register(store, Arc::new(key), AT, opened, &[])?;
    let filter = filter()?;
    let cap = Cap::new(1000.0, 1e-6, filter.order().get(), filter.budget(), Text::default())?;
    ledger.set_cap(AT, cap)?;
    let (record_key, _) = SigningKey::generate(&SystemRandom::new())?;
    ledger.enroll(AT, Digest::ZERO, &Institution::new("north")?, &record_key)?;
    Ok(ledger)
}

/// Milliseconds that one charge takes, its divergence computed anew each time.
fn charge<S: LogStore>(ledger: &mut PopulationLedger<S>) -> Result<f64, Box<dyn Error>> {
    let (filter, event) = (filter()?, event()?);
    let start = Instant::now();
    for round in 0..CHARGES {
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
    println!("one charge, ledger in memory: {:.3} ms", charge(&mut ledger(MemoryLog::default())?)?);
    let folder = tempfile::tempdir_in(&root)?;
    let (log, _) = store::open(folder.path())?;
    println!("one charge, durable in SQLite: {:.3} ms", charge(&mut ledger(log)?)?);
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
