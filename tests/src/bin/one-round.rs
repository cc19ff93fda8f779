//! One round of a bank as the node does it, without a coordinator: charge, compute, keep, pack, acknowledge.
//!
//! `one-round STATE ROUND` prints `sent ⟨digest⟩` where a node would send. One thread writes, so that a tracer can count what it
//! writes and make any of it fail. `one-round STATE` checks the ledger and prints it.
#![expect(clippy::print_stdout, reason = "what would be sent is what is printed")]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use client::clock;
use client::commands;
use client::data::{DataSource, attach};
use client::keys::{Keys, population_key};
use client::mirror::OpenRound;
use client::policy::Policy;
use client::population::{Member, Population};
use client::release::{Job, Noised, Parcel, fresh_randomness};
use client::state_dir::StateDir;
use client::tasks::Tasks;
use ledger::digest::sha256;
use ledger::population::{Released, Reservation, ReserveOutcome};
use ledger::record::{Institution, RunId};
use privacy::PrivacyEvent;
use round::plan::Plan;

struct Bank {
    state: StateDir,
    institution: Institution,
    policy: Policy,
    source: DataSource,
    keys: Keys,
    plan: Arc<Plan>,
    theta: Vec<u8>,
}

impl Bank {
    fn open(state: StateDir) -> Result<Self, Box<dyn Error>> {
        let plan = Plan::parse(&std::fs::read(state.path("plan.toml"))?)?;
        Ok(Self {
            institution: Institution::new("north")?,
            policy: Policy::load(&state.path("policy.toml"))?,
            source: DataSource::load(&state.path("data.toml"))?,
            keys: Keys::load_or_create(&state)?,
            theta: vec![0; 4 * plan.dimension()],
            plan: Arc::new(plan),
            state,
        })
    }

    fn round(&self, number: u32) -> OpenRound {
        OpenRound {
            consortium: self.plan.consortium(),
            run: RunId::derive(&self.plan.digest(), 4),
            plan: Arc::clone(&self.plan),
            number,
            model: sha256(&self.theta),
            expects_us: true,
            witnesses: 0,
        }
    }

    fn compute(&self, reservation: Reservation) -> Result<Noised, Box<dyn Error>> {
        let text = self.plan.text();
        let rows = attach(&self.source, &text.data, &text.tasks, text.model.head)?;
        let tasks = self.plan.participant(&self.institution).map_or(0, |own| own.tasks);
        let tasks = Tasks::form(rows, &text.tasks, tasks, &population_key(&self.state)?)?;
        let job = Job::new(&self.plan, &self.institution, &self.theta)?;
        Ok(Noised::compute(reservation, &job, &tasks, &mut fresh_randomness()?)?)
    }

    fn take_part(&self, number: u32) -> Result<(), Box<dyn Error>> {
        let rules = &self.policy.population;
        let member = Member {
            consortium: self.plan.consortium(),
            institution: &self.institution,
            record_key: &self.keys.record,
        };
        let mut population =
            Population::open(&self.state, rules, &self.source, &member, clock::now())?;
        population.check_clock(rules, clock::now())?;
        let rounds = u64::from(self.plan.text().rounds);
        let expected = PrivacyEvent { count: rounds, ..self.plan.event() };
        population.keep_cap(rules, Some(&expected), clock::now())?;
        let per_run = self.policy.allow.epsilon_per_run_max.ok_or("a cap on a run")?;
        let request = population.request(&self.round(number), per_run)?;
        let released = match population.ledger.reserve(clock::now(), request)? {
            ReserveOutcome::Released(released) => released,
            ReserveOutcome::Compute(reservation) => self.release(&mut population, reservation)?,
            ReserveOutcome::Interrupted(again) => {
                let reservation = population.ledger.recompute(clock::now(), &again)?;
                self.release(&mut population, reservation)?
            }
        };
        Parcel::pack(&population.ledger, &population.blobs, &released, &self.keys.record)?;
        println!("sent {}", released.vector());
        std::io::stdout().flush()?;
        population.ledger.acknowledge(clock::now(), &released, 17, sha256(b"a receipt"))?;
        Ok(())
    }

    fn release(
        &self,
        population: &mut Population,
        reservation: Reservation,
    ) -> Result<Released, Box<dyn Error>> {
        let noised = self.compute(reservation)?;
        let Population { ledger, blobs } = population;
        Ok(noised.keep(ledger, clock::now(), blobs)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let state = PathBuf::from(arguments.next().ok_or("expected STATE [ROUND]")?);
    if let Some(round) = arguments.next() {
        return Bank::open(StateDir::open(&state)?)?.take_part(round.parse()?);
    }
    commands::ledger::check(&state)?;
    println!("{}", commands::ledger::show(&state)?.data);
    Ok(())
}
