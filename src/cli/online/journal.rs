//! The journal and the check after a start (spec 12.1, 12.6).
//!
//! Duty: showing both, the admin's confirmation. Never: a rule.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::super::client::Client;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Journal {
    /// Where it lies, whether it is trusted, and on whom the check after the start waits.
    Show,
    /// Partners are served though the journal is missing or older than the data.
    Confirm,
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Journal) -> Result<Value> {
    match command {
        Journal::Show => {
            let workspace = client.get("/workspace").await?;
            workspace.get("check").cloned().context("only an admin is shown the journal")
        }
        Journal::Confirm => client.post("/workspace/journal/confirm", &json!({})).await,
    }
}
