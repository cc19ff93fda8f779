//! The rounds of a demo that was kept: real clients, with ledgers on disk, meta-gradients and noise.

use std::path::Path;
use std::time::Duration;

use ledger::log_store::LogStore as _;
use ledger::record::{Body, Leaf};
use ledger::time::Timestamp;

use crate::error::SandboxError;

/// How long each round took, from its opening to that of the next, by the log's own times.
pub(super) fn rounds(demo: &Path) -> Result<Vec<Duration>, SandboxError> {
    let directory = demo.join("coordinator");
    if !directory.is_dir() {
        return Err(SandboxError::Usage(format!("{} holds no kept demo", demo.display())));
    }
    let failed = |error: &dyn std::fmt::Display| SandboxError::Bench(error.to_string());
    let (log, _) = store::open(&directory).map_err(|error| failed(&error))?;
    let mut opened: Vec<Timestamp> = vec![];
    for bytes in log.leaves(0..log.head().size).map_err(|error| failed(&error))? {
        let leaf: Leaf = Leaf::decode(bytes.into_vec()).map_err(|error| failed(&error))?;
        if matches!(leaf.body(), Body::RoundOpened(_)) {
            opened.push(leaf.record().at);
        }
    }
    let pairs = opened.iter().zip(opened.iter().skip(1));
    Ok(pairs.map(|(this, next)| Duration::from_millis(next.millis_since(*this))).collect())
}
