//! `counterfoil-sandbox`: a whole consortium on one machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::cli::main(std::env::args_os())
}
