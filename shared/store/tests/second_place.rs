//! A log that was put back is found out by a head that is kept elsewhere.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use ledger::log_store::{AppendError, LogStore as _};
use ledger::record::LeafBytes;
use ledger::tree::Head;
use store::{SqliteLog, StoreError};
use tempfile::TempDir;

fn leaves(of: &str, count: usize) -> Vec<LeafBytes> {
    (0..count).map(|i| LeafBytes::new(format!("{of} {i}")).unwrap()).collect()
}

/// A directory for the log, and one that stands for another disk.
struct Places {
    _root: TempDir,
    log: PathBuf,
    elsewhere: PathBuf,
}

impl Places {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let (log, elsewhere) = (root.path().join("log"), root.path().join("elsewhere"));
        fs::create_dir(&log).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        Self { _root: root, log, elsewhere }
    }

    fn open(&self) -> Result<SqliteLog, StoreError> {
        SqliteLog::open_shared(&self.log.join("log.sqlite"))?.confirmed_by(&self.elsewhere)
    }

    fn append(&self, of: &str, count: usize) {
        let mut log = self.open().unwrap();
        let head = log.head();
        log.append(&head, &leaves(of, count), &[]).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_log_goes_on_from_its_second_place_across_restarts() {
    let places = Places::new();
    for count in [1, 3, 2] {
        places.append("leaf", count);
    }
    assert_eq!(places.open().unwrap().head().size, 6);
}

#[test]
fn a_restored_backup_is_refused() {
    let places = Places::new();
    places.append("leaf", 3);
    let backup = places.log.with_extension("backup");
    copy(&places.log, &backup);
    places.append("leaf", 2);
    fs::remove_dir_all(&places.log).unwrap();
    copy(&backup, &places.log);
    let Err(StoreError::RolledBack { kept, found, .. }) = places.open() else { panic!("refused") };
    assert_eq!((kept.size, found.size), (5, 3));
}

#[test]
fn a_backup_that_went_on_differently_is_refused() {
    let places = Places::new();
    places.append("leaf", 3);
    let backup = places.log.with_extension("backup");
    copy(&places.log, &backup);
    places.append("leaf", 2);
    fs::remove_dir_all(&places.log).unwrap();
    copy(&backup, &places.log);
    {
        let mut log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
        let head = log.head();
        log.append(&head, &leaves("another", 9), &[]).unwrap();
    }
    assert!(matches!(places.open(), Err(StoreError::RolledBack { .. })));
}

#[test]
fn an_emptied_log_is_refused() {
    let places = Places::new();
    places.append("leaf", 1);
    fs::remove_dir_all(&places.log).unwrap();
    fs::create_dir(&places.log).unwrap();
    assert!(matches!(places.open(), Err(StoreError::RolledBack { .. })));
}

#[test]
fn a_crash_between_the_log_and_its_second_place_is_caught_up_with() {
    let places = Places::new();
    places.append("leaf", 3);
    {
        // The append became durable, and the process died before the second place knew.
        let mut log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
        let head = log.head();
        log.append(&head, &leaves("late", 1), &[]).unwrap();
    }
    assert_eq!(places.open().unwrap().head().size, 4);
    let kept = fs::read_to_string(places.elsewhere.join("ledger.head")).unwrap();
    assert_eq!(kept.lines().nth(1), Some("4"));
}

#[test]
fn a_place_that_lags_by_more_than_a_crash_waits_for_its_operator() {
    let places = Places::new();
    places.append("leaf", 3);
    {
        // Somebody appends who names another place, or none.
        let mut log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
        for _ in 0..2 {
            let head = log.head();
            log.append(&head, &leaves("elsewhere", 1), &[]).unwrap();
        }
    }
    let Err(StoreError::Lagging { kept, found, .. }) = places.open() else { panic!("refused") };
    assert_eq!((kept.size, found.size), (3, 5));
    let mut log = SqliteLog::open_shared(&places.log.join("log.sqlite")).unwrap();
    assert!(log.check_second_place(&places.elsewhere).is_err());
    log.start_second_place(&places.elsewhere).unwrap();
    drop(log);
    assert_eq!(places.open().unwrap().head().size, 5);
}

#[test]
fn a_second_place_that_fails_fails_the_append_and_every_later_one() {
    let places = Places::new();
    places.append("leaf", 1);
    let mut log = places.open().unwrap();
    let head = log.head();
    // Pulled out while the node runs: nothing is appended.
    fs::rename(&places.elsewhere, places.elsewhere.with_extension("away")).unwrap();
    assert!(matches!(log.append(&head, &leaves("no", 1), &[]), Err(AppendError::Store(_))));
    fs::rename(places.elsewhere.with_extension("away"), &places.elsewhere).unwrap();
    // Nothing can be written there, which is found out after the append.
    let in_the_way = places.elsewhere.join("ledger.head.new");
    fs::create_dir(&in_the_way).unwrap();
    assert!(matches!(log.append(&head, &leaves("lost", 1), &[]), Err(AppendError::Store(_))));
    fs::remove_dir(&in_the_way).unwrap();
    let poisoned = log.append(&head, &leaves("lost", 1), &[]);
    assert!(matches!(poisoned, Err(AppendError::Store(StoreError::Poisoned))));
    drop(log);
    // What was appended stands: a charge that may have been made is kept.
    assert_eq!(places.open().unwrap().head().size, 2);
}

#[test]
fn a_log_that_no_place_has_seen_waits_for_its_operator() {
    let places = Places::new();
    {
        let mut log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
        log.append(&Head::empty(), &leaves("leaf", 4), &[]).unwrap();
    }
    assert!(matches!(places.open(), Err(StoreError::Unconfirmed { leaves: 4, .. })));
    let mut log = SqliteLog::open_shared(&places.log.join("log.sqlite")).unwrap();
    assert_eq!(log.start_second_place(&places.elsewhere).unwrap().size, 4);
    drop(log);
    assert_eq!(places.open().unwrap().head().size, 4);
}

#[test]
fn a_place_that_is_not_there_or_holds_rubbish_is_no_confirmation() {
    let places = Places::new();
    places.append("leaf", 2);
    let file = places.elsewhere.join("ledger.head");
    for rubbish in ["", "counterfoil head v1\n2\n", "counterfoil head v2\n0\nx\n", "\0\0"] {
        fs::write(&file, rubbish).unwrap();
        assert!(matches!(places.open(), Err(StoreError::Damaged { .. })), "{rubbish:?}");
    }
    fs::remove_dir_all(&places.elsewhere).unwrap();
    assert!(matches!(places.open(), Err(StoreError::Io { .. })));
}

#[test]
fn an_operator_cannot_start_over_a_place_that_knows_better() {
    let places = Places::new();
    places.append("leaf", 3);
    fs::remove_dir_all(&places.log).unwrap();
    fs::create_dir(&places.log).unwrap();
    let mut log = SqliteLog::open_shared(&places.log.join("log.sqlite")).unwrap();
    let found = log.start_second_place(&places.elsewhere);
    assert!(matches!(found, Err(StoreError::RolledBack { .. })));
}

#[test]
fn of_two_copies_that_name_one_place_only_one_goes_on() {
    let places = Places::new();
    places.append("leaf", 2);
    let copied = places.log.with_extension("copy");
    copy(&places.log, &copied);
    let mut first = places.open().unwrap();
    // Both are whole, so both are opened.
    let second = SqliteLog::open_shared(&copied.join("log.sqlite")).unwrap();
    let mut second = second.confirmed_by(&places.elsewhere).unwrap();
    let head = first.head();
    first.append(&head, &leaves("first", 1), &[]).unwrap();
    let late = second.append(&head, &leaves("second", 1), &[]);
    let refused = matches!(&late, Err(AppendError::Store(StoreError::RolledBack { .. })));
    assert!(refused, "{late:?}");
    drop(second);
    let copy = SqliteLog::open_shared(&copied.join("log.sqlite")).unwrap();
    assert_eq!(copy.head().size, 2, "nothing was appended to the copy");
    let refused = copy.confirmed_by(&places.elsewhere);
    assert!(matches!(refused, Err(StoreError::RolledBack { .. })), "{refused:?}");
    first.append(&first.head(), &leaves("first", 1), &[]).unwrap();
}

#[test]
fn looking_at_a_second_place_changes_nothing_there() {
    let places = Places::new();
    places.append("leaf", 2);
    let kept = fs::read(places.elsewhere.join("ledger.head")).unwrap();
    {
        let mut log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
        let head = log.head();
        log.append(&head, &leaves("late", 1), &[]).unwrap();
        log.check_second_place(&places.elsewhere).unwrap();
    }
    assert_eq!(fs::read(places.elsewhere.join("ledger.head")).unwrap(), kept);
    fs::remove_dir_all(&places.log).unwrap();
    fs::create_dir(&places.log).unwrap();
    let log = SqliteLog::open(&places.log.join("log.sqlite")).unwrap();
    let refused = log.check_second_place(&places.elsewhere);
    assert!(matches!(refused, Err(StoreError::RolledBack { .. })), "{refused:?}");
}
