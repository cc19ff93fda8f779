//! A log of more than one full tile.

use std::sync::LazyLock;

use crate::world::{Export, Story, World};

static CROWD: LazyLock<World> =
    LazyLock::new(|| World::play(Story { auditors: 300, ..Story::default() }));

fn tiles(export: &Export) -> Vec<String> {
    export.files().into_iter().filter(|name| name.starts_with("tile/")).collect()
}

#[test]
fn a_log_of_several_tiles_verifies_and_each_tile_counts() {
    let export = CROWD.export();
    assert_eq!(export.verify().finding, None);
    let tiles = tiles(&export);
    for expected in ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"] {
        assert!(tiles.iter().any(|name| name == expected), "{expected} in {tiles:?}");
    }
    for name in tiles {
        let last = export.read(&name).len() - 1;
        for at in [0, last / 2, last] {
            assert_eq!(export.code_with_flip(&name, at, 0x10), 6, "{name}, byte {at}");
        }
    }
}

#[test]
fn a_partial_tile_beside_the_full_one_is_a_stray() {
    let export = CROWD.export();
    let partial = export.read("tile/0/000").get(..32 * 255).expect("a full tile").to_vec();
    export.write("tile/0/000.p/255", &partial);
    assert_eq!(export.code(), 6);
}

#[test]
fn receipts_of_every_size_lead_to_heads_that_the_log_had() {
    let export = CROWD.export();
    let full = CROWD.leaves.len();
    for size in [2, 255, 256, 257, 300, full] {
        for index in [0, size / 2, size - 1] {
            let receipt = CROWD.receipt(index, size).to_text();
            assert_eq!(export.code_with(&receipt), 0, "leaf {index} of {size}");
        }
    }
}
