//! The ledger itself: decisions, written durably before they are answered.

use std::sync::Arc;

use super::entry::{Acknowledged, Cap, Enrolled, Entry, Opened, Resumed, Stopped, Voided};
use super::error::{LedgerError, Violation};
use super::sketch::Sketch;
use super::state::{ChargeLine, Population, Standing};
use super::token::{Interrupted, OpenWork, Released};
use crate::checkpoint::{LogIdentity, SignedCheckpoint};
use crate::digest::Digest;
use crate::log_store::{AppendError, LogStore, SmallBlob};
use crate::record::{Institution, Record, Text};
use crate::signing::SigningKey;
use crate::time::Timestamp;
use crate::tree::{Head, ProofError, root_at};
use fold::Fold;

mod charge;
mod fold;

/// A population's ledger on a store that it may share with other processes.
///
/// Every method that writes holds the store, reads what others have appended, decides on that, and
/// returns only after its entry is durable: of two that would spend the last of a budget, one is
/// refused. What can be read is as of the last such method, or [`refresh`](Self::refresh).
///
/// After a storage error it refuses everything until it is opened again, because what became durable
/// is not known.
#[derive(Debug)]
pub struct PopulationLedger<S> {
    store: S,
    key: Arc<SigningKey>,
    fold: Fold,
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
        let record = Record { at, author: key.public(), body: Entry::Opened(opened) };
        let leaf = record.sign(&key, &Digest::ZERO).map_err(LedgerError::Record)?;
        let fold = Fold::begin(&leaf)?;
        store.hold().map_err(LedgerError::Store)?;
        if store.head().size != 0 {
            return Err(Violation::AlreadyOpened.into());
        }
        store.append(&Head::empty(), &[leaf.into_bytes()], &[]).map_err(store_error)?;
        let mut ledger = Self { store, key, fold, poisoned: false };
        ledger.keep_checkpoint();
        ledger.store.let_go();
        Ok(ledger)
    }

    /// Opens a registered population's ledger: reads every leaf, verifies signatures, rules, root
    /// and the checkpoint that was kept, and folds the state.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] with what does not hold; [`Violation::NotOpened`] if the store is empty.
    pub fn open(mut store: S, key: Arc<SigningKey>) -> Answer<Self, S> {
        store.hold().map_err(LedgerError::Store)?;
        let checkpoint = store.checkpoint();
        // The leaves up to this head never change: others need not wait until all are verified.
        store.let_go();
        let mut fold = Fold::read_first(&store)?;
        fold.read_on(&store)?;
        if fold.state().opened_by() != key.public() {
            return Err(Violation::WrongAuthor.into());
        }
        let ledger = Self { store, key, fold, poisoned: false };
        if let Some(text) = checkpoint.map_err(LedgerError::Store)? {
            let kept = SignedCheckpoint::open(&text, &ledger.identity())?;
            ledger.confirm(&kept.head())?;
        }
        Ok(ledger)
    }

    /// Reads what others have appended, if the store is shared.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if what they appended does not go on from what was read before, or storage fails.
    pub fn refresh(&mut self) -> Answer<(), S> {
        self.decide(|_| Ok(()))
    }

    /// Has the bank's record key in a consortium sign that this ledger is the bank's there. If it has
    /// signed before, nothing is written.
    ///
    /// # Errors
    ///
    /// [`Violation::AlreadyEnrolled`] if the bank has another name in that consortium, or storage fails.
    pub fn enroll(
        &mut self,
        at: Timestamp,
        consortium: Digest,
        institution: &Institution,
        record_key: &SigningKey,
    ) -> Answer<(), S> {
        self.decide(|ledger| {
            let before = ledger.state().enrolled().get(&consortium);
            if before.is_some_and(|before| {
                before.institution == *institution && before.record_key == record_key.public()
            }) {
                return Ok(());
            }
            let genesis = ledger.genesis();
            let enrolled = Enrolled::sign(&genesis, consortium, institution.clone(), record_key);
            ledger.write(at, enrolled.into(), &[]).map(|_| ())
        })
    }

    /// Sets the lifetime budget. A later cap may change epsilon and budget, never order or delta;
    /// the earlier ones stay visible.
    ///
    /// # Errors
    ///
    /// [`Violation::CapChangesFilter`], or storage fails.
    pub fn set_cap(&mut self, at: Timestamp, cap: Cap) -> Answer<(), S> {
        self.decide(|ledger| ledger.write(at, cap.into(), &[]).map(|_| ()))
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
        self.decide(|ledger| {
            let standing = ledger.state().charges().get(&reservation).map(|line| &line.standing);
            if matches!(standing, Some(Standing::Acknowledged { index: held, .. }) if *held == index)
            {
                return Ok(());
            }
            let entry = Acknowledged { reservation, index, receipt };
            ledger.write(at, entry.into(), &[]).map(|_| ())
        })
    }

    /// Gives a reservation back: an operator's act, never automatic. The round may be charged anew.
    ///
    /// # Errors
    ///
    /// [`Violation::AlreadyReleased`] once its bytes were released, [`Violation::Voided`],
    /// [`Violation::NoReservation`], or storage fails.
    pub fn void(&mut self, at: Timestamp, reservation: u64, reason: Text<256>) -> Answer<(), S> {
        self.decide(|ledger| {
            ledger.write(at, Voided { reservation, reason }.into(), &[]).map(|_| ())
        })
    }

    /// Refuses everything that could be sent, from here on and across restarts. What was released
    /// before cannot be called back; [`open_work`](Self::open_work) no longer hands it out.
    ///
    /// # Errors
    ///
    /// [`Violation::Stopped`] if it is stopped already, or storage fails.
    pub fn stop(&mut self, at: Timestamp, reason: Text<256>) -> Answer<(), S> {
        self.decide(|ledger| ledger.write(at, Stopped { reason }.into(), &[]).map(|_| ()))
    }

    /// Allows releases again.
    ///
    /// # Errors
    ///
    /// [`Violation::NotStopped`], or storage fails.
    pub fn resume(&mut self, at: Timestamp, reason: Text<256>) -> Answer<(), S> {
        self.decide(|ledger| ledger.write(at, Resumed { reason }.into(), &[]).map(|_| ()))
    }

    /// What a restart of the node in `consortium` has to see to, in the order it was charged; nothing
    /// while stopped. What was charged for other consortia is their nodes' work.
    ///
    /// A computation that is under way in this process is listed too: ask before starting any.
    pub fn open_work(&self, consortium: &Digest) -> Vec<OpenWork> {
        if self.state().stopped().is_some() {
            return Vec::new();
        }
        let work = |(index, line): (&u64, &ChargeLine)| match line.standing {
            Standing::Open if line.is_exhausted() => None,
            Standing::Open => Some(OpenWork::Recompute(self.interrupted(*index, line))),
            Standing::Released { .. } => self.released(*index, line).map(OpenWork::Resend),
            Standing::Acknowledged { .. } | Standing::Voided { .. } => None,
        };
        let charges = self.state().charges().iter();
        charges.filter(|(_, line)| line.is_for(consortium)).filter_map(work).collect()
    }

    /// Checks that the ledger extends `earlier`: a head that a second place has kept.
    ///
    /// # Errors
    ///
    /// [`LedgerError::RolledBack`] if it does not, or storage fails.
    pub fn confirm(&self, earlier: &Head) -> Answer<(), S> {
        if earlier.size > self.head().size {
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
        self.fold.state()
    }

    /// The number of entries and the root over them.
    pub fn head(&self) -> Head {
        self.fold.head()
    }

    /// The ledger's identity: its genesis digest and its key, which signs its checkpoints too.
    pub fn identity(&self) -> LogIdentity {
        LogIdentity { genesis: self.genesis(), key: self.key.public() }
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Gives the store back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Holds the store, reads what others have appended, and decides on that.
    fn decide<T>(&mut self, decide: impl FnOnce(&mut Self) -> Answer<T, S>) -> Answer<T, S> {
        self.sound()?;
        self.store.hold().map_err(LedgerError::Store)?;
        let decided = self.catch_up().and_then(|()| decide(self));
        // A crash before this lets go as well: the system drops what a dead process held.
        self.store.let_go();
        decided
    }

    /// What others have appended is verified like everything else; what does not hold ends the ledger.
    fn catch_up(&mut self) -> Answer<(), S> {
        let read = self.fold.read_on(&self.store);
        self.poisoned = read.is_err();
        read
    }

    /// Checks, signs, appends and folds one entry; answers with its leaf. The store is held, and the
    /// state is the newest.
    fn write(&mut self, at: Timestamp, body: Entry, blobs: &[SmallBlob]) -> Answer<u64, S> {
        // The bank's clock may be set back; the log's does not.
        let at = at.max(self.state().last());
        let record = Record { at, author: self.key.public(), body };
        self.state().check(&record)?;
        let leaf = record.sign(&self.key, &self.genesis()).map_err(LedgerError::Record)?;
        let before = self.head();
        let appended = self.store.append(&before, std::slice::from_ref(leaf.bytes()), blobs);
        if let Err(error) = appended {
            self.poisoned = true;
            return Err(store_error(error));
        }
        self.fold.take(&leaf)?;
        self.keep_checkpoint();
        Ok(before.size)
    }

    /// Signs the head. The entry is durable whatever becomes of its checkpoint, so a failure is
    /// reported by the next write.
    fn keep_checkpoint(&mut self) {
        let signed = SignedCheckpoint::sign(&self.genesis(), self.head(), &self.key);
        self.poisoned = match signed {
            Ok(checkpoint) => self.store.put_checkpoint(&checkpoint).is_err(),
            Err(_) => true,
        };
    }

    const fn genesis(&self) -> Digest {
        self.fold.state().genesis()
    }

    /// The ledger's own key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    const fn sound(&self) -> Answer<(), S> {
        if self.poisoned { Err(LedgerError::Poisoned) } else { Ok(()) }
    }

    pub(super) fn own(&self, ledger: &Digest) -> Answer<(), S> {
        if *ledger == self.genesis() { Ok(()) } else { Err(Violation::OtherLedger.into()) }
    }

    fn released(&self, index: u64, line: &ChargeLine) -> Option<Released> {
        let (entry, vector) = line.released()?;
        let request = line.reserved.request.clone();
        Some(Released { ledger: self.genesis(), index, entry, request, vector })
    }

    fn interrupted(&self, index: u64, line: &ChargeLine) -> Interrupted {
        let request = line.reserved.request.clone();
        Interrupted { ledger: self.genesis(), index, request }
    }
}

fn store_error<E>(error: AppendError<E>) -> LedgerError<E> {
    match error {
        AppendError::Moved { found, .. } => LedgerError::Moved(found),
        AppendError::Store(error) => LedgerError::Store(error),
    }
}
