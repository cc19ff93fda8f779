//! What can go wrong in a coordinator, by who can mend it.

use std::path::{Path, PathBuf};

use round::Refusal;

/// What can go wrong in a coordinator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, or a file that it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// There is nothing where something was expected.
    #[error("{0}")]
    NotFound(String),
    /// A file or folder of the state directory.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The rules refuse the request.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The wire.
    #[error("{0}")]
    Wire(#[from] wire::Error),
    /// The log or the blobs cannot be written or read. What is not acknowledged may be lost.
    #[error("storage: {0}")]
    Storage(String),
    /// The log is not what it should be: nothing is served from it.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The daemon said no, or is stopping.
    #[error("{message}")]
    Daemon {
        /// What it said.
        message: String,
        /// The exit code that goes with it.
        exit_code: u8,
    },
}

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::NotFound(_) => 5,
            Self::Refused(_) => 2,
            Self::Damaged(_) => 6,
            Self::Wire(_) => 10,
            Self::File { .. } | Self::Storage(_) => 1,
            Self::Daemon { exit_code, .. } => *exit_code,
        }
    }

    pub(crate) fn file(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), why: error.to_string() }
    }

    pub(crate) fn storage(error: &impl std::fmt::Display) -> Self {
        Self::Storage(error.to_string())
    }

    pub(crate) fn stopping() -> Self {
        Self::Daemon { message: "the coordinator is stopping".to_owned(), exit_code: 1 }
    }
}
