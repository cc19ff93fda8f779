//! What can go wrong at a node, what ends with which exit code, and what mends it.

use std::io;
use std::path::{Path, PathBuf};

use ledger::digest::Digest;
use ledger::population::{LedgerError, Violation};
use ledger::record::Institution;
use meta::LearnerError;
use privacy::PrivacyError;
use round::plan::PlanError;
use thiserror::Error;

use crate::Exit;
use crate::data::DataError;
use crate::evaluate::EvaluateError;
use crate::mirror::{MirrorError, Tampered};
use crate::policy::{PolicyError, PolicyRefusal};
use crate::tasks::TaskError;

/// An error of the node.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The command was not understood.
    #[error("{0}")]
    Usage(String),

    // The state directory.
    /// There is no state directory.
    #[error("expected a state directory at {}", .0.display())]
    NoState(PathBuf),
    /// A daemon runs on the state directory.
    #[error("expected {} to be free, a daemon runs on it", .0.display())]
    Locked(PathBuf),
    /// The node has not joined a consortium.
    #[error("expected a node that has joined a consortium, {} holds none", .0.display())]
    NotJoined(PathBuf),
    /// The node belongs to another consortium, or is another institution.
    #[error("expected a node that has joined nothing else, this one belongs to another consortium")]
    OtherConsortium,
    /// A file or the disk.
    #[error("expected to {action} {}: {source}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not hold what was written.
    #[error("{} is not as it was written: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A secret that others can read.
    #[error("expected {} to be the owner's alone, its mode is {mode:04o}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A key file that holds no such key.
    #[error("{}: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,

    // The bank's own rules.
    /// There is no usable policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy refuses.
    #[error(transparent)]
    Refused(#[from] PolicyRefusal),
    /// The bank has stopped.
    #[error("the bank releases nothing: {0}")]
    Stopped(String),
    /// A budget does not allow it.
    #[error("the budget: {0}")]
    Budget(String),
    /// An operator gave the reservation back while it was being worked on.
    #[error("nothing is released under reservation {0}: it was given back")]
    Voided(u64),
    /// The reservation cannot be given back.
    #[error("the reservation is not given back: {0}")]
    NotVoidable(String),
    /// The ledger, or the consortium's log, cannot be written out.
    #[error("not exported: {0}")]
    Export(String),
    /// The population shares units with another one of the bank.
    #[error(
        "expected units that no other population of the bank holds, some are in {population:?} (ledger {ledger}): \
         they would be given a second budget"
    )]
    Overlap {
        /// The name of the other population.
        population: String,
        /// The genesis digest of its ledger, in hex.
        ledger: String,
    },
    /// The clock was set back, and nothing else says that the ledger is the newest.
    #[error(
        "expected a clock that is not before the ledger's last entry at {last}, it is {now}, and no second place confirms the \
         ledger's head"
    )]
    ClockSetBack {
        /// The time of the last entry.
        last: ledger::time::Timestamp,
        /// What the clock says.
        now: ledger::time::Timestamp,
    },
    /// No population is registered yet.
    #[error("expected a registered population, the node has never run")]
    NoPopulation,
    /// The ledger is another population's.
    #[error("expected the ledger of {expected}, found that of {found}")]
    OtherPopulation {
        /// What the policy says.
        expected: String,
        /// What the ledger says.
        found: String,
    },
    /// The plan does not name the institution.
    #[error("{0} is not in the plan's cohort")]
    NotInPlan(Institution),

    // The bank's rows: said here, never outside.
    /// The rows cannot be attached.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The rows cannot become tasks.
    #[error(transparent)]
    Tasks(#[from] TaskError),
    /// There is nothing to evaluate.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),

    // Public facts.
    /// The learner refused the plan or the meta-initialization.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// A plan's privacy terms.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// Not a plan.
    #[error("{}: {source}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PlanError,
    },
    /// No such plan waits for signatures.
    #[error("expected a plan that waits for signatures, none has the digest {0}")]
    NoPlan(String),

    // The coordinator and the network.
    /// The wire.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// An answer that does not prove what it must.
    #[error("the coordinator proved nothing: {0}")]
    Unproven(String),
    /// The log was changed or went back.
    #[error("TAMPERED: {0}")]
    Tampered(Box<Tampered>),
    /// What came is not usable; whoever sent it is asked again.
    #[error("the log's update is not usable: {0}")]
    Update(String),

    // Storage.
    /// The store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The bank's own ledger.
    #[error("the bank's ledger: {0}")]
    Ledger(String),
    /// The ledger went back, or was changed.
    #[error("the bank's ledger was changed or went back: {0}")]
    LedgerDamaged(String),
    /// The released bytes are not there.
    #[error("expected the released bytes {0} in the node's own storage")]
    LostBytes(Digest),
    /// A part of the process ended without a result.
    #[error("a part of the node stopped unexpectedly: {0}")]
    Internal(String),
}

impl ClientError {
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    /// The error of a population's ledger, by who can mend it.
    pub(crate) fn ledger<E: std::error::Error + Send + Sync + 'static>(
        error: LedgerError<E>,
    ) -> Self {
        match error {
            LedgerError::Refused(Violation::Stopped(reason)) => Self::Stopped(reason),
            LedgerError::Refused(
                refused @ (Violation::OverBudget { .. }
                | Violation::OverRunCap { .. }
                | Violation::NoCap
                | Violation::CapChangesFilter),
            ) => Self::Budget(refused.to_string()),
            LedgerError::Refused(Violation::Voided(reservation)) => Self::Voided(reservation),
            LedgerError::RolledBack(_)
            | LedgerError::Damaged { .. }
            | LedgerError::Unlawful { .. }
            | LedgerError::Root { .. }
            | LedgerError::Checkpoint(_) => Self::LedgerDamaged(error.to_string()),
            LedgerError::Store(error) => {
                let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
                match error.downcast::<store::StoreError>() {
                    Ok(error) => Self::Store(*error),
                    Err(error) => Self::Ledger(error.to_string()),
                }
            }
            LedgerError::Refused(_)
            | LedgerError::Blobs(_)
            | LedgerError::Moved(_)
            | LedgerError::Poisoned
            | LedgerError::Record(_) => Self::Ledger(error.to_string()),
        }
    }

    /// Whether the text speaks of rows, and so is for the bank's own eyes: not for a log that is collected.
    pub fn speaks_of_rows(&self) -> bool {
        matches!(self, Self::Data(_) | Self::Tasks(_) | Self::Overlap { .. } | Self::Evaluate(_))
    }

    /// Whether another row, or one less, might have kept it away. What such an error leads to is seen by nobody.
    pub fn depends_on_rows(&self) -> bool {
        matches!(self, Self::Overlap { .. })
            || matches!(self, Self::Data(error) if error.depends_on_rows())
            || matches!(self, Self::Tasks(error) if error.depends_on_rows())
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Policy(_)
            | Self::Refused(_)
            | Self::Stopped(_)
            | Self::Voided(_)
            | Self::NotVoidable(_)
            | Self::Overlap { .. }
            | Self::NotInPlan(_) => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::Budget(_) => Exit::Budget,
            Self::NoState(_) | Self::NotJoined(_) | Self::NoPopulation | Self::NoPlan(_) => {
                Exit::NotFound
            }
            Self::Tampered(_)
            | Self::Unproven(_)
            | Self::LedgerDamaged(_)
            | Self::ClockSetBack { .. }
            | Self::Store(
                store::StoreError::RolledBack { .. }
                | store::StoreError::OtherWriter { .. }
                | store::StoreError::Lagging { .. }
                | store::StoreError::Replaced(_)
                | store::StoreError::Damaged { .. }
                | store::StoreError::DamagedBlob(_),
            ) => Exit::Tampered,
            Self::Wire(error) => wire_exit(error),
            Self::Update(_) => Exit::Network,
            Self::LostBytes(_) => Exit::Incomplete,
            Self::Exposed { .. } | Self::Key { .. } => Exit::Authentication,
            Self::Locked(_)
            | Self::OtherConsortium
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Randomness
            | Self::OtherPopulation { .. }
            | Self::Data(_)
            | Self::Tasks(_)
            | Self::Evaluate(_)
            | Self::Learner(_)
            | Self::Privacy(_)
            | Self::Plan { .. }
            | Self::Store(_)
            | Self::Ledger(_)
            | Self::Export(_)
            | Self::Internal(_) => Exit::Failure,
        }
    }

    /// One command that mends it, where there is one.
    pub fn remedy(&self) -> Option<String> {
        let node = |rest: &str| Some(format!("counterfoil-client --state DIR {rest}"));
        if let Self::Exposed { path, .. } = self {
            let mode = if path.is_dir() { 700 } else { 600 };
            return Some(format!("chmod {mode} {}", path.display()));
        }
        let commands = [
            (matches!(self, Self::NoState(_) | Self::NotJoined(_)), "join --invitation TEXT"),
            (matches!(self, Self::Locked(_)), "status"),
            (matches!(self, Self::Stopped(_)), "resume"),
            (matches!(self, Self::NoPlan(_)), "plan list"),
            (matches!(self, Self::Refused(_)), "plan check DIGEST"),
            (matches!(self, Self::Budget(_) | Self::NotVoidable(_)), "ledger show"),
            (matches!(self, Self::ClockSetBack { .. }), "ledger mirror DIRECTORY"),
            (matches!(self, Self::LostBytes(_)), "ledger check"),
            (matches!(self, Self::NoPopulation), "run"),
            (
                matches!(
                    self,
                    Self::Store(
                        store::StoreError::Unconfirmed { .. } | store::StoreError::Lagging { .. }
                    )
                ),
                "ledger mirror DIRECTORY",
            ),
        ];
        commands.into_iter().find(|(fits, _)| *fits).and_then(|(_, command)| node(command))
    }
}

impl<E: std::error::Error> From<MirrorError<E>> for ClientError {
    fn from(error: MirrorError<E>) -> Self {
        match error {
            MirrorError::Tampered(tampered) => Self::Tampered(tampered),
            MirrorError::Checkpoint(_)
            | MirrorError::Leaf(_)
            | MirrorError::Incomplete { .. }
            | MirrorError::TooMuch(_) => Self::Update(error.to_string()),
            MirrorError::Moved(_) | MirrorError::Store(_) => Self::Internal(error.to_string()),
        }
    }
}

/// Whom the wire's error is to be blamed on.
fn wire_exit(error: &wire::Error) -> Exit {
    use tonic::Code;
    use wire::Error;
    if let Error::Status(status) = error {
        let code = status.code();
        return if matches!(code, Code::Unauthenticated | Code::PermissionDenied) {
            Exit::Authentication
        } else if matches!(code, Code::Unavailable | Code::DeadlineExceeded) {
            Exit::Network
        } else if code == Code::NotFound {
            Exit::NotFound
        } else {
            Exit::Failure
        };
    }
    if matches!(error, Error::Tls(_) | Error::Identity(_) | Error::Key(_)) {
        Exit::Authentication
    } else if matches!(error, Error::Invitation(_) | Error::Address(_)) {
        Exit::Usage
    } else if matches!(error, Error::Io(_) | Error::Transport(_) | Error::Stalled(_)) {
        Exit::Network
    } else if matches!(error, Error::WrongDigest { .. }) {
        Exit::Tampered
    } else {
        Exit::Failure
    }
}
