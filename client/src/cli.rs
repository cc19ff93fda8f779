//! The command line.

pub mod arguments;
mod output;

use std::ffi::OsString;

use clap::Parser as _;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::rotation::Which;
use crate::{ClientError, Exit, commands};
use arguments::{
    Arguments, Command, KeyName, LedgerCommand, LogKeyCommand, PlanCommand, ReceiptsCommand,
};
pub use output::{Output, SCHEMA_VERSION};

/// Runs one command with `arguments`, the program's name among them, and gives its exit code.
///
/// The result goes to stdout, as text or with `--json` as one envelope; logs go to stderr.
pub fn main<I, T>(arguments: I) -> u8
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // What clap prints is the help or what was not understood; printing cannot be mended.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() };
        }
    };
    start_logging();
    let json = arguments.json;
    let output = match execute(arguments) {
        Ok(output) => output,
        Err(error) => failed(&error),
    };
    output.print(json);
    output.exit.code()
}

fn execute(arguments: Arguments) -> Result<Output, ClientError> {
    let state = arguments.state;
    match arguments.command {
        Command::Run {} => {
            crate::run(&state)?;
            Ok(Output::new(json!({}), "the node has ended"))
        }
        Command::Witness {} => {
            crate::witness::daemon::run(&state)?;
            Ok(Output::new(json!({}), "the witness has ended"))
        }
        Command::Join { invitation } => commands::join(&state, &invitation),
        Command::Status {} => commands::status(&state),
        Command::Stop { reason } => commands::stop(&state, &reason),
        Command::Resume { reason } => commands::resume(&state, &reason),
        Command::Shutdown {} => commands::shutdown(&state),
        Command::Plan { command } => match command {
            PlanCommand::List {} => commands::plan::list(&state),
            PlanCommand::Show { digest } => commands::plan::show(&state, &digest),
            PlanCommand::Check { digest } => commands::plan::check(&state, &digest),
            PlanCommand::Sign { digest, out } => {
                commands::plan::sign(&state, &digest, out.as_deref())
            }
        },
        Command::Ledger { command } => match command {
            LedgerCommand::Show {} => commands::ledger::show(&state),
            LedgerCommand::Check {} => commands::ledger::check(&state),
            LedgerCommand::Void { reservation, reason } => {
                commands::ledger::void(&state, reservation, &reason)
            }
            LedgerCommand::Raise { epsilon, reason } => {
                commands::ledger::raise(&state, epsilon, &reason)
            }
            LedgerCommand::Mirror { directory } => commands::ledger::mirror(&state, &directory),
            LedgerCommand::Export { directory } => commands::ledger::export(&state, &directory),
        },
        Command::Receipts { command: ReceiptsCommand::Verify {} } => {
            commands::receipts_verify(&state)
        }
        Command::Decide { text, about } => {
            commands::governance::decide(&state, &text, about.as_deref())
        }
        Command::ReportContradiction { file } => {
            commands::governance::report_contradiction(&state, &file)
        }
        Command::RotateKeys { only } => {
            let is = |key| only.is_empty() || only.contains(&key);
            let which = Which {
                tls: is(KeyName::Tls),
                record: is(KeyName::Record),
                cosign: is(KeyName::Cosign),
            };
            commands::governance::rotate_keys(&state, which)
        }
        Command::LogKey { command: LogKeyCommand::Sign { change } } => {
            commands::governance::sign_log_key(&state, &change)
        }
        Command::Fetch { directory } => commands::fetch(&state, &directory),
        Command::Redteam(redteam) => commands::redteam(&redteam),
        Command::Adapt(adapt) => commands::adapt(&adapt),
        Command::Evaluate(evaluate) => commands::evaluate(&evaluate),
    }
}

fn failed(error: &ClientError) -> Output {
    let (message, remedy) = (error.to_string(), error.remedy());
    let text = match &remedy {
        Some(remedy) => format!("error: {message}\ntry: {remedy}"),
        None => format!("error: {message}"),
    };
    let refused = if let ClientError::Refused(refusal) = error { refusal.verdicts() } else { &[] };
    let data = json!({ "message": message, "remedy": remedy, "refused": refused });
    Output { data, text, exit: error.exit() }
}

/// Logs to stderr; `COUNTERFOIL_LOG` says how much. A process logs to one place, so a second call
/// changes nothing.
fn start_logging() {
    let filter = EnvFilter::try_from_env("COUNTERFOIL_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
