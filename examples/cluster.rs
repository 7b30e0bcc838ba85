//! Three workspaces in one process through the library: peering, a shared group, a removal. `cargo run --example cluster`
#![allow(clippy::unwrap_used, reason = "an example stops at the first surprise")]

use std::{net::UdpSocket, sync::Arc};

use comity::{
    crypto::sha256,
    federation,
    ids::{ScopeId, SubmissionId, UserId},
    node::{Node, Snapshot, identity},
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

struct Workspace {
    node: Node,
    endpoint: String,
    person: UserId,
    address: String,
    _dir: tempfile::TempDir,
}

impl Workspace {
    async fn start(name: &str, person: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (endpoint, domain) = (listen.to_string(), format!("{name}.example"));
        identity::init(dir.path(), name, &domain, vec![endpoint.clone()]).unwrap();
        let node = Node::start(dir.path()).unwrap();
        node.boot().await.unwrap();
        federation::start(&node.handle, &node.tls, listen).unwrap();
        let add = Command::AddUser { local: person.into(), name: person.into(), role: Role::Admin };
        let Reply::User(id) = node.handle.ask(add).await.unwrap() else { unreachable!() };
        Self { node, endpoint, person: id, address: format!("{person}@{domain}"), _dir: dir }
    }

    async fn ask(&self, command: Command) -> Reply {
        self.node.handle.ask(command).await.unwrap()
    }

    async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        self.node.handle.watch().wait_for(|view| wanted(view)).await.unwrap().clone()
    }
}

/// Both admins agree: one gives a ticket, the other redeems it, the first approves.
async fn peer(a: &Workspace, b: &Workspace) {
    let (id_a, id_b) = (a.node.handle.me(), b.node.handle.me());
    let secret = Blob::from(sha256(&[&id_a.0, &id_b.0]).0.to_vec());
    a.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
    b.ask(Command::RedeemTicket { peer: id_a, endpoints: vec![a.endpoint.clone()], secret }).await;
    let is =
        |id, status| move |view: &Snapshot| view.state.peers.get(&id).is_some_and(|row| row.status == status);
    a.until(is(id_b, PeerStatus::Waiting)).await;
    a.ask(Command::Approve(id_b)).await;
    b.until(is(id_a, PeerStatus::Active)).await;
}

/// Invites the person of `b` into a group of `a`, who accepts.
async fn join(a: &Workspace, scope: ScopeId, b: &Workspace) {
    let (address, grade, floor) = (b.address.clone(), Grade::Post, Floor::All);
    a.ask(Command::Act(a.person, Action::Invite { scope, address, grade, floor, until: None })).await;
    let view = b.until(|view| view.state.received.values().any(|row| row.invite.scope == scope)).await;
    let id = view.state.received.values().find(|row| row.invite.scope == scope).unwrap().invite.id;
    b.ask(Command::AnswerInvite(b.person, id, true)).await;
    b.until(|view| gate::sees_scope(&view.state, b.person, scope)).await;
}

#[tokio::main]
async fn main() {
    let acme = Workspace::start("acme", "alice").await;
    let globex = Workspace::start("globex", "bob").await;
    let initech = Workspace::start("initech", "carol").await;
    peer(&acme, &globex).await;
    peer(&acme, &initech).await;
    println!("three workspaces, peered by ticket");

    let off = false;
    let settings = Settings {
        name: "Launch".into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    };
    let Reply::Scope(group, _) = acme.ask(Command::CreateGroup(acme.person, settings)).await else {
        unreachable!()
    };
    join(&acme, group, &globex).await;
    join(&acme, group, &initech).await;
    let view = acme.node.handle.snapshot();
    let chat = *view.state.addressed.get(&group.group().unwrap()).unwrap().iter().next().unwrap();
    println!("bob and carol are in acme's group {group}");

    let (id, text) = (SubmissionId([1; 16]), "hello from globex".to_owned());
    let (author, kind) = (globex.person, EntryKind::Message);
    globex.until(|view| gate::reaches(&view.state, author, chat)).await;
    globex.ask(Command::Post { author, thread: chat, id, kind, target: None, text, mentions: vec![] }).await;
    let carol = initech.person;
    let shown = |view: &Snapshot| gate::paths(&view.state, carol, chat).iter().any(|path| path.shows(1));
    let view = initech.until(shown).await;
    let body = view.stored(chat, 1).unwrap().body.unwrap();
    println!("carol of initech reads: {}", Body::parse(&body.body).unwrap().text);

    let user = globex.person;
    acme.ask(Command::Act(acme.person, Action::Remove { scope: group, user, everywhere: true })).await;
    globex.until(|view| !gate::reaches(&view.state, user, chat)).await;
    let gone = globex.node.handle.snapshot().stored(chat, 1).is_none();
    println!("bob was removed; globex still holds the message: {}", if gone { "no" } else { "yes" });
    for workspace in [acme, globex, initech] {
        workspace.node.stop().await;
    }
}
