//! Other workspaces.
//!
//! Duty: the states of a peering. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{super::client::Client, confirmed, policy};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Peer {
    /// A ticket to give to another workspace's admin.
    Ticket,
    /// Redeem another workspace's ticket.
    Accept {
        /// The whole line.
        ticket: String,
    },
    /// All of them.
    List,
    /// Approve one that waits, or resume one.
    Approve {
        /// Its id.
        peer: String,
    },
    /// Memberships travel on, content does not.
    Pause {
        /// Its id.
        peer: String,
    },
    /// Try to connect to one now.
    Dial {
        /// Its id.
        peer: String,
    },
    /// End every membership through it, in both directions; without --yes only show them.
    End {
        /// Its id.
        peer: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// What is allowed with it.
    #[command(subcommand)]
    Policy(policy::PeerPolicy),
    /// What happens with invitations from it: accept, ask, ask-admin or refuse.
    Invites {
        /// Its id.
        peer: String,
        /// The policy.
        policy: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Peer, as_json: bool) -> Result<Value> {
    match command {
        Peer::Ticket => client.post("/peers/tickets", &json!({})).await,
        Peer::Accept { ticket } => client.post("/peers", &json!({ "ticket": ticket })).await,
        Peer::List => client.get("/peers").await,
        Peer::Approve { peer } => client.post(&format!("/peers/{peer}/approve"), &json!({})).await,
        Peer::Pause { peer } => client.post(&format!("/peers/{peer}/pause"), &json!({})).await,
        Peer::Dial { peer } => client.post(&format!("/peers/{peer}/dial"), &json!({})).await,
        Peer::End { peer, yes } => {
            confirmed(client, &format!("/peers/{peer}/end"), yes, as_json).await?;
            client.call(Method::DELETE, &format!("/peers/{peer}"), None).await
        }
        Peer::Policy(command) => policy::peer(client, command, as_json).await,
        Peer::Invites { peer, policy } => {
            client.call(Method::PATCH, &format!("/peers/{peer}"), Some(&json!({ "invites": policy }))).await
        }
    }
}
