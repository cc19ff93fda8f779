//! The bank's verified copy of the consortium's log.
//!
//! Leaves wait until a checkpoint arrives that the log's key has signed and that commits to exactly
//! them; then they are folded by the rules that everybody folds by, and only then kept. So what is
//! in the copy was verified, and nothing else decides what the node does.
//!
//! A signed checkpoint that contradicts the copy is proof that the log was changed or went back. It
//! is kept, and the copy takes nothing more, ever ([`Tampered`]).

mod error;
mod facts;
mod tampered;

use ledger::checkpoint::{Contradiction, LogIdentity, LogKeys, SignedCheckpoint, witness_key};
use ledger::log_store::{AppendError, LogStore};
use ledger::receipt::Receipt;
use ledger::record::{Body, Institution, Leaf, LeafBytes};
use ledger::signing::PublicKey;
use ledger::tree::{Frontier, HashSource, Head, ProofError, inclusion_proof, leaf_hash};

pub use error::MirrorError;
pub use facts::{Facts, OpenRound, OwnAccepted};
pub use tampered::Tampered;

/// Leaves that may wait for their checkpoint, in bytes.
const WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How many leaves are read at a time when the copy is opened.
const PAGE: u64 = 1024;

/// A verified copy of a log.
#[derive(Debug)]
pub struct Mirror<S> {
    store: S,
    log: LogIdentity,
    facts: Facts,
    frontier: Frontier,
    checkpoint: Option<SignedCheckpoint>,
    waiting: Vec<LeafBytes>,
    waiting_bytes: usize,
}

type Answer<T, S> = Result<T, MirrorError<<S as ledger::tree::HashSource>::Error>>;

impl<S: LogStore> Mirror<S> {
    /// Opens the copy in `store`: folds every leaf again, and checks the tree and the checkpoint.
    /// `institution` and `key` are the bank's own.
    ///
    /// # Errors
    ///
    /// [`MirrorError::Tampered`] if the copy itself was changed, [`MirrorError::Store`] if storage
    /// fails.
    pub fn open(
        store: S,
        log: LogIdentity,
        institution: Institution,
        key: PublicKey,
    ) -> Answer<Self, S> {
        let mut mirror = Self {
            facts: Facts::new(institution, key),
            frontier: Frontier::new(),
            checkpoint: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            store,
            log,
        };
        mirror.fold_stored()?;
        if let Some(text) = mirror.store.checkpoint().map_err(MirrorError::Store)? {
            let kept = mirror.keys().open(&text)?;
            mirror.check_extends(&kept)?;
            mirror.checkpoint = Some(kept);
        }
        Ok(mirror)
    }

    /// Takes leaves that follow what it has, and with `checkpoint` the proof that they are the
    /// log's. Says whether it advanced; without a checkpoint the leaves only wait.
    ///
    /// # Errors
    ///
    /// [`MirrorError::Tampered`] if a checkpoint of the log contradicts the copy or commits to a
    /// record that breaks the rules; [`MirrorError::Checkpoint`] or [`MirrorError::Incomplete`] if
    /// the sender is to be asked again; [`MirrorError::Store`] if storage fails.
    pub fn take(
        &mut self,
        leaves: impl IntoIterator<Item = Vec<u8>>,
        checkpoint: Option<&str>,
    ) -> Answer<bool, S> {
        for leaf in leaves {
            self.waiting_bytes = self.waiting_bytes.saturating_add(leaf.len());
            if self.waiting_bytes > WAITING_BYTES_MAX {
                return Err(MirrorError::TooMuch(WAITING_BYTES_MAX));
            }
            self.waiting.push(LeafBytes::new(leaf).map_err(MirrorError::Leaf)?);
        }
        match checkpoint {
            None => Ok(false),
            Some(text) => self.commit(&self.keys_ahead().open(text)?).map(|()| true),
        }
    }

    /// Forgets leaves that wait: the sender that sent them is gone.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Checks that the copy extends a checkpoint that was verified elsewhere.
    ///
    /// # Errors
    ///
    /// [`MirrorError::Tampered`] if it does not.
    pub fn check_extends(&self, earlier: &SignedCheckpoint) -> Answer<(), S> {
        let head = earlier.head();
        if head.size > self.frontier.size() {
            return Err(self.contradicted("the log is shorter than before", earlier));
        }
        if self.store.extends(&head).map_err(MirrorError::Store)? {
            Ok(())
        } else {
            Err(self.contradicted("the log has another history than before", earlier))
        }
    }

    /// Takes note of who cosigned a checkpoint of this very history. One of a longer log, and lines that are no cosignature of a member,
    /// count for nothing.
    ///
    /// # Errors
    ///
    /// [`MirrorError::Tampered`] if the log's key signed another history than the copy's; [`MirrorError::Checkpoint`] if it is none of
    /// its checkpoints.
    pub fn witness(&mut self, text: &str) -> Answer<(), S> {
        let checkpoint = self.keys_ahead().open(text)?;
        let size = checkpoint.head().size;
        if size > self.frontier.size() {
            return Ok(());
        }
        self.check_extends(&checkpoint)?;
        let Some(consortium) = &self.facts.state().consortium else { return Ok(()) };
        let cosigned = |name: &Institution, key: PublicKey| {
            let witness = witness_key(&self.log.genesis, name.as_str(), key).ok()?;
            checkpoint.cosignature(&self.log, &witness).ok()?
        };
        let active = consortium.members.iter().filter(|(_, member)| member.revoked.is_none());
        let by = active.filter(|(name, member)| cosigned(name, member.cosign_key).is_some());
        let by: Vec<Institution> = by.map(|(name, _)| name.clone()).collect();
        for name in by {
            self.facts.cosigned(name, size);
        }
        Ok(())
    }

    /// What the log says.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where the copy is.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Which log it is, and who signs it.
    pub fn keys(&self) -> LogKeys {
        let consortium = self.facts.state().consortium.as_ref();
        consortium.map_or_else(|| LogKeys::new(self.log), |c| c.log_keys.clone())
    }

    /// [`Mirror::keys`], and those that waiting leaves bring if they turn out to be the log's.
    fn keys_ahead(&self) -> LogKeys {
        let mut keys = self.keys();
        for (index, leaf) in (self.frontier.size()..).zip(&self.waiting) {
            keys.read(index, leaf);
        }
        keys
    }

    /// Size and root of what was verified.
    pub fn head(&self) -> Head {
        self.frontier.head()
    }

    /// The newest checkpoint that was verified.
    pub const fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.checkpoint.as_ref()
    }

    /// A receipt for leaf `index`, from the copy alone; `None` if the newest checkpoint does not
    /// commit to it yet.
    ///
    /// # Errors
    ///
    /// [`MirrorError::Store`] if storage fails.
    pub fn receipt(&self, index: u64) -> Answer<Option<Receipt>, S> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(None) };
        if index >= checkpoint.head().size {
            return Ok(None);
        }
        let Some(leaf) = self.store.leaf(index).map_err(MirrorError::Store)? else {
            return Ok(None);
        };
        match inclusion_proof(&self.store, index, checkpoint.head().size) {
            Ok(proof) => {
                Ok(Some(Receipt { index, leaf, proof, checkpoint: checkpoint.text().to_owned() }))
            }
            Err(ProofError::OutOfRange { .. }) => Ok(None),
            Err(ProofError::Source(error)) => Err(MirrorError::Store(error)),
        }
    }

    /// Keeps the waiting leaves if `checkpoint` commits to exactly them.
    fn commit(&mut self, checkpoint: &SignedCheckpoint) -> Answer<(), S> {
        let (verified, signed) = (self.frontier.size(), checkpoint.head());
        let waiting = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let reached = verified.saturating_add(waiting);
        if signed.size < verified {
            return Err(self.contradicted("the log went back", checkpoint));
        }
        if signed.size != reached {
            return Err(MirrorError::Incomplete { reached, signed: signed.size });
        }
        let mut frontier = self.frontier.clone();
        for leaf in &self.waiting {
            frontier.push(leaf_hash(leaf.as_slice()), |_, _, _| ());
        }
        if frontier.root() != signed.root {
            return Err(self.contradicted("the log has other records than it sent", checkpoint));
        }
        // From here on the log's key vouches for the leaves: whatever is wrong with one is proof.
        let leaves = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        for leaf in &leaves {
            let folded = match fold(&mut self.facts, &self.log, leaf) {
                Ok(folded) => folded,
                Err(reason) => return Err(self.contradicted(&reason, checkpoint)),
            };
            if !self.has_anchor(&folded, &leaves)? {
                let reason = "members signed another history when the log's key changed";
                return Err(self.contradicted(reason, checkpoint));
            }
        }
        let head = self.frontier.head();
        self.store.append(&head, &leaves, &[]).map_err(|error| match error {
            AppendError::Moved { found, .. } => MirrorError::Moved(found),
            AppendError::Store(error) => MirrorError::Store(error),
        })?;
        self.frontier = frontier;
        self.store.put_checkpoint(checkpoint).map_err(MirrorError::Store)?;
        self.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    /// Whether the log, which goes on with `leaves`, had the head that those who changed its key signed.
    fn has_anchor(&self, leaf: &Leaf, leaves: &[LeafBytes]) -> Answer<bool, S> {
        let Body::LogKey(record) = leaf.body() else { return Ok(true) };
        let anchor = record.change.anchor;
        let Some(beyond) = anchor.size.checked_sub(self.frontier.size()) else {
            return self.store.extends(&anchor).map_err(MirrorError::Store);
        };
        let mut frontier = self.frontier.clone();
        for leaf in leaves.iter().take(usize::try_from(beyond).unwrap_or(usize::MAX)) {
            frontier.push(leaf_hash(leaf.as_slice()), |_, _, _| ());
        }
        Ok(frontier.head() == anchor)
    }

    fn fold_stored(&mut self) -> Answer<(), S> {
        let head = self.store.head();
        while self.frontier.size() < head.size {
            let start = self.frontier.size();
            let end = head.size.min(start.saturating_add(PAGE));
            let page = self.store.leaves(start..end).map_err(MirrorError::Store)?;
            if page.is_empty() {
                break;
            }
            for leaf in page {
                self.frontier.push(leaf_hash(leaf.as_slice()), |_, _, _| ());
                fold(&mut self.facts, &self.log, &leaf).map_err(|reason| {
                    MirrorError::Tampered(Box::new(Tampered::of_copy(&reason)))
                })?;
            }
        }
        if self.frontier.head() == head {
            Ok(())
        } else {
            let reason = "the stored copy does not have the root that it was stored under";
            Err(MirrorError::Tampered(Box::new(Tampered::of_copy(reason))))
        }
    }

    fn contradicted<E>(&self, reason: &str, checkpoint: &SignedCheckpoint) -> MirrorError<E> {
        let ours = self.checkpoint.as_ref().map(|kept| kept.text().to_owned());
        let theirs = Some(checkpoint.text().to_owned());
        let tampered = Tampered::new(reason, self.head(), ours, theirs);
        MirrorError::Tampered(Box::new(
            tampered.proved_by(self.convicting(checkpoint, &self.store)),
        ))
    }

    /// What convicts the log's key of `other` beside the newest checkpoint of the copy, if that is so and `tree` is the one under the
    /// larger of the two.
    pub(crate) fn convicting<T: HashSource>(
        &self,
        other: &SignedCheckpoint,
        tree: &T,
    ) -> Option<Contradiction> {
        let genesis = self.store.leaf(0).ok()??;
        let ours = self.checkpoint.as_ref()?;
        let found = Contradiction::between(&genesis, ours, other, tree).ok()??;
        // A later key of the log is not convicted by a file that begins with the first.
        found.verify().is_ok().then_some(found)
    }
}

/// Folds one leaf, or says what is wrong with it.
fn fold(facts: &mut Facts, log: &LogIdentity, bytes: &LeafBytes) -> Result<Leaf, String> {
    let index = facts.state().size;
    let leaf: Leaf = Leaf::decode(bytes.as_slice())
        .map_err(|error| format!("leaf {index} is no record: {error}"))?;
    if index == 0 && leaf.digest() != log.genesis {
        return Err("leaf 0 is another Genesis than was pinned".to_owned());
    }
    facts.fold(&leaf).map_err(|error| format!("leaf {index} breaks the rules: {error}"))?;
    Ok(leaf)
}
