//! Offers to move groups between workspaces.
//!
//! Duty: the answers to an offer. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::super::client::Client;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Move {
    /// Offers from here and to here.
    List,
    /// Take over what another workspace offers, once all of its history is here.
    Accept {
        /// The offer.
        id: String,
    },
    /// Take an offer back, or decline one.
    Withdraw {
        /// The offer.
        id: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Move) -> Result<Value> {
    match command {
        Move::List => client.get("/moves").await,
        Move::Accept { id } => client.post(&format!("/moves/{id}/accept"), &json!({})).await,
        Move::Withdraw { id } => client.call(Method::DELETE, &format!("/moves/{id}"), None).await,
    }
}
