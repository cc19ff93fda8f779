//! What the command line understands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The bank's node: it follows the consortium, decides by the bank's own policy and ledger, and
/// releases nothing else.
#[derive(Debug, Parser)]
#[command(name = "counterfoil-client", version)]
pub(super) struct Arguments {
    /// The node's state directory.
    #[arg(long, env = "COUNTERFOIL_STATE", default_value = ".", global = true)]
    pub(super) state: PathBuf,
    /// Print one JSON object: schema_version, status, exit_code, data.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Join a consortium with an invitation; the keys are made here.
    Join {
        /// What the operator has handed over: counterfoil1:…
        #[arg(long, env = "COUNTERFOIL_INVITATION", hide_env_values = true)]
        invitation: String,
    },
    /// Run the node until it is told to end.
    Run {},
    /// Follow the log, verify and cosign, and do nothing else, until it is told to end. Needs no policy and no rows: for auditors.
    Witness {},
    /// Where the node stands.
    Status {},
    /// Release nothing from here on, across restarts, until `resume`.
    Stop {
        /// Who and why; it is signed into the bank's ledger.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Release again.
    Resume {
        /// Who and why; it is signed into the bank's ledger.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// End the node's process; what was begun goes on at its next start.
    Shutdown {},
    /// Plans that wait for signatures.
    Plan {
        #[command(subcommand)]
        command: PlanCommand,
    },
    /// The bank's own ledger.
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// The receipts that the node holds.
    Receipts {
        #[command(subcommand)]
        command: ReceiptsCommand,
    },
    /// Put a decision about the consortium's affairs on record, for all members to read. Decisions about customers stay in the bank.
    Decide {
        /// The decision, at most 1,024 characters.
        text: String,
        /// SHA-256 of what it is about: a plan, a record or a document.
        #[arg(long, value_name = "SHA-256")]
        about: Option<String>,
    },
    /// Put on record that the log's key signed two histories, from a file that a node, a witness or an auditor wrote.
    ReportContradiction {
        /// The file: contradiction.json.
        file: PathBuf,
    },
    /// Change this member's keys, on record and here; between runs, and the node must be at rest. A change that was begun is finished.
    RotateKeys {
        /// Change these alone, not all three.
        #[arg(long, value_name = "KEY", value_enum)]
        only: Vec<KeyName>,
    },
    /// The key that signs the log.
    LogKey {
        #[command(subcommand)]
        command: LogKeyCommand,
    },
    /// Write the consortium's log out for an audit, as the coordinator gives it to this member: all of it to an auditor.
    Fetch {
        /// A directory that does not exist yet.
        directory: PathBuf,
    },
    /// Attack the node's own pipeline under a plan, with tasks of nobody. No row is read, nothing is charged, nothing leaves.
    Redteam(RedteamArguments),
    /// Adapt a meta-initialization to the bank's own labelled examples. Nothing leaves.
    Adapt(AdaptArguments),
    /// Judge a meta-initialization against learning alone, on the bank's own rows. Nothing leaves.
    Evaluate(EvaluateArguments),
}

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// All plans that wait for signatures.
    List {},
    /// The exact text of a plan.
    Show {
        /// The plan's digest, or how it begins.
        digest: String,
    },
    /// What the bank's policy says of a plan, rule by rule.
    Check {
        /// The plan's digest, or how it begins.
        digest: String,
    },
    /// Sign a plan that the policy allows, and hand the signature in.
    Sign {
        /// The plan's digest, or how it begins.
        digest: String,
        /// Write the signature to this file instead.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// One of a member's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum KeyName {
    /// Proves who connects.
    Tls,
    /// Signs approvals and contributions.
    Record,
    /// Cosigns checkpoints.
    Cosign,
}

#[derive(Debug, Subcommand)]
pub(super) enum LogKeyCommand {
    /// Agree to another key, after checking that the change is over the log that this bank has verified; prints what the operator needs.
    Sign {
        /// The change, as the operator made it.
        change: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// What is spent and what is left, for life and for each run; charges with what became of them.
    Show {},
    /// Check every leaf, entry and kept vector, and the second place; the node must be at rest.
    Check {},
    /// Give a reservation back under which nothing was released.
    Void {
        /// The leaf of the reservation, as `ledger show` prints it.
        reservation: u64,
        /// Who and why; it is signed into the bank's ledger.
        #[arg(long)]
        reason: String,
    },
    /// Raise the lifetime cap to the policy's; the node must be at rest.
    Raise {
        /// The new ε, as in the policy.
        #[arg(long)]
        epsilon: f64,
        /// Who and why; it is signed into the bank's ledger.
        #[arg(long)]
        reason: String,
    },
    /// Keep the ledger's head in a second place from now on: your word that this ledger is the newest.
    Mirror {
        /// A directory on another disk; the policy names it as `population.second_place`.
        directory: PathBuf,
    },
    /// Write the ledger out for an auditor: entries, signed head, and the heads behind the releases.
    Export {
        /// A directory that does not exist yet.
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ReceiptsCommand {
    /// Verify every receipt from the file alone.
    Verify {},
}

/// What `redteam` is told.
#[derive(Clone, Debug, Args)]
pub struct RedteamArguments {
    /// The plan, as a file.
    pub plan: PathBuf,
    /// How many tasks of nobody take part; rounded up to a power of two, and fewer where the plan's grid holds no more.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=16384))]
    pub canaries: u32,
    /// How many rounds the attacked run has; all of the plan's if left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// How sure the lower bound is to be.
    #[arg(long, default_value_t = 0.95)]
    pub confidence: f64,
}

/// What `adapt` is told.
#[derive(Clone, Debug, Args)]
pub struct AdaptArguments {
    /// The meta-initialization (f32 little-endian).
    #[arg(long)]
    pub theta: PathBuf,
    /// The plan that it was trained by.
    #[arg(long)]
    pub plan: PathBuf,
    /// The labelled examples (CSV).
    #[arg(long)]
    pub support: PathBuf,
    /// How many adaptation steps.
    #[arg(long)]
    pub steps: u32,
    /// Where the adapted weights go (f32 little-endian). They are as private as the examples.
    #[arg(long)]
    pub out: PathBuf,
}

/// What `evaluate` is told.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArguments {
    /// The meta-initialization (f32 little-endian).
    #[arg(long)]
    pub theta: PathBuf,
    /// The plan that it was trained by.
    #[arg(long)]
    pub plan: PathBuf,
    /// The rows to judge on (a data specification in TOML).
    #[arg(long)]
    pub data: PathBuf,
    /// Other rows, on which the number of adaptation steps is chosen (a data specification).
    #[arg(long)]
    pub tuning: PathBuf,
    /// Labelled examples of each class.
    #[arg(long, value_delimiter = ',', default_value = "5,10,20")]
    pub shots: Vec<u32>,
    /// Episodes for each number of shots.
    #[arg(long, default_value_t = 100)]
    pub episodes: u32,
    /// Fixes the episodes.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Examples of class 1 in a query.
    #[arg(long, default_value_t = 100)]
    pub query_positive: u32,
    /// Examples of class 0 in a query.
    #[arg(long, default_value_t = 200)]
    pub query_negative: u32,
}
