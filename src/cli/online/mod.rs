//! Commands for a running node, over its API.
//!
//! Duty: the commands of a person at work; those about one noun are in its file. Never: a rule.

use anyhow::{Result, bail};
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{client::Client, text};
use crate::uri::escape;

mod claim;
mod conduct;
mod invite;
mod journal;
mod mail;
mod moves;
mod peer;
mod place;
mod policy;
mod removal;
mod session;
mod user;

/// What can be asked of a running node.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Who I am.
    Me,
    /// Of what I am told where I do not look.
    Notify {
        /// everything, direct or nothing; if not said, show what holds.
        told: Option<String>,
    },
    /// People of this workspace.
    #[command(subcommand)]
    User(user::User),
    /// Other workspaces.
    #[command(subcommand)]
    Peer(peer::Peer),
    /// People of other workspaces in groups and threads of this one.
    Externals,
    /// Groups and threads of other workspaces with people of this one.
    Abroad,
    /// Free accounts that this node hosts.
    #[command(subcommand)]
    Account(user::Account),
    /// What keeps the removed out after a restore.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Letters that wait for the mail server.
    #[command(subcommand)]
    Mail(mail::Mail),
    /// Groups.
    #[command(subcommand)]
    Group(place::Group),
    /// Threads.
    #[command(subcommand)]
    Thread(place::Thread),
    /// Invitations to me.
    #[command(subcommand)]
    Invite(invite::Invite),
    /// Signing in, sessions and tokens.
    #[command(subcommand)]
    Session(session::Session),
    /// Invitations by link.
    #[command(subcommand)]
    Claim(claim::Claim),
    /// What the workspace allows about people of other workspaces.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Requests to add somebody to a locked thread.
    #[command(subcommand)]
    Request(conduct::Request),
    /// People whom I block.
    #[command(subcommand)]
    Block(conduct::Block),
    /// Offers to move groups between workspaces.
    #[command(subcommand)]
    Move(moves::Move),
    /// People whom I can find by name.
    Contacts {
        /// Beginnings of words of a name, or of an address.
        query: Option<String>,
    },
    /// The profile of a contact or colleague.
    Profile {
        /// His id, as `contacts` and `members` show it.
        user: String,
    },
    /// Messages, threads, groups and people, among what I may read.
    Search {
        /// Words; the last one may be the beginning of one.
        query: String,
    },
    /// Groups of my workspace that I can join, and those that I am in.
    Directory {
        /// Beginnings of words of the name.
        query: Option<String>,
    },
    /// Open the direct conversation with somebody.
    Dm {
        /// His address.
        address: String,
    },
    /// Write a message.
    Post {
        /// The thread.
        thread: String,
        /// What.
        text: String,
        /// The same key again posts nothing twice.
        #[arg(long)]
        key: Option<String>,
    },
    /// Read a thread, newest page first.
    Read {
        /// The thread.
        thread: String,
        /// Messages before this one.
        #[arg(long)]
        before: Option<u64>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Change a message of mine.
    Edit {
        /// The thread.
        thread: String,
        /// The message's number.
        seq: u64,
        /// The new text.
        text: String,
    },
    /// Delete a message.
    Delete {
        /// The thread.
        thread: String,
        /// The message's number.
        seq: u64,
    },
    /// React to a message.
    React {
        /// The thread.
        thread: String,
        /// The message's number.
        seq: u64,
        /// One emoji.
        emoji: String,
    },
    /// My messages that wait for their owners.
    Pending,
    /// Removals, and how they take effect at other workspaces.
    #[command(subcommand)]
    Removal(removal::Removal),
    /// The keys by which this workspace speaks.
    Keys,
    /// Replace a key (sign, tls or root) of the running node; the root key has to lie in its folder.
    RotateLive {
        /// Which.
        key: String,
        /// Only for sign: the old key leaked.
        #[arg(long)]
        revoke: bool,
    },
}

/// Carries a command out and prints the answer.
pub(super) async fn run(client: &mut Client, command: Command, as_json: bool) -> Result<()> {
    let answer = match command {
        Command::Me => client.get("/me").await?,
        Command::Notify { told: None } => client.get("/me/notifications").await?,
        Command::Notify { told: Some(told) } => {
            client.call(Method::PATCH, "/me/notifications", Some(&json!({ "told": told }))).await?
        }
        Command::User(user) => user::run(client, user, as_json).await?,
        Command::Peer(peer) => peer::run(client, peer, as_json).await?,
        Command::Externals => client.get("/externals?limit=200").await?,
        Command::Abroad => client.get("/abroad?limit=200").await?,
        Command::Account(account) => user::account(client, account, as_json).await?,
        Command::Journal(journal) => journal::run(client, journal).await?,
        Command::Mail(mail) => mail::run(client, mail, as_json).await?,
        Command::Group(group) => place::group(client, group, as_json).await?,
        Command::Thread(thread) => place::thread(client, thread).await?,
        Command::Invite(invite) => invite::run(client, invite).await?,
        Command::Session(session) => session::run(client, session).await?,
        Command::Claim(claim) => claim::run(client, claim).await?,
        Command::Policy(policy) => policy::workspace(client, policy, as_json).await?,
        Command::Request(request) => conduct::request(client, request).await?,
        Command::Block(block) => conduct::block(client, block).await?,
        Command::Move(offer) => moves::run(client, offer).await?,
        Command::Contacts { query } => client.get(&found("/contacts", query)).await?,
        Command::Profile { user } => client.get(&format!("/people/{user}")).await?,
        Command::Search { query } => client.get(&found("/search", Some(query))).await?,
        Command::Directory { query } => client.get(&found("/directory", query)).await?,
        Command::Dm { address } => client.post("/dms", &json!({ "address": address })).await?,
        Command::Post { thread, text, key } => post(client, &thread, &text, key.as_deref()).await?,
        Command::Read { thread, before, limit } => {
            let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
            client.get(&format!("/threads/{thread}/messages?limit={limit}{before}")).await?
        }
        Command::Edit { thread, seq, text } => {
            let body = json!({ "text": text });
            client.call(Method::PATCH, &format!("/threads/{thread}/messages/{seq}"), Some(&body)).await?
        }
        Command::Delete { thread, seq } => {
            client.call(Method::DELETE, &format!("/threads/{thread}/messages/{seq}"), None).await?
        }
        Command::React { thread, seq, emoji } => {
            let path = format!("/threads/{thread}/messages/{seq}/reactions");
            client.post(&path, &json!({ "emoji": emoji })).await?
        }
        Command::Pending => client.get("/pending").await?,
        Command::Removal(removal) => return removal::run(client, removal, as_json).await,
        Command::Keys => client.get("/workspace/keys").await?,
        Command::RotateLive { key, revoke } => {
            client.post("/workspace/rotate", &json!({ "key": key, "revoke": revoke })).await?
        }
    };
    print(&answer, as_json);
    Ok(())
}

/// The largest page of what is found.
fn found(path: &str, query: Option<String>) -> String {
    let query = query.map(|query| format!("&q={}", escape(&query))).unwrap_or_default();
    format!("{path}?limit=200{query}")
}

pub(super) fn print(answer: &Value, as_json: bool) {
    if as_json {
        println!("{answer}");
    } else {
        print!("{}", text::of(answer));
    }
}

/// Shows what an act would end, and refuses it until it is confirmed.
async fn confirmed(client: &mut Client, preview: &str, yes: bool, as_json: bool) -> Result<()> {
    if !yes {
        print(&client.get(preview).await?, as_json);
        bail!("nothing was changed: repeat with --yes to do it");
    }
    Ok(())
}

async fn post(client: &mut Client, thread: &str, text: &str, key: Option<&str>) -> Result<Value> {
    let path = format!("/threads/{thread}/messages");
    let answer = client.send(Method::POST, &path, Some(&json!({ "text": text })), key).await?;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    bail!("{}", answer.body.get("detail").and_then(Value::as_str).unwrap_or("refused"))
}

/// Prints events until the node stops or Ctrl-C.
pub(super) async fn watch(client: Client, as_json: bool) -> Result<()> {
    let mut events = client.events().await?;
    while let Some((name, data)) = events.next().await? {
        if as_json {
            println!("{}", json!({ "event": name, "data": data }));
        } else {
            println!("{}", text::event(&name, &data));
        }
    }
    bail!("the node ended the stream")
}
