//! Measures how fast leaves become durable: `cargo run --release -p store --example append [DIR]`.
//!
//! Commits groups of 100 leaves of 512 bytes, then single leaves, each with its checkpoint, and
//! prints leaves per second and the fsyncs of each.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]
#![expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::Digest;
use ledger::log_store::LogStore as _;
use ledger::record::LeafBytes;
use ledger::signing::SigningKey;
use ring::rand::SystemRandom;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for (group, commits) in [(100, 500), (1, 1000)] {
        let dir = tempfile::TempDir::new_in(&root)?;
        measure(dir.path(), group, commits)?;
    }
    Ok(())
}

fn measure(dir: &Path, group: usize, commits: usize) -> Result<(), Box<dyn Error>> {
    let (mut log, _blobs) = store::open(dir)?;
    let (key, _) = SigningKey::generate(&SystemRandom::new())?;
    let leaves = vec![LeafBytes::new(vec![7; 512])?; group];
    let start = Instant::now();
    for _ in 0..commits {
        let head = log.append(&log.head(), &leaves, &[])?;
        log.put_checkpoint(&SignedCheckpoint::sign(&Digest::ZERO, head, &key)?)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let count = (group * commits) as f64;
    println!(
        "groups of {group}: {:.0} leaves/s, {:.3} ms a commit, {} fsyncs for {commits} commits",
        count / seconds,
        1000.0 * seconds / commits as f64,
        log.syncs().count(),
    );
    Ok(())
}
