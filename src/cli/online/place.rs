//! Groups and threads.
//!
//! Duty: what they have in common, and what only one of them has. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{super::client::Client, confirmed, found, policy, user::person};
use crate::uri::escape;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Group {
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// Members of this workspace only.
        #[arg(long)]
        internal: bool,
        /// Any member of this workspace may join.
        #[arg(long)]
        open: bool,
    },
    /// Mine.
    List,
    /// Whether any member of this workspace may join.
    Access {
        /// Which.
        id: String,
        /// open or closed.
        access: Access,
    },
    /// Join an open group.
    Join {
        /// Which.
        id: String,
    },
    /// Make it a group of this workspace only; without --yes only show who would lose what.
    Internal {
        /// Which.
        id: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// What it allows about people of other workspaces, within the workspace's policy.
    #[command(subcommand)]
    Policy(policy::GroupPolicy),
    /// Whether every member may add members.
    OpenInvites {
        /// Which.
        id: String,
        /// on or off.
        #[arg(value_parser = switch)]
        on: bool,
    },
    /// Offer it, with its chat and the topics that began with it, to another workspace; without --yes only show what
    /// moves and who goes along.
    Move {
        /// Which.
        id: String,
        /// The new owner: its id, or its domain.
        workspace: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    #[command(flatten)]
    Place(Place),
}

/// Who may join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Access {
    /// Any member of the workspace, by himself.
    Open,
    /// Whom somebody adds.
    Closed,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Thread {
    /// Start a topic.
    Start {
        /// The subject.
        subject: String,
        /// A recipient group; may be repeated.
        #[arg(long = "group")]
        groups: Vec<String>,
        /// A recipient's address; may be repeated.
        #[arg(long = "to")]
        people: Vec<String>,
        /// The thread of a message from which it is started.
        #[arg(long, requires = "seq")]
        from: Option<String>,
        /// The message's number.
        #[arg(long, requires = "from")]
        seq: Option<u64>,
    },
    /// My inbox.
    List {
        /// inbox, archived or all.
        #[arg(long, default_value = "inbox")]
        view: String,
        /// Only with unread messages.
        #[arg(long)]
        unread: bool,
    },
    /// Have it in my inbox; with --off, no more.
    Follow {
        /// The thread.
        id: String,
        /// Cease to.
        #[arg(long)]
        off: bool,
    },
    /// Put it away until something new comes; with --off, take it back.
    Archive {
        /// The thread.
        id: String,
        /// Take it back.
        #[arg(long)]
        off: bool,
    },
    /// Address it to one more group.
    AddGroup {
        /// The thread.
        id: String,
        /// The group.
        group: String,
    },
    /// Take a group off.
    RemoveGroup {
        /// The thread.
        id: String,
        /// The group.
        group: String,
    },
    /// Whether only its starter and admins change recipients; others then ask (`comity request add`).
    Lock {
        /// The thread.
        id: String,
        /// on or off.
        #[arg(value_parser = switch)]
        on: bool,
    },
    /// Why I see it.
    Why {
        /// The thread.
        id: String,
    },
    #[command(flatten)]
    Place(Place),
}

/// What groups and threads have in common.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Place {
    /// One of them.
    Show {
        /// Which.
        id: String,
    },
    /// Who is in it.
    Members {
        /// Which.
        id: String,
        /// Only those whose name or address begins so.
        query: Option<String>,
    },
    /// Add somebody of this workspace, or invite somebody of a peer, or anybody by e-mail.
    Add {
        /// Where.
        id: String,
        /// Whom.
        address: String,
        /// read, post, invite or admin.
        #[arg(long, default_value = "post")]
        grade: String,
        /// all or from-now; if not said, what people of other workspaces get of a group is what comes from now on.
        #[arg(long)]
        history: Option<String>,
        /// When it ends by itself, in milliseconds since 1970.
        #[arg(long)]
        until: Option<u64>,
        /// Only say what it would do.
        #[arg(long, conflicts_with_all = ["history", "until"])]
        preview: bool,
    },
    /// End somebody's access.
    Remove {
        /// Where.
        id: String,
        /// His id or address.
        user: String,
        /// Through every other path too.
        #[arg(long)]
        everywhere: bool,
    },
    /// How long partners may show it without a word of this workspace, after which a removal is in force there too.
    Lease {
        /// Which.
        id: String,
        /// strict (60 s), standard (300 s), relaxed (24 h), or a number of seconds.
        lease: String,
    },
    /// Give it another name.
    Rename {
        /// Which.
        id: String,
        /// The name.
        name: String,
    },
    /// Nothing is written in it, and no thread begins there, until it is opened again.
    Close {
        /// Which.
        id: String,
    },
    /// Open it again.
    Reopen {
        /// Which.
        id: String,
    },
    /// Whether only admins, and of a thread its starter, may write.
    RepliesOff {
        /// Which.
        id: String,
        /// on or off.
        #[arg(value_parser = switch)]
        on: bool,
    },
    /// Leave it.
    Leave {
        /// Which.
        id: String,
    },
    /// End it for everybody.
    End {
        /// Which.
        id: String,
    },
}

/// Carries out what concerns a group.
pub(super) async fn group(client: &mut Client, command: Group, as_json: bool) -> Result<Value> {
    match command {
        Group::Create { name, internal, open } => {
            let new = json!({ "name": name, "externals": !internal, "open": open });
            client.post("/groups", &new).await
        }
        Group::Internal { id, yes } => {
            confirmed(client, &format!("/groups/{id}/tightening"), yes, as_json).await?;
            let (path, body) = (format!("/groups/{id}?confirm=true"), json!({ "externals": false }));
            client.call(Method::PATCH, &path, Some(&body)).await
        }
        Group::Move { id, workspace, yes } => {
            confirmed(client, &format!("/groups/{id}/move?to={workspace}"), yes, as_json).await?;
            client.post(&format!("/groups/{id}/move"), &json!({ "to": workspace })).await
        }
        Group::Policy(command) => policy::group(client, command, as_json).await,
        Group::OpenInvites { id, on } => set(client, "groups", &id, json!({ "open_invites": on })).await,
        Group::Access { id, access } => {
            let body = json!({ "open": access == Access::Open });
            client.call(Method::PATCH, &format!("/groups/{id}"), Some(&body)).await
        }
        Group::Join { id } => client.post(&format!("/groups/{id}/join"), &json!({})).await,
        Group::List => client.get("/groups").await,
        Group::Place(place) => self::place(client, "groups", place).await,
    }
}

/// Carries out what concerns a thread.
pub(super) async fn thread(client: &mut Client, command: Thread) -> Result<Value> {
    match command {
        Thread::Start { subject, groups, people, from, seq } => {
            let from = from.map(|thread| json!({ "thread": thread, "seq": seq }));
            let new = json!({ "subject": subject, "groups": groups, "people": people, "from": from });
            client.post("/threads", &new).await
        }
        Thread::List { view, unread } => client.get(&format!("/threads?view={view}&unread={unread}")).await,
        Thread::Follow { id, off } => toggle(client, &format!("/threads/{id}/follow"), off).await,
        Thread::Archive { id, off } => toggle(client, &format!("/threads/{id}/archive"), off).await,
        Thread::AddGroup { id, group } => {
            client.post(&format!("/threads/{id}/groups"), &json!({ "group": group })).await
        }
        Thread::RemoveGroup { id, group } => {
            client.call(Method::DELETE, &format!("/threads/{id}/groups/{group}"), None).await
        }
        Thread::Lock { id, on } => set(client, "threads", &id, json!({ "locked": on })).await,
        Thread::Why { id } => client.get(&format!("/threads/{id}/why")).await,
        Thread::Place(place) => self::place(client, "threads", place).await,
    }
}

async fn set(client: &mut Client, kind: &str, id: &str, body: Value) -> Result<Value> {
    client.call(Method::PATCH, &format!("/{kind}/{id}"), Some(&body)).await
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".into()),
    }
}

async fn toggle(client: &mut Client, path: &str, off: bool) -> Result<Value> {
    client.call(if off { Method::DELETE } else { Method::POST }, path, None).await
}

async fn place(client: &mut Client, kind: &str, command: Place) -> Result<Value> {
    match command {
        Place::Show { id } => client.get(&format!("/{kind}/{id}")).await,
        Place::Members { id, query } => client.get(&found(&format!("/{kind}/{id}/members"), query)).await,
        Place::Add { id, address, grade, preview: true, .. } => {
            let address = escape(&address);
            client.get(&format!("/{kind}/{id}/members/preview?address={address}&grade={grade}")).await
        }
        Place::Add { id, address, grade, history, until, .. } => {
            let body = json!({ "address": address, "grade": grade, "history": history, "until": until });
            client.post(&format!("/{kind}/{id}/members"), &body).await
        }
        Place::Remove { id, user, everywhere } => {
            let members = format!("/{kind}/{id}/members");
            let user = person(client, &members, "members", &user).await?;
            client.call(Method::DELETE, &format!("{members}/{user}?everywhere={everywhere}"), None).await
        }
        Place::Lease { id, lease } => {
            let lease = lease.parse::<u64>().map_or_else(|_| json!(lease), |seconds| json!(seconds));
            client.call(Method::PATCH, &format!("/{kind}/{id}"), Some(&json!({ "lease": lease }))).await
        }
        Place::Rename { id, name } => set(client, kind, &id, json!({ "name": name })).await,
        Place::Close { id } => set(client, kind, &id, json!({ "closed": true })).await,
        Place::Reopen { id } => set(client, kind, &id, json!({ "closed": false })).await,
        Place::RepliesOff { id, on } => set(client, kind, &id, json!({ "replies_off": on })).await,
        Place::Leave { id } => client.post(&format!("/{kind}/{id}/leave"), &json!({})).await,
        Place::End { id } => client.call(Method::DELETE, &format!("/{kind}/{id}"), None).await,
    }
}
