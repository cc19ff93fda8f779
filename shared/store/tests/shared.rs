//! Several owners of one log, one at a time.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::Path;

use ledger::log_store::{AppendError, BlobStore as _, LogStore as _, SmallBlob};
use ledger::record::LeafBytes;
use ledger::tree::Head;
use store::{SqliteLog, StoreError};
use tempfile::TempDir;

fn leaf(of: &str) -> [LeafBytes; 1] {
    [LeafBytes::new(of.to_owned()).unwrap()]
}

fn append(log: &mut SqliteLog, of: &str) -> Head {
    log.hold().unwrap();
    let head = log.append(&log.head(), &leaf(of), &[]).unwrap();
    log.let_go();
    head
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn two_append_in_turn_and_each_goes_on_from_the_other() {
    let dir = TempDir::new().unwrap();
    let (mut one, blobs) = store::open_shared(dir.path()).unwrap();
    let (mut two, others) = store::open_shared(dir.path()).unwrap();
    for i in 0..4 {
        append(&mut one, &format!("one {i}"));
        append(&mut two, &format!("two {i}"));
    }
    one.hold().unwrap();
    assert_eq!((one.head(), one.head().size), (two.head(), 8));
    let read = one.leaves(0..8).unwrap();
    assert_eq!(read, two.leaves(0..8).unwrap());
    one.let_go();
    one.scrub().unwrap();
    // What one has committed or put, the other reads.
    let small = SmallBlob::new(vec![1; 10]).unwrap();
    let digest = *small.digest();
    one.hold().unwrap();
    one.append(&one.head(), &leaf("with a blob"), &[small]).unwrap();
    let large = blobs.put(&vec![2; 70_000]).unwrap();
    one.let_go();
    assert_eq!(others.get(&digest).unwrap(), Some(vec![1; 10]));
    assert_eq!(others.get(&large).unwrap(), Some(vec![2; 70_000]));
}

#[test]
fn an_append_that_was_decided_on_an_older_head_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.sqlite");
    let mut one = SqliteLog::open_shared(&path).unwrap();
    let mut two = SqliteLog::open_shared(&path).unwrap();
    let decided_on = two.head();
    append(&mut one, "first");
    let late = two.append(&decided_on, &leaf("second"), &[]);
    assert!(matches!(late, Err(AppendError::Moved { .. })), "{late:?}");
    // Nothing was appended, and it may decide anew.
    assert_eq!(append(&mut two, "second").size, 2);
}

#[test]
fn who_dies_with_the_log_in_hand_holds_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.sqlite");
    let mut one = SqliteLog::open_shared(&path).unwrap();
    one.hold().unwrap();
    drop(one);
    let mut two = SqliteLog::open_shared(&path).unwrap();
    append(&mut two, "goes on");
}

#[test]
fn who_has_it_for_good_shares_it_with_nobody() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.sqlite");
    let mut shared = SqliteLog::open_shared(&path).unwrap();
    append(&mut shared, "one");
    let owner = SqliteLog::open(&path).unwrap();
    assert_eq!(owner.head().size, 1);
    drop(owner);
    append(&mut shared, "two");
}

#[test]
fn a_log_that_is_put_back_while_it_is_open_is_refused() {
    let root = TempDir::new().unwrap();
    let (dir, backup) = (root.path().join("log"), root.path().join("backup"));
    let (mut open, _) = store::open_shared(&dir).unwrap();
    append(&mut open, "before");
    copy(&dir, &backup);
    append(&mut open, "after");
    fs::remove_dir_all(&dir).unwrap();
    copy(&backup, &dir);
    let refused = open.hold();
    assert!(matches!(refused, Err(StoreError::Replaced(_))), "{refused:?}");
    // Only the database, beside the lock that is still the one.
    drop(open);
    let (mut open, _) = store::open_shared(&dir).unwrap();
    fs::rename(dir.join("log.sqlite"), dir.join("old")).unwrap();
    fs::copy(backup.join("log.sqlite"), dir.join("log.sqlite")).unwrap();
    let late = open.append(&open.head(), &leaf("late"), &[]);
    assert!(matches!(late, Err(AppendError::Store(StoreError::Replaced(_)))), "{late:?}");
}

#[test]
fn one_second_place_serves_all_who_append() {
    let root = TempDir::new().unwrap();
    let (dir, elsewhere) = (root.path().join("log"), root.path().join("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    let open = || store::open_shared(&dir).unwrap().0.confirmed_by(&elsewhere).unwrap();
    let (mut one, mut two) = (open(), open());
    for i in 0..3 {
        append(&mut one, &format!("one {i}"));
        append(&mut two, &format!("two {i}"));
    }
    let kept = fs::read_to_string(elsewhere.join("ledger.head")).unwrap();
    assert_eq!(kept.lines().nth(1), Some("6"));
    // One who names no place: what it appends, the others notice.
    let (mut stranger, _) = store::open_shared(&dir).unwrap();
    append(&mut stranger, "kept nowhere");
    append(&mut stranger, "kept nowhere");
    let refused = one.hold();
    assert!(matches!(refused, Err(StoreError::Lagging { .. })), "{refused:?}");
}
