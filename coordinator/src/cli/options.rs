//! The command line's grammar.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::directory::Pages;
use crate::run_metrics::ROUNDS_MAX;

/// The coordinator of a consortium that learns together and shares no rows.
#[derive(Debug, Parser)]
#[command(name = "counterfoil-coordinator", version, disable_help_subcommand = true)]
pub(super) struct Options {
    /// The state directory.
    #[arg(long, global = true, default_value = "counterfoil-coordinator", value_name = "DIR")]
    pub(super) state: PathBuf,
    /// Answer with one JSON object.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Found a consortium: CA, keys, Genesis; no members yet.
    Init {
        /// The consortium's name, for people.
        #[arg(long)]
        name: String,
        /// The address to listen on.
        #[arg(long, default_value = "127.0.0.1:7443", value_name = "ADDRESS:PORT")]
        listen: String,
        /// How clients reach it; the host is in the server's certificate.
        #[arg(long, default_value = "localhost:7443", value_name = "HOST:PORT")]
        endpoint: String,
        /// A further name or address in the server's certificate.
        #[arg(long = "also-known-as", value_name = "HOST")]
        names: Vec<String>,
        /// A plan runs when more than this fraction of the banks signed it.
        #[arg(long, default_value = "1/2", value_name = "N/D")]
        quorum: String,
        /// How long a client certificate is valid.
        #[arg(long, default_value_t = 720)]
        certificate_hours: u64,
        /// A loopback address for Prometheus metrics.
        #[arg(long, value_name = "ADDRESS:PORT")]
        metrics: Option<String>,
        /// Who may look at the pages: nobody, members, or also the public (promises and the log's head).
        #[arg(long, value_enum, default_value_t = Pages::Members)]
        pages: Pages,
    },
    /// Run until told to stop.
    Run {},
    /// Where everything stands.
    Status {},
    /// What the rounds of a run measured of their tasks, with the error that the noise gives it.
    Metrics {
        /// The run; if none is named, the one whose round was closed last.
        #[arg(long)]
        run: Option<String>,
        /// How many of its newest rounds.
        #[arg(long, default_value_t = 20, value_name = "ROUNDS",
              value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
        last: u32,
        /// The part of the tasks that the edge shown lies above: a clip norm for the next plan.
        #[arg(long, default_value_t = 0.5, value_name = "PART")]
        quantile: f64,
    },
    /// Make a one-time invitation and print it.
    Invite {
        /// Whom.
        #[arg(long)]
        institution: String,
        /// "bank" or "auditor".
        #[arg(long, default_value = "bank")]
        role: String,
        /// How long it lives.
        #[arg(long, default_value_t = 24)]
        hours: u64,
    },
    /// Put an institution out, on record and at once.
    Revoke {
        /// Whom.
        #[arg(long)]
        institution: String,
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
    },
    /// End a run early, on record.
    Abandon {
        /// The run's identifier.
        #[arg(long)]
        run: String,
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
    },
    /// Have a run open no further round once the open one is closed, on record.
    Pause {
        /// The run's identifier.
        #[arg(long)]
        run: String,
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
    },
    /// Have a paused run go on, on record.
    Resume {
        /// The run's identifier.
        #[arg(long)]
        run: String,
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
    },
    /// Withdraw models of an ended run, on record: banks adapt from them no more.
    Recall {
        /// The run's identifier.
        #[arg(long)]
        run: String,
        /// The first of them; all later ones go with it.
        #[arg(long, value_name = "MODEL")]
        from: u32,
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
    },
    /// The key that signs the log.
    LogKey {
        #[command(subcommand)]
        action: LogKeyAction,
    },
    /// Erase contributions of rounds that lie further back than their plan asks to keep; the coordinator must be stopped.
    Prune {
        /// Say what would be erased, and erase nothing.
        #[arg(long)]
        rehearse: bool,
    },
    /// Write what an auditor gets to a new directory.
    Export {
        /// Where; it must not exist yet.
        directory: PathBuf,
    },
    /// Plans.
    Plan {
        #[command(subcommand)]
        action: PlanAction,
    },
    /// End the daemon.
    Stop {},
}

#[derive(Debug, Subcommand)]
pub(super) enum LogKeyAction {
    /// Make a new key and write the change to it, for banks to sign with `counterfoil-client log-key sign`.
    New {
        /// Why; everybody can read it.
        #[arg(long)]
        reason: String,
        /// Where the change goes.
        #[arg(long)]
        output: PathBuf,
        /// The checkpoint that banks are to hold true, if not the newest: after a compromise the last one that they cosigned.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// Put a change on record that a quorum of the banks signed. From then on the new key signs, and the old one is erased.
    Change {
        /// The change.
        change: PathBuf,
        /// What a bank printed when it signed.
        #[arg(long = "approval", value_name = "INSTITUTION=SIGNATURE")]
        approvals: Vec<String>,
        /// The old key is lost or in other hands: it does not sign.
        #[arg(long)]
        old_key_lost: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PlanAction {
    /// Make a draft whole: this consortium, this cohort, and the noise that its promise needs.
    New {
        /// The draft: a plan without consortium and noise.
        #[arg(long)]
        draft: PathBuf,
        /// Where the plan goes.
        #[arg(long)]
        output: PathBuf,
        /// Who trains, instead of the draft's cohort.
        #[arg(long = "participant", value_name = "NAME:UNITS:TASKS")]
        participants: Vec<String>,
        /// How many rounds, instead of the draft's.
        #[arg(long)]
        rounds: Option<u32>,
        /// The promised epsilon, instead of the draft's.
        #[arg(long)]
        epsilon: Option<f64>,
    },
    /// Print what a plan says and costs.
    Show {
        /// The plan.
        plan: PathBuf,
    },
    /// Check every rule of a plan.
    Check {
        /// The plan.
        plan: PathBuf,
    },
    /// Put a plan before the members.
    Propose {
        /// The plan.
        plan: PathBuf,
    },
}
