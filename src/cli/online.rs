//! Commands for a running node, over its API.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{client::Client, text};

/// What can be asked of a running node.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Who I am.
    Me,
    /// People of this workspace.
    #[command(subcommand)]
    User(User),
    /// Other workspaces.
    #[command(subcommand)]
    Peer(Peer),
    /// Groups.
    #[command(subcommand)]
    Group(Group),
    /// Threads.
    #[command(subcommand)]
    Thread(Thread),
    /// Invitations to me.
    #[command(subcommand)]
    Invite(Invite),
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
    /// Removals of people of other workspaces, with their receipts.
    Removals,
    /// Replace a key (sign, tls or root) of the running node; the root key has to lie in its folder.
    RotateLive {
        /// Which.
        key: String,
        /// Only for sign: the old key leaked.
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add somebody.
    Add {
        /// What stands before the @.
        local: String,
        /// The display name.
        #[arg(long)]
        name: Option<String>,
        /// As an admin.
        #[arg(long)]
        admin: bool,
    },
    /// Everybody.
    List,
    /// A new token for somebody, shown once.
    Token {
        /// His id or address.
        user: String,
    },
    /// Take every access away, here and at every partner.
    Suspend {
        /// His id or address.
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Peer {
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
    /// End every membership through it, in both directions.
    End {
        /// Its id.
        peer: String,
    },
    /// What happens with invitations from it: accept, ask or refuse.
    Invites {
        /// Its id.
        peer: String,
        /// The policy.
        policy: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Group {
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// Members of this workspace only.
        #[arg(long)]
        internal: bool,
    },
    /// Mine.
    List,
    #[command(flatten)]
    Place(Place),
}

#[derive(Debug, Subcommand)]
pub(super) enum Thread {
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
    },
    /// My inbox.
    List,
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
pub(super) enum Place {
    /// One of them.
    Show {
        /// Which.
        id: String,
    },
    /// Who is in it.
    Members {
        /// Which.
        id: String,
    },
    /// Add somebody of this workspace, or invite somebody of a peer.
    Add {
        /// Where.
        id: String,
        /// Whom.
        address: String,
        /// read, post, invite or admin.
        #[arg(long, default_value = "post")]
        grade: String,
        /// all or from-now.
        #[arg(long, default_value = "all")]
        history: String,
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

#[derive(Debug, Subcommand)]
pub(super) enum Invite {
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

/// Carries a command out and prints the answer.
pub(super) async fn run(client: &mut Client, command: Command, as_json: bool) -> Result<()> {
    let answer = match command {
        Command::Me => client.get("/me").await?,
        Command::User(user) => self::user(client, user).await?,
        Command::Peer(peer) => self::peer(client, peer).await?,
        Command::Group(group) => self::group(client, group).await?,
        Command::Thread(thread) => self::thread(client, thread).await?,
        Command::Invite(invite) => self::invite(client, invite).await?,
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
        Command::Removals => client.get("/removals").await?,
        Command::RotateLive { key, revoke } => {
            client.post("/workspace/rotate", &json!({ "key": key, "revoke": revoke })).await?
        }
    };
    print(&answer, as_json);
    Ok(())
}

pub(super) fn print(answer: &Value, as_json: bool) {
    if as_json {
        println!("{answer}");
    } else {
        print!("{}", text::of(answer));
    }
}

async fn post(client: &mut Client, thread: &str, text: &str, key: Option<&str>) -> Result<Value> {
    let path = format!("/threads/{thread}/messages");
    let answer = client.send(Method::POST, &path, Some(&json!({ "text": text })), key).await?;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    bail!("{}", answer.body.get("detail").and_then(Value::as_str).unwrap_or("refused"))
}

async fn user(client: &mut Client, command: User) -> Result<Value> {
    match command {
        User::Add { local, name, admin } => {
            let role = if admin { "admin" } else { "member" };
            let name = name.unwrap_or_else(|| local.clone());
            client.post("/users", &json!({ "local": local, "name": name, "role": role })).await
        }
        User::List => client.get("/users?limit=200").await,
        User::Token { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.post(&format!("/users/{id}/tokens"), &json!({})).await
        }
        User::Suspend { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.call(Method::PATCH, &format!("/users/{id}"), Some(&json!({ "role": "suspended" }))).await
        }
    }
}

/// An id as it is; an address is looked up in a list.
async fn person(client: &mut Client, path: &str, list: &str, who: &str) -> Result<String> {
    if !who.contains('@') {
        return Ok(who.to_owned());
    }
    let mut after = String::new();
    loop {
        let page = client.get(&format!("{path}?limit=200{after}")).await?;
        let people = page.get(list).and_then(Value::as_array).context("an unexpected answer")?;
        let found = people.iter().find(|person| person.get("address").and_then(Value::as_str) == Some(who));
        if let Some(id) = found.and_then(|person| person.get("id")).and_then(Value::as_str) {
            return Ok(id.to_owned());
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => bail!("{who} is not there"),
        }
    }
}

async fn peer(client: &mut Client, command: Peer) -> Result<Value> {
    match command {
        Peer::Ticket => client.post("/peers/tickets", &json!({})).await,
        Peer::Accept { ticket } => client.post("/peers", &json!({ "ticket": ticket })).await,
        Peer::List => client.get("/peers").await,
        Peer::Approve { peer } => client.post(&format!("/peers/{peer}/approve"), &json!({})).await,
        Peer::Pause { peer } => client.post(&format!("/peers/{peer}/pause"), &json!({})).await,
        Peer::End { peer } => client.call(Method::DELETE, &format!("/peers/{peer}"), None).await,
        Peer::Invites { peer, policy } => {
            client.call(Method::PATCH, &format!("/peers/{peer}"), Some(&json!({ "invites": policy }))).await
        }
    }
}

async fn group(client: &mut Client, command: Group) -> Result<Value> {
    match command {
        Group::Create { name, internal } => {
            client.post("/groups", &json!({ "name": name, "externals": !internal })).await
        }
        Group::List => client.get("/groups").await,
        Group::Place(place) => self::place(client, "groups", place).await,
    }
}

async fn thread(client: &mut Client, command: Thread) -> Result<Value> {
    match command {
        Thread::Start { subject, groups, people } => {
            client.post("/threads", &json!({ "subject": subject, "groups": groups, "people": people })).await
        }
        Thread::List => client.get("/threads").await,
        Thread::AddGroup { id, group } => {
            client.post(&format!("/threads/{id}/groups"), &json!({ "group": group })).await
        }
        Thread::RemoveGroup { id, group } => {
            client.call(Method::DELETE, &format!("/threads/{id}/groups/{group}"), None).await
        }
        Thread::Why { id } => client.get(&format!("/threads/{id}/why")).await,
        Thread::Place(place) => self::place(client, "threads", place).await,
    }
}

async fn place(client: &mut Client, kind: &str, command: Place) -> Result<Value> {
    match command {
        Place::Show { id } => client.get(&format!("/{kind}/{id}")).await,
        Place::Members { id } => client.get(&format!("/{kind}/{id}/members?limit=200")).await,
        Place::Add { id, address, grade, history } => {
            let body = json!({ "address": address, "grade": grade, "history": history });
            client.post(&format!("/{kind}/{id}/members"), &body).await
        }
        Place::Remove { id, user, everywhere } => {
            let members = format!("/{kind}/{id}/members");
            let user = person(client, &members, "members", &user).await?;
            client.call(Method::DELETE, &format!("{members}/{user}?everywhere={everywhere}"), None).await
        }
        Place::Leave { id } => client.post(&format!("/{kind}/{id}/leave"), &json!({})).await,
        Place::End { id } => client.call(Method::DELETE, &format!("/{kind}/{id}"), None).await,
    }
}

async fn invite(client: &mut Client, command: Invite) -> Result<Value> {
    match command {
        Invite::List => client.get("/invitations").await,
        Invite::Accept { id } => client.post(&format!("/invitations/{id}/accept"), &json!({})).await,
        Invite::Decline { id } => client.post(&format!("/invitations/{id}/decline"), &json!({})).await,
    }
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
