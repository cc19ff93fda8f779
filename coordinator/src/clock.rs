//! The one place where the coordinator looks at the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use ledger::time::Timestamp;

/// Now, by the system's clock. The log's time never goes back even if this one does.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
