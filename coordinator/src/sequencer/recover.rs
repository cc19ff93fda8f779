//! From the log to the state.

use ledger::log_store::LogStore;
use ledger::record::Leaf;
use round::state::State;

use crate::error::Error;

/// How many leaves are read at once.
const READ_MAX: u64 = 4096;

/// Folds the whole log; `each` sees every leaf, with its index.
///
/// # Errors
///
/// [`Error::Damaged`] at the first leaf that cannot be read or does not follow from those before it:
/// a coordinator that cannot explain its log serves nothing from it.
pub(crate) fn recover<L: LogStore>(
    log: &L,
    mut each: impl FnMut(u64, &Leaf),
) -> Result<State, Error> {
    let size = log.head().size;
    let mut state = State::empty();
    while state.size < size {
        let from = state.size;
        let leaves =
            log.leaves(from..size.min(from + READ_MAX)).map_err(|error| Error::storage(&error))?;
        if leaves.is_empty() {
            return Err(Error::Damaged(format!("leaf {from} of {size} is missing")));
        }
        for bytes in leaves {
            let index = state.size;
            let damaged = |why: &dyn std::fmt::Display| {
                Error::Damaged(format!("leaf {index} does not follow: {why}"))
            };
            let leaf = Leaf::decode(bytes.into_vec()).map_err(|error| damaged(&error))?;
            state = round::apply(state, &leaf).map_err(|violation| damaged(&violation))?;
            each(index, &leaf);
        }
    }
    Ok(state)
}
