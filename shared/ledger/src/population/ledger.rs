//! The ledger itself: decisions, written durably before they are answered.

use std::sync::Arc;

use super::entry::{
    Acknowledged, Cap, Entry, Opened, Recomputed, ReleasedEntry, ReserveRequest, Reserved, Resumed,
    Stopped, Voided,
};
use super::error::{LedgerError, Violation};
use super::sketch::Sketch;
use super::state::{ChargeLine, Population, Standing};
use super::token::{Interrupted, OpenWork, Released, Reservation, ReserveOutcome};
use crate::checkpoint::{LogIdentity, SignedCheckpoint};
use crate::digest::{Digest, sha256};
use crate::log_store::{AppendError, BlobStore, LogStore, SmallBlob};
use crate::record::{Leaf, LeafBytes, Record, RecordError, Text};
use crate::signing::SigningKey;
use crate::time::Timestamp;
use crate::tree::{Frontier, Head, ProofError, leaf_hash, root_at};

/// How many leaves are read at a time when the ledger is opened.
const PAGE: u64 = 1024;

/// A population's ledger on a store of its own.
///
/// Every method that writes returns only after its entry is durable. After a storage error it
/// refuses everything until it is opened again, because what became durable is not known.
#[derive(Debug)]
pub struct PopulationLedger<S> {
    store: S,
    key: Arc<SigningKey>,
    genesis: Digest,
    head: Head,
    state: Population,
    poisoned: bool,
}

pub(super) type Answer<T, S> = Result<T, LedgerError<<S as crate::tree::HashSource>::Error>>;

impl<S: LogStore> PopulationLedger<S> {
    /// Registers a population in an empty store. `others` are the sketches of the bank's other
    /// populations.
    ///
    /// # Errors
    ///
    /// [`Violation::Overlaps`] if the population shares units with another,
    /// [`Violation::AlreadyOpened`] if the store is not empty, or storage fails.
    pub fn register(
        mut store: S,
        key: Arc<SigningKey>,
        at: Timestamp,
        opened: Opened,
        others: &[Sketch],
    ) -> Answer<Self, S> {
        if others.iter().any(|other| other.overlaps(&opened.sketch)) {
            return Err(Violation::Overlaps.into());
        }
        if store.head().size != 0 {
            return Err(Violation::AlreadyOpened.into());
        }
        let record = Record { at, author: key.public(), body: Entry::Opened(opened) };
        let state = Population::open(&record)?;
        let leaf = record.sign(&key, &Digest::ZERO).map_err(LedgerError::Record)?;
        let genesis = leaf.digest();
        let head = store.append(&Head::empty(), &[leaf.into_bytes()], &[]).map_err(store_error)?;
        let mut ledger = Self { store, key, genesis, head, state, poisoned: false };
        ledger.keep_checkpoint();
        Ok(ledger)
    }

    /// Opens a registered population's ledger: reads every leaf, verifies signatures, rules, root
    /// and the checkpoint that was kept, and folds the state.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] with what does not hold; [`Violation::NotOpened`] if the store is empty.
    pub fn open(store: S, key: Arc<SigningKey>) -> Answer<Self, S> {
        let head = store.head();
        let mut fold = Fold::default();
        while fold.frontier.size() < head.size {
            let start = fold.frontier.size();
            let page =
                store.leaves(start..head.size.min(start + PAGE)).map_err(LedgerError::Store)?;
            if page.is_empty() {
                break;
            }
            for bytes in page {
                fold.take(bytes)?;
            }
        }
        let found = fold.frontier.head();
        if found != head {
            return Err(LedgerError::Root { expected: head.root, found: found.root });
        }
        let (genesis, state) = fold.state.ok_or(Violation::NotOpened)?;
        if state.opened_by() != key.public() {
            return Err(Violation::WrongAuthor.into());
        }
        let ledger = Self { store, key, genesis, head, state, poisoned: false };
        if let Some(text) = ledger.store.checkpoint().map_err(LedgerError::Store)? {
            let kept = SignedCheckpoint::open(&text, &ledger.identity())?;
            ledger.confirm(&kept.head())?;
        }
        Ok(ledger)
    }

    /// Sets the lifetime budget. A later cap may change epsilon and budget, never order or delta;
    /// the earlier ones stay visible.
    ///
    /// # Errors
    ///
    /// [`Violation::CapChangesFilter`], or storage fails.
    pub fn set_cap(&mut self, at: Timestamp, cap: Cap) -> Answer<(), S> {
        self.write(at, cap.into(), &[]).map(|_| ())
    }

    /// Charges a release, or finds what became of it if its round is charged already: a round is
    /// never charged twice.
    ///
    /// # Errors
    ///
    /// [`Violation::Stopped`], [`Violation::NoCap`], [`Violation::OverBudget`];
    /// [`Violation::OtherRelease`] if the round is charged for another plan or model;
    /// [`Violation::Exhausted`] if its computation was interrupted too often; or storage fails.
    pub fn reserve(&mut self, at: Timestamp, request: ReserveRequest) -> Answer<ReserveOutcome, S> {
        self.sound()?;
        self.state.check_allowed()?;
        if let Some((index, line)) = self.state.reservation(&request) {
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
        let cumulative_rdp = self.state.cumulative_with(request.rdp);
        let reserved = Reserved { request: request.clone(), cumulative_rdp };
        let index = self.write(at, reserved.into(), &[])?;
        // Only here: the charge is durable.
        let ledger = self.genesis;
        Ok(ReserveOutcome::Compute(Reservation { ledger, index, attempt: 0, request }))
    }

    /// Starts an interrupted computation again under its charge.
    ///
    /// # Errors
    ///
    /// [`Violation::Exhausted`] if it was started again [`RECOMPUTES_MAX`](super::RECOMPUTES_MAX)
    /// times already, [`Violation::Stopped`], [`Violation::Voided`],
    /// [`Violation::AlreadyReleased`], or storage fails.
    pub fn recompute(&mut self, at: Timestamp, again: &Interrupted) -> Answer<Reservation, S> {
        self.own(&again.ledger)?;
        let Interrupted { index, request, .. } = again;
        self.write(at, Recomputed { reservation: *index }.into(), &[])?;
        let attempt = self.state.open_charge(*index)?.recomputed;
        let (ledger, request) = (self.genesis, request.clone());
        Ok(Reservation { ledger, index: *index, attempt, request })
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
        self.state.check_allowed()?;
        let index = reservation.index;
        let vector = sha256(&bytes);
        if let Some(line) = self.state.charges().get(&index)
            && let Some(released) = self.released(index, line)
            && released.vector == vector
        {
            return Ok(released);
        }
        if self.state.open_charge(index)?.recomputed != reservation.attempt {
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
        let (ledger, request) = (self.genesis, reservation.request.clone());
        Ok(Released { ledger, index, entry, request, vector })
    }

    /// Records that the coordinator's receipt is held: leaf `index` of the consortium's log, and
    /// the digest of the receipt as it is stored. A second receipt for the same leaf changes nothing.
    ///
    /// # Errors
    ///
    /// [`Violation::OtherReceipt`] if another leaf was acknowledged, or storage fails.
    pub fn acknowledge(
        &mut self,
        at: Timestamp,
        released: &Released,
        index: u64,
        receipt: Digest,
    ) -> Answer<(), S> {
        self.own(&released.ledger)?;
        let reservation = released.index;
        let standing = self.state.charges().get(&reservation).map(|line| &line.standing);
        if matches!(standing, Some(Standing::Acknowledged { index: held, .. }) if *held == index) {
            return Ok(());
        }
        self.write(at, Acknowledged { reservation, index, receipt }.into(), &[]).map(|_| ())
    }

    /// Gives a reservation back: an operator's act, never automatic. The round may be charged anew.
    ///
    /// # Errors
    ///
    /// [`Violation::AlreadyReleased`] once its bytes were released, [`Violation::Voided`],
    /// [`Violation::NoReservation`], or storage fails.
    pub fn void(&mut self, at: Timestamp, reservation: u64, reason: Text<256>) -> Answer<(), S> {
        self.write(at, Voided { reservation, reason }.into(), &[]).map(|_| ())
    }

    /// Refuses everything that could be sent, from here on and across restarts. What was released
    /// before cannot be called back; [`open_work`](Self::open_work) no longer hands it out.
    ///
    /// # Errors
    ///
    /// [`Violation::Stopped`] if it is stopped already, or storage fails.
    pub fn stop(&mut self, at: Timestamp, reason: Text<256>) -> Answer<(), S> {
        self.write(at, Stopped { reason }.into(), &[]).map(|_| ())
    }

    /// Allows releases again.
    ///
    /// # Errors
    ///
    /// [`Violation::NotStopped`], or storage fails.
    pub fn resume(&mut self, at: Timestamp, reason: Text<256>) -> Answer<(), S> {
        self.write(at, Resumed { reason }.into(), &[]).map(|_| ())
    }

    /// What a restart has to see to, in the order it was charged; nothing while stopped.
    ///
    /// A computation that is under way in this process is listed too: ask before starting any.
    pub fn open_work(&self) -> Vec<OpenWork> {
        if self.state.stopped().is_some() {
            return Vec::new();
        }
        let work = |(index, line): (&u64, &ChargeLine)| match line.standing {
            Standing::Open if line.is_exhausted() => None,
            Standing::Open => Some(OpenWork::Recompute(self.interrupted(*index, line))),
            Standing::Released { .. } => self.released(*index, line).map(OpenWork::Resend),
            Standing::Acknowledged { .. } | Standing::Voided { .. } => None,
        };
        self.state.charges().iter().filter_map(work).collect()
    }

    /// Checks that the ledger extends `earlier`: a head that a second place has kept.
    ///
    /// # Errors
    ///
    /// [`LedgerError::RolledBack`] if it does not, or storage fails.
    pub fn confirm(&self, earlier: &Head) -> Answer<(), S> {
        if earlier.size > self.head.size {
            return Err(LedgerError::RolledBack(*earlier));
        }
        match root_at(&self.store, earlier.size) {
            Ok(root) if root == earlier.root => Ok(()),
            Ok(_) | Err(ProofError::OutOfRange { .. }) => Err(LedgerError::RolledBack(*earlier)),
            Err(ProofError::Source(error)) => Err(LedgerError::Store(error)),
        }
    }

    /// What the entries add up to.
    pub const fn state(&self) -> &Population {
        &self.state
    }

    /// The number of entries and the root over them.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The ledger's identity: its genesis digest and the bank's record key, which signs its
    /// checkpoints too.
    pub fn identity(&self) -> LogIdentity {
        LogIdentity { genesis: self.genesis, key: self.key.public() }
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Gives the store back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Checks, signs, appends and folds one entry; answers with its leaf.
    fn write(&mut self, at: Timestamp, body: Entry, blobs: &[SmallBlob]) -> Answer<u64, S> {
        self.sound()?;
        // The bank's clock may be set back; the log's does not.
        let at = at.max(self.state.last());
        let record = Record { at, author: self.key.public(), body };
        self.state.check(&record)?;
        let leaf = record.sign(&self.key, &self.genesis).map_err(LedgerError::Record)?;
        let index = self.head.size;
        let appended = self.store.append(&self.head, std::slice::from_ref(leaf.bytes()), blobs);
        match appended {
            Ok(head) => self.head = head,
            Err(error) => {
                self.poisoned = true;
                return Err(store_error(error));
            }
        }
        self.state.apply(leaf.record())?;
        self.keep_checkpoint();
        Ok(index)
    }

    /// Signs the head. The entry is durable whatever becomes of its checkpoint, so a failure is
    /// reported by the next write.
    fn keep_checkpoint(&mut self) {
        let signed = SignedCheckpoint::sign(&self.genesis, self.head, &self.key);
        self.poisoned = match signed {
            Ok(checkpoint) => self.store.put_checkpoint(&checkpoint).is_err(),
            Err(_) => true,
        };
    }

    /// The bank's record key.
    pub fn record_key(&self) -> &SigningKey {
        &self.key
    }

    const fn sound(&self) -> Answer<(), S> {
        if self.poisoned { Err(LedgerError::Poisoned) } else { Ok(()) }
    }

    pub(super) fn own(&self, ledger: &Digest) -> Answer<(), S> {
        if *ledger == self.genesis { Ok(()) } else { Err(Violation::OtherLedger.into()) }
    }

    fn released(&self, index: u64, line: &ChargeLine) -> Option<Released> {
        let (entry, vector) = line.released()?;
        let request = line.reserved.request.clone();
        Some(Released { ledger: self.genesis, index, entry, request, vector })
    }

    fn interrupted(&self, index: u64, line: &ChargeLine) -> Interrupted {
        let request = line.reserved.request.clone();
        Interrupted { ledger: self.genesis, index, request }
    }
}

/// What reading the leaves has come to.
#[derive(Default)]
struct Fold {
    frontier: Frontier,
    state: Option<(Digest, Population)>,
}

impl Fold {
    fn take<E>(&mut self, bytes: LeafBytes) -> Result<(), LedgerError<E>> {
        let index = self.frontier.size();
        let damaged = |reason: RecordError| LedgerError::Damaged { index, reason };
        let unlawful = |reason: Violation| LedgerError::Unlawful { index, reason };
        self.frontier.push(leaf_hash(bytes.as_slice()), |_, _, _| ());
        let leaf: Leaf<Entry> = Leaf::decode(bytes.into_vec()).map_err(damaged)?;
        let genesis = self.state.as_ref().map_or(Digest::ZERO, |(genesis, _)| *genesis);
        leaf.verify_signature(&genesis).map_err(damaged)?;
        match &mut self.state {
            None => {
                let state = Population::open(leaf.record()).map_err(unlawful)?;
                self.state = Some((leaf.digest(), state));
            }
            Some((_, state)) => state.apply(leaf.record()).map_err(unlawful)?,
        }
        Ok(())
    }
}

fn store_error<E>(error: AppendError<E>) -> LedgerError<E> {
    match error {
        AppendError::Moved { found, .. } => LedgerError::Moved(found),
        AppendError::Store(error) => LedgerError::Store(error),
    }
}
