//! Checks of single fields.

use super::RecordError;

/// The error for a field whose value is not allowed.
pub(crate) fn refused(
    field: &'static str,
    expected: &'static str,
    found: impl Into<String>,
) -> RecordError {
    RecordError::Field { field, expected, found: found.into() }
}

/// A field of exactly `N` bytes: a digest, a key or a signature.
pub(crate) fn fixed<const N: usize, T: From<[u8; N]>>(
    field: &'static str,
    bytes: &[u8],
) -> Result<T, RecordError> {
    let found = bytes.len();
    let array: [u8; N] = bytes.try_into().map_err(|_| RecordError::Field {
        field,
        expected: if N == 64 { "64 bytes" } else { "32 bytes" },
        found: format!("{found} bytes"),
    })?;
    Ok(T::from(array))
}

/// A finite number greater than zero.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<f64, RecordError> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(refused(field, "a finite number above zero", value.to_string()))
}

/// A probability that is not zero.
pub(crate) fn rate(field: &'static str, value: f64) -> Result<f64, RecordError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(value);
    }
    Err(refused(field, "above zero and at most one", value.to_string()))
}
