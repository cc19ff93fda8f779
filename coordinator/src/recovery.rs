//! From the log to the state.
//!
//! The log decides. A [`snapshot`] only saves the fold over what it covers, and only if the log key
//! signed it over the very root that the log has at its size; anything else is left aside, and the
//! fold begins at leaf 0. The signatures on leaves are taken on trust: they were verified before the
//! leaves were written. All this is then checked while the coordinator serves: a [`Scrub`] hashes and
//! folds the whole log with every signature.

pub mod snapshot;

mod scrub;

use std::ops::Range;

use ledger::digest::sha256;
use ledger::log_store::LogStore;
use ledger::record::{Leaf, LeafBytes};
use ledger::signing::PublicKey;
use round::state::State;
pub use scrub::Scrub;

use crate::error::Error;
use crate::library::Library;

/// How many leaves are read at once.
const READ_MAX: u64 = 1024;

/// What the log says, and where the fold began.
#[derive(Debug)]
pub struct Recovered {
    /// The fold over the whole log.
    pub state: State,
    /// The blobs that the whole log names.
    pub library: Library,
    /// How many leaves the snapshot covers that the fold began at; 0 if it began at leaf 0.
    pub covered: u64,
    /// The check of what was taken on trust.
    pub scrub: Scrub,
}

/// Folds the log, from its snapshot if that holds and otherwise from leaf 0. `log_keys` are keys of
/// ours, any of which may have signed the snapshot.
///
/// # Errors
///
/// [`Error::Damaged`] at a leaf that cannot be read or does not follow from those before it: a
/// coordinator that cannot explain its log serves nothing from it. [`Error::Storage`] if the log cannot
/// be read. A snapshot that does not hold is never an error.
pub fn recover<L: LogStore>(log: &L, log_keys: &[PublicKey]) -> Result<Recovered, Error> {
    let head = log.head();
    let read = |range| log.leaves(range).map_err(|error| Error::storage(&error));
    let (state, library) = beginning(log, log_keys)?.unwrap_or_default();
    let covered = state.size;
    let note = |leaf: &Leaf| library.note(leaf);
    let state = fold(state, head.size, Signatures::Trusted, read, note)?;
    let digest = sha256(&snapshot::body(&state, &library));
    let scrub = Scrub { size: head.size, root: head.root, digest };
    Ok(Recovered { state, library, covered, scrub })
}

/// What becomes of the signatures on leaves.
#[derive(Clone, Copy)]
enum Signatures {
    /// Each is verified.
    Verified,
    /// Each is taken on trust; a [`Scrub`] verifies it later.
    Trusted,
}

/// What the kept snapshot says, if there is one and it holds.
fn beginning<L: LogStore>(
    log: &L,
    log_keys: &[PublicKey],
) -> Result<Option<(State, Library)>, Error> {
    let Some(leaf0) = log.leaf(0).map_err(|error| Error::storage(&error))? else {
        return Ok(None);
    };
    let kept = match log.snapshot() {
        Ok(Some(kept)) => kept,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::warn!(%error, "the snapshot cannot be read: replaying the whole log");
            return Ok(None);
        }
    };
    match snapshot::open(log, &sha256(leaf0.as_slice()), log_keys, &kept) {
        Ok(opened) => Ok(Some(opened)),
        Err(why) => {
            tracing::warn!(%why, "the snapshot does not hold: replaying the whole log");
            Ok(None)
        }
    }
}

/// Folds the leaves from the state's size up to `size`; `each` sees every leaf after it was folded.
fn fold(
    mut state: State,
    size: u64,
    signatures: Signatures,
    mut read: impl FnMut(Range<u64>) -> Result<Vec<LeafBytes>, Error>,
    mut each: impl FnMut(&Leaf),
) -> Result<State, Error> {
    while state.size < size {
        let from = state.size;
        let leaves = read(from..size.min(from + READ_MAX))?;
        if leaves.is_empty() {
            return Err(Error::Damaged(format!("leaf {from} of {size} is missing")));
        }
        for bytes in leaves {
            let index = state.size;
            let damaged = |why: &dyn std::fmt::Display| {
                Error::Damaged(format!("leaf {index} does not follow: {why}"))
            };
            let leaf = Leaf::decode(bytes.into_vec()).map_err(|error| damaged(&error))?;
            let applied = match signatures {
                Signatures::Verified => {
                    round::apply(std::mem::take(&mut state), &leaf).map(|after| state = after)
                }
                Signatures::Trusted => round::apply_signed(&mut state, &leaf),
            };
            applied.map_err(|violation| damaged(&violation))?;
            each(&leaf);
        }
    }
    Ok(state)
}
