//! What a population's ledger adds up to: a fold over its entries.

use std::collections::BTreeMap;

use super::entry::{Cap, Enrolled, Entry, Opened, ReserveRequest, Reserved};
use super::error::Violation;
use crate::digest::Digest;
use crate::record::{Leaf, Record, RunId, Text};
use crate::signing::PublicKey;
use crate::time::Timestamp;

mod rules;

/// How often the computation under one reservation may be started again.
pub const RECOMPUTES_MAX: u32 = 2;

/// The state of a population's ledger.
///
/// It changes only by [`apply`](Self::apply), and every rule is in [`check`](Self::check): the bank
/// asks it before it writes an entry, and a reader asks it of every entry it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    genesis: Digest,
    opened: Opened,
    author: PublicKey,
    enrolled: BTreeMap<Digest, Enrolled>,
    caps: Vec<(Timestamp, Cap)>,
    charges: BTreeMap<u64, ChargeLine>,
    rounds: BTreeMap<(Digest, RunId, u32), u64>,
    /// The charge that each run began with, voided or not.
    runs: BTreeMap<(Digest, RunId), u64>,
    spent: f64,
    stopped: Option<Text<256>>,
    size: u64,
    last: Timestamp,
}

/// One charge and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChargeLine {
    /// When it was charged.
    pub at: Timestamp,
    /// What was charged.
    pub reserved: Reserved,
    /// How often the computation was started again.
    pub recomputed: u32,
    /// What became of it.
    pub standing: Standing,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was released under it.
    Open,
    /// Its bytes may be sent.
    Released {
        /// The leaf of the Released entry.
        entry: u64,
        /// SHA-256 of the bytes.
        vector: Digest,
    },
    /// The coordinator's receipt is held.
    Acknowledged {
        /// The leaf of the Released entry.
        entry: u64,
        /// SHA-256 of the bytes.
        vector: Digest,
        /// The leaf of the Accepted record in the consortium's log.
        index: u64,
        /// SHA-256 of the receipt.
        receipt: Digest,
    },
    /// An operator gave it back; it counts no more.
    Voided {
        /// Who and why.
        reason: Text<256>,
    },
}

impl ChargeLine {
    /// Whether nothing was released and the computation may not be started again.
    pub fn is_exhausted(&self) -> bool {
        self.standing == Standing::Open && self.recomputed >= RECOMPUTES_MAX
    }

    /// The Released entry's leaf and the digest of the bytes, if they were released.
    pub const fn released(&self) -> Option<(u64, Digest)> {
        match self.standing {
            Standing::Released { entry, vector } | Standing::Acknowledged { entry, vector, .. } => {
                Some((entry, vector))
            }
            Standing::Open | Standing::Voided { .. } => None,
        }
    }

    /// Whether it was charged for `consortium`.
    pub fn is_for(&self, consortium: &Digest) -> bool {
        self.reserved.request.consortium == *consortium
    }

    const fn counts(&self) -> bool {
        !matches!(self.standing, Standing::Voided { .. })
    }
}

impl Population {
    /// The state after leaf 0.
    ///
    /// # Errors
    ///
    /// [`Violation::NotOpened`] if leaf 0 is not Opened.
    pub fn open(leaf: &Leaf<Entry>) -> Result<Self, Violation> {
        let record = leaf.record();
        let Entry::Opened(opened) = &record.body else {
            return Err(Violation::NotOpened);
        };
        Ok(Self {
            genesis: leaf.digest(),
            opened: opened.clone(),
            author: record.author,
            enrolled: BTreeMap::new(),
            caps: Vec::new(),
            charges: BTreeMap::new(),
            rounds: BTreeMap::new(),
            runs: BTreeMap::new(),
            spent: 0.0,
            stopped: None,
            size: 1,
            last: record.at,
        })
    }

    /// The state with `record` as the next leaf.
    ///
    /// # Errors
    ///
    /// The [`Violation`] if it may not be; then nothing changes.
    pub fn apply(&mut self, record: &Record<Entry>) -> Result<(), Violation> {
        self.check(record)?;
        let index = self.size;
        self.size += 1;
        self.last = record.at;
        match &record.body {
            Entry::Opened(_) => {}
            Entry::Cap(cap) => self.caps.push((record.at, cap.clone())),
            Entry::Reserved(reserved) => self.charge(index, record.at, reserved),
            Entry::Released(released) => self.update(released.reservation, |line| {
                line.standing = Standing::Released { entry: index, vector: released.vector };
            }),
            Entry::Recomputed(recomputed) => {
                self.update(recomputed.reservation, |line| line.recomputed += 1);
            }
            Entry::Voided(voided) => self.void(voided.reservation, &voided.reason),
            Entry::Acknowledged(entry) => self.update(entry.reservation, |line| {
                if let Some((released, vector)) = line.released() {
                    line.standing = Standing::Acknowledged {
                        entry: released,
                        vector,
                        index: entry.index,
                        receipt: entry.receipt,
                    };
                }
            }),
            Entry::Stopped(stopped) => self.stopped = Some(stopped.reason.clone()),
            Entry::Resumed(_) => self.stopped = None,
            Entry::Enrolled(enrolled) => {
                self.enrolled.insert(enrolled.consortium, enrolled.clone());
            }
        }
        Ok(())
    }

    /// The digest of leaf 0, by which the ledger is named.
    pub const fn genesis(&self) -> Digest {
        self.genesis
    }

    /// The registration.
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The key that registered the population and signs every entry: the ledger's own.
    pub const fn opened_by(&self) -> PublicKey {
        self.author
    }

    /// The consortia in which this ledger is the bank's, by their genesis digests.
    pub const fn enrolled(&self) -> &BTreeMap<Digest, Enrolled> {
        &self.enrolled
    }

    /// The cap that holds now.
    pub fn cap(&self) -> Option<&Cap> {
        self.caps.last().map(|(_, cap)| cap)
    }

    /// All caps, the earliest at the start.
    pub fn caps(&self) -> &[(Timestamp, Cap)] {
        &self.caps
    }

    /// All charges with what became of them, by the leaf of the reservation.
    pub const fn charges(&self) -> &BTreeMap<u64, ChargeLine> {
        &self.charges
    }

    /// The sum of the RDP of all charges that were not voided, at the filter's order, rounded up.
    pub const fn spent(&self) -> f64 {
        self.spent
    }

    /// The same for the charges to one consortium alone: its share of the one budget.
    pub fn spent_for(&self, consortium: &Digest) -> f64 {
        let theirs = self.charges.values().filter(|line| line.is_for(consortium) && line.counts());
        theirs.fold(0.0, |sum, line| add_up(sum, line.reserved.request.rdp))
    }

    /// Why releases are stopped, if they are.
    pub const fn stopped(&self) -> Option<&Text<256>> {
        self.stopped.as_ref()
    }

    /// How many leaves were folded.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The time of the last leaf.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// The reservation of a round, if one stands.
    pub fn reservation(&self, request: &ReserveRequest) -> Option<(u64, &ChargeLine)> {
        let index = self.rounds.get(&round_of(request))?;
        self.charges.get(index).map(|line| (*index, line))
    }

    /// What the cumulative RDP would be with a further charge.
    pub fn cumulative_with(&self, rdp: f64) -> f64 {
        add_up(self.spent, rdp)
    }

    fn charge(&mut self, index: u64, at: Timestamp, reserved: &Reserved) {
        self.spent = reserved.cumulative_rdp;
        let request = &reserved.request;
        self.rounds.insert(round_of(request), index);
        self.runs.entry((request.consortium, request.run)).or_insert(index);
        let reserved = reserved.clone();
        let line = ChargeLine { at, reserved, recomputed: 0, standing: Standing::Open };
        self.charges.insert(index, line);
    }

    fn void(&mut self, reservation: u64, reason: &Text<256>) {
        self.update(reservation, |line| {
            line.standing = Standing::Voided { reason: reason.clone() };
        });
        if let Some(line) = self.charges.get(&reservation) {
            self.rounds.remove(&round_of(&line.reserved.request));
        }
        // Added up anew: subtracting could round below the true sum.
        self.spent = self
            .charges
            .values()
            .filter(|line| line.counts())
            .fold(0.0, |sum, line| add_up(sum, line.reserved.request.rdp));
    }

    fn update(&mut self, reservation: u64, change: impl FnOnce(&mut ChargeLine)) {
        if let Some(line) = self.charges.get_mut(&reservation) {
            change(line);
        }
    }
}

fn round_of(request: &ReserveRequest) -> (Digest, RunId, u32) {
    (request.consortium, request.run, request.round)
}

/// The smallest double that is not below `a + b`, for finite `a` and `b`.
///
/// The rounding error of a floating-point sum is itself a double ([Knuth, TAOCP 2, 4.2.2, theorem
/// B]): if it is positive, the sum was rounded down.
fn add_up(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    if error > 0.0 { sum.next_up() } else { sum }
}

#[cfg(test)]
mod tests {
    use super::add_up;

    #[test]
    fn sums_are_rounded_up_and_only_if_inexact() {
        assert!(add_up(1.0, 2.0_f64.powi(-60)) > 1.0);
        assert_eq!(add_up(1.0, 2.0_f64.powi(-60)).to_bits(), 1.0_f64.next_up().to_bits());
        assert_eq!(add_up(0.25, 0.5).to_bits(), 0.75_f64.to_bits());
        // 0.1 + 0.2 rounds up already; 0.1 + 0.7 rounds down.
        assert_eq!(add_up(0.1, 0.2).to_bits(), (0.1_f64 + 0.2).to_bits());
        assert_eq!(add_up(0.1, 0.7).to_bits(), (0.1_f64 + 0.7).next_up().to_bits());
    }
}
