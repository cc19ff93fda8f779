//! What can go wrong in a sandbox.

use std::path::{Path, PathBuf};

use crate::split::SplitError;

/// What can go wrong in a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The command line asks for something that there is not.
    #[error("{0}")]
    Usage(String),
    /// A file or folder.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The card holders.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The coordinator.
    #[error("coordinator: {0}")]
    Coordinator(#[from] coordinator::Error),
    /// A process that should run, or a command that should succeed.
    #[error("{what} failed: {why}; its log is {}", log.display())]
    Process {
        /// Which.
        what: String,
        /// What it said, or how it ended.
        why: String,
        /// Where it logged.
        log: PathBuf,
    },
    /// An answer that is not what the command's documentation says.
    #[error("{what}: expected {expected}")]
    Answer {
        /// Whose answer.
        what: String,
        /// What was expected.
        expected: String,
    },
    /// Training does not come on.
    #[error("no round was closed for {seconds} s; the logs are in {}", logs.display())]
    Stalled {
        /// For how long.
        seconds: u64,
        /// Where the logs are.
        logs: PathBuf,
    },
    /// The evaluation.
    #[error("evaluation: {0}")]
    Evaluate(String),
    /// The benchmark.
    #[error("benchmark: {0}")]
    Bench(String),
}

impl SandboxError {
    pub(crate) fn file(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), why: error.to_string() }
    }

    pub(crate) fn answer(what: &str, expected: &str) -> Self {
        Self::Answer { what: what.to_owned(), expected: expected.to_owned() }
    }

    pub(crate) fn bench(error: &impl std::fmt::Display) -> Self {
        Self::Bench(error.to_string())
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::File { .. }
            | Self::Split(_)
            | Self::Coordinator(_)
            | Self::Process { .. }
            | Self::Answer { .. }
            | Self::Stalled { .. }
            | Self::Evaluate(_)
            | Self::Bench(_) => 1,
        }
    }
}
