//! The log in an export: its identity, its signed head, its tree, its leaves.

use ledger::checkpoint::{
    CHECKPOINT_BYTES_MAX, LogIdentity, LogKeys, SignedCheckpoint, claimed_size,
};
use ledger::digest::sha256;
use ledger::record::{Body, LEAF_BYTES_MAX, Leaf, LeafBytes, Payload as _};
use ledger::tile::{self, TILE_WIDTH, Tile, TileKind, tiles};
use ledger::tree::{Head, leaf_hash, root_at};

use crate::directory::{Directory, unknown};
use crate::export::{CHECKPOINT, GENESIS};
use crate::finding::{Finding, Kind};
use crate::nodes::Nodes;

/// A log whose head is signed by its key, and whose leaves and tiles are those under the head.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    directory: &'a Directory,
    keys: LogKeys,
    checkpoint: SignedCheckpoint,
    nodes: Nodes,
}

/// Which log the file `genesis` founds.
pub(crate) fn identity(directory: &Directory) -> Result<LogIdentity, Finding> {
    founded_by(GENESIS, &directory.read(GENESIS, LEAF_BYTES_MAX)?)
}

/// Which log the record `bytes`, read from `place`, founds.
pub(crate) fn founded_by(
    place: impl std::fmt::Display,
    bytes: &[u8],
) -> Result<LogIdentity, Finding> {
    let wrong =
        |found: &dyn std::fmt::Display| Kind::Tampered.at(&place, "a genesis record", found);
    let leaf: Leaf = Leaf::decode(bytes).map_err(|error| wrong(&error))?;
    let Body::Genesis(genesis) = leaf.body() else { return Err(wrong(&leaf.body().kind())) };
    Ok(LogIdentity { genesis: sha256(bytes), key: genesis.log_key })
}

impl<'a> Log<'a> {
    /// Reads the whole log once: checkpoint, leaves, root, every tile, and that no other is there.
    pub(crate) fn open(directory: &'a Directory, identity: LogIdentity) -> Result<Self, Finding> {
        let text = checkpoint(directory)?;
        let wrong = |error| Kind::Tampered.at(CHECKPOINT, "a signed head", error);
        let size = claimed_size(&text).map_err(wrong)?;
        // A leaf may bring another key, so who must have signed is known once they are read.
        let (mut keys, mut nodes) = (LogKeys::new(identity), Nodes::default());
        for tile in entry_tiles(size) {
            for (index, leaf) in tile.range().zip(bundle(directory, &tile)?) {
                nodes.push(leaf.as_slice());
                keys.read(index, &leaf);
            }
        }
        let checkpoint = keys.open(&text).map_err(wrong)?;
        let log = Self { directory, keys, checkpoint, nodes };
        log.check_genesis()?;
        log.check_root()?;
        log.check_tiles()?;
        Ok(log)
    }

    /// Which log it is, and who signs it.
    pub(crate) const fn keys(&self) -> &LogKeys {
        &self.keys
    }

    /// Its signed head.
    pub(crate) const fn head(&self) -> Head {
        self.checkpoint.head()
    }

    /// The note that signs it. Its other signature lines are not verified yet.
    pub(crate) const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Its tree.
    pub(crate) const fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The leaves with their indices, one bundle in memory at a time. They are the ones under the
    /// head, also if a file has changed since the log was opened.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Result<(u64, LeafBytes), Finding>> + '_ {
        self.bundles().flat_map(|tile| match self.bundle(&tile) {
            Ok(leaves) => {
                tile.range().zip(leaves).map(|(index, leaf)| Ok((index, leaf?))).collect()
            }
            Err(finding) => vec![Err(finding)],
        })
    }

    /// The tiles that hold the leaves, in order.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = Tile> + use<> {
        entry_tiles(self.head().size)
    }

    /// The leaves of one of them, which are those that were read before.
    pub(crate) fn bundle(&self, tile: &Tile) -> Result<Vec<Result<LeafBytes, Finding>>, Finding> {
        let leaves = bundle(self.directory, tile)?;
        Ok(tile.range().zip(leaves).map(|(index, leaf)| self.unchanged(index, leaf)).collect())
    }

    fn unchanged(&self, index: u64, leaf: LeafBytes) -> Result<LeafBytes, Finding> {
        if self.nodes.leaf(index) == Some(leaf_hash(leaf.as_slice())) {
            Ok(leaf)
        } else {
            Err(Kind::Tampered.at(format!("leaf {index}"), "the bytes read before", "others"))
        }
    }

    /// Checks that the log had the head that those who changed its key, in leaf `index`, signed.
    pub(crate) fn check_anchor(&self, index: u64, leaf: &Leaf) -> Result<(), Finding> {
        let Body::LogKey(record) = leaf.body() else { return Ok(()) };
        let anchor = record.change.anchor;
        let found = root_at(&self.nodes, anchor.size)
            .map_err(|error| Kind::Failure.at(format!("leaf {index}"), "an earlier root", error))?;
        if found == anchor.root {
            return Ok(());
        }
        let place = format!("leaf {index}, a change of the log's key at size {}", anchor.size);
        Err(Kind::SplitView.at(place, format!("the root {} that banks signed", anchor.root), found))
    }

    fn check_genesis(&self) -> Result<(), Finding> {
        let bytes = self.directory.read(GENESIS, LEAF_BYTES_MAX)?;
        if self.nodes.leaf(0) == Some(leaf_hash(&bytes)) {
            Ok(())
        } else {
            Err(Kind::Tampered.at(GENESIS, "the bytes of leaf 0", "others"))
        }
    }

    fn check_root(&self) -> Result<(), Finding> {
        let found = self.nodes.head();
        if found == self.head() {
            return Ok(());
        }
        let expected = format!("leaves under the signed root {}", self.head().root);
        Err(Kind::Tampered.at("tile/entries", expected, format!("leaves under {}", found.root)))
    }

    fn check_tiles(&self) -> Result<(), Finding> {
        let mut unread = self.directory.tiles().clone();
        for tile in tiles(self.head().size) {
            let name = tile.to_string();
            unread.remove(&name);
            if tile.kind() == TileKind::Entries {
                continue;
            }
            let bytes = self.directory.read(&name, usize::from(TILE_WIDTH) * 32)?;
            let expected = tile::hash_tile(&self.nodes, &tile)
                .map_err(|error| Kind::Failure.at(&name, "hashes", error))?;
            if bytes != expected {
                let expected = format!("{} hashes that follow from the leaves", tile.width());
                return Err(Kind::Tampered.at(name, expected, "other bytes"));
            }
        }
        unread.first().map_or(Ok(()), |name| Err(unknown(name)))
    }
}

/// The note that signs the head, not verified.
fn checkpoint(directory: &Directory) -> Result<String, Finding> {
    let bytes = directory.read(CHECKPOINT, CHECKPOINT_BYTES_MAX)?;
    let text = String::from_utf8(bytes);
    text.map_err(|error| Kind::Tampered.at(CHECKPOINT, "a signed head", error))
}

fn bundle(directory: &Directory, tile: &Tile) -> Result<Vec<LeafBytes>, Finding> {
    let name = tile.to_string();
    let bytes = directory.read(&name, usize::from(TILE_WIDTH) * (LEAF_BYTES_MAX + 2))?;
    tile::parse_entry_bundle(tile, &bytes)
        .map_err(|error| Kind::Tampered.at(name, format!("{} leaves", tile.width()), error))
}

fn entry_tiles(size: u64) -> impl Iterator<Item = Tile> + use<> {
    tiles(size).take_while(|tile| tile.kind() == TileKind::Entries)
}
