//! The rules: whether an entry may be the next one.

use super::{ChargeLine, Population, Standing, add_up};
use crate::population::entry::{Cap, Enrolled, Entry, ReserveRequest, Reserved};
use crate::population::error::Violation;
use crate::record::Record;

impl Population {
    /// Whether `record` may be the next leaf.
    ///
    /// # Errors
    ///
    /// The [`Violation`] if it may not.
    pub fn check(&self, record: &Record<Entry>) -> Result<(), Violation> {
        if record.author != self.author {
            return Err(Violation::WrongAuthor);
        }
        if record.at < self.last {
            return Err(Violation::TimeRunsBack { last: self.last, found: record.at });
        }
        match &record.body {
            Entry::Opened(_) => Err(Violation::AlreadyOpened),
            Entry::Cap(cap) => self.check_cap(cap),
            Entry::Reserved(reserved) => self.check_reserved(reserved),
            Entry::Released(released) => {
                self.check_allowed()?;
                self.open_charge(released.reservation).map(|_| ())
            }
            Entry::Recomputed(recomputed) => self.check_recomputed(recomputed.reservation),
            Entry::Voided(voided) => self.open_charge(voided.reservation).map(|_| ()),
            Entry::Acknowledged(acknowledged) => {
                self.check_acknowledged(acknowledged.reservation, acknowledged.index)
            }
            Entry::Stopped(_) => self.check_allowed(),
            Entry::Resumed(_) if self.stopped.is_none() => Err(Violation::NotStopped),
            Entry::Resumed(_) => Ok(()),
            Entry::Enrolled(enrolled) => self.check_enrolled(enrolled),
        }
    }

    pub(in crate::population) fn check_allowed(&self) -> Result<(), Violation> {
        match &self.stopped {
            Some(reason) => Err(Violation::Stopped(reason.to_string())),
            None => Ok(()),
        }
    }

    fn check_cap(&self, cap: &Cap) -> Result<(), Violation> {
        // The filter's theorem holds for an order and a delta that no charge could influence.
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        match self.cap() {
            Some(old) if !same(old.order(), cap.order()) || !same(old.delta(), cap.delta()) => {
                Err(Violation::CapChangesFilter)
            }
            _ => Ok(()),
        }
    }

    fn check_reserved(&self, reserved: &Reserved) -> Result<(), Violation> {
        self.check_allowed()?;
        let request = &reserved.request;
        if let Some((index, _)) = self.reservation(request) {
            return Err(Violation::AlreadyReserved(index));
        }
        if !self.enrolled.contains_key(&request.consortium) {
            return Err(Violation::NotEnrolled(request.consortium));
        }
        self.check_run(request)?;
        let cap = self.cap().ok_or(Violation::NoCap)?;
        let (spent, rdp, budget) = (self.spent, request.rdp, cap.budget());
        if !(rdp.is_finite() && rdp > 0.0) {
            return Err(Violation::NotPositive(rdp));
        }
        let expected = add_up(spent, rdp);
        if expected > budget {
            return Err(Violation::OverBudget { spent, rdp, budget });
        }
        let found = reserved.cumulative_rdp;
        if expected.to_bits() != found.to_bits() {
            return Err(Violation::Cumulative { expected, found });
        }
        Ok(())
    }

    /// A run has one plan for all its rounds, and costs what the bank lets a run cost.
    fn check_run(&self, request: &ReserveRequest) -> Result<(), Violation> {
        let (terms, round) = (&request.terms, request.round);
        if round >= terms.rounds() {
            return Err(Violation::BeyondPlan { rounds: terms.rounds(), round });
        }
        if terms.epsilon() > terms.epsilon_max() {
            let (epsilon, epsilon_max) = (terms.epsilon(), terms.epsilon_max());
            return Err(Violation::OverRunCap { epsilon, epsilon_max });
        }
        let Some(index) = self.runs.get(&(request.consortium, request.run)) else {
            return Ok(());
        };
        let begun = &self.line(*index)?.reserved.request;
        let same = begun.plan == request.plan
            && begun.charge == request.charge
            && begun.terms.same_plan(terms);
        if same { Ok(()) } else { Err(Violation::OtherTerms(*index)) }
    }

    fn check_recomputed(&self, reservation: u64) -> Result<(), Violation> {
        self.check_allowed()?;
        if self.open_charge(reservation)?.is_exhausted() {
            return Err(Violation::Exhausted(reservation));
        }
        Ok(())
    }

    fn check_acknowledged(&self, reservation: u64, found: u64) -> Result<(), Violation> {
        match &self.line(reservation)?.standing {
            Standing::Released { .. } => Ok(()),
            Standing::Acknowledged { index, .. } => {
                Err(Violation::OtherReceipt { expected: *index, found })
            }
            Standing::Open => Err(Violation::NotReleased(reservation)),
            Standing::Voided { .. } => Err(Violation::Voided(reservation)),
        }
    }

    fn line(&self, reservation: u64) -> Result<&ChargeLine, Violation> {
        self.charges.get(&reservation).ok_or(Violation::NoReservation(reservation))
    }

    /// The charge, if nothing was released under it and it was not given back.
    pub(in crate::population) fn open_charge(
        &self,
        reservation: u64,
    ) -> Result<&ChargeLine, Violation> {
        let line = self.line(reservation)?;
        match line.standing {
            Standing::Open => Ok(line),
            Standing::Voided { .. } => Err(Violation::Voided(reservation)),
            Standing::Released { vector, .. } | Standing::Acknowledged { vector, .. } => {
                Err(Violation::AlreadyReleased { reservation, vector })
            }
        }
    }

    /// A consortium has one name for the bank, for life; a new key of the bank there needs a new statement.
    fn check_enrolled(&self, enrolled: &Enrolled) -> Result<(), Violation> {
        if let Some(before) = self.enrolled.get(&enrolled.consortium)
            && (before.institution != enrolled.institution
                || before.record_key == enrolled.record_key)
        {
            return Err(Violation::AlreadyEnrolled(enrolled.consortium));
        }
        enrolled.verify(&self.genesis).map_err(|_| Violation::NotSignedFor)
    }
}
