//! Real nodes in one process over real QUIC on loopback: peering, membership, content, restart, removal (spec 8, 9).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use comity::{
    crypto::sha256,
    federation,
    ids::{Hash, InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    node::{
        Handle, Node, Snapshot,
        identity::{self, Rotate},
    },
    protocol::{
        Command, Records as _, Reply, gate,
        row::{PeerStatus, Role},
    },
    time::Millis,
    wire::{
        Blob, Body,
        objects::{Action, EntryKind, Floor, Grade, Settings},
    },
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

struct Workspace {
    dir: TempDir,
    address: SocketAddr,
    node: Option<Node>,
    id: WorkspaceId,
}

impl Workspace {
    async fn new(name: &str) -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_port());
        let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        let domain = format!("{name}.example");
        let home = identity::init(dir.path(), name, &domain, vec![address.to_string()]).unwrap();
        let mut workspace = Self { dir, address, node: None, id: home.id };
        workspace.start().await;
        workspace
    }

    async fn start(&mut self) {
        let node = Node::start(self.dir.path()).unwrap();
        node.boot().await.unwrap();
        // The socket of a node that stopped is closed a moment later.
        let bound = async {
            while federation::start(&node.handle, &node.tls, self.address).is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, bound).await.unwrap();
        self.node = Some(node);
    }

    async fn stop(&mut self) {
        self.node.take().unwrap().stop().await;
    }

    fn handle(&self) -> &Handle {
        &self.node.as_ref().unwrap().handle
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn ask(&self, command: Command) -> Reply {
        self.handle().ask(command).await.unwrap()
    }

    async fn user(&self, local: &str) -> UserId {
        match self.ask(Command::AddUser { local: local.into(), name: local.into(), role: Role::Member }).await
        {
            Reply::User(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the view is as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut view = self.handle().watch();
        let seen = async { view.wait_for(|snapshot| wanted(snapshot)).await.unwrap().clone() };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    async fn post(&self, author: UserId, thread: ThreadId, n: u64, text: &str) -> Reply {
        let id = SubmissionId(sha256(&[&author.home().0, &n.to_be_bytes()]).0[..16].try_into().unwrap());
        let (kind, text) = (EntryKind::Message, text.to_owned());
        self.ask(Command::Post { author, thread, id, kind, target: None, text, mentions: vec![] }).await
    }
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Both sides active.
async fn peer(a: &Workspace, b: &Workspace) {
    let secret = Blob::from(vec![7; 32]);
    a.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
    b.ask(Command::RedeemTicket { peer: a.id, endpoints: vec![a.address.to_string()], secret }).await;
    let status = |of: WorkspaceId, status: PeerStatus| {
        move |snapshot: &Snapshot| snapshot.state.peers.get(&of).is_some_and(|row| row.status == status)
    };
    a.until("the request", status(b.id, PeerStatus::Waiting)).await;
    a.ask(Command::Approve(b.id)).await;
    b.until("the approval", status(a.id, PeerStatus::Active)).await;
}

fn settings(name: &str) -> Settings {
    let off = false;
    Settings {
        name: name.into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
    }
}

/// A group at `a` with a member of `b`; the group's id and its chat.
async fn shared_group(a: &Workspace, alice: UserId, b: &Workspace, bob: UserId) -> (ScopeId, ThreadId) {
    let Reply::Scope(group, _) = a.ask(Command::CreateGroup(alice, settings("Project"))).await else {
        panic!()
    };
    let address = "bob@globex.example".into();
    let (grade, floor) = (Grade::Post, Floor::All);
    a.ask(Command::Act(alice, Action::Invite { scope: group, address, grade, floor, until: None })).await;
    let seen = b.until("the invitation", |snapshot| !snapshot.state.received.is_empty()).await;
    let invite: InviteId = seen.state.received.keys().next().unwrap().0;
    b.ask(Command::AnswerInvite(bob, invite, true)).await;
    b.until("the group", |snapshot| gate::sees_scope(&snapshot.state, bob, group)).await;
    let chat = a.handle().snapshot().state.addressed[&group.group().unwrap()].iter().next().copied().unwrap();
    b.until("the chat", |snapshot| snapshot.state.scope(chat).is_some()).await;
    (group, chat)
}

/// What the user is shown of a thread.
fn reads(snapshot: &Snapshot, user: UserId, thread: ThreadId) -> Vec<String> {
    let paths = gate::paths(&snapshot.state, user, thread);
    let high = snapshot.state.logs.get(&thread).map_or(0, |log| log.high);
    let shown = (1..=high).filter(|seq| paths.iter().any(|path| path.shows(*seq)));
    let bodies = shown.filter_map(|seq| snapshot.stored(thread, seq)?.body);
    bodies.map(|sealed| Body::parse(&sealed.body).unwrap().text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_talk_break_and_part() {
    let (a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.user("alice").await, b.user("bob").await);
    peer(&a, &b).await;
    let (group, chat) = shared_group(&a, alice, &b, bob).await;

    assert_eq!(a.post(alice, chat, 1, "one").await, Reply::Posted(1));
    b.until("one", |snapshot| reads(snapshot, bob, chat) == ["one"]).await;
    assert_eq!(b.post(bob, chat, 1, "two").await, Reply::Pending(a.id));
    a.until("two", |snapshot| reads(snapshot, alice, chat) == ["one", "two"]).await;
    let settled =
        |snapshot: &Snapshot| snapshot.state.outbox.is_empty() && reads(snapshot, bob, chat).len() == 2;
    b.until("the answer", settled).await;

    b.stop().await;
    for n in 2..=600 {
        a.post(alice, chat, n, &format!("away {n}")).await;
    }
    b.start().await;
    let all = |snapshot: &Snapshot| reads(snapshot, bob, chat).len() == 601;
    b.until("catching up by itself", all).await;

    let everywhere = true;
    a.ask(Command::Act(alice, Action::Remove { scope: group, user: bob, everywhere })).await;
    b.until("P7.2: the removed reads nothing", |snapshot| reads(snapshot, bob, chat).is_empty()).await;
    let receipt = |snapshot: &Snapshot| {
        snapshot.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    a.until("P7.6: the receipt", receipt).await;
    assert!(b.handle().snapshot().stored(chat, 1).is_none(), "P7.3: the copy is deleted");
    assert!(b.path().exists());
    b.stop().await;
}

/// P7.5, P8.1: the end waits for a peer that is away; it takes it and confirms it when it connects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_peering_reaches_a_peer_that_was_away() {
    let (a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.user("alice").await, b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    a.post(alice, chat, 1, "one").await;
    b.until("one", |snapshot| reads(snapshot, bob, chat) == ["one"]).await;
    b.stop().await;
    a.ask(Command::EndPeer(alice, b.id)).await;
    a.post(alice, chat, 2, "two").await;
    b.start().await;
    let ended = |snapshot: &Snapshot| snapshot.state.peers[&a.id].status == PeerStatus::Ended;
    let seen = b.until("the end", ended).await;
    assert!(!gate::reaches(&seen.state, bob, chat) && seen.stored(chat, 1).is_none(), "no access, no copy");
    let receipt = |snapshot: &Snapshot| {
        snapshot.state.removals.values().all(|removal| removal.homes.iter().all(|(_, at)| at.is_some()))
    };
    let seen = a.until("P7.6: the receipt", receipt).await;
    assert_eq!(seen.state.removals.len(), 1);
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_an_owner_that_is_away() {
    let (mut a, b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.user("alice").await, b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    a.stop().await;
    for n in 1..=50 {
        assert_eq!(b.post(bob, chat, n, &n.to_string()).await, Reply::Pending(a.id));
    }
    a.start().await;
    let expected: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    a.until("the outbox in order", |snapshot| reads(snapshot, alice, chat) == expected).await;
    b.until("an empty outbox", |snapshot| {
        snapshot.state.outbox.is_empty() && reads(snapshot, bob, chat) == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_learns_nothing_and_a_wrong_ticket_is_refused() {
    let (a, b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let secret = Blob::from(vec![9; 32]);
    b.ask(Command::RedeemTicket { peer: a.id, endpoints: vec![a.address.to_string()], secret }).await;
    let mut links = b.handle().links();
    let failed = links.wait_for(|links| links.get(&a.id).is_some_and(|link| link.error.is_some()));
    let error =
        tokio::time::timeout(PATIENCE, failed).await.unwrap().unwrap()[&a.id].error.clone().unwrap().1;
    assert!(error.contains("ticket"), "{error}");
    assert!(a.handle().snapshot().state.peers.is_empty());
    assert!(!b.handle().snapshot().state.homes.contains_key(&a.id), "the stranger learned who is there");
    assert_ne!(a.id.0, Hash::ZERO.0);
}

/// Both write, both read both.
async fn both_ways(a: &Workspace, alice: UserId, b: &Workspace, bob: UserId, chat: ThreadId, n: u64) {
    let (from_a, from_b) = (format!("a{n}"), format!("b{n}"));
    a.post(alice, chat, n, &from_a).await;
    b.post(bob, chat, n, &from_b).await;
    let has = |texts: &[String]| texts.contains(&from_a) && texts.contains(&from_b);
    a.until(&from_b, |snapshot| has(&reads(snapshot, alice, chat))).await;
    b.until(&from_a, |snapshot| has(&reads(snapshot, bob, chat))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_rotated_while_peers_are_connected_and_while_they_are_away() {
    let (mut a, mut b) = (Workspace::new("acme").await, Workspace::new("globex").await);
    let (alice, bob) = (a.user("alice").await, b.user("bob").await);
    peer(&a, &b).await;
    let (_, chat) = shared_group(&a, alice, &b, bob).await;
    let keys = [Rotate::Sign { revoke: false }, Rotate::Tls, Rotate::Root, Rotate::Sign { revoke: true }];
    for (n, which) in (1..).zip(keys) {
        identity::rotate_running(a.handle(), a.path(), which).await.unwrap();
        let revision = |snapshot: &Snapshot| snapshot.state.homes[&a.id].manifest.revision == n;
        b.until("the new manifest", revision).await;
        both_ways(&a, alice, &b, bob, chat, n).await;
    }
    b.stop().await;
    identity::rotate_running(a.handle(), a.path(), Rotate::Tls).await.unwrap();
    identity::rotate_running(a.handle(), a.path(), Rotate::Tls).await.unwrap();
    a.stop().await;
    identity::rotate(a.path(), Rotate::Sign { revoke: false }).unwrap();
    a.start().await;
    b.start().await;
    both_ways(&a, alice, &b, bob, chat, 9).await;
    b.stop().await;
    identity::rotate(b.path(), Rotate::Tls).unwrap();
    b.start().await;
    both_ways(&a, alice, &b, bob, chat, 10).await;
}
