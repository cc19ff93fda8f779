//! Tiles, entry bundles, and proofs that are read from tiles alone.

use std::collections::HashMap;

use ledger::digest::Digest;
use ledger::record::LeafBytes;
use ledger::tile::{
    Tile, TileKind, entry_bundle, hash_tile, parse_entry_bundle, parse_hash_tile, tiles,
};
use ledger::tree::{
    HashSource, LeafHashes, consistency_proof, inclusion_proof, leaf_hash, root_at,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader};

/// Leaves of every length up to 40 bytes, no two alike.
fn leaves(count: u64) -> Vec<LeafBytes> {
    let leaf = |at: u64| {
        let length = 8 + usize::try_from(at % 33).unwrap();
        let bytes: Vec<u8> = at.to_be_bytes().into_iter().cycle().take(length).collect();
        LeafBytes::new(bytes).unwrap()
    };
    (0..count).map(leaf).collect()
}

fn hashes(count: u64) -> Vec<Digest> {
    leaves(count).iter().map(|leaf| leaf_hash(leaf.as_slice())).collect()
}

/// The files of our log of `size` leaves.
fn files(hashes: &[Digest], leaves: &[LeafBytes], size: u64) -> HashMap<String, Vec<u8>> {
    let file = |tile: Tile| {
        let range = usize::try_from(tile.range().start).unwrap()
            ..usize::try_from(tile.range().end).unwrap();
        let bytes = match tile.kind() {
            TileKind::Entries => entry_bundle(&leaves[range]),
            TileKind::Hashes(_) => hash_tile(&LeafHashes(hashes), &tile).unwrap(),
        };
        (tile.to_string(), bytes)
    };
    tiles(size).map(file).collect()
}

/// Their tile's path as C2SP spells it: without the height, and `entries` for `data`.
fn path(tile: &tlog_tiles::Tile) -> String {
    assert_eq!(tile.height(), 8);
    tile.path().replacen("tile/8/", "tile/", 1).replacen("/data/", "/entries/", 1)
}

/// Our files, as their reader asks for them.
struct Files<'a>(&'a HashMap<String, Vec<u8>>);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let found = tiles.iter().map(|tile| self.0.get(&path(tile)).cloned());
        found.collect::<Option<_>>().ok_or(tlog_tiles::Error::InvalidTile)
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn their(digest: Digest) -> Hash {
    Hash(*digest.as_bytes())
}

fn our(hashes: &[Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest::from_bytes(hash.0)).collect()
}

/// Both sides make the same proofs, and each takes the other's; theirs are made from our tile files, checked against our root.
fn agree(hashes: &[Digest], files: &HashMap<String, Vec<u8>>, size: u64, index: u64, old: u64) {
    let tree = LeafHashes(hashes);
    let (root, old_root) = (root_at(&tree, size).unwrap(), root_at(&tree, old).unwrap());
    let (source, leaf) = (Files(files), hashes[usize::try_from(index).unwrap()]);
    let reader = TileHashReader::new(size, their(root), &source);
    assert_eq!(tlog_tiles::tree_hash(old, &reader).unwrap(), their(old_root));

    let included = inclusion_proof(&tree, index, size).unwrap();
    let theirs = tlog_tiles::prove_record(size, index, &reader).unwrap();
    assert_eq!(our(&theirs), included, "leaf {index} of {size}");
    verify_inclusion(index, size, &root, &leaf, &our(&theirs)).unwrap();
    let ours: Vec<Hash> = included.iter().copied().map(their).collect();
    tlog_tiles::check_record(&ours, size, their(root), index, their(leaf)).unwrap();

    let consistent = consistency_proof(&tree, old, size).unwrap();
    let theirs = tlog_tiles::prove_tree(size, old, &reader).unwrap();
    assert_eq!(our(&theirs), consistent, "{old} to {size}");
    verify_consistency(old, size, &old_root, &root, &our(&theirs)).unwrap();
    let ours: Vec<Hash> = consistent.iter().copied().map(their).collect();
    tlog_tiles::check_tree(&ours, size, their(root), old, their(old_root)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tiles_of_any_size_are_read_by_them(size in 1_u64..900, index in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let (leaves, hashes) = (leaves(size), hashes(size));
        let files = files(&hashes, &leaves, size);
        let picked = |at: prop::sample::Index| u64::try_from(at.index(leaves.len())).unwrap();
        agree(&hashes, &files, size, picked(index), picked(old) + 1);
        // Their list of the tiles to publish is ours, entries aside.
        let mut expected: Vec<String> =
            tlog_tiles::Tile::new_tiles(8, 0, size).iter().map(path).collect();
        let mut listed: Vec<String> = tiles(size)
            .filter(|tile| tile.kind() != TileKind::Entries)
            .map(|tile| tile.to_string())
            .collect();
        expected.sort();
        listed.sort();
        prop_assert_eq!(expected, listed);
    }

    /// A changed proof, or a proof for another place: neither side takes it.
    #[test]
    fn changed_proofs_are_refused_by_both(
        size in 2_u64..600, index in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(), how in 0_u8..4,
    ) {
        let hashes = hashes(size);
        let tree = LeafHashes(&hashes);
        let at = index.index(hashes.len());
        let (mut index, mut leaf) = (u64::try_from(at).unwrap(), hashes[at]);
        let root = root_at(&tree, size).unwrap();
        let mut proof = inclusion_proof(&tree, index, size).unwrap();
        match how {
            0 => flip(&mut proof, bit),
            1 => drop(proof.pop()),
            2 => proof.push(leaf),
            _ => {
                index = (index + 1) % size;
                leaf = hashes[at];
            }
        }
        prop_assert!(verify_inclusion(index, size, &root, &leaf, &proof).is_err());
        let theirs: Vec<Hash> = proof.iter().copied().map(their).collect();
        prop_assert!(tlog_tiles::check_record(&theirs, size, their(root), index, their(leaf)).is_err());

        let old = index.max(1);
        let old_root = root_at(&tree, old).unwrap();
        let mut proof = consistency_proof(&tree, old, size).unwrap();
        match how {
            0 => flip(&mut proof, bit),
            1 => drop(proof.pop()),
            _ => proof.push(leaf),
        }
        prop_assume!(old < size);
        prop_assert!(verify_consistency(old, size, &old_root, &root, &proof).is_err());
        let theirs: Vec<Hash> = proof.iter().copied().map(their).collect();
        prop_assert!(tlog_tiles::check_tree(&theirs, size, their(root), old, their(old_root)).is_err());
    }

    #[test]
    fn paths_of_any_tile_are_the_same_text(level in 0_u8..=7, index in 0_u64..1 << 40, width in 1_u32..=256) {
        let theirs = tlog_tiles::Tile::new(8, level, index, width, false);
        let ours: Tile = path(&theirs).parse().unwrap();
        prop_assert_eq!((ours.kind(), ours.index()), (TileKind::Hashes(level), index));
        prop_assert_eq!(u32::from(ours.width()), width);
        let back = ours.to_string().replacen("tile/", "tile/8/", 1);
        prop_assert_eq!(tlog_tiles::Tile::from_path(&back).unwrap(), theirs);
        let mut data = theirs;
        if level == 0 {
            data.set_is_data();
            prop_assert_eq!(path(&data).parse::<Tile>().unwrap().kind(), TileKind::Entries);
        }
    }

    /// Another spelling of a path: we never take what they refuse.
    #[test]
    fn paths_that_they_refuse_we_refuse(tail in "[0-8]{1,2}/(x[0-9]{3}/){0,2}[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(ours) = format!("tile/{tail}").parse::<Tile>() {
            let theirs = tlog_tiles::Tile::from_path(&format!("tile/8/{tail}")).unwrap();
            prop_assert_eq!(ours.to_string(), path(&theirs));
        }
    }
}

fn flip(proof: &mut Vec<Digest>, bit: prop::sample::Index) {
    let Some(count) = proof.len().checked_mul(256).filter(|count| *count > 0) else {
        return proof.push(Digest::ZERO);
    };
    let bit = bit.index(count);
    let mut bytes = *proof[bit / 256].as_bytes();
    bytes[bit % 256 / 8] ^= 1 << (bit % 8);
    proof[bit / 256] = Digest::from_bytes(bytes);
}

/// Full tiles at levels 0 and 1, and a level 2: 70,000 leaves as in the specification, and the sizes around the first full tile of level 1.
#[test]
fn a_log_with_three_levels_of_tiles_is_read_by_them() {
    let (leaves, all) = (leaves(70_000), hashes(70_000));
    for size in [65_535, 65_536, 65_537, 70_000_u64] {
        let hashes = &all[..usize::try_from(size).unwrap()];
        let files = files(hashes, &leaves, size);
        assert_eq!(files.contains_key("tile/2/000.p/1"), size >= 65_536);
        for (index, old) in [(0, 1), (255, 256), (65_534, 65_535), (size - 1, size), (40_000, 300)]
        {
            agree(hashes, &files, size, index, old);
        }
    }
    assert_eq!(files(&all, &leaves, 70_000).len(), 274 + 274 + 2 + 1);
}

/// Every hash in every tile is under the root, or their reader says so. The size has as many ones in binary as it has partial tiles: of a
/// log of another size, their 0.2.0 leaves the first full tiles that it reads unauthenticated.
#[test]
fn a_changed_hash_in_any_tile_is_refused_by_them() {
    let size = 65_536 + 256 + 1;
    let (leaves, hashes) = (leaves(size), hashes(size));
    let root = root_at(&LeafHashes(&hashes), size).unwrap();
    let honest = files(&hashes, &leaves, size);
    for (name, level) in [
        ("tile/0/255", 0),
        ("tile/0/257.p/1", 0),
        ("tile/1/000", 1),
        ("tile/1/001.p/1", 1),
        ("tile/2/000.p/1", 2),
    ] {
        let mut changed = honest.clone();
        let tile: Tile = name.parse().unwrap();
        changed.get_mut(name).unwrap()[5] ^= 1;
        let source = Files(&changed);
        let reader = TileHashReader::new(size, their(root), &source);
        let at = tlog_tiles::stored_hash_index(8 * level, tile.range().start);
        assert!(reader.read_hashes(&[at]).is_err(), "{name}");
        let source = Files(&honest);
        let reader = TileHashReader::new(size, their(root), &source);
        let node = LeafHashes(&hashes).node(8 * level, tile.range().start).unwrap();
        assert_eq!(reader.read_hashes(&[at]).unwrap(), [their(node)], "{name}");
    }
}

/// Bundles are taken apart by the words of the specification; each entry hashes, by them, to what level 0 says.
#[test]
fn entry_bundles_are_those_of_the_specification() {
    let size = 300;
    let (leaves, hashes) = (leaves(size), hashes(size));
    let files = files(&hashes, &leaves, size);
    for (entries, level_0) in
        [("tile/entries/000", "tile/0/000"), ("tile/entries/001.p/44", "tile/0/001.p/44")]
    {
        let (tile, mut rest): (Tile, _) = (entries.parse().unwrap(), files[entries].as_slice());
        let read = parse_entry_bundle(&tile, rest).unwrap();
        let listed = parse_hash_tile(&level_0.parse().unwrap(), &files[level_0]).unwrap();
        for (leaf, hash) in read.iter().zip(&listed) {
            let (length, tail) = rest.split_at(2);
            let length = usize::from(length[0]) * 256 + usize::from(length[1]);
            let (entry, tail) = tail.split_at(length);
            assert_eq!(entry, leaf.as_slice());
            assert_eq!(tlog_tiles::record_hash(entry), their(*hash));
            rest = tail;
        }
        assert!(rest.is_empty());
        assert_eq!(read.len(), usize::from(tile.width()));
    }
}
