//! What the store promises, as tests.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::fs::{self, OpenOptions};
use std::path::Path;

use ledger::checkpoint::SignedCheckpoint;
use ledger::digest::{Digest, sha256};
use ledger::log_store::{AppendError, BlobStore as _, LogStore, SmallBlob, Snapshot};
use ledger::memory::MemoryLog;
use ledger::record::LeafBytes;
use ledger::signing::SigningKey;
use ledger::tree::{HashSource as _, Head, inclusion_proof, leaf_hash, root_at, verify_inclusion};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use rusqlite::Connection;
use store::{FileBlobs, SqliteLog, StoreError, Syncs};
use tempfile::TempDir;

fn leaves(from: usize, count: usize) -> Vec<LeafBytes> {
    (from..from + count).map(|i| LeafBytes::new(format!("leaf {i}")).unwrap()).collect()
}

fn checkpoint(head: Head) -> SignedCheckpoint {
    let (key, _) = SigningKey::generate(&SystemRandom::new()).unwrap();
    SignedCheckpoint::sign(&Digest::ZERO, head, &key).unwrap()
}

/// A closed log of ten leaves with a checkpoint, and the path of its database.
fn closed_log(dir: &TempDir) -> std::path::PathBuf {
    let path = dir.path().join("log.sqlite");
    let mut log = SqliteLog::open(&path).unwrap();
    let head = log.append(&Head::empty(), &leaves(0, 10), &[]).unwrap();
    log.put_checkpoint(&checkpoint(head)).unwrap();
    path
}

fn alter(path: &Path, sql: &str) {
    assert!(Connection::open(path).unwrap().execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let (mut log, blobs) = store::open(dir.path()).unwrap();
    let blob = SmallBlob::new(b"small".to_vec()).unwrap();
    let head = log.append(&Head::empty(), &leaves(0, 3), std::slice::from_ref(&blob)).unwrap();
    let large = blobs.put(&vec![1; 100_000]).unwrap();
    let signed = checkpoint(head);
    log.put_checkpoint(&signed).unwrap();
    let snapshot = Snapshot { size: 2, bytes: vec![4, 5] };
    log.put_snapshot(&snapshot).unwrap();
    drop((log, blobs));

    let (log, blobs) = store::open(dir.path()).unwrap();
    assert_eq!(log.head(), head);
    assert_eq!(log.leaves(0..9).unwrap(), leaves(0, 3));
    assert_eq!(log.leaf(3).unwrap(), None);
    assert_eq!(log.checkpoint().unwrap().as_deref(), Some(signed.text()));
    assert_eq!(log.snapshot().unwrap(), Some(snapshot));
    // One type for both kinds of blob.
    assert_eq!(blobs.get(blob.digest()).unwrap().as_deref(), Some(b"small".as_slice()));
    assert_eq!(blobs.len(blob.digest()).unwrap(), Some(5));
    assert_eq!(
        (blobs.len(&large).unwrap(), blobs.contains(&large).unwrap()),
        (Some(100_000), true)
    );
    assert_eq!(blobs.get(&sha256(b"unknown")).unwrap(), None);
    log.scrub().unwrap();
}

#[test]
fn an_empty_log_is_empty_after_a_restart_too() {
    let dir = TempDir::new().unwrap();
    drop(store::open(dir.path()).unwrap());
    let (log, _) = store::open(dir.path()).unwrap();
    assert_eq!(log.head(), Head::empty());
    assert_eq!((log.checkpoint().unwrap(), log.snapshot().unwrap()), (None, None));
}

#[test]
fn a_log_has_one_owner() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.sqlite");
    let first = SqliteLog::open(&path).unwrap();
    assert!(matches!(SqliteLog::open(&path), Err(StoreError::Locked(_))));
    drop(first);
    SqliteLog::open(&path).unwrap();

    let files = dir.path().join("blobs");
    let first = FileBlobs::open(&files, &Syncs::new()).unwrap();
    assert!(matches!(FileBlobs::open(&files, &Syncs::new()), Err(StoreError::Locked(_))));
    drop(first);
    FileBlobs::open(&files, &Syncs::new()).unwrap();
}

#[test]
fn an_append_to_another_head_changes_nothing_and_poisons_nothing() {
    let dir = TempDir::new().unwrap();
    let (mut log, blobs) = store::open(dir.path()).unwrap();
    let head = log.append(&Head::empty(), &leaves(0, 1), &[]).unwrap();
    let blob = SmallBlob::new(b"small".to_vec()).unwrap();
    let moved = log.append(&Head::empty(), &leaves(1, 1), std::slice::from_ref(&blob));
    assert!(matches!(moved, Err(AppendError::Moved { found, .. }) if found == head));
    assert_eq!((log.head(), blobs.contains(blob.digest()).unwrap()), (head, false));
    log.append(&head, &leaves(1, 1), &[]).unwrap();
}

#[test]
fn a_failed_write_leaves_nothing_and_refuses_further_writes_until_a_restart() {
    let dir = TempDir::new().unwrap();
    let path = closed_log(&dir);
    // The third of four leaves does not fit, as on a disk that fills up.
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON leaf WHEN new.position = 12
                   BEGIN SELECT raise(ABORT, 'full'); END";
    Connection::open(&path).unwrap().execute_batch(trigger).unwrap();
    let mut log = SqliteLog::open(&path).unwrap();
    let head = log.head();
    let blob = SmallBlob::new(b"small".to_vec()).unwrap();
    let failed = log.append(&head, &leaves(10, 4), std::slice::from_ref(&blob));
    assert!(matches!(failed, Err(AppendError::Store(StoreError::Sqlite(_)))));
    let refused = log.append(&head, &leaves(10, 1), &[]);
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Poisoned))));
    assert!(matches!(log.put_checkpoint(&checkpoint(head)), Err(StoreError::Poisoned)));
    let snapshot = Snapshot { size: 1, bytes: Vec::new() };
    assert!(matches!(log.put_snapshot(&snapshot), Err(StoreError::Poisoned)));
    // Reading goes on.
    assert_eq!(log.leaves(0..20).unwrap(), leaves(0, 10));
    drop(log);

    let mut log = SqliteLog::open(&path).unwrap();
    assert_eq!(log.head(), head);
    log.append(&head, &leaves(10, 1), &[]).unwrap();
    log.scrub().unwrap();
}

#[test]
fn a_log_that_lost_or_changed_something_is_not_opened() {
    for sql in [
        "DELETE FROM leaf WHERE position = 9",
        "INSERT INTO leaf (position, bytes) VALUES (10, x'00')",
        "UPDATE frontier SET bytes = x'0000000000000000'",
        "UPDATE frontier SET bytes = x'00'",
        "DELETE FROM frontier",
        "UPDATE node SET hash = zeroblob(32) WHERE key = (3 << 56)",
        "DELETE FROM node WHERE key = (1 << 56 | 4)",
        "UPDATE checkpoint SET size = 11",
        "UPDATE checkpoint SET size = -1",
        "UPDATE checkpoint SET root = zeroblob(32)",
    ] {
        let dir = TempDir::new().unwrap();
        let path = closed_log(&dir);
        alter(&path, sql);
        let opened = SqliteLog::open(&path);
        assert!(
            matches!(opened, Err(StoreError::Damaged { .. } | StoreError::NoNode { .. })),
            "{sql}: {opened:?}"
        );
    }
}

#[test]
fn a_scrub_finds_what_opening_does_not_read() {
    for sql in [
        "UPDATE leaf SET bytes = x'00' WHERE position = 3",
        "UPDATE node SET hash = zeroblob(32) WHERE key = 2",
    ] {
        let dir = TempDir::new().unwrap();
        let path = closed_log(&dir);
        alter(&path, sql);
        let log = SqliteLog::open(&path).unwrap();
        assert!(matches!(log.scrub(), Err(StoreError::Damaged { .. })), "{sql}");
    }
}

#[test]
fn a_database_of_another_format_is_not_opened() {
    let dir = TempDir::new().unwrap();
    let path = closed_log(&dir);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(SqliteLog::open(&path), Err(StoreError::Format { expected: 1, found: 9 })));
}

#[test]
fn an_append_costs_one_fsync_and_a_checkpoint_none() {
    let dir = TempDir::new().unwrap();
    let (mut log, blobs) = store::open(dir.path()).unwrap();
    let syncs = log.syncs().clone();
    let small: Vec<_> = (0..9).map(|i| SmallBlob::new(vec![i; 4000]).unwrap()).collect();
    let head = log.append(&log.head(), &leaves(0, 100), &small).unwrap();
    assert_eq!(syncs.count(), 1);
    log.put_checkpoint(&checkpoint(head)).unwrap();
    assert_eq!(syncs.count(), 1);
    blobs.put(&vec![1; 100_000]).unwrap();
    assert_eq!(syncs.count(), 3);
}

/// The file of a blob.
fn file(dir: &TempDir, digest: &Digest) -> std::path::PathBuf {
    let name = digest.to_string();
    dir.path().join(&name[..2]).join(name)
}

#[test]
fn a_damaged_blob_is_named_and_put_again_mends_it() {
    let dir = TempDir::new().unwrap();
    let files = FileBlobs::open(dir.path(), &Syncs::new()).unwrap();
    let bytes = vec![7; 1000];
    let digest = files.put(&bytes).unwrap();
    OpenOptions::new().write(true).open(file(&dir, &digest)).unwrap().set_len(999).unwrap();
    let refused = files.get(&digest).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedBlob(named) if named == digest));
    assert!(refused.to_string().contains(&digest.to_string()));
    files.put(&bytes).unwrap();
    assert_eq!(files.get(&digest).unwrap(), Some(bytes));
}

#[test]
fn a_damaged_small_blob_is_named() {
    let dir = TempDir::new().unwrap();
    let (mut log, blobs) = store::open(dir.path()).unwrap();
    let blob = SmallBlob::new(b"small".to_vec()).unwrap();
    log.append(&Head::empty(), &[], std::slice::from_ref(&blob)).unwrap();
    alter(&dir.path().join("log.sqlite"), "UPDATE blob SET bytes = x'00'");
    assert!(matches!(blobs.get(blob.digest()), Err(StoreError::DamagedBlob(_))));
}

#[test]
fn blobs_are_listed_and_erased_and_unfinished_ones_are_gone_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let files = FileBlobs::open(dir.path(), &Syncs::new()).unwrap();
    let (one, two) = (files.put(b"one").unwrap(), files.put(b"two").unwrap());
    assert_eq!(files.put(b"one").unwrap(), one);
    let mut listed = files.digests().unwrap();
    listed.sort();
    let mut expected = [one, two];
    expected.sort();
    assert_eq!(listed, expected);
    files.remove(&one).unwrap();
    files.remove(&one).unwrap();
    assert_eq!(files.get(&one).unwrap(), None);
    drop(files);
    fs::write(dir.path().join("tmp").join("0"), b"cut o").unwrap();
    let files = FileBlobs::open(dir.path(), &Syncs::new()).unwrap();
    assert_eq!(files.digests().unwrap(), [two]);
    assert!(!dir.path().join("tmp").join("0").exists());
    files.put(b"three").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever the batches and restarts, the database is the log in memory.
    #[test]
    fn sqlite_and_memory_agree(batches in prop::collection::vec((0_usize..40, any::<bool>()), 1..8)) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("log.sqlite");
        let (mut log, mut model) = (SqliteLog::open(&path).unwrap(), MemoryLog::default());
        let mut count = 0;
        for (batch, restart) in batches {
            let added = leaves(count, batch);
            count += batch;
            let head = log.append(&log.head(), &added, &[]).unwrap();
            prop_assert_eq!(head, model.append(&model.head(), &added, &[]).unwrap());
            if restart {
                drop(log);
                log = SqliteLog::open(&path).unwrap();
            }
            prop_assert_eq!(log.head(), head);
            for size in 0..=head.size {
                prop_assert_eq!(root_at(&log, size).unwrap(), root_at(&model, size).unwrap());
            }
            for index in 0..head.size {
                let proof = inclusion_proof(&log, index, head.size).unwrap();
                let leaf = leaf_hash(log.leaf(index).unwrap().unwrap().as_slice());
                verify_inclusion(index, head.size, &head.root, &leaf, &proof).unwrap();
            }
            prop_assert!(log.node(0, head.size).is_err());
        }
        log.scrub().unwrap();
    }
}
