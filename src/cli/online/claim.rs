//! Invitations by link: what one is for, and accepting it.
//!
//! Duty: the requests of who holds a link, and of the admin whose user does. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{super::client::Client, session};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Claim {
    /// What a link is for; changes nothing.
    Show {
        /// The link, or its code.
        link: String,
    },
    /// Make a free account with the password in COMITY_PASSWORD, and accept with it.
    Free {
        /// The link, or its code.
        link: String,
        /// The display name.
        #[arg(long)]
        name: String,
        /// The own e-mail, if it is another one than was invited.
        #[arg(long)]
        address: Option<String>,
    },
    /// Accept with my account: the code that the inviting node shows, as one argument.
    Make {
        /// The line that begins with comity-invitation/1.
        code: String,
    },
    /// My claims, and where they stand.
    List,
    /// For admins: claims by the own people that wait for a peering.
    Peerings,
    /// For admins: want the peering for which a claim waits.
    Peer {
        /// The claim.
        id: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Claim) -> Result<Value> {
    match command {
        Claim::Show { link } => client.get(&format!("/join/{}", session::code(&link))).await,
        Claim::Free { link, name, address } => {
            let password = session::password("COMITY_PASSWORD")?;
            let given = json!({ "name": name, "password": password, "address": address });
            client.post(&format!("/join/{}/account", session::code(&link)), &given).await
        }
        Claim::Make { code } => client.post("/claims", &json!({ "code": code })).await,
        Claim::List => client.get("/claims").await,
        Claim::Peerings => client.get("/claims/peerings").await,
        Claim::Peer { id } => client.call(Method::POST, &format!("/claims/{id}/peering"), None).await,
    }
}
