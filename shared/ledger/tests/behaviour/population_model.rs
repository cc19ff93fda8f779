//! The ledger under random requests and crashes, watched by an observer that knows only what was
//! promised: what a bank would send, and what it would have to have charged for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::digest::Digest;
use ledger::log_store::BlobStore as _;
use ledger::memory::{Crash, CrashPoint, MemoryBlobs};
use ledger::population::{
    Interrupted, LedgerError, OpenWork, PopulationLedger, Released, Reservation, ReserveOutcome,
    Standing,
};
use ledger::record::Text;
use proptest::prelude::*;

use crate::fixture::{digest, key};
use crate::population::{Ledger, at, cap, ledger, request};

const BUDGET: f64 = 1.0;

#[derive(Clone, Debug)]
enum Step {
    Reserve { round: u32, eighths: u8 },
    Release { token: prop::sample::Index, bytes: u8, large: bool },
    Recompute { token: prop::sample::Index },
    Acknowledge { token: prop::sample::Index },
    Void { reservation: u64 },
    Stop,
    Resume,
    Cap { eighths: u8 },
    Crash { after_appends: u64, durable: bool },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let token = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0_u32..5, 1_u8..5).prop_map(|(round, eighths)| Step::Reserve { round, eighths }),
        6 => (token(), 0_u8..3, any::<bool>())
            .prop_map(|(token, bytes, large)| Step::Release { token, bytes, large }),
        4 => token().prop_map(|token| Step::Recompute { token }),
        3 => token().prop_map(|token| Step::Acknowledge { token }),
        2 => (3_u64..15).prop_map(|reservation| Step::Void { reservation }),
        1 => Just(Step::Stop),
        2 => Just(Step::Resume),
        1 => (1_u8..8).prop_map(|eighths| Step::Cap { eighths }),
        3 => (0_u64..3, any::<bool>())
            .prop_map(|(after_appends, durable)| Step::Crash { after_appends, durable }),
        2 => Just(Step::Restart),
    ]
}

/// The bank, and everything it ever saw.
struct Bank {
    ledger: Ledger,
    blobs: MemoryBlobs,
    reservations: Vec<Reservation>,
    interrupted: Vec<Interrupted>,
    released: Vec<Released>,
    /// What left, by round: one digest each, for ever.
    sent: BTreeMap<u32, (Digest, f64)>,
    computations: BTreeMap<u64, u32>,
}

impl Bank {
    fn new() -> Self {
        let ledger = ledger();
        let blobs = ledger.store().blobs().clone();
        Self {
            ledger,
            blobs,
            reservations: Vec::new(),
            interrupted: Vec::new(),
            released: Vec::new(),
            sent: BTreeMap::new(),
            computations: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), LedgerError<ledger::memory::MemoryError>> {
        let now = at(9);
        match step {
            Step::Reserve { round, eighths } => {
                let rdp = f64::from(*eighths) / 8.0;
                match self.ledger.reserve(now, request(*round, rdp))? {
                    ReserveOutcome::Compute(token) => self.computing(token),
                    ReserveOutcome::Interrupted(token) => self.interrupted.push(token),
                    ReserveOutcome::Released(token) => self.sending(token),
                }
            }
            Step::Release { token, bytes, large } if !self.reservations.is_empty() => {
                let reservation = &self.reservations[token.index(self.reservations.len())];
                let bytes = vec![*bytes; if *large { 66_000 } else { 4 }];
                let released = self.ledger.release(now, reservation, bytes, &self.blobs)?;
                self.sending(released);
            }
            Step::Recompute { token } if !self.interrupted.is_empty() => {
                let again = &self.interrupted[token.index(self.interrupted.len())];
                let reservation = self.ledger.recompute(now, again)?;
                self.computing(reservation);
            }
            Step::Acknowledge { token } if !self.released.is_empty() => {
                let released = &self.released[token.index(self.released.len())];
                self.ledger.acknowledge(now, released, released.index(), digest(1))?;
            }
            Step::Void { reservation } => {
                self.ledger.void(now, *reservation, Text::default())?;
            }
            Step::Stop => self.ledger.stop(now, Text::default())?,
            Step::Resume => self.ledger.resume(now, Text::default())?,
            // Never above the budget that the observer knows.
            Step::Cap { eighths } => self.ledger.set_cap(now, cap(f64::from(*eighths) / 8.0))?,
            // Without a token there is nothing to ask for; crashes are the caller's.
            _ => {}
        }
        Ok(())
    }

    /// A computation may begin: its charge must be on record, and it may begin three times at most.
    fn computing(&mut self, token: Reservation) {
        let line = &self.ledger.state().charges()[&token.index()];
        assert_eq!(line.standing, Standing::Open);
        assert_eq!(line.recomputed, token.attempt());
        let begun = self.computations.entry(token.index()).or_default();
        *begun += 1;
        assert!(*begun <= 3, "reservation {} was computed {begun} times", token.index());
        self.reservations.push(token);
    }

    /// Bytes may leave: charged, durable, and never others for the same round.
    fn sending(&mut self, token: Released) {
        let line = &self.ledger.state().charges()[&token.index()];
        assert_eq!(line.released().map(|(_, vector)| vector), Some(*token.vector()));
        assert!(self.blobs.get(token.vector()).unwrap().is_some());
        let sent = (*token.vector(), line.reserved.request.rdp);
        let before = *self.sent.entry(token.request().round).or_insert(sent);
        assert_eq!(before, sent, "round {} was sent with other bytes", token.request().round);
        self.released.push(token);
    }

    /// What holds after every step.
    fn check(&self) {
        let state = self.ledger.state();
        let of_all_sent: f64 = self.sent.values().map(|(_, rdp)| rdp).sum();
        assert!(of_all_sent <= state.spent(), "sent {of_all_sent}, charged {}", state.spent());
        assert!(state.spent() <= BUDGET);
        for line in state.charges().values() {
            assert!(line.recomputed <= 2);
        }
    }

    fn restart(&mut self, crash: Option<Crash>) {
        let stopped = self.ledger.state().stopped().is_some();
        let fresh = ledger();
        let store = std::mem::replace(&mut self.ledger, fresh).into_store();
        let mut store = store.reopen();
        if let Some(crash) = crash {
            store.crash(crash);
        }
        self.ledger = PopulationLedger::open(store, Arc::new(key(1))).unwrap();
        let stopped = stopped || self.ledger.state().stopped().is_some();
        // Tokens of the process that died are gone with it.
        (self.reservations, self.interrupted, self.released) = Default::default();
        let mut resent = Vec::new();
        for work in self.ledger.open_work(&digest(0)) {
            match work {
                OpenWork::Recompute(token) => self.interrupted.push(token),
                OpenWork::Resend(token) => {
                    resent.push(token.request().round);
                    self.sending(token);
                }
            }
        }
        for (round, _) in self.sent.iter().filter(|_| !stopped) {
            let (_, line) = self.ledger.state().reservation(&request(*round, 1.0)).unwrap();
            let done = matches!(line.standing, Standing::Acknowledged { .. });
            assert!(done || resent.contains(round), "round {round} is not taken up again");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_crashes_nothing_leaves_uncharged_or_twice(
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let mut bank = Bank::new();
        for step in &steps {
            match step {
                Step::Crash { after_appends, durable } => {
                    let point = if *durable {
                        CrashPoint::AfterDurable
                    } else {
                        CrashPoint::BeforeDurable
                    };
                    bank.restart(Some(Crash { after_appends: *after_appends, point }));
                }
                Step::Restart => bank.restart(None),
                _ => match bank.take(step) {
                    Err(LedgerError::Store(_) | LedgerError::Poisoned) => bank.restart(None),
                    Ok(()) | Err(LedgerError::Refused(_)) => {}
                    Err(other) => prop_assert!(false, "{other}"),
                },
            }
            bank.check();
        }
    }
}
