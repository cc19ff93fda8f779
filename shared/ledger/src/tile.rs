//! A log as static files ([C2SP tlog-tiles]).
//!
//! `tile/⟨L⟩/⟨N⟩` holds up to 256 hashes: at level 0 leaf hashes, above that the roots of full tiles
//! one level below. `tile/entries/⟨N⟩` holds the leaves themselves, each after its length in 16 bits,
//! big-endian. The last tile of a level may be partial and is then called `….p/⟨width⟩`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::checkpoint::parse_decimal;
use crate::digest::Digest;
use crate::record::{LeafBytes, RecordError};
use crate::tree::HashSource;

/// How many hashes or leaves a full tile holds.
pub const TILE_WIDTH: u16 = 256;

/// The levels that tiles of a log of 2^64 leaves could have.
const LEVEL_MAX: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes at a level of tiles, from 0 to 7: nodes of the tree at 8 times that level.
    Hashes(u8),
    /// The leaves themselves.
    Entries,
}

/// One tile of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// A path or contents are no tile's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TileError {
    /// The path is not the one spelling of a tile's path.
    #[error("expected a tile path, got {0:?}")]
    Path(String),
    /// The contents are not what the tile's width asks for.
    #[error("expected a tile of {width} entries, got {found}")]
    Contents {
        /// How many there should be.
        width: u16,
        /// What came instead.
        found: &'static str,
    },
    /// A leaf in a bundle is no leaf.
    #[error(transparent)]
    Leaf(#[from] RecordError),
}

impl Tile {
    /// What the tile holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number within its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or leaves it holds: 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The numbers of the hashes or leaves it holds, within its level.
    pub fn range(&self) -> std::ops::Range<u64> {
        let start = self.index * u64::from(TILE_WIDTH);
        start..start + u64::from(self.width)
    }
}

/// All tiles of a log of `size` leaves: entries, then hashes from level 0 up.
///
/// ```
/// let paths: Vec<String> = ledger::tile::tiles(257).map(|tile| tile.to_string()).collect();
/// assert_eq!(paths, [
///     "tile/entries/000", "tile/entries/001.p/1",
///     "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1",
/// ]);
/// ```
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    let entries = row(TileKind::Entries, size);
    let hashes = (0..=LEVEL_MAX)
        .flat_map(move |level| row(TileKind::Hashes(level), size >> (8 * u32::from(level))));
    entries.chain(hashes)
}

/// The tiles that hold `count` hashes or leaves.
fn row(kind: TileKind, count: u64) -> impl Iterator<Item = Tile> {
    let width = u64::from(TILE_WIDTH);
    (0..count.div_ceil(width)).map(move |index| {
        let held = (count - index * width).min(width);
        Tile { kind, index, width: u16::try_from(held).unwrap_or(TILE_WIDTH) }
    })
}

/// The contents of a tile of hashes; empty for a tile of entries.
///
/// # Errors
///
/// If a node cannot be read.
pub fn hash_tile<S: HashSource>(source: &S, tile: &Tile) -> Result<Vec<u8>, S::Error> {
    let TileKind::Hashes(level) = tile.kind else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::with_capacity(usize::from(tile.width) * 32);
    for index in tile.range() {
        bytes.extend_from_slice(source.node(8 * level, index)?.as_bytes());
    }
    Ok(bytes)
}

/// The hashes in a tile.
///
/// # Errors
///
/// [`TileError::Contents`] if there are not exactly `width` of them.
pub fn parse_hash_tile(tile: &Tile, bytes: &[u8]) -> Result<Vec<Digest>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(tile.width) {
        return Err(TileError::Contents { width: tile.width, found: "another number of bytes" });
    }
    Ok(hashes.iter().copied().map(Digest::from_bytes).collect())
}

/// The contents of a tile of entries.
pub fn entry_bundle<'a>(leaves: impl IntoIterator<Item = &'a LeafBytes>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        // A leaf has at most 65,535 bytes by construction.
        let length = u16::try_from(leaf.as_slice().len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(leaf.as_slice());
    }
    bytes
}

/// The leaves in a tile of entries.
///
/// # Errors
///
/// [`TileError::Contents`] if there are not exactly `width` of them.
pub fn parse_entry_bundle(tile: &Tile, bytes: &[u8]) -> Result<Vec<LeafBytes>, TileError> {
    let refused = |found| TileError::Contents { width: tile.width, found };
    let mut leaves = Vec::with_capacity(usize::from(tile.width));
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (leaf, tail) =
            tail.split_at_checked(length).ok_or_else(|| refused("a leaf that is cut off"))?;
        leaves.push(LeafBytes::new(leaf)?);
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(refused("a length that is cut off"));
    }
    if leaves.len() != usize::from(tile.width) {
        return Err(refused("another number of leaves"));
    }
    Ok(leaves)
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // Groups of three digits; all but the last begin with an x.
        let digits = self.index.to_string();
        let padded = format!("{}{digits}", "0".repeat((3 - digits.len() % 3) % 3));
        let last = padded.len() - 3;
        for (at, digit) in padded.chars().enumerate() {
            if at % 3 == 0 {
                f.write_str(if at == 0 { "" } else { "/" })?;
                f.write_str(if at == last { "" } else { "x" })?;
            }
            write!(f, "{digit}")?;
        }
        if self.width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let refused = || TileError::Path(path.chars().take(80).collect());
        let tile = parse_path(path).ok_or_else(refused)?;
        // One tile, one path: what is spelled otherwise is refused.
        if tile.to_string() == path { Ok(tile) } else { Err(refused()) }
    }
}

fn parse_path(path: &str) -> Option<Tile> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = match level {
        "entries" => TileKind::Entries,
        number => {
            let level = u8::try_from(parse_decimal(number)?).ok()?;
            (level <= LEVEL_MAX).then_some(TileKind::Hashes(level))?
        }
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, u16::try_from(parse_decimal(width)?).ok()?),
        None => (rest, TILE_WIDTH),
    };
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let index: u64 = digits.parse().ok()?;
    let fits = index < u64::MAX / u64::from(TILE_WIDTH);
    (fits && (1..=TILE_WIDTH).contains(&width)).then_some(Tile { kind, index, width })
}
