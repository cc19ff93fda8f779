//! The coordinator's command line.

fn main() -> std::process::ExitCode {
    coordinator::cli::main(std::env::args_os())
}
