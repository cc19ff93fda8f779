//! Numbers, options and lists as bytes, and back.

use ledger::digest::Digest;
use ledger::record::{Canonical, Institution};

use super::SnapshotError;

/// Bytes in the making.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn digest(&mut self, value: &Digest) {
        self.raw(value.as_bytes());
    }

    /// How many values follow. A state in memory never has 2³² of anything; what had would be
    /// refused when it is read.
    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    pub(super) fn institution(&mut self, name: &Institution) {
        self.bytes(name.as_str().as_bytes());
    }

    pub(super) fn canonical(&mut self, value: &impl Canonical) {
        self.bytes(&value.encode());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, each: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            each(self, value);
        }
    }

    pub(super) fn list<I>(&mut self, values: I, mut each: impl FnMut(&mut Self, I::Item))
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let values = values.into_iter();
        self.count(values.len());
        for value in values {
            each(self, value);
        }
    }
}

/// Bytes, read from the front. Nothing is allocated for more values than there are bytes.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub(super) fn end(self) -> Result<(), SnapshotError> {
        if self.rest.is_empty() { Ok(()) } else { Err(SnapshotError::Trailing(self.rest.len())) }
    }

    /// The error for what was read last.
    pub(super) fn refuse(
        &self,
        expected: &'static str,
        found: impl std::fmt::Display,
    ) -> SnapshotError {
        SnapshotError::Value { at: self.at, expected, found: found.to_string() }
    }

    fn raw(&mut self, count: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SnapshotError::Truncated {
            at: self.at,
            expected: count,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let taken = self.raw(N)?;
        taken.try_into().map_err(|_| self.refuse("a value of fixed length", taken.len()))
    }

    pub(super) fn u8(&mut self) -> Result<u8, SnapshotError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, SnapshotError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, SnapshotError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn digest(&mut self) -> Result<Digest, SnapshotError> {
        Ok(Digest::from_bytes(self.array()?))
    }

    pub(super) fn flag(&mut self) -> Result<bool, SnapshotError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.refuse("0 or 1", other)),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let count = self.u32()?;
        let count = usize::try_from(count).map_err(|_| self.refuse("a length", count))?;
        self.raw(count)
    }

    pub(super) fn institution(&mut self) -> Result<Institution, SnapshotError> {
        let bytes = self.bytes()?;
        let name = std::str::from_utf8(bytes).map_err(|error| self.refuse("a name", error))?;
        Institution::new(name).map_err(|error| self.refuse("a name", error))
    }

    pub(super) fn canonical<T: Canonical>(&mut self) -> Result<T, SnapshotError> {
        let bytes = self.bytes()?;
        T::decode(bytes).map_err(|error| self.refuse(T::TYPE, error))
    }

    pub(super) fn option<T>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, SnapshotError>,
    ) -> Result<Option<T>, SnapshotError> {
        if self.flag()? { value(self).map(Some) } else { Ok(None) }
    }

    pub(super) fn list<T, C: Default + Extend<T>>(
        &mut self,
        mut value: impl FnMut(&mut Self) -> Result<T, SnapshotError>,
    ) -> Result<C, SnapshotError> {
        let mut values = C::default();
        for _ in 0..self.u32()? {
            values.extend([value(self)?]);
        }
        Ok(values)
    }
}
