//! `counterfoil-client`: the bank's node.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(client::cli::main(std::env::args_os()))
}
