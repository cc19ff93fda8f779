//! What can go wrong on the wire.

use std::{io, sync::Arc, time::Duration};

use tonic::{Code, Status};

use crate::digest::hex;

/// An error of the wire, by who can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The operator's or the caller's own input.
    /// A name that is not 1 to 32 of a-z, 0-9 and '-', beginning with a letter.
    #[error("institution must be 1 to 32 of a-z, 0-9 and '-', beginning with a letter, got {0:?}")]
    Institution(String),
    /// A validity that ends before it begins, or lies beyond the year 9999.
    #[error(
        "validity must begin before it ends and end before the year 10000, \
         got {not_before_ms} to {not_after_ms} ms"
    )]
    Validity {
        /// The given beginning, milliseconds since 1970.
        not_before_ms: u64,
        /// The given end, milliseconds since 1970.
        not_after_ms: u64,
    },
    /// A role that this kind of certificate cannot carry.
    #[error("a {kind} certificate cannot carry the role {role}")]
    RoleOfCertificate {
        /// `client` or `server`.
        kind: &'static str,
        /// The role asked for.
        role: crate::Role,
    },
    /// A text that is no invitation.
    #[error("invitation cannot be read: {0}")]
    Invitation(&'static str),
    /// A name that a server certificate cannot carry.
    #[error("server name must be a DNS name or an IP address, got {0:?}")]
    ServerName(String),
    /// An address that is not `host:port`.
    #[error("address must be host:port, got {0:?}")]
    Address(String),
    /// A key file that cannot be used.
    #[error("private key must be a P-256 key in PKCS#8 PEM: {0}")]
    Key(String),
    /// A certificate or a list that cannot be read.
    #[error("{what} cannot be read: {why}")]
    Certificate {
        /// Which document.
        what: &'static str,
        /// The parser's reason.
        why: String,
    },
    /// Making a key, a certificate or a list failed.
    #[error("certificate could not be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// A TLS configuration that does not fit together.
    #[error("tls configuration does not fit together: {0}")]
    Configuration(String),

    /// The daemon's control socket.
    #[error("the control socket {path} cannot be used: {why}")]
    Control {
        /// Where it is.
        path: String,
        /// The system's reason.
        why: String,
    },

    // What the other side showed or sent.
    /// A certificate that names nobody, or more than one.
    #[error("certificate names no identity: {0}")]
    Identity(String),
    /// A certificate signing request that proves nothing.
    #[error("certificate signing request refused: {0}")]
    Request(String),
    /// A TLS handshake or connection that failed; its certificates are the usual reason.
    #[error("tls failed: {0}")]
    Tls(#[source] rustls::Error),
    /// A peer that does not speak HTTP/2.
    #[error("peer must speak h2, offered {0:?}")]
    Protocol(String),
    /// A certificate that was revoked while the connection lived.
    #[error("certificate of {0} is revoked")]
    Revoked(String),
    /// A certificate that ran out while the connection lived.
    #[error("certificate of {0} has expired")]
    Expired(String),

    // The network and the coordinator.
    /// A socket error.
    #[error("network failed: {0}")]
    Io(#[from] io::Error),
    /// A connection that could not be made or was lost.
    #[error("connection failed: {0}")]
    Transport(String),
    /// The coordinator's answer to a call, when it is not the one asked for.
    #[error("coordinator answered {}: {}", .0.code(), .0.message())]
    Status(#[source] Arc<Status>),

    // The rules of transfers.
    /// Longer than allowed or announced.
    #[error("{what} must be at most {limit} bytes, got {length}")]
    TooLong {
        /// What was measured.
        what: &'static str,
        /// Its length in bytes, or what is known of it so far.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A piece that is too small to be one in the middle.
    #[error("a piece that is not the last must be at least {limit} bytes, got {length}")]
    TooSmall {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The transfer ended early.
    #[error("transfer must be {expected} bytes, ended at {received}")]
    Truncated {
        /// The announced length in bytes.
        expected: u64,
        /// What came.
        received: u64,
    },
    /// A message that does not belong here.
    #[error("expected {expected}, got {got}")]
    OutOfOrder {
        /// What had to come.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// A contribution that is not the one that was released.
    #[error("contribution must carry the {0} that was released, carries another")]
    NotReleased(&'static str),
    /// Leaves that do not continue the reader's log.
    #[error("update must begin at leaf {expected}, begins at {got}")]
    Gap {
        /// The reader's size.
        expected: u64,
        /// The update's first index.
        got: u64,
    },
    /// Nothing came in time.
    #[error("no progress for {0:?}")]
    Stalled(Duration),
    /// Bytes that are not those asked for.
    #[error("blob must have digest {}, has {}", hex(.expected), hex(.got))]
    WrongDigest {
        /// The digest asked for.
        expected: [u8; 32],
        /// The digest of what came.
        got: [u8; 32],
    },
}

impl Error {
    pub(crate) fn control(path: &std::path::Path, error: &io::Error) -> Self {
        Self::Control { path: path.display().to_string(), why: error.to_string() }
    }

    pub(crate) fn certificate(what: &'static str, why: &(impl ToString + ?Sized)) -> Self {
        Self::Certificate { what, why: why.to_string() }
    }

    /// The TLS error at the root of `error` if there is one, else what all its causes say.
    pub(crate) fn transport(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut told = Vec::new();
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(tls) = tls_cause(error) {
                return Self::Tls(tls);
            }
            let text = error.to_string();
            if told.last() != Some(&text) {
                told.push(text);
            }
            cause = error.source();
        }
        Self::Transport(told.join(": "))
    }
}

/// The rustls error that `error` is or, as an I/O error, wraps.
fn tls_cause(error: &(dyn std::error::Error + 'static)) -> Option<rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls.clone());
    }
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

impl From<Status> for Error {
    /// A status that a lost connection made up locally is a transport error, any other an answer.
    fn from(status: Status) -> Self {
        let lost = std::error::Error::source(&status).map(Self::transport);
        lost.unwrap_or_else(|| Self::Status(Arc::new(status)))
    }
}

impl From<Error> for Status {
    /// What a server says to the peer whose stream broke a rule. Errors that are not the peer's
    /// become `internal` without their text.
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::TooLong { .. } => Code::ResourceExhausted,
            Error::TooSmall { .. }
            | Error::Truncated { .. }
            | Error::OutOfOrder { .. }
            | Error::Gap { .. }
            | Error::WrongDigest { .. }
            | Error::Institution(_)
            | Error::Request(_) => Code::InvalidArgument,
            Error::Stalled(_) => Code::DeadlineExceeded,
            Error::Identity(_) | Error::Revoked(_) | Error::Expired(_) => Code::Unauthenticated,
            Error::Status(status) => return Status::new(status.code(), status.message()),
            Error::Validity { .. }
            | Error::RoleOfCertificate { .. }
            | Error::ServerName(_)
            | Error::Address(_)
            | Error::Invitation(_)
            | Error::NotReleased(_)
            | Error::Key(_)
            | Error::Certificate { .. }
            | Error::Signing(_)
            | Error::Randomness
            | Error::Configuration(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::Io(_)
            | Error::Transport(_)
            | Error::Control { .. } => return Status::internal("internal error"),
        };
        Status::new(code, error.to_string())
    }
}
