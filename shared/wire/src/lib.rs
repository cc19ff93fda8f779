//! The wire: generated gRPC code, identity from certificates, TLS acceptor and connector.
//!
//! The only crate that knows X.509 and rustls. A coordinator binds an [`tls::Acceptor`] and serves
//! a [`proto::Coordinator`] through [`server::serve`]; a node opens a [`Connection`]. Who speaks is
//! an [`Identity`] read from the peer's certificate, never from a message.
//!
//! Deliberately absent: the generated client. [`Connection`] is the only way to call the service,
//! and [`Connection::contribute`] the only way to upload: it takes a [`connection::Upload`], which
//! needs the token of a durable release.

pub mod authority;
pub mod chunk;
pub mod connection;
pub mod control;
pub mod error;
pub mod identity;
pub mod invitation;
pub mod limits;
pub mod proto;
pub mod server;
pub mod tls;

mod digest;

pub use authority::{Authority, NodeKey, Validity};
pub use connection::Connection;
pub use error::Error;
pub use identity::{Identity, Role};
pub use invitation::Invitation;
pub use prost::bytes::Bytes;
