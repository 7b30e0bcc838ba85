//! The `comity` binary.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match comity::cli::run(comity::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comity: {error:#}");
            ExitCode::FAILURE
        }
    }
}
