use ledger::log_store::LogStore as _;
use ledger::memory::MemoryLog;
use ledger::record::LeafBytes;
use ledger::tile::{
    Tile, TileKind, entry_bundle, hash_tile, parse_entry_bundle, parse_hash_tile, tiles,
};
use ledger::tree::{Frontier, leaf_hash};
use proptest::prelude::*;

#[test]
fn the_example_of_the_specification_has_its_tiles() {
    let count = |level| {
        tiles(70_000).filter(|tile| tile.kind() == TileKind::Hashes(level)).collect::<Vec<_>>()
    };
    let (zero, one, two) = (count(0), count(1), count(2));
    assert_eq!((zero.len(), zero[273].width()), (274, 112));
    assert_eq!((one.len(), one[0].width(), one[1].width()), (2, 256, 17));
    assert_eq!((two.len(), two[0].width(), count(3).len()), (1, 1, 0));
}

#[test]
fn paths_are_spelled_as_in_the_specification() {
    let index = 1_234_067;
    let tile = tiles(256 * (index + 1)).nth(usize::try_from(index).unwrap()).unwrap();
    assert_eq!(tile.to_string(), "tile/entries/x001/x234/067");
    for good in ["tile/0/000", "tile/7/x001/000.p/255", "tile/entries/x999/999.p/1"] {
        assert_eq!(good.parse::<Tile>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "tile/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/-1/000",
        "tile/0/000.p/1.p/1",
        "tile/entries/",
    ] {
        assert!(bad.parse::<Tile>().is_err(), "{bad}");
    }
    let huge = format!("tile/0/{}999", "x999/".repeat(9));
    assert!(huge.parse::<Tile>().is_err());
}

proptest! {
    /// What an auditor does: the tiles alone give back the leaves, their hashes and the root.
    #[test]
    fn a_log_is_rebuilt_from_its_tiles(size in 0_usize..700) {
        let leaves: Vec<LeafBytes> =
            (0..size).map(|i| LeafBytes::new(vec![7; i % 40]).unwrap()).collect();
        let mut log = MemoryLog::default();
        let head = log.append(&log.head(), &leaves, &[]).unwrap();
        let (mut read, mut frontier) = (Vec::new(), Frontier::new());
        for tile in tiles(head.size) {
            prop_assert_eq!(tile.to_string().parse::<Tile>(), Ok(tile));
            match tile.kind() {
                TileKind::Entries => {
                    let contents = entry_bundle(&log.leaves(tile.range()).unwrap());
                    read.extend(parse_entry_bundle(&tile, &contents).unwrap());
                    prop_assert!(parse_entry_bundle(&tile, &contents[1..]).is_err());
                    // One leaf more, and whole, is still not what the path says.
                    let longer = [contents.as_slice(), &[0, 0]].concat();
                    prop_assert!(parse_entry_bundle(&tile, &longer).is_err());
                }
                TileKind::Hashes(0) => {
                    let contents = hash_tile(&log, &tile).unwrap();
                    let hashes = parse_hash_tile(&tile, &contents).unwrap();
                    for (hash, index) in hashes.iter().zip(tile.range()) {
                        prop_assert_eq!(*hash, leaf_hash(log.leaf(index).unwrap().unwrap().as_slice()));
                        frontier.push(*hash, |_, _, _| ());
                    }
                    prop_assert!(parse_hash_tile(&tile, &contents[1..]).is_err());
                }
                TileKind::Hashes(_) => {
                    prop_assert_eq!(hash_tile(&log, &tile).unwrap().len(), usize::from(tile.width()) * 32);
                }
            }
        }
        prop_assert_eq!(read, leaves);
        prop_assert_eq!(frontier.head(), head);
    }
}
