//! The fictional banks.

use std::fs;

use sandbox::split::{CARD_HOLDERS, Role, SplitError, write_banks};

#[test]
fn every_card_holder_comes_to_one_bank() {
    let folder = tempfile::tempdir().unwrap();
    let banks = write_banks(CARD_HOLDERS, folder.path()).unwrap();
    let counts: Vec<u32> = banks.iter().map(|bank| bank.card_holders).collect();
    assert_eq!(counts, [6501, 4084, 5379, 5103, 3002, 3548, 2383]);
    let roles: Vec<Role> = banks.iter().map(|bank| bank.role).collect();
    assert_eq!(roles[..5], [Role::Training; 5]);
    assert_eq!(roles[5..], [Role::Tuning, Role::Unseen]);
    let mut ids: Vec<u32> = Vec::new();
    for bank in &banks {
        let text = fs::read_to_string(&bank.path).unwrap();
        let first = |line: &str| line.split(',').next().unwrap().parse::<u32>().unwrap();
        ids.extend(text.lines().skip(1).map(first));
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq(1..=30_000));
}

#[test]
fn something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = write_banks(b"ID,AGE\n", folder.path());
    assert!(matches!(refused, Err(SplitError::Rows { line: 1, .. })));
}
