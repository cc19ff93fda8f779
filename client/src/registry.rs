//! The populations of one bank, side by side: nobody is given a second budget.
//!
//! Every node of the bank names the same directory. It holds the key of the bank's sketches and, for each population, the sketch of
//! everybody who was ever in it. A population that shares a unit with another is refused: when it is registered, and again when
//! rows are attached. So is one that starts over with an empty ledger, because its former self is still there.
//!
//! ```text
//! sketch.key             32 random bytes, mode 0600; never leaves the bank
//! ⟨genesis⟩.population   one population: name and sketch, named by its ledger's genesis digest
//! registry.lock          held while something is compared and kept
//! ```
//!
//! Of populations with more than 4,096 units each, a sketch finds an overlap by chance: with a fraction J of their union in common it
//! misses all of them with probability about (1−J)^4096.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::digest::Digest;
use ledger::population::{Sketch, SketchKey};
use serde::{Deserialize, Serialize};

use crate::ClientError;
use crate::keys::secret;
use crate::state_dir::{read_text, write_durably};

const SUFFIX: &str = "population";

/// The registry of a bank, held by this process.
pub struct Registry {
    directory: PathBuf,
    key: SketchKey,
    _lock: File,
}

/// A population as its file says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    population: String,
    sketch: String,
}

impl Registry {
    /// Waits for the registry in `directory`, which exists, and holds it.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`], or as [`secret`] for the key.
    pub fn hold(directory: &Path) -> Result<Self, ClientError> {
        let path = directory.join("registry.lock");
        let failed = |error| ClientError::file("lock", &path, error);
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = lock.map_err(failed)?;
        lock.lock().map_err(failed)?;
        let key = SketchKey::new(&*secret(&directory.join("sketch.key"))?);
        Ok(Self { directory: directory.to_owned(), key, _lock: lock })
    }

    /// The sketch of these units.
    pub fn sketch<I: IntoIterator<Item: AsRef<[u8]>>>(&self, units: I) -> Sketch {
        Sketch::of(&self.key, units, Sketch::HASHES_MAX)
    }

    /// Refuses a sketch that shares a unit with another population than that of the ledger `own`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Overlap`] with the other one; [`ClientError::Damaged`] if a file is none of the registry's.
    pub fn check(&self, own: Option<&Digest>, sketch: &Sketch) -> Result<(), ClientError> {
        let own = own.map(ToString::to_string);
        let failed = |error| ClientError::file("list", &self.directory, error);
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let ledger = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let is_known = path.extension().is_some_and(|suffix| suffix == SUFFIX);
            if !is_known || own.as_ref() == Some(&ledger) {
                continue;
            }
            if let Some((population, other)) = read(&path)?
                && other.overlaps(sketch)
            {
                return Err(ClientError::Overlap { population, ledger });
            }
        }
        Ok(())
    }

    /// Whether the population of the ledger `own` is there.
    pub fn holds(&self, own: &Digest) -> bool {
        self.path(own).exists()
    }

    /// Adds the sketch to that of the population of the ledger `own`; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`ClientError::File`] or [`ClientError::Damaged`].
    pub fn keep(&self, own: &Digest, population: &str, sketch: &Sketch) -> Result<(), ClientError> {
        let path = self.path(own);
        let before = read(&path)?.map(|(_, sketch)| sketch).unwrap_or_default();
        let sketch = before.union(sketch);
        if sketch == before && path.exists() {
            return Ok(());
        }
        let known =
            Known { population: population.to_owned(), sketch: STANDARD.encode(sketch.to_bytes()) };
        let text = serde_json::to_vec(&known).map_err(|error| damaged(&path, &error))?;
        write_durably(&path, &text)
    }

    fn path(&self, own: &Digest) -> PathBuf {
        self.directory.join(format!("{own}.{SUFFIX}"))
    }
}

/// The population in a file, or none if there is no file.
fn read(path: &Path) -> Result<Option<(String, Sketch)>, ClientError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let known: Known = serde_json::from_str(&text).map_err(|error| damaged(path, &error))?;
    let bytes = STANDARD.decode(&known.sketch).map_err(|error| damaged(path, &error))?;
    let sketch = Sketch::from_bytes(&bytes).map_err(|error| damaged(path, &error))?;
    Ok(Some((known.population, sketch)))
}

fn damaged(path: &Path, error: &dyn std::error::Error) -> ClientError {
    ClientError::Damaged { path: path.to_owned(), why: error.to_string() }
}
