//! The one encoding of each value.

use prost::Message;

use super::RecordError;

/// A value with exactly one encoding.
///
/// `decode(b)` succeeds only if `encode` of the result is `b` again.
pub trait Canonical: Sized {
    /// The value's type as signatures and errors name it, for example `round-opened`.
    const TYPE: &'static str;

    /// The value's bytes.
    fn encode(&self) -> Vec<u8>;

    /// The value with these bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the bytes are no such message, not canonical, or a field is not allowed.
    fn decode(bytes: &[u8]) -> Result<Self, RecordError>;
}

/// How a checked value and its protobuf message correspond.
pub(crate) trait Wire: Sized {
    type Message: Message + Default;
    const TYPE: &'static str;

    fn to_message(&self) -> Self::Message;
    fn from_message(message: Self::Message) -> Result<Self, RecordError>;
}

impl<T: Wire> Canonical for T {
    const TYPE: &'static str = T::TYPE;

    fn encode(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let what = T::TYPE;
        let message = T::Message::decode(bytes)
            .map_err(|error| RecordError::Malformed { what, reason: error.to_string() })?;
        let value = T::from_message(message)?;
        match first_difference(bytes, &value.encode()) {
            None => Ok(value),
            Some(at) => Err(RecordError::NotCanonical { what, at }),
        }
    }
}

/// Where two byte strings part, or `None` if they are equal.
pub(crate) fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (common < a.len().max(b.len())).then_some(common)
}
