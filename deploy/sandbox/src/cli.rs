//! The command line.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{SandboxError, bench, demo};

/// A whole consortium on one machine: coordinator and banks as processes, mTLS between them.
#[derive(Debug, Parser)]
#[command(name = "counterfoil-sandbox", version, disable_help_subcommand = true)]
struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Five fictional banks train a meta-initialization over real card holders, and it is audited.
    Demo(DemoOptions),
    /// The coordinator's own command line.
    #[command(hide = true, disable_help_flag = true)]
    Coordinator {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// The client's own command line.
    #[command(hide = true, disable_help_flag = true)]
    Client {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Times the coordinator's round with prepared contributions.
    #[command(hide = true)]
    BenchRound(BenchOptions),
}

/// What `bench-round` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchOptions {
    /// How many banks contribute.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub banks: u32,
    /// How many parameters the model has.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=8_000_000))]
    pub dimension: u32,
    /// How many rounds are measured.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    /// Contribute without fetching each round's model.
    #[arg(long)]
    pub without_models: bool,
    /// Put the coordinator's state under DIR instead of the temporary directory.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Print the times of the rounds of a demo that was kept in DIR beside it.
    #[arg(long, value_name = "DIR")]
    pub demo: Option<PathBuf>,
    /// The interpreter of the reference floor; it needs numpy.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: PathBuf,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub json: bool,
}

/// What `demo` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// How many banks train.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub banks: u32,
    /// How many rounds; the noise is calibrated to them.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub rounds: u32,
    /// How a task's meta-gradient is computed.
    #[arg(long, default_value = "fomaml", value_parser = ["fomaml", "maml", "fedsgd"])]
    pub learner: String,
    /// The promised epsilon per bank, at delta 1e-6.
    #[arg(long, default_value_t = 3.0)]
    pub epsilon: f64,
    /// The coordinator's port; a free one if 0.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Fixes the initialization and the episodes of the evaluation; never the privacy noise.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Episodes for each number of labelled examples.
    #[arg(long, default_value_t = 100)]
    pub episodes: u32,
    /// Keep everything here; the auditor's copy is DIR/export.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub json: bool,
}

/// Runs one command line and says how the process ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let under = |name: &str, arguments: Vec<OsString>| {
        std::iter::once(OsString::from(name)).chain(arguments).collect::<Vec<_>>()
    };
    match options.action {
        Action::Coordinator { arguments } => {
            coordinator::cli::main(under("counterfoil-coordinator", arguments))
        }
        Action::Client { arguments } => {
            ExitCode::from(client::cli::main(under("counterfoil-client", arguments)))
        }
        Action::BenchRound(options) => match bench::run(&options) {
            Ok(figures) => crate::report::print_figures(&figures, options.json),
            Err(error) => fail(&error, options.json),
        },
        Action::Demo(options) => match demo::run(&options, std::io::stderr().is_terminal()) {
            Ok(report) => report.print(options.json),
            Err(error) => fail(&error, options.json),
        },
    }
}

fn fail(error: &SandboxError, json: bool) -> ExitCode {
    if json {
        crate::report::print_failure(error);
    } else {
        let _ = writeln!(std::io::stderr(), "error: {error}");
    }
    ExitCode::from(error.exit_code())
}
