//! A signed state, kept beside the log.
//!
//! ```text
//! length u64 ‖ state ‖ length u64 ‖ library ‖ signature
//! ```
//!
//! Lengths are big-endian, the state is [`State::to_snapshot`]'s, the library is each blob that the log
//! names by its digest, ascending, and a byte for who may read it. The log key signs
//! `counterfoil/v1/snapshot` ‖ 0x00 ‖ genesis digest ‖ size u64 ‖ root at that size ‖ SHA-256 of all that
//! comes before the signature. Size and root are the log's, so a snapshot of another log, or of another
//! history of this one, does not verify.

use ledger::digest::{Digest, sha256};
use ledger::log_store::{LogStore, Snapshot};
use ledger::signing::{PublicKey, Signature, SigningKey};
use ledger::tree::root_at;
use round::SnapshotError;
use round::state::State;

use crate::error::Error;
use crate::library::Library;

const SIGNATURE_BYTES: usize = 64;
/// The kind of the signed message.
const KIND: &str = "snapshot";

/// Why a snapshot does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It speaks of leaves that the log does not have, or of none.
    #[error("expected a size from 1 to {log}, got {size}")]
    Size {
        /// The snapshot's.
        size: u64,
        /// The log's.
        log: u64,
    },
    /// The log's root at that size cannot be computed.
    #[error("the root at the snapshot's size: {0}")]
    Root(String),
    /// The log key did not sign this for this log.
    #[error("expected a signature of the log key over the snapshot and the log's root at its size")]
    Signature,
    /// The lengths do not add up, or the library is not one.
    #[error("expected a state, a library and nothing else")]
    Format,
    /// The state is not one.
    #[error("{0}")]
    State(#[from] SnapshotError),
    /// The state is of another size than the snapshot says.
    #[error("expected the state after {expected} leaves, got the one after {found}")]
    OtherSize {
        /// The snapshot's size.
        expected: u64,
        /// The state's.
        found: u64,
    },
}

/// Signs `state` and `library`, which are the fold over the log's leading `state.size` leaves.
///
/// # Errors
///
/// [`Error::Storage`] if the log's root at that size cannot be computed.
pub fn seal<L: LogStore>(
    log: &L,
    state: &State,
    library: &Library,
    genesis: &Digest,
    key: &SigningKey,
) -> Result<Snapshot, Error> {
    let root = root_at(log, state.size).map_err(|error| Error::storage(&error))?;
    let mut bytes = body(state, library);
    let signed = claim(state.size, &root, &sha256(&bytes));
    bytes.extend_from_slice(key.sign_body(KIND, genesis, &signed).as_bytes());
    Ok(Snapshot { size: state.size, bytes })
}

/// What a kept snapshot says, if it was signed for exactly this log.
///
/// # Errors
///
/// [`Rejected`] otherwise.
pub fn open<L: LogStore>(
    log: &L,
    genesis: &Digest,
    log_keys: &[PublicKey],
    kept: &Snapshot,
) -> Result<(State, Library), Rejected> {
    let (size, held) = (kept.size, log.head().size);
    if size == 0 || size > held {
        return Err(Rejected::Size { size, log: held });
    }
    let root = root_at(log, size).map_err(|error| Rejected::Root(error.to_string()))?;
    let (body, signature) =
        kept.bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(Rejected::Format)?;
    let digest = sha256(body);
    let (signed, signature) = (claim(size, &root, &digest), Signature::from_bytes(*signature));
    let is_by = |key: &PublicKey| key.verify_body(KIND, genesis, &signed, &signature).is_ok();
    if !log_keys.iter().any(is_by) {
        return Err(Rejected::Signature);
    }
    let (state, rest) = part(body).ok_or(Rejected::Format)?;
    let (library, rest) = part(rest).ok_or(Rejected::Format)?;
    if !rest.is_empty() {
        return Err(Rejected::Format);
    }
    let library = Library::from_bytes(library).ok_or(Rejected::Format)?;
    let state = State::from_snapshot(state)?;
    if state.size != size {
        return Err(Rejected::OtherSize { expected: size, found: state.size });
    }
    Ok((state, library))
}

/// All but the signature.
pub(super) fn body(state: &State, library: &Library) -> Vec<u8> {
    let mut bytes = vec![];
    for part in [state.to_snapshot(), library.to_bytes()] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&part);
    }
    bytes
}

/// What is signed.
fn claim(size: u64, root: &Digest, body: &Digest) -> Vec<u8> {
    [&size.to_be_bytes()[..], root.as_bytes(), body.as_bytes()].concat()
}

/// Splits off a length and as many bytes.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}
