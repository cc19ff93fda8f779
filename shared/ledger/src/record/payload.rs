//! What a leaf's envelope needs to know of the body it carries.

use super::RecordError;

/// The kinds of body that one log may hold, each with a number, a name and one encoding.
pub trait Payload: Sized + Clone {
    /// The number of this body's kind in the envelope.
    fn kind_number(&self) -> i32;

    /// The name of this body's kind: what signatures cover, for example `round-opened`.
    fn kind(&self) -> &'static str;

    /// Whether this body is the first of its log: it is signed over an all-zero digest, because the
    /// log's genesis digest does not exist yet.
    fn is_genesis(&self) -> bool;

    /// The canonical bytes of the body.
    fn encode(&self) -> Vec<u8>;

    /// The body of kind `number` with these bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the kind is unknown or the bytes are not its canonical encoding.
    fn decode(number: i32, bytes: &[u8]) -> Result<Self, RecordError>;
}

/// Declares the sum of a log's bodies and its [`Payload`]: number, variant and type, line by line.
macro_rules! payload {
    (
        $(#[$about:meta])*
        pub enum $name:ident, genesis $genesis:ident {
            $( $(#[$doc:meta])* $number:literal => $variant:ident($body:ty), )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $( $(#[$doc])* $variant($body), )+
        }

        impl $crate::record::Payload for $name {
            fn kind_number(&self) -> i32 {
                match self { $( Self::$variant(_) => $number, )+ }
            }

            fn kind(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => <$body as $crate::record::Canonical>::TYPE, )+
                }
            }

            fn is_genesis(&self) -> bool {
                matches!(self, Self::$genesis(_))
            }

            fn encode(&self) -> Vec<u8> {
                match self {
                    $( Self::$variant(body) => $crate::record::Canonical::encode(body), )+
                }
            }

            fn decode(number: i32, bytes: &[u8]) -> Result<Self, $crate::record::RecordError> {
                match number {
                    $( $number => <$body as $crate::record::Canonical>::decode(bytes)
                        .map(Self::$variant), )+
                    unknown => Err($crate::record::RecordError::UnknownKind(unknown)),
                }
            }
        }

        $( impl From<$body> for $name {
            fn from(body: $body) -> Self {
                Self::$variant(body)
            }
        } )+
    };
}
pub(crate) use payload;
