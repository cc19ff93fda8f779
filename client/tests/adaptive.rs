//! An adversary that picks every plan from what was released before, and never passes the gate.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::digest::{Digest, sha256};
use ledger::memory::{MemoryBlobs, MemoryLog};
use ledger::population::{
    Cap, OpenWork, Opened, PopulationLedger, ReserveOutcome, ReserveRequest, RunTerms, Sketch,
    UnitRelation,
};
use ledger::record::{Charge, Institution, RunId, TaskChange, Text};
use ledger::signing::SigningKey;
use ledger::time::Timestamp;
use privacy::{Delta, Epsilon, Filter, Mechanism, NoiseMultiplier, Order, PrivacyEvent};
use proptest::prelude::*;
use ring::rand::SystemRandom;

const AT: Timestamp = Timestamp::from_millis(1);
const EPSILON: f64 = 3.0;
const DELTA: f64 = 1e-6;
const ORDER: f64 = 9.5;
const RUN_EPSILON_MAX: f64 = 2.0;

/// What the adversary knows: everything that was ever released, and what was refused.
struct Adversary {
    outputs: Digest,
    seed: u64,
}

/// One round of one run, as the adversary asks for it.
struct Ask {
    consortium: Digest,
    run: RunId,
    round: u32,
    noise: f64,
    rounds: u32,
}

struct Bank {
    ledger: PopulationLedger<MemoryLog>,
    blobs: MemoryBlobs,
    key: Arc<SigningKey>,
    filter: Filter,
    /// What left, by consortium, run and round: the noise it left with.
    sent: BTreeMap<(Digest, RunId, u32), f64>,
    /// The whole cost of each run's plan, by an independent formula.
    runs: BTreeMap<(Digest, RunId), f64>,
}

impl Adversary {
    /// A number below `below` that depends on all that was seen.
    fn picks(&mut self, below: u64) -> u64 {
        let bytes = [self.outputs.as_bytes().as_slice(), &self.seed.to_le_bytes()].concat();
        self.outputs = sha256(&bytes);
        let word = self.outputs.as_bytes().first_chunk::<8>().copied().unwrap();
        u64::from_le_bytes(word) % below
    }

    fn sees(&mut self, output: &[u8]) {
        self.outputs = sha256(&[self.outputs.as_bytes().as_slice(), output].concat());
    }

    /// Another consortium, run, round and noise, by what was seen.
    fn asks(&mut self) -> Ask {
        let consortium = consortium(u8::try_from(self.picks(2)).unwrap());
        // Few runs, so that it comes back to them; each with terms of its own, as a plan fixes them.
        let number = self.picks(30);
        let noise = [2.0, 5.0, 9.0, 13.0, 25.0][usize::try_from(number % 5).unwrap()];
        Ask {
            consortium,
            run: RunId::derive(&consortium, number),
            round: u32::try_from(self.picks(6)).unwrap(),
            noise,
            rounds: 1 + u32::try_from(number / 5).unwrap(),
        }
    }
}

fn consortium(number: u8) -> Digest {
    sha256(&[0, number])
}

fn event(noise: f64, count: u32) -> PrivacyEvent {
    PrivacyEvent {
        mechanism: Mechanism::Gaussian { noise_multiplier: NoiseMultiplier::new(noise).unwrap() },
        change: privacy::TaskChange::ContentChanges,
        count: u64::from(count),
    }
}

impl Bank {
    fn new() -> Self {
        let (key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
        let key = Arc::new(key);
        let opened = Opened {
            institution: Institution::new("north").unwrap(),
            population: Text::new("cards").unwrap(),
            unit: Text::new("customer").unwrap(),
            relation: UnitRelation::AddRemove,
            nonce: [1; 32],
            sketch: Sketch::default(),
        };
        let blobs = MemoryBlobs::new();
        let store = MemoryLog::new(blobs.clone());
        let mut ledger =
            PopulationLedger::register(store, Arc::clone(&key), AT, opened, &[]).unwrap();
        let (epsilon, delta) = (Epsilon::new(EPSILON).unwrap(), Delta::new(DELTA).unwrap());
        let filter = Filter::new(epsilon, delta, Order::new(ORDER).unwrap()).unwrap();
        let cap = Cap::new(EPSILON, DELTA, ORDER, filter.budget(), Text::default()).unwrap();
        ledger.set_cap(AT, cap).unwrap();
        // Two consortia, in each of which the bank has a name and a key of its own.
        for (of, name) in [(0, "north"), (1, "northern")] {
            let (record_key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
            let name = Institution::new(name).unwrap();
            ledger.enroll(AT, consortium(of), &name, &record_key).unwrap();
        }
        Self { ledger, blobs, key, filter, sent: BTreeMap::new(), runs: BTreeMap::new() }
    }

    /// What the node charges for a round, and what it finds that the whole run costs.
    fn request(&self, ask: &Ask) -> Option<(ReserveRequest, f64)> {
        let charge = Charge::new(ask.noise, 1.0, TaskChange::Content).unwrap();
        let delta = Delta::new(DELTA).unwrap();
        let whole = privacy::epsilon(&[event(ask.noise, ask.rounds)], delta).ok()?.epsilon_upper;
        let terms = RunTerms::new(ask.rounds, whole, DELTA, RUN_EPSILON_MAX).unwrap();
        Some((
            ReserveRequest {
                consortium: ask.consortium,
                run: ask.run,
                round: ask.round,
                plan: sha256(format!("{} {}", ask.noise, ask.rounds).as_bytes()),
                model: sha256(&ask.round.to_le_bytes()),
                charge,
                rdp: self.filter.cost(&event(ask.noise, 1)).unwrap(),
                terms,
            },
            whole,
        ))
    }

    /// Does what a node does for one round, and hands out what it would send.
    fn answers(&mut self, ask: &Ask, bytes: &[u8]) -> Option<Vec<u8>> {
        let (request, whole) = self.request(ask)?;
        let reservation = match self.ledger.reserve(AT, request).ok()? {
            ReserveOutcome::Compute(reservation) => reservation,
            ReserveOutcome::Interrupted(again) => self.ledger.recompute(AT, &again).ok()?,
            ReserveOutcome::Released(released) => {
                return Some(released.vector().as_bytes().to_vec());
            }
        };
        let released = self.ledger.release(AT, &reservation, bytes.to_vec(), &self.blobs).ok()?;
        let key = (ask.consortium, ask.run, ask.round);
        assert!(self.sent.insert(key, ask.noise).is_none(), "a round left twice");
        self.runs.insert((ask.consortium, ask.run), whole);
        Some(released.vector().as_bytes().to_vec())
    }

    fn restarts(&mut self) {
        let fresh = Self::new();
        let old = std::mem::replace(&mut self.ledger, fresh.ledger);
        self.ledger =
            PopulationLedger::open(old.into_store().reopen(), Arc::clone(&self.key)).unwrap();
        let work = |number| {
            let of = consortium(number);
            self.ledger.open_work(&of).into_iter().map(move |work| (of, work))
        };
        for (of, work) in work(0).chain(work(1)) {
            if let OpenWork::Resend(released) = work {
                let request = released.request();
                assert_eq!(request.consortium, of, "a node retries its own consortium's alone");
                let key = (request.consortium, request.run, request.round);
                assert!(self.sent.contains_key(&key), "what was not released is not resent");
            }
        }
    }
}

/// The divergence of everything that left, by the closed form of the Gaussian: αΔ²/(2z²) with Δ = 2.
fn divergence_of(sent: &BTreeMap<(Digest, RunId, u32), f64>) -> f64 {
    sent.values().map(|noise| ORDER * 4.0 / (2.0 * noise * noise)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]
    #[test]
    fn an_adversary_that_picks_plans_from_past_outputs_never_passes_the_gate(
        seed in any::<u64>(), steps in 1_usize..200,
    ) {
        let mut bank = Bank::new();
        let mut adversary = Adversary { outputs: Digest::ZERO, seed };
        for _ in 0..steps {
            match adversary.picks(10) {
                0 => bank.restarts(),
                1 => {
                    // Whatever is asked to be given back: nothing that left ever is.
                    let leaf = adversary.picks(bank.ledger.head().size);
                    let _ = bank.ledger.void(AT, leaf, Text::default());
                }
                2 => {
                    // Charged, and never computed: it counts until an operator gives it back.
                    let ask = adversary.asks();
                    let spent = bank.ledger.state().spent();
                    if let Some((request, _)) = bank.request(&ask) {
                        let _ = bank.ledger.reserve(AT, request);
                    }
                    prop_assert!(bank.ledger.state().spent() >= spent);
                }
                _ => {
                    let ask = adversary.asks();
                    let bytes = adversary.picks(u64::MAX).to_le_bytes();
                    match bank.answers(&ask, &bytes) {
                        Some(output) => adversary.sees(&output),
                        None => adversary.sees(b"refused"),
                    }
                }
            }
            // ε − ln(1−1/α) + ln(δα)/(α−1), written out anew.
            let budget = EPSILON - (1.0 - 1.0 / ORDER).ln() + (DELTA * ORDER).ln() / (ORDER - 1.0);
            let left = divergence_of(&bank.sent);
            prop_assert!(left <= budget, "{left} left, {budget} allowed");
            prop_assert!(left <= bank.ledger.state().spent());
            for whole in bank.runs.values() {
                prop_assert!(*whole <= RUN_EPSILON_MAX);
            }
        }
        // The gate is no wall: somebody who asks gets something.
        prop_assert!(steps < 60 || !bank.sent.is_empty());
    }
}
