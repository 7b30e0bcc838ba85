//! The web app in real browsers against real nodes: the journeys of `tests/browser`, played by Chromium.
//!
//! Duty: starting them with the program of this build. Never: a journey; those are in `tests/browser/journeys`. Skipped
//! without node, Chromium and the packages of `target/ci-npm`, except in CI.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{path::Path, process::Command};

/// What is needed and not there, with how it comes.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci-npm/node_modules");
    if !runs("node") {
        return Some("node (apt-get install nodejs npm)");
    }
    if !runs(&std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into())) {
        return Some("Chromium (apt-get install chromium, or its path in CHROMIUM)");
    }
    let installed = ["playwright-core", "axe-core"].iter().all(|name| packages.join(name).exists());
    (!installed).then_some("a package (npm install --prefix target/ci-npm playwright-core axe-core)")
}

#[test]
fn people_get_along_in_browsers() {
    if let Some(what) = missing() {
        assert!(std::env::var_os("COMITY_CI").is_none(), "{what} is missing: .ci/run installs it");
        return eprintln!("skipped: {what} is missing");
    }
    let journeys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/run.mjs");
    let mut node = Command::new("node");
    let output = node.arg(journeys).env("COMITY", env!("CARGO_BIN_EXE_comity")).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
}
