//! The cosignatures of the members, as far as somebody waits for them.
//!
//! They prove nothing that the log needs, so they are not in it: who trains verifies them, and after a restart each member gives its own
//! again when it connects. Kept in memory are those of the newest checkpoints that followers were sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::checkpoint::{CheckpointError, NoteSignature, SignedCheckpoint, witness_key};
use ledger::record::Institution;
use round::state::State;
use tokio::sync::watch;
use wire::limits::COSIGNED_PER_UPDATE_MAX;

/// How many checkpoints wait for cosignatures.
const WAITING_MAX: usize = 64;

/// Checkpoints with the cosignatures that a round waits for, ascending by size.
pub(crate) type Cosigned = Arc<[Arc<str>]>;

/// What was cosigned by whom.
pub(crate) struct Witnesses {
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    cosigned: watch::Sender<Cosigned>,
}

struct Waiting {
    checkpoint: SignedCheckpoint,
    by: BTreeSet<Institution>,
}

impl Witnesses {
    /// Nothing is cosigned yet.
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(BTreeMap::new()), cosigned: watch::Sender::new(Arc::new([])) }
    }

    /// What to send to those who follow the log.
    pub(crate) fn cosigned(&self) -> watch::Receiver<Cosigned> {
        self.cosigned.subscribe()
    }

    /// Takes note of the checkpoint of `state` that somebody was sent and may cosign.
    pub(crate) fn sent(&self, state: &State, text: &str) {
        let size = state.size;
        let mut waiting = self.waiting();
        if waiting.contains_key(&size) {
            return;
        }
        let Some(consortium) = &state.consortium else { return };
        let Ok(checkpoint) = consortium.log_keys.open(text) else { return };
        waiting.insert(size, Waiting { checkpoint, by: BTreeSet::new() });
        while waiting.len() > WAITING_MAX {
            waiting.pop_first();
        }
    }

    /// Takes a member's cosignature of the checkpoint with `size` leaves; false if nobody waits for it. Everybody who follows the log gets
    /// it once the open round has the quorum that its plan asks for.
    pub(crate) fn take(
        &self,
        state: &State,
        name: &Institution,
        size: u64,
        line: &NoteSignature,
    ) -> Result<bool, CheckpointError> {
        let Some(consortium) = &state.consortium else { return Ok(false) };
        let Some(member) = consortium.active(name) else { return Ok(false) };
        let log = consortium.log_keys.at(size);
        let witness = witness_key(&log.genesis, name.as_str(), member.cosign_key)?;
        let mut waiting = self.waiting();
        let Some(known) = waiting.get_mut(&size) else { return Ok(false) };
        known.checkpoint = known.checkpoint.with_cosignature(&log, &witness, line)?;
        known.by.insert(name.clone());
        self.publish(state, &waiting);
        Ok(true)
    }

    /// The checkpoint over exactly `size` leaves with the cosignatures that it has.
    pub(crate) fn of(&self, size: u64) -> Option<String> {
        self.waiting().get(&size).map(|known| known.checkpoint.text().to_owned())
    }

    /// The newest checkpoint that has cosignatures.
    pub(crate) fn newest(&self) -> Option<String> {
        let waiting = self.waiting();
        let mut newest = waiting.values().rev().map(|known| &known.checkpoint);
        let newest = newest.find(|checkpoint| !checkpoint.other_signatures().is_empty());
        newest.map(|checkpoint| checkpoint.text().to_owned())
    }

    /// Publishes what the open round waits for, unless it is published or not enough yet.
    fn publish(&self, state: &State, waiting: &BTreeMap<u64, Waiting>) {
        let (Some(run), Some(round)) = (state.run(), state.round()) else { return };
        let quorum = run.plan.text().schedule.witness_quorum as usize;
        let after = || waiting.range(round.opened.saturating_add(1)..);
        let mut by: BTreeSet<&Institution> = after().flat_map(|(_, known)| &known.by).collect();
        by.retain(|name| run.plan.participant(name).is_some());
        if quorum == 0 || by.len() < quorum {
            return;
        }
        self.cosigned.send_if_modified(|published| {
            let enough = published.iter().any(|text| size_of(text) > Some(round.opened));
            if enough {
                return false;
            }
            let cosigned = after().map(|(_, known)| known).filter(|known| !known.by.is_empty());
            let texts = cosigned.map(|known| Arc::from(known.checkpoint.text()));
            *published = texts.take(COSIGNED_PER_UPDATE_MAX).collect();
            true
        });
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size in a checkpoint's second line.
fn size_of(text: &str) -> Option<u64> {
    text.lines().nth(1)?.parse().ok()
}
