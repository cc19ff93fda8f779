//! The log as the static files that other people's tools read: C2SP tlog-tiles.

use std::str::FromStr as _;

use ledger::tile::{Tile, TileKind, entry_bundle, hash_tile};

use super::projection::Projection;

/// The tile of hashes at `path`, which begins with a slash; none if the log has none there.
pub(super) fn hashes(projection: &Projection, path: &str) -> Option<Vec<u8>> {
    let tile = Tile::from_str(path.strip_prefix('/')?).ok()?;
    let TileKind::Hashes(level) = tile.kind() else { return None };
    let size = projection.standing.as_ref()?.state.size;
    // Only what the checkpoint covers is served.
    let nodes = size >> (8 * u32::from(level));
    (tile.range().end <= nodes).then(|| hash_tile(&projection.nodes, &tile).ok())?
}

/// The leaves that a tile of entries at `path` holds; none if the log does not reach that far.
pub(super) fn entries(projection: &Projection, path: &str) -> Option<std::ops::Range<u64>> {
    let tile = Tile::from_str(path.strip_prefix('/')?).ok()?;
    let size = projection.standing.as_ref()?.state.size;
    let range = tile.range();
    (tile.kind() == TileKind::Entries && range.end <= size).then_some(range)
}

/// A tile of entries.
pub(super) fn bundle(leaves: &[ledger::record::LeafBytes]) -> Vec<u8> {
    entry_bundle(leaves)
}

/// True if the path may be a tile of hashes.
pub(super) fn is_hashes(path: &str) -> bool {
    let tile = path.strip_prefix('/').and_then(|path| Tile::from_str(path).ok());
    tile.is_some_and(|tile| matches!(tile.kind(), TileKind::Hashes(_)))
}
