//! A copy of an export from a folder that somebody else can write to: a disk, a share.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::directory::{Directory, blob_name};
use crate::export::{CHECKPOINT, ExportError, GENESIS, published};
use crate::finding::{Finding, Kind};

/// Copies the export in `source` to `to`, which must not exist yet, and returns how many files there are.
///
/// Only plain files with names that the format knows are copied, so nothing is written outside `to`, and nothing comes along. Their
/// contents are copied as they are: what is in them is for [`verify()`](crate::verify()), and tampered ones are evidence too. The
/// copy appears whole or not at all.
///
/// # Errors
///
/// A [`Finding`] of [`Kind::Tampered`] for any other file, of [`Kind::NotFound`] if there is no such folder, of [`Kind::Usage`] if
/// `to` exists, of [`Kind::Failure`] if reading or writing fails.
pub fn fetch(source: &Path, to: &Path) -> Result<u64, Finding> {
    let directory = Directory::open(source)?;
    let names = [GENESIS, CHECKPOINT].into_iter().map(str::to_owned);
    let names = names
        .chain(directory.tiles().iter().cloned())
        .chain(directory.blobs().iter().map(blob_name));
    let copied = published(to, |draft| {
        let mut files = 0;
        for name in names {
            copy(&source.join(&name), &draft.join(&name))?;
            files += 1;
        }
        Ok(files)
    });
    copied.map_err(|error| match error {
        ExportError::Exists(path) => Kind::Usage.at(path.display(), "nothing yet", "something"),
        ExportError::File { path, source } if source.kind() == io::ErrorKind::NotFound => {
            Kind::Tampered.at(path.display(), "a file", "nothing")
        }
        ExportError::File { .. }
        | ExportError::Source(_)
        | ExportError::NotGenesis
        | ExportError::Leaf { .. }
        | ExportError::Checkpoint(_)
        | ExportError::Head { .. } => Kind::Failure.at(to.display(), "a copy", error),
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), ExportError> {
    let refused = |path: &Path, source| ExportError::File { path: path.to_path_buf(), source };
    let mut reader = File::open(from).map_err(|error| refused(from, error))?;
    // It was a plain file when it was listed, and must be one still.
    if !fs::symlink_metadata(from).is_ok_and(|of| of.is_file()) {
        return Err(refused(from, io::Error::other("no longer a plain file")));
    }
    to.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| refused(to, error))?;
    let mut writer = File::create_new(to).map_err(|error| refused(to, error))?;
    io::copy(&mut reader, &mut writer).map(|_| ()).map_err(|error| refused(from, error))
}
