//! Real nodes in one process, for tests: federation over QUIC and the API over HTTP, both on loopback.
//!
//! Duty: starting, stopping, peering, waiting for a view. Never: a rule that a test is to prove.
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod contract;
pub(crate) mod http;
pub(crate) mod raw;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use comity::{
    api,
    cli::client::Client,
    crypto::sha256,
    federation,
    ids::{InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    node::{Handle, Node, Snapshot, identity, realm},
    protocol::{
        Command, Records as _, Reply, account, gate,
        row::{Home, PeerStatus, Role},
    },
    time::Millis,
    wire::{
        Blob, Body,
        objects::{Action, EntryKind, Floor, Grade, Settings},
    },
};
use http::Checked;
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A workspace with its node: `acme` has the domain `acme.example`.
pub(crate) struct Workspace {
    pub(crate) dir: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) node: Option<Node>,
    /// The realm of free accounts that it hosts, if it does.
    pub(crate) realm: Option<Node>,
    hosts: bool,
    pub(crate) id: WorkspaceId,
    /// Where the API listens.
    pub(crate) host: String,
    /// The token of the first admin, `alice`.
    pub(crate) admin: String,
    /// Its identity as it began.
    pub(crate) home: Home,
    /// Where its journal lies, if it keeps one.
    pub(crate) journal: Option<PathBuf>,
}

impl Workspace {
    pub(crate) async fn new(name: &str) -> Self {
        let mut workspace = Self::asleep(name);
        workspace.start().await;
        workspace
    }

    /// With a realm of free accounts.
    pub(crate) async fn hosting(name: &str) -> Self {
        let mut workspace = Self { hosts: true, ..Self::asleep(name) };
        workspace.start().await;
        workspace
    }

    /// Its folder and its identity, without a node that runs.
    pub(crate) fn asleep(name: &str) -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_port());
        let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        let domain = format!("{name}.example");
        let home = identity::init(dir.path(), name, &domain, vec![address.to_string()]).unwrap();
        let admin = identity::first_admin(dir.path(), "alice").unwrap().unwrap();
        Self {
            dir,
            address,
            node: None,
            realm: None,
            hosts: false,
            id: home.id,
            host: String::new(),
            admin,
            home,
            journal: None,
        }
    }

    pub(crate) async fn start(&mut self) {
        let node = Node::with_journal(self.dir.path(), self.journal.as_deref()).unwrap();
        node.boot().await.unwrap();
        // The socket of a node that stopped is closed a moment later.
        let bound = async {
            while federation::start(&node.handle, &node.tls, self.address).is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, bound).await.unwrap();
        if self.hosts {
            let hosted = realm::start(&realm::folder(self.dir.path()), &self.home.manifest, None).unwrap();
            hosted.boot().await.unwrap();
            let at = federation::start(&hosted.handle, &hosted.tls, "127.0.0.1:0".parse().unwrap()).unwrap();
            realm::join((&node.handle, self.address), (&hosted.handle, at)).await.unwrap();
            self.realm = Some(hosted);
        }
        let realm = self.realm.as_ref().map(|realm| &realm.handle);
        let listens = api::start(&node.handle, realm, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        self.host = listens.to_string();
        self.node = Some(node);
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(realm) = self.realm.take() {
            realm.stop().await;
        }
        self.node.take().unwrap().stop().await;
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.node.as_ref().unwrap().handle
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn client(&self, token: &str) -> Checked {
        Checked(Client::connect(&self.host, token).await.unwrap())
    }

    pub(crate) async fn ask(&self, command: Command) -> Reply {
        let until = tokio::time::Instant::now() + PATIENCE;
        self.handle().ask_checked(command, until).await.unwrap()
    }

    pub(crate) async fn user(&self, local: &str) -> UserId {
        match self.ask(Command::AddUser { local: local.into(), name: local.into(), role: Role::Member }).await
        {
            Reply::User(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// A user with a token.
    pub(crate) async fn person(&self, local: &str) -> (UserId, String) {
        let (user, token) = (self.user(local).await, format!("token of {local}"));
        self.ask(Command::OpenSession(account::full_token(user, account::token_hash(&token)))).await;
        (user, token)
    }

    /// The first admin.
    pub(crate) fn alice(&self) -> UserId {
        self.handle().snapshot().state.locals["alice"]
    }

    /// Waits until the view is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut view = self.handle().watch();
        let seen = async { view.wait_for(|snapshot| wanted(snapshot)).await.unwrap().clone() };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    pub(crate) async fn post(&self, author: UserId, thread: ThreadId, n: u64, text: &str) -> Reply {
        let id = SubmissionId(sha256(&[&author.home().0, &n.to_be_bytes()]).0[..16].try_into().unwrap());
        let (kind, text) = (EntryKind::Message, text.to_owned());
        self.ask(Command::Post { author, thread, id, kind, target: None, text, mentions: vec![] }).await
    }
}

/// A copy of a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

pub(crate) fn free_port() -> u16 {
    // Below the ports that systems give out by themselves: nobody else takes it before it is used. Test processes that
    // run at once begin far enough apart.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() * 50 % 12_000).unwrap_or(0);
    loop {
        let port = 20_000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Both sides active.
pub(crate) async fn peer(a: &Workspace, b: &Workspace) {
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

pub(crate) fn settings(name: &str) -> Settings {
    let off = false;
    Settings {
        name: name.into(),
        externals: true,
        open_invites: off,
        replies_off: off,
        locked: off,
        closed: off,
        open: off,
    }
}

/// A group; its id and its chat.
pub(crate) async fn group(a: &Workspace, alice: UserId, name: &str) -> (ScopeId, ThreadId) {
    let Reply::Scope(group, _) = a.ask(Command::CreateGroup(alice, settings(name))).await else { panic!() };
    let state = &a.handle().snapshot().state;
    (group, state.addressed[&group.group().unwrap()].iter().next().copied().unwrap())
}

/// A user of `b` accepts what `alice` at `a` invites him into. The invitation.
pub(crate) async fn admit(
    a: &Workspace,
    alice: UserId,
    scope: ScopeId,
    b: &Workspace,
    user: UserId,
    grade: Grade,
) -> InviteId {
    let address = format!("{}@{}", b.handle().snapshot().state.users[&user].local, domain(b));
    let invite = Action::Invite { scope, address, grade, floor: Floor::All, until: None };
    let Reply::Invited(invite) = a.ask(Command::Act(alice, invite)).await else { panic!() };
    let arrived = |snapshot: &Snapshot| snapshot.state.received.contains_key(&(invite, user));
    b.until("the invitation", arrived).await;
    b.ask(Command::AnswerInvite(user, invite, true)).await;
    b.until("the scope", |snapshot| gate::sees_scope(&snapshot.state, user, scope)).await;
    invite
}

pub(crate) fn domain(of: &Workspace) -> String {
    of.handle().snapshot().state.homes[&of.id].manifest.domain.clone()
}

/// A group at `a` with a member of `b`; the group's id and its chat.
pub(crate) async fn shared_group(
    a: &Workspace,
    alice: UserId,
    b: &Workspace,
    bob: UserId,
) -> (ScopeId, ThreadId) {
    let (group, chat) = group(a, alice, "Project").await;
    admit(a, alice, group, b, bob, Grade::Post).await;
    b.until("the chat", |snapshot| snapshot.state.scope(chat).is_some()).await;
    (group, chat)
}

/// What the user is shown of a thread.
pub(crate) fn reads(snapshot: &Snapshot, user: UserId, thread: ThreadId) -> Vec<String> {
    let paths = gate::paths(&snapshot.state, user, thread);
    let high = snapshot.state.logs.get(&thread).map_or(0, |log| log.high);
    let shown = (1..=high).filter(|seq| paths.iter().any(|path| path.shows(*seq)));
    let bodies = shown.filter_map(|seq| snapshot.stored(thread, seq)?.body);
    bodies.map(|sealed| Body::parse(&sealed.body).unwrap().text).collect()
}
