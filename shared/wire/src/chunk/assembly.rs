//! The receiving side of a transfer, without its stream.

use crate::{
    Error,
    limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN},
};

/// A byte string of known length that arrives in pieces, in order.
///
/// Every piece but the last holds [`CHUNK_BYTES_MIN`] to [`CHUNK_BYTES_MAX`] bytes: neither a flood
/// of empty messages nor a huge one passes. Memory follows what came, not what was announced.
#[derive(Debug)]
pub struct Assembly {
    what: &'static str,
    expected: u64,
    bytes: Vec<u8>,
}

impl Assembly {
    /// Expects `length` bytes of `what`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if that is more than `limit`.
    pub const fn new(what: &'static str, length: u64, limit: u64) -> Result<Self, Error> {
        if length > limit {
            return Err(Error::TooLong { what, length, limit });
        }
        Ok(Self { what, expected: length, bytes: vec![] })
    }

    /// Appends the next piece.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if the piece or the whole is too long, [`Error::TooSmall`] if the piece is
    /// small and not the last.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if piece.len() > CHUNK_BYTES_MAX {
            return Err(Error::TooLong {
                what: "piece",
                length: piece.len() as u64,
                limit: CHUNK_BYTES_MAX as u64,
            });
        }
        let length = self.received() + piece.len() as u64;
        if length > self.expected || piece.is_empty() {
            return Err(match piece.len() {
                0 => Error::TooSmall { length: 0, limit: CHUNK_BYTES_MIN as u64 },
                _ => Error::TooLong { what: self.what, length, limit: self.expected },
            });
        }
        if length < self.expected && piece.len() < CHUNK_BYTES_MIN {
            return Err(Error::TooSmall {
                length: piece.len() as u64,
                limit: CHUNK_BYTES_MIN as u64,
            });
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// How many bytes came so far.
    pub const fn received(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The whole.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if bytes are missing.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        if self.received() != self.expected {
            return Err(Error::Truncated { expected: self.expected, received: self.received() });
        }
        Ok(self.bytes)
    }
}
