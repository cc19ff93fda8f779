//! The edge where time comes in.

use std::time::{SystemTime, UNIX_EPOCH};

use ledger::time::Timestamp;

/// The system's time. A clock before 1970 reads as 1970: the ledger's own time never runs back.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
