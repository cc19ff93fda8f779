//! Every way we know to change an export, and what the auditor says of each.

use std::sync::LazyLock;

use audit::Kind;
use ledger::digest::sha256;
use ledger::record::{Body, Closed, Genesis, Leaf, Model};
use proptest::prelude::*;

use crate::world::{Export, HONEST, Story, World, institution};

fn names(export: &Export, prefix: &str) -> Vec<String> {
    export.files().into_iter().filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn any_byte_of_checkpoint_or_genesis_counts() {
    let export = HONEST.export();
    for name in ["checkpoint", "genesis"] {
        for at in 0..export.read(name).len() {
            for mask in [0x01, 0x20, 0x80] {
                assert_eq!(export.code_with_flip(name, at, mask), 6, "{name}, byte {at}");
            }
        }
    }
}

#[test]
fn bytes_of_every_tile_and_blob_count() {
    let export = HONEST.export();
    for name in names(&export, "tile/").into_iter().chain(names(&export, "blob/")) {
        let length = export.read(&name).len();
        for at in (0..length).step_by(length / 16 + 1).chain([length - 1]) {
            assert_eq!(export.code_with_flip(&name, at, 0x01), 6, "{name}, byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_changed_cut_or_longer_file_verifies(file: prop::sample::Index, at: prop::sample::Index, mask in 1..=u8::MAX, how in 0..3) {
        static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| HONEST.export().files());
        let export = HONEST.export();
        let name = file.get(&NAMES);
        let mut bytes = export.read(name);
        let at = at.index(bytes.len());
        match how {
            0 => *bytes.get_mut(at).expect("a byte") ^= mask,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, mask),
        }
        export.write(name, &bytes);
        prop_assert_eq!(export.code(), 6);
    }
}

#[test]
fn a_missing_blob_is_incomplete_and_the_rest_is_still_checked() {
    let export = HONEST.export();
    let blobs = names(&export, "blob/");
    assert_eq!(blobs.len(), 9 + 3 + 4 + 4);
    for name in &blobs {
        let whole = export.read(name);
        export.remove(name);
        let report = export.verify();
        assert_eq!(report.exit_code(), 9, "{name}");
        let finding = report.finding.expect("a finding");
        assert_eq!((finding.kind, &finding.place), (Kind::Incomplete, name));
        assert!(report.models_replayed >= 3, "at most one step is unproved");
        assert_eq!(report.institutions.len(), 3, "the account needs no blob");
        export.write(name, &whole);
    }
    assert_eq!(export.code(), 0);
    for name in &blobs {
        export.remove(name);
    }
    assert_eq!(export.code(), 9);
}

#[test]
fn a_missing_blob_hides_no_lie() {
    let export = World::play(Story { model_error: 0.125, ..Story::default() }).export();
    assert_eq!(export.code(), 6);
    for name in names(&export, "blob/").iter().filter(|name| export.read(name).len() == 24) {
        let whole = export.read(name);
        export.remove(name);
        assert_eq!(export.code(), 6, "{name}");
        export.write(name, &whole);
    }
}

#[test]
fn a_missing_tile_genesis_or_checkpoint_is_tampering() {
    let export = HONEST.export();
    for name in names(&export, "tile/").into_iter().chain(["genesis".into(), "checkpoint".into()]) {
        let whole = export.read(&name);
        export.remove(&name);
        assert_eq!(export.code(), 6, "{name}");
        export.write(&name, &whole);
    }
}

#[test]
fn a_file_that_does_not_belong_is_tampering() {
    let stray = sha256(b"stray");
    for name in [
        "note.txt",
        "genesis.bak",
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/0/000.p/1",
        "tile/entries/0",
        "blob/name",
        &format!("blob/{stray}"),
        &format!("blob/{}", stray.to_string().to_uppercase()),
        &format!("{stray}"),
    ] {
        let export = HONEST.export();
        export.write(name, b"stray");
        assert_eq!(export.code(), 6, "{name}");
    }
}

#[test]
fn a_folder_without_files_is_tampering() {
    let export = HONEST.export();
    std::fs::create_dir_all(export.path.join("keys/old")).expect("a folder");
    assert_eq!(export.code(), 6);
    std::fs::remove_dir_all(export.path.join("keys")).expect("removed");
    for name in HONEST.export().files() {
        let export = HONEST.export();
        export.remove(&name);
        std::fs::create_dir(export.path.join(&name)).expect("a folder");
        assert_eq!(export.code(), 6, "{name} is a folder");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    let export = HONEST.export();
    let (genesis, aside) = (export.path.join("genesis"), export.path.with_file_name("aside"));
    std::fs::rename(&genesis, &aside).expect("moved");
    std::os::unix::fs::symlink(&aside, &genesis).expect("linked");
    assert_eq!(export.code(), 6);
}

#[test]
fn an_unknown_signature_line_is_tampering() {
    let export = HONEST.export();
    let mut text = export.read("checkpoint");
    text.extend_from_slice("— somebody AAAAAAAA\n".as_bytes());
    export.write("checkpoint", &text);
    assert_eq!(export.code(), 6);
}

#[test]
fn a_dropped_leaf_is_seen_under_a_new_signature() {
    // The last leaf can be dropped unseen: that is what receipts are for.
    for index in 1..HONEST.leaves.len() - 1 {
        let mut world = HONEST.clone();
        let leaf = world.leaves.remove(index);
        let code = if matches!(leaf.body(), Body::Accepted(_)) { 7 } else { 6 };
        assert_eq!(world.export().code(), code, "leaf {index}");
    }
}

#[test]
fn a_doubled_leaf_is_seen_under_a_new_signature() {
    for index in 1..HONEST.leaves.len() {
        let mut world = HONEST.clone();
        let leaf = world.leaves.get(index).expect("a leaf").clone();
        world.leaves.insert(index, leaf);
        assert_eq!(world.export().code(), 6, "leaf {index}");
    }
}

#[test]
fn swapped_leaves_are_seen_under_a_new_signature() {
    for index in 1..HONEST.leaves.len() - 1 {
        let mut world = HONEST.clone();
        world.leaves.swap(index, index + 1);
        let before_close = matches!(world.leaves.get(index).map(Leaf::body), Some(Body::Closed(_)));
        assert_eq!(world.export().code(), if before_close { 7 } else { 6 }, "leaf {index}");
    }
}

#[test]
fn survivors_other_than_the_accepted_are_an_omission() {
    let mut world = HONEST.clone();
    let is_last = |leaf: &Leaf| matches!(leaf.body(), Body::Closed(closed) if closed.round == 2);
    let index = world.leaves.iter().position(is_last).expect("it was closed");
    let Some(Body::Closed(closed)) = world.leaves.get(index).map(|leaf| leaf.body().clone()) else {
        panic!("a close")
    };
    let mut survivors = closed.survivors.clone();
    survivors.remove(&institution("birch"));
    let forged = world.forge(index, Body::Closed(Closed { survivors, ..closed }));
    *world.leaves.get_mut(index).expect("a leaf") = forged;
    let finding = world.export().verify().finding.expect("a finding");
    assert_eq!(finding.kind, Kind::Omission);
    assert_eq!(
        (finding.expected.as_str(), finding.found.as_str()),
        ("alder, birch, cedar", "alder, cedar")
    );
}

#[test]
fn a_model_that_does_not_follow_is_found_by_replay() {
    let mut world = HONEST.clone();
    let is_last = |leaf: &Leaf| matches!(leaf.body(), Body::Model(model) if model.index == 3);
    let index = world.leaves.iter().position(is_last).expect("it was recorded");
    let Some(Body::Model(model)) = world.leaves.get(index).map(|leaf| leaf.body().clone()) else {
        panic!("a model")
    };
    let weights = vec![0_u8; 24];
    let theta = sha256(&weights);
    world.blobs.insert(theta, weights);
    let forged = world.forge(index, Body::Model(Model { theta, ..model }));
    *world.leaves.get_mut(index).expect("a leaf") = forged;
    let report = world.export().verify();
    assert_eq!(report.exit_code(), 6);
    let finding = report.finding.expect("a finding");
    assert_eq!(finding.place, format!("leaf {index}, the weights of model 3"));
    assert!(finding.found.contains(&theta.to_string()));
}

#[test]
fn leaves_under_another_root_are_not_those_that_were_signed() {
    let other = World::play(Story { excess: 1000, ..Story::default() });
    assert_eq!(other.leaves.len(), HONEST.leaves.len());
    let export = other.export();
    export.write("checkpoint", &HONEST.export().read("checkpoint"));
    let finding = export.verify().finding.expect("a finding");
    assert_eq!((finding.kind, finding.place.as_str()), (Kind::Tampered, "tile/entries"));
}

#[test]
fn the_log_begins_with_the_genesis_that_was_compared_with_the_anchor() {
    let mut other = HONEST.clone();
    let Some(Body::Genesis(genesis)) = other.leaves.first().map(|leaf| leaf.body().clone()) else {
        panic!("a genesis")
    };
    other.leaves = vec![other.forge(0, Body::Genesis(Genesis { nonce: [8; 32], ..genesis }))];
    let export = other.export();
    export.write("genesis", &HONEST.export().read("genesis"));
    export.write("checkpoint", other.checkpoint_for(&HONEST.genesis()).as_bytes());
    let finding = export.verify().finding.expect("a finding");
    assert_eq!((finding.kind, finding.place.as_str()), (Kind::Tampered, "genesis"));
    assert_eq!(finding.expected, "the bytes of leaf 0");
}

/// Where the auditor finds what is wrong with a story; nowhere if nothing is.
fn place(story: Story) -> Option<String> {
    let finding = World::play(story).export().verify().finding?;
    assert_eq!(finding.kind, Kind::Tampered);
    finding.place.split_once(", ").map(|(_, place)| place.to_owned())
}

#[test]
fn lies_that_every_signature_covers_are_found_by_replay() {
    let honest = Story::default();
    let found = |story| place(story).expect("a finding");
    assert_eq!(found(Story { sum_error: 1, ..honest }), "the sum of round 1");
    let vector = "the vector of cedar in round 1";
    assert_eq!(found(Story { short: true, ..honest }), vector);
    assert_eq!(found(Story { excess: 1 << 30, ..honest }), vector);
    assert_eq!(found(Story { model_error: 0.125, ..honest }), "the weights of model 2");
    // Below the resolution of f32: only the master state tells.
    assert_eq!(found(Story { model_error: 1e-17, ..honest }), "the master state of model 2");
    assert_eq!(place(Story { excess: 1000, ..honest }), None, "a bank's vector is its own affair");
}
