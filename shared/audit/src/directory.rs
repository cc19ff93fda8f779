//! The files of an export, read strictly: what the format does not name is not let pass.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ledger::digest::{Digest, Sha256, sha256};
use ledger::tile::Tile;

use crate::export::{BLOBS, CHECKPOINT, GENESIS, HEADS};
use crate::finding::{Finding, Kind};

/// An export's directory, whose every file has a name that the format knows.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// A file that this kind of export has besides.
    also: Option<&'static str>,
    tiles: BTreeSet<String>,
    blobs: BTreeSet<Digest>,
}

impl Directory {
    /// Lists the directory. A link, a device, an empty folder or a file with an unknown name
    /// is tampering.
    pub(crate) fn open(root: &Path) -> Result<Self, Finding> {
        Self::open_with(root, None)
    }

    /// The same of a bank's own ledger, which has the heads behind its releases.
    pub(crate) fn open_population(root: &Path) -> Result<Self, Finding> {
        Self::open_with(root, Some(HEADS))
    }

    fn open_with(root: &Path, also: Option<&'static str>) -> Result<Self, Finding> {
        let place = root.display();
        match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(Kind::NotFound.at(place, "a directory", "a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Kind::NotFound.at(place, "a directory", "nothing"));
            }
            Err(error) => return Err(unreadable(place, &error)),
        }
        let (tiles, blobs) = (BTreeSet::new(), BTreeSet::new());
        let mut directory = Self { root: root.to_path_buf(), also, tiles, blobs };
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = entries(root, &folder)?;
            // Without blobs the evidence is incomplete; that is no tampering yet.
            if entries.is_empty() && !folder.is_empty() && folder != BLOBS {
                return Err(Kind::Tampered.at(folder, "a folder with files", "an empty one"));
            }
            for (name, is_folder) in entries {
                if is_folder {
                    folders.push(name);
                } else {
                    directory.classify(name)?;
                }
            }
        }
        Ok(directory)
    }

    /// The names of the tiles that are there.
    pub(crate) const fn tiles(&self) -> &BTreeSet<String> {
        &self.tiles
    }

    /// The digests in the names of the blobs that are there.
    pub(crate) const fn blobs(&self) -> &BTreeSet<Digest> {
        &self.blobs
    }

    /// The contents of a file that may have at most `bytes_max`.
    pub(crate) fn read(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, Finding> {
        match File::open(self.root.join(name)) {
            Ok(file) => contents(name, file, bytes_max),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Kind::Tampered.at(name, "a file", "nothing"))
            }
            Err(error) => Err(unreadable(name, &error)),
        }
    }

    /// The blob with this digest, which may have at most `bytes_max`; none if it is not there.
    pub(crate) fn blob(
        &self,
        digest: &Digest,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, Finding> {
        if !self.blobs.contains(digest) {
            return Ok(None);
        }
        let name = blob_name(digest);
        let bytes = self.read(&name, bytes_max)?;
        let found = sha256(&bytes);
        if found == *digest { Ok(Some(bytes)) } else { Err(other_contents(name, &found)) }
    }

    /// Checks that every blob has the SHA-256 that it is named by.
    pub(crate) fn check_blobs(&self) -> Result<(), Finding> {
        let mut piece = vec![0; 64 * 1024];
        for digest in &self.blobs {
            let name = blob_name(digest);
            let found = hashed(&self.root.join(&name), &mut piece);
            let found = found.map_err(|error| unreadable(&name, &error))?;
            if found != *digest {
                return Err(other_contents(name, &found));
            }
        }
        Ok(())
    }

    fn classify(&mut self, name: String) -> Result<(), Finding> {
        if name == GENESIS || name == CHECKPOINT || self.also == Some(name.as_str()) {
            return Ok(());
        }
        let blob = name.strip_prefix(BLOBS).and_then(|rest| rest.strip_prefix('/'));
        if let Some(digest) = blob.and_then(|hex| hex.parse().ok()) {
            self.blobs.insert(digest);
        } else if name.parse::<Tile>().is_ok() {
            self.tiles.insert(name);
        } else {
            return Err(unknown(&name));
        }
        Ok(())
    }
}

/// The bytes of a file outside an export, which should be `what` and may have at most `bytes_max`.
pub(crate) fn read_file(path: &Path, what: &str, bytes_max: usize) -> Result<Vec<u8>, Finding> {
    let place = path.display();
    match File::open(path) {
        Ok(file) => contents(place, file, bytes_max),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Kind::NotFound.at(place, what, "nothing"))
        }
        Err(error) => Err(unreadable(place, &error)),
    }
}

fn contents(
    place: impl std::fmt::Display,
    file: File,
    bytes_max: usize,
) -> Result<Vec<u8>, Finding> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&place, &error))?;
    if bytes.len() > bytes_max {
        return Err(Kind::Tampered.at(place, format!("at most {bytes_max} bytes"), "more"));
    }
    Ok(bytes)
}

/// The SHA-256 of a file, read a piece at a time.
fn hashed(path: &Path, piece: &mut [u8]) -> io::Result<Digest> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    loop {
        match file.read(piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(piece.get(..length).unwrap_or_default()),
        }
    }
}

fn other_contents(name: String, found: &Digest) -> Finding {
    Kind::Tampered.at(name, "contents with this SHA-256", format!("SHA-256 {found}"))
}

/// The name of a blob's file.
pub(crate) fn blob_name(digest: &Digest) -> String {
    format!("{BLOBS}/{digest}")
}

/// A file that has no business in an export.
pub(crate) fn unknown(name: &str) -> Finding {
    Kind::Tampered.at(name, "no file of this name", "one")
}

/// What cannot be read.
pub(crate) fn unreadable(place: impl std::fmt::Display, error: &io::Error) -> Finding {
    Kind::Failure.at(place, "a readable file", error)
}

/// The files and folders in a folder, ascending, by their path from the root.
fn entries(root: &Path, folder: &str) -> Result<Vec<(String, bool)>, Finding> {
    let refused = |error: io::Error| unreadable(root.join(folder).display(), &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(root.join(folder)).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let own = entry.file_name();
        let own = own.to_str().ok_or_else(|| unknown(&own.to_string_lossy()))?;
        let name = if folder.is_empty() { own.to_owned() } else { format!("{folder}/{own}") };
        let kind = entry.file_type().map_err(refused)?;
        if !kind.is_dir() && !kind.is_file() {
            return Err(Kind::Tampered.at(name, "a plain file", "a link or a device"));
        }
        entries.push((name, kind.is_dir()));
    }
    entries.sort();
    Ok(entries)
}
