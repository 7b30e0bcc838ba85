//! Invitations to me.
//!
//! Duty: the answers. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::super::client::Client;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Invite {
    /// All that wait.
    List,
    /// Yes.
    Accept {
        /// Which.
        id: String,
    },
    /// No.
    Decline {
        /// Which.
        id: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Invite) -> Result<Value> {
    match command {
        Invite::List => client.get("/invitations").await,
        Invite::Accept { id } => client.post(&format!("/invitations/{id}/accept"), &json!({})).await,
        Invite::Decline { id } => client.post(&format!("/invitations/{id}/decline"), &json!({})).await,
    }
}
