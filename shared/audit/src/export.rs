//! What an auditor gets, as a directory.
//!
//! ```text
//! genesis            the exact bytes of leaf 0
//! checkpoint         the signed head
//! tile/entries/000…  the leaves
//! tile/0/000…        the hashes of the tree
//! blob/⟨sha-256⟩     every vector, sum, θ and master state that the log names and the owner still has
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledger::checkpoint::{CheckpointError, LogIdentity, LogKeys, claimed_size};
use ledger::digest::{Digest, sha256};
use ledger::log_store::LogStore;
use ledger::population::Entry;
use ledger::record::{Body, Leaf, LeafBytes, RecordError};
use ledger::tile::{self, TileKind, tiles};
use ledger::tree::Head;

use crate::nodes::Nodes;

/// How many leaves are read at once.
const READ_MAX: u64 = 1024;

/// The file with leaf 0.
pub(crate) const GENESIS: &str = "genesis";
/// The file with the signed head.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The file of a bank's ledger with the heads behind its releases.
pub const HEADS: &str = "heads.json";
/// The folder of blobs.
pub(crate) const BLOBS: &str = "blob";

/// An export was not written. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is something at the place already.
    #[error("expected no {} yet, found one", .0.display())]
    Exists(PathBuf),
    /// A file or folder cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The log or a blob cannot be read.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// Leaf 0 is no Genesis.
    #[error("expected a genesis record as leaf 0, got another record")]
    NotGenesis,
    /// A leaf is no record.
    #[error("leaf {index}: {source}")]
    Leaf {
        /// Its place.
        index: u64,
        /// What is wrong.
        source: RecordError,
    },
    /// The checkpoint is not one of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaves are not those that the checkpoint was signed over.
    #[error("expected {} leaves under root {}, got {} under {}",
        expected.size, expected.root, found.size, found.root)]
    Head {
        /// What was signed.
        expected: Head,
        /// What follows from the leaves.
        found: Head,
    },
}

/// Writes the export of a log to `directory`, which must not exist yet, and returns the number of
/// records in it.
///
/// `leaves` gives all leaves from leaf 0 on; those after the checkpoint's size are not asked for.
/// `blob` gives the blob with a digest: one that it does not have is not written, because a plan may
/// have let it be pruned, and the auditor says so. The directory appears whole or not at all. It is
/// not synced: an export that a power failure takes is made again.
///
/// # Errors
///
/// [`ExportError`] if the checkpoint does not fit the leaves, or reading or writing fails.
pub fn write<E>(
    directory: &Path,
    leaves: impl Iterator<Item = Result<LeafBytes, E>>,
    checkpoint: &str,
    blob: impl FnMut(&Digest) -> Result<Option<Vec<u8>>, E>,
) -> Result<u64, ExportError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    published(directory, |root| fill(root, Kind::CONSORTIUM, leaves, checkpoint, blob))
}

/// Writes a bank's own ledger to `directory`, which must not exist yet, and returns the number of its entries. `heads` is the file
/// with the heads behind the bank's releases, opened. No vectors: they are in the consortium's export.
///
/// # Errors
///
/// As [`write()`].
pub fn write_population<E>(
    directory: &Path,
    leaves: impl Iterator<Item = Result<LeafBytes, E>>,
    checkpoint: &str,
    heads: &[u8],
) -> Result<u64, ExportError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    published(directory, |root| {
        put(root, HEADS, heads)?;
        fill(root, Kind::POPULATION, leaves, checkpoint, |_| Ok(None))
    })
}

/// All leaves of `log` in order, a page in memory at a time.
pub fn leaves_of<L: LogStore>(log: &L) -> impl Iterator<Item = Result<LeafBytes, L::Error>> + '_ {
    let size = log.head().size;
    let mut start = 0;
    let pages = std::iter::from_fn(move || {
        let page = start..size.min(start + READ_MAX);
        start = page.end;
        (!page.is_empty()).then_some(page)
    });
    pages.flat_map(|page| match log.leaves(page) {
        Ok(leaves) => leaves.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    })
}

/// Fills a directory beside `directory`, which must not exist yet, and gives it that name once it is whole.
pub(crate) fn published(
    directory: &Path,
    fill: impl FnOnce(&Path) -> Result<u64, ExportError>,
) -> Result<u64, ExportError> {
    if fs::symlink_metadata(directory).is_ok() {
        return Err(ExportError::Exists(directory.to_path_buf()));
    }
    let draft = Draft::beside(directory)?;
    let leaves = fill(&draft.path)?;
    draft.publish(directory)?;
    Ok(leaves)
}

/// Which log is written.
#[derive(Clone, Copy)]
struct Kind {
    identity: fn(&LeafBytes) -> Result<LogIdentity, ExportError>,
    /// The blobs that a leaf names.
    named: fn(&LeafBytes) -> Result<Vec<Digest>, RecordError>,
}

impl Kind {
    const CONSORTIUM: Self = Self {
        identity,
        named: |leaf| Leaf::decode(leaf.as_slice()).map(|leaf: Leaf| blobs_of(leaf.body())),
    };
    const POPULATION: Self = Self {
        identity: population_identity,
        named: |leaf| Leaf::decode(leaf.as_slice()).map(|_: Leaf<Entry>| Vec::new()),
    };
}

fn fill<E>(
    root: &Path,
    kind: Kind,
    leaves: impl Iterator<Item = Result<LeafBytes, E>>,
    checkpoint: &str,
    mut blob: impl FnMut(&Digest) -> Result<Option<Vec<u8>>, E>,
) -> Result<u64, ExportError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut leaves = leaves.map(|leaf| leaf.map_err(source)).peekable();
    let mut keys = if let Some(Ok(leaf)) = leaves.peek() {
        put(root, GENESIS, leaf.as_slice())?;
        LogKeys::new((kind.identity)(leaf)?)
    } else {
        // With no leaf at all there is no log, and the first error of the source is the answer.
        leaves.next().transpose()?;
        return Err(ExportError::NotGenesis);
    };
    let size = claimed_size(checkpoint)?;
    let (found, named) = write_leaves(root, kind, &mut leaves, size, &mut keys)?;
    let head = keys.open(checkpoint)?.head();
    if found != head {
        return Err(ExportError::Head { expected: head, found });
    }
    put(root, CHECKPOINT, checkpoint.as_bytes())?;
    for digest in named {
        if let Some(bytes) = blob(&digest).map_err(source)? {
            put(root, &format!("{BLOBS}/{digest}"), &bytes)?;
        }
    }
    Ok(head.size)
}

/// Writes the tiles over the leading leaves, and returns their head and the digests of the blobs that they name. `keys` takes note of the
/// keys that they bring.
fn write_leaves(
    root: &Path,
    kind: Kind,
    leaves: &mut impl Iterator<Item = Result<LeafBytes, ExportError>>,
    size: u64,
    keys: &mut LogKeys,
) -> Result<(Head, BTreeSet<Digest>), ExportError> {
    let (mut nodes, mut named) = (Nodes::default(), BTreeSet::new());
    for tile in tiles(size).filter(|tile| tile.kind() == TileKind::Entries) {
        let bundle: Vec<LeafBytes> =
            leaves.by_ref().take(usize::from(tile.width())).collect::<Result<_, _>>()?;
        for (leaf, index) in bundle.iter().zip(tile.range()) {
            nodes.push(leaf.as_slice());
            keys.read(index, leaf);
            let of_leaf = (kind.named)(leaf);
            named.extend(of_leaf.map_err(|source| ExportError::Leaf { index, source })?);
        }
        put(root, &tile.to_string(), &tile::entry_bundle(&bundle))?;
    }
    for tile in tiles(nodes.head().size).filter(|tile| tile.kind() != TileKind::Entries) {
        let bytes = tile::hash_tile(&nodes, &tile).map_err(source)?;
        put(root, &tile.to_string(), &bytes)?;
    }
    Ok((nodes.head(), named))
}

/// The blobs that a record names: what a replay needs.
pub(crate) fn blobs_of(body: &Body) -> Vec<Digest> {
    match body {
        Body::Accepted(contribution) => vec![contribution.vector],
        Body::Closed(closed) => vec![closed.aggregate],
        Body::Model(model) => vec![model.theta, model.master],
        Body::Genesis(_)
        | Body::Member(_)
        | Body::PlanProposed(_)
        | Body::Approval(_)
        | Body::RunStarted(_)
        | Body::RoundOpened(_)
        | Body::Extended(_)
        | Body::Abandoned(_)
        | Body::RunFinished(_)
        | Body::Evidence(_)
        | Body::Paused(_)
        | Body::Recalled(_)
        | Body::Decision(_)
        | Body::LogKey(_)
        | Body::Contradiction(_) => Vec::new(),
    }
}

fn identity(leaf: &LeafBytes) -> Result<LogIdentity, ExportError> {
    let decoded: Leaf =
        Leaf::decode(leaf.as_slice()).map_err(|source| ExportError::Leaf { index: 0, source })?;
    let Body::Genesis(genesis) = decoded.body() else { return Err(ExportError::NotGenesis) };
    Ok(LogIdentity { genesis: sha256(leaf.as_slice()), key: genesis.log_key })
}

/// A population's ledger is signed by the bank's record key, which registered it.
fn population_identity(leaf: &LeafBytes) -> Result<LogIdentity, ExportError> {
    let decoded: Leaf<Entry> =
        Leaf::decode(leaf.as_slice()).map_err(|source| ExportError::Leaf { index: 0, source })?;
    let Entry::Opened(_) = decoded.body() else { return Err(ExportError::NotGenesis) };
    Ok(LogIdentity { genesis: sha256(leaf.as_slice()), key: *decoded.author() })
}

fn source(error: impl std::error::Error + Send + Sync + 'static) -> ExportError {
    ExportError::Source(Box::new(error))
}

fn put(root: &Path, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let path = root.join(name);
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|source| ExportError::File { path, source })
}

/// A directory that is being filled, and removed unless it is published.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(directory: &Path) -> Result<Self, ExportError> {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let path = directory.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(ExportError::File { path, source }),
        }
    }

    fn publish(self, directory: &Path) -> Result<(), ExportError> {
        fs::rename(&self.path, directory)
            .map_err(|source| ExportError::File { path: directory.to_path_buf(), source })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Published, it is no longer there; otherwise what cannot be removed is a stray folder.
        let _ = fs::remove_dir_all(&self.path);
    }
}
