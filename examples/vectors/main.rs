//! Writes the test vectors of `proto-spec/vectors`, or with `--check` compares them byte for byte.
//!
//! Duty: fixed seeds, no clock, no random source: the same files everywhere. Never: an expectation that is only what the
//! code happens to do; each is stated in its family and then asserted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a generator stops at the first surprise, and shares files with tests"
)]

mod families;

use std::{fs, process::ExitCode};

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    for (path, text) in families::files() {
        if !check {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            eprintln!("{} is not what the code makes: run `cargo run --example vectors`", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
