//! The same flood through the library, two nodes in this process: what the API costs is the difference.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::measure::{now, rounded};
use crate::{
    crypto::sha256,
    federation,
    ids::{GroupId, ScopeId, SubmissionId, ThreadId, UserId},
    node::{Handle, Node, Snapshot, identity},
    protocol::{
        Command, Reply, gate, recovery,
        row::{InviteStatus, PeerStatus, Role},
    },
    time::Millis,
    wire::{
        Blob,
        objects::{Action, EntryKind, Floor, Grade, Settings},
    },
};

/// Texts that are on the way at a time.
const IN_FLIGHT: usize = 64;
/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A node of this process, with one user.
pub(super) struct Side {
    pub(super) node: Node,
    pub(super) address: String,
    pub(super) user: UserId,
    _dir: tempfile::TempDir,
}

/// A node that says it is reached at `endpoint`; else where it listens.
pub(super) async fn side(name: &str, endpoint: Option<String>) -> Result<Side> {
    let dir = tempfile::tempdir()?;
    let listen = crate::demo::cluster::free_udp()?;
    let endpoint = endpoint.unwrap_or_else(|| listen.to_string());
    identity::init(dir.path(), name, &format!("{name}.example"), vec![endpoint])?;
    let node = Node::start(dir.path())?;
    node.boot().await?;
    federation::start(&node.handle, &node.tls, listen)?;
    let add = Command::AddUser { local: "user".into(), name: "User".into(), role: Role::Admin };
    let Reply::User(user) = node.handle.ask(add).await? else { bail!("no user") };
    Ok(Side { node, address: format!("user@{name}.example"), user, _dir: dir })
}

/// Waits for a view that is as wanted.
pub(super) async fn until(handle: &Handle, wanted: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>> {
    let mut view = handle.watch();
    let seen = view.wait_for(|snapshot| wanted(snapshot));
    Ok(tokio::time::timeout(PATIENCE, seen).await.context("waited in vain")??.clone())
}

/// The user of a node takes every invitation from now on.
pub(super) fn accept_all(side: &Side) {
    let (handle, user) = (side.node.handle.clone(), side.user);
    side.node.handle.tasks().spawn(async move {
        let mut view = handle.watch();
        loop {
            let snapshot = view.now();
            let open = snapshot.state.received.values().filter(|row| row.status == InviteStatus::Sent);
            let open: Vec<_> = open.map(|row| row.invite.id).collect();
            for invite in open {
                if let Err(error) = handle.ask(Command::AnswerInvite(user, invite, true)).await {
                    tracing::warn!(%error, "an invitation was not accepted");
                }
            }
            if view.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Peers the two.
pub(super) async fn peer(a: &Side, b: &Side) -> Result<()> {
    let (at_a, at_b) = (&a.node.handle, &b.node.handle);
    let secret = Blob::from(vec![7; 32]);
    at_a.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await?;
    let endpoints = vec![
        a.node.handle.snapshot().state.homes.get(&at_a.me()).map(|home| home.manifest.endpoints.clone()),
    ];
    let endpoints = endpoints.into_iter().flatten().flatten().collect();
    at_b.ask(Command::RedeemTicket { peer: at_a.me(), endpoints, secret }).await?;
    let status =
        |of, status| move |view: &Snapshot| view.state.peers.get(&of).is_some_and(|row| row.status == status);
    until(at_a, status(at_b.me(), PeerStatus::Waiting)).await?;
    at_a.ask(Command::Approve(at_b.me())).await?;
    until(at_b, status(at_a.me(), PeerStatus::Active)).await?;
    // Both have just started: nothing is signed or served before the two have compared.
    let compared = |of| move |view: &Snapshot| recovery::is_compared(&view.state, of);
    until(at_a, compared(at_b.me())).await?;
    until(at_b, compared(at_a.me())).await?;
    Ok(())
}

/// A group of a node's user.
pub(super) async fn group(of: &Side, name: &str) -> Result<ScopeId> {
    let off = false;
    let settings = Settings {
        name: name.into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    };
    match of.node.handle.ask(Command::CreateGroup(of.user, settings)).await? {
        Reply::Scope(group, _) => Ok(group),
        other => bail!("no group: {other:?}"),
    }
}

/// Peers the two, and makes a group at the first one with the user of the second.
async fn acquaint(a: &Side, b: &Side) -> Result<ThreadId> {
    peer(a, b).await?;
    let (at_a, at_b) = (&a.node.handle, &b.node.handle);
    let group = group(a, "Flood").await?;
    let (grade, floor) = (Grade::Post, Floor::All);
    let invite = Action::Invite { scope: group, address: b.address.clone(), grade, floor, until: None };
    at_a.ask(Command::Act(a.user, invite)).await?;
    let seen = until(at_b, |view| !view.state.received.is_empty()).await?;
    let (invite, _) = seen.state.received.keys().next().copied().context("no invitation")?;
    at_b.ask(Command::AnswerInvite(b.user, invite, true)).await?;
    let chat = chat(&at_a.snapshot(), group.group().context("no group")?).context("no chat")?;
    until(at_b, |view| gate::reaches(&view.state, b.user, chat)).await?;
    Ok(chat)
}

fn chat(view: &Snapshot, group: GroupId) -> Option<ThreadId> {
    view.state.addressed.get(&group)?.iter().next().copied()
}

/// Messages per second from the first request until the second node may show the last one.
pub(super) async fn throughput(count: usize) -> Result<Value> {
    let (a, b) = (side("acme", None).await?, side("globex", None).await?);
    let chat = acquaint(&a, &b).await?;
    let (next, begin) = (Arc::new(AtomicUsize::new(0)), now());
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (handle, next, author) = (a.node.handle.clone(), next.clone(), a.user);
        workers.spawn(async move {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, anyhow::Error>(());
                }
                let mut id = [0; 16];
                id.iter_mut().zip(u64::try_from(at)?.to_be_bytes()).for_each(|(to, from)| *to = from);
                let (id, kind, text) = (SubmissionId(id), EntryKind::Message, "x".repeat(256));
                let post =
                    Command::Post { author, thread: chat, id, kind, target: None, text, mentions: vec![] };
                handle.ask(post).await?;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let last = u64::try_from(count)?;
    let shown = |view: &Snapshot| gate::paths(&view.state, b.user, chat).iter().any(|path| path.shows(last));
    until(&b.node.handle, shown).await?;
    let rate = f64::from(u32::try_from(count)?) / begin.elapsed().as_secs_f64();
    a.node.stop().await;
    b.node.stop().await;
    Ok(json!({ "messages_per_second": rounded(rate), "in_flight": IN_FLIGHT }))
}
