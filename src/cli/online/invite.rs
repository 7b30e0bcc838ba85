//! Invitations to me, and those that I sent.
//!
//! Duty: the answers, and what becomes of what was sent. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
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
    /// Those that I sent, and those into what I administer.
    Sent {
        /// Only those into this group or thread.
        #[arg(long)]
        scope: Option<String>,
        /// Only those that wait for an answer.
        #[arg(long)]
        open: bool,
    },
    /// Send one again; an older link of it stops working.
    Resend {
        /// Which.
        id: String,
    },
    /// Take one back.
    Withdraw {
        /// Which.
        id: String,
    },
    /// Somebody with another address claims it: is it whom I meant?
    Decide {
        /// Which.
        id: String,
        /// Yes.
        #[arg(long, conflicts_with = "refuse")]
        accept: bool,
        /// No.
        #[arg(long, required_unless_present = "accept")]
        refuse: bool,
    },
    /// Those that wait for an admin before their users see them.
    Approvals,
    /// As an admin: let its user see it.
    Approve {
        /// Which.
        id: String,
    },
    /// As an admin: refuse it.
    Refuse {
        /// Which.
        id: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Invite) -> Result<Value> {
    match command {
        Invite::List => client.get("/invitations").await,
        Invite::Accept { id } => client.post(&format!("/invitations/{id}/accept"), &json!({})).await,
        Invite::Sent { scope, open } => {
            let of = scope.map(|scope| format!("&scope={scope}")).unwrap_or_default();
            client.get(&format!("/invitations/sent?limit=200&open={open}{of}")).await
        }
        Invite::Resend { id } => client.post(&format!("/invitations/{id}/resend"), &json!({})).await,
        Invite::Withdraw { id } => client.call(Method::DELETE, &format!("/invitations/{id}"), None).await,
        Invite::Decide { id, accept, .. } => {
            client.post(&format!("/invitations/{id}/claim"), &json!({ "accept": accept })).await
        }
        Invite::Decline { id } => client.post(&format!("/invitations/{id}/decline"), &json!({})).await,
        Invite::Approvals => client.get("/invitations/approvals").await,
        Invite::Approve { id } => client.post(&format!("/invitations/{id}/approve"), &json!({})).await,
        Invite::Refuse { id } => client.post(&format!("/invitations/{id}/refuse"), &json!({})).await,
    }
}
