//! From when until when.

use time::OffsetDateTime;

use crate::{Error, identity::certificate};

/// 9999-12-31T23:59:59Z, the last moment that X.509 can write.
const LAST_MS: u64 = 253_402_300_799_000;

/// A span of time, in milliseconds since 1970. X.509 keeps whole seconds; the rest is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before_ms: u64,
    not_after_ms: u64,
}

impl Validity {
    /// From `not_before_ms` until `not_after_ms`.
    ///
    /// # Errors
    ///
    /// [`Error::Validity`] unless it begins before it ends and ends before the year 10000.
    pub const fn new(not_before_ms: u64, not_after_ms: u64) -> Result<Self, Error> {
        if not_before_ms < not_after_ms && not_after_ms <= LAST_MS {
            Ok(Self { not_before_ms, not_after_ms })
        } else {
            Err(Error::Validity { not_before_ms, not_after_ms })
        }
    }

    /// The validity of a certificate (DER). That the certificate is genuine is not checked here.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] if it is no certificate, [`Error::Validity`] if its times are none.
    pub fn of_certificate(der: &[u8]) -> Result<Self, Error> {
        let parsed = certificate(der)?;
        let ms = |time: i64| u64::try_from(time).unwrap_or_default().saturating_mul(1000);
        let validity = parsed.validity();
        Self::new(ms(validity.not_before.timestamp()), ms(validity.not_after.timestamp()))
    }

    /// When it begins.
    pub const fn not_before_ms(self) -> u64 {
        self.not_before_ms
    }

    /// When it ends.
    pub const fn not_after_ms(self) -> u64 {
        self.not_after_ms
    }
}

impl Validity {
    pub(super) fn not_before(self) -> Result<OffsetDateTime, Error> {
        moment(self.not_before_ms)
    }

    pub(super) fn not_after(self) -> Result<OffsetDateTime, Error> {
        moment(self.not_after_ms)
    }
}

/// The whole second of `ms` milliseconds since 1970.
pub(super) fn moment(ms: u64) -> Result<OffsetDateTime, Error> {
    i64::try_from(ms / 1000)
        .ok()
        .filter(|_| ms <= LAST_MS)
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(Error::Validity { not_before_ms: ms, not_after_ms: ms })
}
