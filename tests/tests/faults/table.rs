//! What became of each point.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::points::{Harm, Point};

/// What a fault left behind. In every case the next start went on, charged nothing more and sent what is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Nothing was charged.
    Nothing,
    /// Charged, nothing released: computed again under the same charge.
    Charged,
    /// Released and not sent: the same bytes were sent.
    Released,
    /// Sent: the same bytes, or already acknowledged.
    Sent,
}

/// A row of the table.
pub(crate) trait Row {
    fn name(&self) -> String;
}

impl Row for Point {
    fn name(&self) -> String {
        let harm = match self.harm {
            Harm::Killed => "killed before it",
            Harm::FailsOnce => "fails once",
            Harm::FailsFromThereOn => "fails from there on",
        };
        format!("{:<10} {harm}", self.call)
    }
}

impl Row for u64 {
    fn name(&self) -> String {
        "all".to_owned()
    }
}

#[derive(Default)]
pub(crate) struct Table(Mutex<BTreeMap<String, BTreeMap<Outcome, u32>>>);

impl Table {
    /// Tries all points, two at a time.
    pub(crate) fn fill<P: Row + Sync>(&self, points: &[P], attempt: impl Fn(&P) -> Outcome + Sync) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = attempt(point);
                        let mut rows = self.0.lock().unwrap();
                        *rows.entry(point.name()).or_default().entry(outcome).or_default() += 1;
                    }
                });
            }
        });
    }

    /// Every side of every step was met: otherwise the faults missed something.
    pub(crate) fn check(&self) {
        let rows = self.0.lock().unwrap();
        for outcome in [Outcome::Nothing, Outcome::Charged, Outcome::Sent] {
            assert!(rows.values().any(|row| row.contains_key(&outcome)), "never {outcome:?}");
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.lock().unwrap();
        writeln!(
            f,
            "{:<32} {:>6}  {:>8} {:>8} {:>9} {:>6}",
            "fault", "points", "nothing", "charged", "released", "sent"
        )?;
        for (name, row) in rows.iter() {
            let of = |outcome| row.get(&outcome).copied().unwrap_or(0);
            let all: u32 = row.values().sum();
            writeln!(
                f,
                "{name:<32} {all:>6}  {:>8} {:>8} {:>9} {:>6}",
                of(Outcome::Nothing),
                of(Outcome::Charged),
                of(Outcome::Released),
                of(Outcome::Sent)
            )?;
        }
        Ok(())
    }
}
