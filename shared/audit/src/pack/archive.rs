//! A tar archive with the same bytes for the same files: ustar, no times, no owners ([POSIX.1-2017, pax, "ustar Interchange Format"]).

use std::fmt::Write as _;
use std::io::{self, Write};

use ledger::digest::sha256;

const BLOCK: usize = 512;

/// An archive in the making, all of whose files lie in one folder.
pub(super) struct Archive<W> {
    out: W,
    folder: &'static str,
    sums: String,
}

impl<W: Write> Archive<W> {
    /// An archive without files.
    pub(super) const fn new(out: W, folder: &'static str) -> Self {
        Self { out, folder, sums: String::new() }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Writing to a string does not fail.
        let _ = writeln!(self.sums, "{}  {name}", sha256(bytes));
        self.put(name, bytes)
    }

    /// Adds the list of all files' SHA-256, as sha256sum reads it, and the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let sums = std::mem::take(&mut self.sums);
        self.put("SHA256SUMS", sums.as_bytes())?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(&header(&format!("{}/{name}", self.folder), bytes.len())?)?;
        self.out.write_all(bytes)?;
        let rest = bytes.len().next_multiple_of(BLOCK) - bytes.len();
        self.out.write_all(&vec![0; rest])
    }
}

fn header(name: &str, length: usize) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::other(format!("{name}: too long for an archive"));
    // Eleven octal digits.
    if name.len() > 100 || length >= 1 << 33 {
        return Err(too_long());
    }
    let fields: [(&[u8], usize); 15] = [
        (name.as_bytes(), 100),
        (b"0000644", 8),
        (b"0000000", 8),
        (b"0000000", 8),
        (&octal(length), 12),
        (b"00000000000", 12),
        // The checksum counts as eight spaces while it is computed.
        (b"        ", 8),
        (b"0", 1),
        (b"", 100),
        (b"ustar", 6),
        (b"00", 2),
        (b"", 64),
        (b"0000000", 8),
        (b"0000000", 8),
        (b"", 167),
    ];
    let mut header = Vec::with_capacity(BLOCK);
    for (value, width) in fields {
        header.extend_from_slice(value);
        header.resize(header.len() + width - value.len(), 0);
    }
    let sum: usize = header.iter().map(|byte| usize::from(*byte)).sum();
    header.splice(148..156, format!("{sum:06o}\0 ").into_bytes());
    Ok(header)
}

fn octal(length: usize) -> Vec<u8> {
    format!("{length:011o}").into_bytes()
}
