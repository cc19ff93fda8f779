//! From the charge to the release.

use super::{Answer, PopulationLedger};
use crate::digest::sha256;
use crate::log_store::{BlobStore, LogStore, SmallBlob};
use crate::population::entry::{Recomputed, ReleasedEntry, ReserveRequest, Reserved};
use crate::population::error::{LedgerError, Violation};
use crate::population::token::{Interrupted, Released, Reservation, ReserveOutcome};
use crate::time::Timestamp;

impl<S: LogStore> PopulationLedger<S> {
    /// Charges a release, or finds what became of it if its round is charged already: a round is
    /// never charged twice.
    ///
    /// # Errors
    ///
    /// [`Violation::Stopped`], [`Violation::NoCap`], [`Violation::OverBudget`];
    /// [`Violation::OtherRelease`] if the round is charged for another plan or model;
    /// [`Violation::Exhausted`] if its computation was interrupted too often; or storage fails.
    pub fn reserve(&mut self, at: Timestamp, request: ReserveRequest) -> Answer<ReserveOutcome, S> {
        self.decide(|ledger| ledger.reserve_now(at, request))
    }

    /// Starts an interrupted computation again under its charge.
    ///
    /// # Errors
    ///
    /// [`Violation::Exhausted`] if it was started again [`RECOMPUTES_MAX`](crate::population::RECOMPUTES_MAX)
    /// times already, [`Violation::Stopped`], [`Violation::Voided`],
    /// [`Violation::AlreadyReleased`], or storage fails.
    pub fn recompute(&mut self, at: Timestamp, again: &Interrupted) -> Answer<Reservation, S> {
        self.own(&again.ledger)?;
        let Interrupted { index, request, .. } = again;
        self.decide(|ledger| {
            ledger.write(at, Recomputed { reservation: *index }.into(), &[])?;
            let attempt = ledger.state().open_charge(*index)?.recomputed;
            let (ledger, request) = (ledger.genesis(), request.clone());
            Ok(Reservation { ledger, index: *index, attempt, request })
        })
    }

    /// Makes the noised bytes durable, then records that they may be sent.
    ///
    /// Bytes that are small enough become durable in the same commit as the record; others before
    /// it. Releasing the same bytes again gives the same answer and writes nothing.
    ///
    /// # Errors
    ///
    /// [`Violation::AlreadyReleased`] if other bytes were released, [`Violation::Superseded`] if the
    /// computation was started again since, [`Violation::Voided`], [`Violation::Stopped`], or
    /// storage fails.
    pub fn release<B: BlobStore>(
        &mut self,
        at: Timestamp,
        reservation: &Reservation,
        bytes: Vec<u8>,
        blobs: &B,
    ) -> Answer<Released, S> {
        self.own(&reservation.ledger)?;
        self.decide(|ledger| ledger.release_now(at, reservation, bytes, blobs))
    }

    fn reserve_now(&mut self, at: Timestamp, request: ReserveRequest) -> Answer<ReserveOutcome, S> {
        self.state().check_allowed()?;
        if let Some((index, line)) = self.state().reservation(&request) {
            let standing = &line.reserved.request;
            if standing.plan != request.plan || standing.model != request.model {
                return Err(Violation::OtherRelease(index).into());
            }
            if line.is_exhausted() {
                return Err(Violation::Exhausted(index).into());
            }
            return Ok(match self.released(index, line) {
                Some(released) => ReserveOutcome::Released(released),
                None => ReserveOutcome::Interrupted(self.interrupted(index, line)),
            });
        }
        let cumulative_rdp = self.state().cumulative_with(request.rdp);
        let reserved = Reserved { request: request.clone(), cumulative_rdp };
        let index = self.write(at, reserved.into(), &[])?;
        // Only here: the charge is durable.
        let ledger = self.genesis();
        Ok(ReserveOutcome::Compute(Reservation { ledger, index, attempt: 0, request }))
    }

    fn release_now<B: BlobStore>(
        &mut self,
        at: Timestamp,
        reservation: &Reservation,
        bytes: Vec<u8>,
        blobs: &B,
    ) -> Answer<Released, S> {
        self.state().check_allowed()?;
        let index = reservation.index;
        let vector = sha256(&bytes);
        if let Some(line) = self.state().charges().get(&index)
            && let Some(released) = self.released(index, line)
            && released.vector == vector
        {
            return Ok(released);
        }
        if self.state().open_charge(index)?.recomputed != reservation.attempt {
            return Err(Violation::Superseded(index).into());
        }
        let small = match SmallBlob::new(bytes) {
            Ok(blob) => vec![blob],
            Err(too_large) => {
                blobs.put(&too_large.bytes).map_err(|error| LedgerError::Blobs(error.into()))?;
                Vec::new()
            }
        };
        let entry = self.write(at, ReleasedEntry { reservation: index, vector }.into(), &small)?;
        // Only here: bytes and record are durable.
        let (ledger, request) = (self.genesis(), reservation.request.clone());
        Ok(Released { ledger, index, entry, request, vector })
    }
}
