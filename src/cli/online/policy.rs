//! Policies (P8): of the workspace, of a group, for a peer.
//!
//! Duty: what changes, as a body; what a tighter one ends is shown first. Never: a rule.

use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::{super::client::Client, confirmed};
use crate::uri::escape;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Policy {
    /// What holds.
    Show,
    /// Change some of it; without --yes only show whom that would cut from what.
    Set(Box<Workspace>),
}

/// What of the workspace's policy changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Workspace {
    /// Who may invite people of other workspaces, of those who may invite: members, group-admins, admins, nobody.
    #[arg(long)]
    inviters: Option<String>,
    #[command(flatten)]
    from: From,
    /// Which free accounts are admitted: all, own (of this node's realm), none.
    #[arg(long)]
    free_accounts: Option<String>,
    /// After how many days an invitation by e-mail ends.
    #[arg(long)]
    days: Option<u64>,
    /// Open invitations of one user.
    #[arg(long)]
    open_invitations: Option<u64>,
    /// New invitations of one user in a day.
    #[arg(long)]
    daily_invitations: Option<u64>,
    /// Invitations of one user to addresses at peers in an hour.
    #[arg(long)]
    hourly_lookups: Option<u64>,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

/// Whom a policy admits, as what.
#[derive(Debug, Args)]
pub(in crate::cli) struct From {
    /// The highest grade of people of other workspaces: read, post, invite, admin.
    #[arg(long)]
    grade: Option<String>,
    /// A peer from which they may come; may be repeated.
    #[arg(long = "peer", conflicts_with = "all_peers")]
    peers: Vec<String>,
    /// They may come from every peer.
    #[arg(long)]
    all_peers: bool,
}

impl From {
    fn body(self) -> Map<String, Value> {
        let Self { grade, peers, all_peers } = self;
        let peers = (!peers.is_empty()).then(|| json!(peers)).or(all_peers.then(|| json!("all")));
        given([("grade", grade.map(|grade| json!(grade))), ("peers", peers)])
    }
}

fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The policy of a group.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GroupPolicy {
    /// What holds.
    Show {
        /// The group.
        id: String,
    },
    /// Change some of it; without --yes only show whom that would cut from what.
    Set {
        /// The group.
        id: String,
        #[command(flatten)]
        from: From,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

/// What is allowed with a peer.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PeerPolicy {
    /// What holds.
    Show {
        /// The peer's id.
        peer: String,
    },
    /// Change some of it; without --yes only show whom that would cut from what.
    Set(Peer),
}

/// What of it changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Peer {
    /// The peer's id.
    peer: String,
    /// What happens with invitations from it: accept, ask, ask-admin, refuse.
    #[arg(long)]
    invites: Option<String>,
    /// Whether its users may be members here.
    #[arg(long)]
    admitted: Option<bool>,
    /// Whether free accounts of its realm may be.
    #[arg(long)]
    free_accounts: Option<bool>,
    /// Whether it may ask for addresses here.
    #[arg(long)]
    lookups: Option<bool>,
    /// Whether typing and read positions are exchanged with it.
    #[arg(long)]
    presence: Option<bool>,
    /// Invitations from it in a day.
    #[arg(long)]
    daily_invitations: Option<u64>,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

/// Carries out what concerns the workspace's policy.
pub(super) async fn workspace(client: &mut Client, command: Policy, as_json: bool) -> Result<Value> {
    let Policy::Set(change) = command else { return client.get("/workspace/policy").await };
    let Workspace { inviters, from, free_accounts, days, yes, .. } = *change;
    let mut body = from.body();
    body.append(&mut given([
        ("inviters", inviters.map(|who| json!(who))),
        ("free_accounts", free_accounts.map(|which| json!(which))),
        ("days", days.map(|days| json!(days))),
        ("open_invitations", change.open_invitations.map(|most| json!(most))),
        ("daily_invitations", change.daily_invitations.map(|most| json!(most))),
        ("hourly_lookups", change.hourly_lookups.map(|most| json!(most))),
    ]));
    set(client, "/workspace/policy", "/workspace/policy", &Value::Object(body), yes, as_json).await
}

/// Carries out what concerns a group's policy.
pub(super) async fn group(client: &mut Client, command: GroupPolicy, as_json: bool) -> Result<Value> {
    match command {
        GroupPolicy::Show { id } => client.get(&format!("/groups/{id}/policy")).await,
        GroupPolicy::Set { id, from, yes } => {
            let path = format!("/groups/{id}/policy");
            set(client, &path, &path, &Value::Object(from.body()), yes, as_json).await
        }
    }
}

/// Carries out what concerns the policy for a peer.
pub(super) async fn peer(client: &mut Client, command: PeerPolicy, as_json: bool) -> Result<Value> {
    let Peer { peer, invites, admitted, free_accounts, lookups, presence, daily_invitations, yes } =
        match command {
            PeerPolicy::Show { peer } => return client.get(&format!("/peers/{peer}/policy")).await,
            PeerPolicy::Set(change) => change,
        };
    let body = given([
        ("invites", invites.map(|policy| json!(policy))),
        ("admitted", admitted.map(|yes| json!(yes))),
        ("free_accounts", free_accounts.map(|yes| json!(yes))),
        ("lookups", lookups.map(|yes| json!(yes))),
        ("presence", presence.map(|yes| json!(yes))),
        ("daily_invitations", daily_invitations.map(|most| json!(most))),
    ]);
    let path = format!("/peers/{peer}");
    set(client, &path, &path, &Value::Object(body), yes, as_json).await
}

async fn set(
    client: &mut Client,
    path: &str,
    preview: &str,
    body: &Value,
    yes: bool,
    as_json: bool,
) -> Result<Value> {
    confirmed(client, &format!("{preview}/tightening?change={}", escape(&body.to_string())), yes, as_json)
        .await?;
    client.call(Method::PATCH, &format!("{path}?confirm=true"), Some(body)).await
}
