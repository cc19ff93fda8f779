//! What receipts prove against an export.

use ledger::record::Body;

use crate::world::{HONEST, Story, World};

/// The leaf with the contribution of bank `name` to `round`.
fn accepted(world: &World, name: &str, round: u32) -> usize {
    let is = |body: &Body| matches!(body, Body::Accepted(c) if c.institution.as_str() == name && c.round == round);
    world.leaves.iter().position(|leaf| is(leaf.body())).expect("it was accepted")
}

#[test]
fn a_receipt_for_what_is_in_the_log_verifies() {
    let export = HONEST.export();
    for round in 0..3 {
        let index = accepted(&HONEST, "cedar", round);
        for size in [index + 1, HONEST.leaves.len()] {
            assert_eq!(export.code_with(&HONEST.receipt(index, size).to_text()), 0);
        }
    }
}

#[test]
fn a_record_that_was_acknowledged_and_is_not_in_the_log_is_an_omission() {
    let export = World::play(Story { absent: true, ..Story::default() }).export();
    assert_eq!(export.code(), 0, "by itself the other history is sound");
    let index = accepted(&HONEST, "cedar", 2);
    assert_eq!(export.code_with(&HONEST.receipt(index, index + 1).to_text()), 7);
    assert_eq!(export.code_with(&HONEST.receipt(index, HONEST.leaves.len()).to_text()), 7);
}

#[test]
fn a_receipt_under_another_root_of_the_same_size_is_a_split_view() {
    let export = World::play(Story { absent: true, ..Story::default() }).export();
    let shared = accepted(&HONEST, "birch", 2);
    assert_eq!(export.code_with(&HONEST.receipt(shared, shared + 1).to_text()), 0);
    assert_eq!(export.code_with(&HONEST.receipt(shared, shared + 2).to_text()), 8);
}

#[test]
fn a_receipt_of_a_longer_log_shows_what_an_older_export_lacks() {
    let mut older = HONEST.clone();
    older.leaves.truncate(accepted(&HONEST, "cedar", 2));
    // Blobs that the shorter log does not name are not exported.
    let export = older.export();
    assert_eq!(export.code(), 0);
    let full = HONEST.leaves.len();
    assert_eq!(export.code_with(&HONEST.receipt(accepted(&HONEST, "alder", 0), full).to_text()), 0);
    assert_eq!(export.code_with(&HONEST.receipt(accepted(&HONEST, "cedar", 2), full).to_text()), 7);
}

#[test]
fn a_changed_receipt_proves_nothing() {
    let export = HONEST.export();
    let text = HONEST.receipt(accepted(&HONEST, "alder", 1), HONEST.leaves.len()).to_text();
    for at in (0..text.len()).step_by(11) {
        let mut bytes = text.clone().into_bytes();
        *bytes.get_mut(at).expect("a byte") ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert_eq!(export.code_with(&changed), 6, "byte {at}");
        }
    }
}
