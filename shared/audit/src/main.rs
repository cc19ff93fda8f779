//! The auditor's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    audit::cli::main(std::env::args_os())
}
