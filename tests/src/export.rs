//! What an auditor gets, judged and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::digest::Digest;

/// The audit of an export, with every receipt in the banks' state directories.
pub fn audit<'a>(
    export: &Path,
    genesis: Digest,
    banks: impl IntoIterator<Item = &'a Path>,
) -> audit::Report {
    let receipts = banks.into_iter().flat_map(receipts).collect();
    audit::verify(export, &audit::Options { genesis: Some(genesis), receipts, policy: None })
}

/// The receipts in a bank's state directory, in order.
pub fn receipts(bank: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(bank.join("receipts")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "receipt"));
    files.sort();
    files
}

/// Every file under `folder`, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Runs `judge` while one bit in the middle of the file is another, and puts the file back.
pub fn while_damaged<T>(file: &Path, judge: impl FnOnce() -> T) -> T {
    let bytes = fs::read(file).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file, damaged).unwrap();
    let verdict = judge();
    fs::write(file, bytes).unwrap();
    verdict
}
