//! Workspaces without IO: cores, disks in memory, and links that lose what the seed says.

use std::collections::{BTreeMap, BTreeSet};

use comity::{
    crypto::{Random, SecretKey, sha256},
    ids::{FeedId, Hash, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    protocol::{
        Change, Command, Ctx, Mark, Records, Reject, Reply, State, command::RejectCode, decide, identity,
        lease, recovery, replica, row::Role, seal, serve, uptime::Uptime, witness,
    },
    time::{Boot, Millis},
    wire::{
        Blob, Body, Stored, cbor, envelope,
        frames::{ContentFrame, FeedFrame, Item, LeaseAsk, Witness},
        objects::{Extensions, Manifest, WorkspaceKind},
    },
};

/// The wall clock at the start.
const EPOCH: u64 = 1_800_000_000_000;

/// What a node has on disk.
#[derive(Clone, Default)]
pub struct Disk {
    pub content: BTreeMap<(ThreadId, u64), Stored>,
    pub events: BTreeMap<(ScopeId, u64, u64), Blob>,
    pub bases: BTreeMap<ScopeId, Blob>,
    pub feeds: BTreeMap<(WorkspaceId, u64), Blob>,
    submitted: BTreeMap<(WorkspaceId, SubmissionId), (ThreadId, u64)>,
}

impl Records for Disk {
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored> {
        self.content.get(&(thread, seq)).cloned()
    }
    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)> {
        self.submitted.get(&(home, id)).copied()
    }
    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64> {
        let entries = self.content.range((thread, 0)..=(thread, u64::MAX));
        let about = |stored: &Stored| {
            let body = stored.body.as_ref().and_then(|sealed| Body::parse(&sealed.body).ok());
            body.is_some_and(|body| body.target == Some(target))
        };
        entries.filter(|(_, stored)| about(stored)).map(|((_, seq), _)| *seq).collect()
    }
    fn feed(&self, peer: WorkspaceId, number: u64) -> Option<Blob> {
        self.feeds.get(&(peer, number)).cloned()
    }
    fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob> {
        self.events.get(&(scope, incarnation, epoch)).cloned()
    }
    fn events(&self, scope: ScopeId, epoch: u64) -> Vec<Blob> {
        let of_scope = self.events.range((scope, 0, 0)..=(scope, u64::MAX, u64::MAX));
        of_scope.filter(|((_, _, at), _)| *at >= epoch).map(|(_, bytes)| bytes.clone()).collect()
    }
    fn base(&self, scope: ScopeId) -> Option<Blob> {
        self.bases.get(&scope).cloned()
    }
}

/// What a backup holds.
#[derive(Clone)]
pub struct Backup {
    state: State,
    disk: Disk,
    journal: Vec<Mark>,
}

impl Backup {
    /// Whether the copy has the user in the scope.
    pub fn has(&self, scope: ScopeId, user: UserId) -> bool {
        self.state.scope(scope).is_some_and(|scope| scope.members.contains_key(&user))
    }
}

/// A workspace.
#[derive(Clone)]
pub struct Node {
    pub id: WorkspaceId,
    pub state: State,
    pub disk: Disk,
    key: SecretKey,
    pub journal: Vec<Mark>,
    /// What the randomness of the next command comes from.
    pub steps: u64,
    /// Milliseconds that passed, and how fast the clock of this machine counts them, in thousandths.
    pub time: u64,
    pub rate: u64,
    /// Per peer: journal position of the content pump, frames sent.
    pub cursors: BTreeMap<WorkspaceId, (usize, u64)>,
}

/// A request for a lease on its way: what it says, and when it left.
#[derive(Clone)]
pub struct Asked {
    pub ask: LeaseAsk,
    pub at: Boot,
}

/// A lease on its way behind the rows that it counts.
#[derive(Clone)]
pub struct Granted {
    pub nonce: Hash,
    pub at: Boot,
    pub counted: u64,
    pub lease: Blob,
}

impl Node {
    /// An object as this node signs it.
    pub fn sign<T: comity::wire::Object>(
        &self,
        object: T,
        audience: Option<WorkspaceId>,
    ) -> comity::wire::Verified<T> {
        envelope::sign(object, audience, &self.key)
    }

    pub fn new(name: &str) -> Self {
        let seed = |kind: &str| SecretKey::from_seed(&sha256(&[name.as_bytes(), kind.as_bytes()]).0);
        let (root, key, tls) = (seed("root"), seed("sign"), seed("tls"));
        let manifest = Manifest {
            revision: 0,
            previous: Hash::ZERO,
            kind: WorkspaceKind::Workspace,
            name: name.into(),
            domain: format!("{name}.example"),
            endpoints: vec!["127.0.0.1:1".into()],
            root: root.public(),
            sign: vec![key.public()],
            tls: vec![tls.public()],
            revoked: vec![],
            time: Millis(0),
            extensions: Extensions::default(),
        };
        let signed = envelope::sign(manifest, None, &root);
        let home = identity::verify_chain(None, std::slice::from_ref(signed.bytes())).unwrap();
        let mut state = State::default();
        let id = home.id;
        identity::found(home, tls.public()).iter().for_each(|change| state.apply(change));
        let (disk, journal, cursors) = (Disk::default(), Vec::new(), BTreeMap::new());
        Self { id, state, disk, key, journal, steps: 0, time: 0, rate: 1000, cursors }
    }

    /// The clock that leases go by.
    pub fn clock(&self) -> Boot {
        Boot(self.time * self.rate / 1000)
    }

    /// The state is read as of now.
    pub fn look(&mut self) {
        (self.state.uptime.now, self.state.uptime.wall) = (self.clock(), Millis(EPOCH + self.time));
    }

    /// One command, one commit.
    pub fn run(&mut self, command: Command) -> Result<Reply, Reject> {
        self.steps += 1;
        let now = Millis(EPOCH + self.time);
        let random =
            |step: u64, part: u8| Random::from_seed(sha256(&[&self.id.0, &step.to_be_bytes(), &[part]]).0);
        let boot = self.clock();
        let ctx = Ctx { now, boot, random: random(self.steps, 0), key: &self.key, records: &self.disk };
        let decision = decide(&self.state, command, ctx)?;
        let mut state = self.state.clone();
        decision.changes.iter().for_each(|change| state.apply(change));
        let touched: BTreeSet<ThreadId> = decision.changes.iter().filter_map(content_of).collect();
        let touched: Vec<_> = touched.into_iter().collect();
        let ctx = Ctx { now, boot, random: random(self.steps, 1), key: &self.key, records: &self.disk };
        let heads = seal(&state, &touched, ctx);
        heads.iter().for_each(|change| state.apply(change));
        self.state = state;
        self.look();
        decision.changes.into_iter().chain(heads).for_each(|change| self.keep(change));
        Ok(decision.reply)
    }

    /// A copy of everything that is on disk.
    pub fn backup(&self) -> Backup {
        Backup { state: self.state.clone(), disk: self.disk.clone(), journal: self.journal.clone() }
    }

    /// The root key of a node of this name.
    pub fn root(name: &str) -> SecretKey {
        SecretKey::from_seed(&sha256(&[name.as_bytes(), b"root"]).0)
    }

    /// Is as it was, without a start.
    pub fn restore(&mut self, from: Backup) {
        let Backup { state, disk, journal } = from;
        (self.state, self.disk, self.journal) = (state, disk, journal);
    }

    /// Starts again from a copy of the disk: the newest one, or an older.
    pub fn restart(&mut self, from: Backup) {
        let Backup { mut state, disk, journal } = from;
        state.uptime = Uptime::default();
        let end = journal.len();
        (self.state, self.disk, self.journal) = (state, disk, journal);
        self.cursors.values_mut().for_each(|(position, _)| *position = end);
        self.run(Command::Boot { trusted: true }).unwrap();
    }

    /// Goes on from a copy of the disk as if nothing had happened: without the check that a start makes.
    pub fn forget(&mut self, from: Backup) {
        self.restart(from);
        self.state.uptime.check = None;
    }

    /// An event of a scope, as it is on disk.
    pub fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Blob {
        self.disk.event(scope, incarnation, epoch).unwrap()
    }

    fn keep(&mut self, change: Change) {
        match change {
            Change::Content(stored) => {
                let at = (stored.entry.thread, stored.entry.seq);
                let old =
                    self.disk.submitted.insert((stored.entry.author.home(), stored.entry.submission), at);
                assert!(old.is_none_or(|old| old == at), "invariant 8: one entry per submission");
                self.disk.content.insert(at, stored);
            }
            Change::Redact(thread, seq) => {
                if let Some(stored) = self.disk.content.get_mut(&(thread, seq)) {
                    stored.body = None;
                }
            }
            Change::Purge(thread) => {
                self.disk.content.retain(|(of, _), _| *of != thread);
                self.disk.submitted.retain(|_, (of, _)| *of != thread);
            }
            Change::Truncate(thread, above) => {
                self.disk.content.retain(|(of, seq), _| *of != thread || *seq <= above);
                self.disk.submitted.retain(|_, (of, seq)| *of != thread || *seq <= above);
            }
            Change::Base(scope, bytes) => drop(self.disk.bases.insert(scope, bytes)),
            Change::Event { scope, incarnation, epoch, bytes, .. } => {
                let old = self.disk.events.insert((scope, incarnation, epoch), bytes.clone());
                assert!(old.is_none_or(|old| old == bytes), "invariant 4: one event per epoch");
            }
            Change::Feed { peer, number, item } => drop(self.disk.feeds.insert((peer, number), item)),
            Change::FeedTrim { peer, number } => {
                self.disk.feeds.retain(|(of, n), _| *of != peer || *n > number)
            }
            Change::Mark(mark) => self.journal.push(mark),
            Change::Put(_) | Change::Delete(_) | Change::Audit(_) | Change::Promise(_) => {}
        }
    }

    /// The time of the next command.
    pub fn next_time(&self) -> Millis {
        Millis(EPOCH + self.time)
    }

    /// Rows of the feed to a peer that it has not acknowledged.
    pub fn rows(&self, peer: WorkspaceId) -> Vec<Item> {
        let row = self.state.peers.get(&peer).unwrap();
        let rows = (row.acked + 1..=row.queued).map(|number| self.disk.feed(peer, number).unwrap());
        rows.map(|bytes| cbor::decode(&bytes).unwrap()).collect()
    }

    /// A new signing key; the manifests before name the old one.
    pub fn rotate(&mut self) {
        let home = self.state.homes.get(&self.id).unwrap().clone();
        let key = SecretKey::from_seed(&sha256(&[&self.id.0, &home.manifest.revision.to_be_bytes()]).0);
        let manifest = Manifest {
            revision: home.manifest.revision + 1,
            previous: home.hash,
            sign: vec![key.public()],
            time: self.next_time(),
            ..home.manifest.clone()
        };
        let signed = envelope::sign(manifest, None, &Self::root(&home.manifest.name));
        self.run(Command::Manifest(signed.bytes().clone())).unwrap();
        self.key = key;
    }

    pub fn user(&mut self, local: &str) -> UserId {
        let add = Command::AddUser { local: local.into(), name: local.into(), role: Role::Member };
        match self.run(add).unwrap() {
            Reply::User(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn chain(&self) -> Vec<Blob> {
        self.state.homes.get(&self.id).unwrap().chain.clone()
    }
}

fn content_of(change: &Change) -> Option<ThreadId> {
    match change {
        Change::Content(stored) => Some(stored.entry.thread),
        _ => None,
    }
}

/// Several workspaces, all peers of each other.
#[derive(Clone)]
pub struct Cluster {
    pub nodes: Vec<Node>,
}

impl Cluster {
    pub fn new(names: &[&str]) -> Self {
        let mut cluster = Self { nodes: names.iter().map(|name| Node::new(name)).collect() };
        for a in 0..names.len() {
            for b in a + 1..names.len() {
                cluster.peer(a, b);
            }
        }
        cluster
    }

    /// The first is a peer of each other one; they are none of each other.
    pub fn around(names: &[&str]) -> Self {
        let mut cluster = Self { nodes: names.iter().map(|name| Node::new(name)).collect() };
        (1..names.len()).for_each(|other| cluster.peer(0, other));
        cluster
    }

    /// Both ways between all that are peers.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = (0..self.nodes.len()).flat_map(|a| (0..self.nodes.len()).map(move |b| (a, b)));
        all.filter(|(a, b)| self.nodes[*a].state.peers.contains_key(&self.nodes[*b].id)).collect()
    }

    fn peer(&mut self, a: usize, b: usize) {
        let (ticket, chain_a, chain_b) =
            (Blob::from(vec![7; 32]), self.nodes[a].chain(), self.nodes[b].chain());
        let (id_a, id_b) = (self.nodes[a].id, self.nodes[b].id);
        self.nodes[a].run(Command::OpenTicket(sha256(&[&ticket]), Millis(u64::MAX))).unwrap();
        let redeem = Command::RedeemTicket { peer: id_a, endpoints: vec![], secret: ticket.clone() };
        self.nodes[b].run(redeem).unwrap();
        self.nodes[a].run(Command::PeerRequest { manifests: chain_b, secret: ticket }).unwrap();
        self.nodes[b].run(Command::Manifests(chain_a)).unwrap();
        self.nodes[a].run(Command::Approve(id_b)).unwrap();
        self.nodes[b].run(Command::PeerApproved(id_a)).unwrap();
    }

    /// Control rows a -> b; `lossy`: the acknowledgement gets lost.
    pub fn feed(&mut self, a: usize, b: usize, lossy: bool) -> bool {
        self.feed_to(a, b, u64::MAX, lossy)
    }

    /// The same, but no row beyond `most`.
    pub fn feed_to(&mut self, a: usize, b: usize, most: u64, lossy: bool) -> bool {
        let (from, to) = (self.nodes[a].id, self.nodes[b].id);
        let row = self.nodes[a].state.peers.get(&to).unwrap().clone();
        if !recovery::feeds(&self.nodes[a].state, to) {
            return false;
        }
        let numbers = row.acked + 1..=row.queued.min(row.acked + 5).min(most);
        let items: Vec<Blob> = numbers.filter_map(|n| self.nodes[a].disk.feed(to, n)).collect();
        if items.is_empty() {
            // An empty frame shows where the feed stands: who was restored compares (spec 9.3, 9.6).
            let inbound = self.nodes[b].state.peers[&from].inbound;
            if inbound.is_some_and(|(feed, number, _)| feed == row.feed && number >= row.acked) {
                return false;
            }
            let frame = FeedFrame { feed: row.feed, first: row.acked + 1, items };
            if self.nodes[b].run(Command::Feed(from, frame)).is_err() {
                self.compare(a, b);
            }
            return true;
        }
        let last = row.acked + u64::try_from(items.len()).unwrap();
        let frame = FeedFrame { feed: row.feed, first: row.acked + 1, items };
        match self.nodes[b].run(Command::Feed(from, frame)) {
            Ok(_) if lossy => {}
            Ok(_) => drop(self.nodes[a].run(Command::FeedAcked(to, row.feed, last)).unwrap()),
            Err(reject) if reject.code == RejectCode::FeedGap => self.compare(a, b),
            Err(reject) => panic!("a feed must not stall: {reject}"),
        }
        true
    }

    /// One row by hand, as the next of the feed that is held.
    pub fn say(&mut self, a: usize, b: usize, item: &Item) {
        let from = self.nodes[a].id;
        let own = FeedId(sha256(&[&from.0]).0[..16].try_into().unwrap());
        let (feed, number) = self.nodes[b].state.peers[&from].inbound.map_or((own, 0), |at| (at.0, at.1));
        let frame = FeedFrame { feed, first: number + 1, items: vec![cbor::encode(item).into()] };
        self.nodes[b].run(Command::Feed(from, frame)).unwrap();
    }

    /// Time passes for everybody.
    pub fn pass(&mut self, millis: u64) {
        for node in &mut self.nodes {
            node.time += millis;
            node.run(Command::Tick).unwrap();
        }
    }

    /// Time passes, and no node has looked at its clock.
    pub fn wait(&mut self, millis: u64) {
        for node in &mut self.nodes {
            node.time += millis;
            node.look();
        }
    }

    /// b asks a for a lease; `late`: the answer takes so long. It travels behind the rows that it counts.
    pub fn lease(&mut self, a: usize, b: usize, late: u64) {
        let Some(asked) = self.ask(a, b) else { return };
        let Some(granted) = self.answer(a, b, &asked) else { return };
        if late > 0 {
            self.pass(late);
        }
        while self.lacks(a, b, granted.counted) {
            assert!(self.feed(a, b, false), "rows that a lease counts are there");
        }
        self.grant(a, b, granted);
    }

    /// What b asks a, if it follows anything of a.
    pub fn ask(&mut self, a: usize, b: usize) -> Option<Asked> {
        let (owner, follower) = (self.nodes[a].id, self.nodes[b].id);
        let row = self.nodes[b].state.peers.get(&owner).unwrap().clone();
        lease::shortest(&self.nodes[b].state, owner)?;
        let (feed, number, hash) = row.inbound?;
        self.nodes[b].steps += 1;
        let (nonce, at) = (sha256(&[&follower.0, &self.nodes[b].steps.to_be_bytes()]), self.nodes[b].clock());
        let settled = row.acked == row.queued;
        let roster = settled.then(|| lease::roster(&self.nodes[b].state, owner, follower));
        Some(Asked { ask: LeaseAsk { nonce, feed, number, hash, roster }, at })
    }

    /// a's answer; without a lease it is a comparison, or nothing yet.
    pub fn answer(&mut self, a: usize, b: usize, asked: &Asked) -> Option<Granted> {
        let follower = self.nodes[b].id;
        match self.nodes[a].run(Command::LeaseAsked(follower, asked.ask.clone())) {
            Ok(Reply::Lease(counted, lease)) => {
                Some(Granted { nonce: asked.ask.nonce, at: asked.at, counted, lease })
            }
            Ok(other) => panic!("{other:?}"),
            Err(reject) if reject.code == RejectCode::FeedGap => {
                self.compare(a, b);
                None
            }
            Err(reject) => {
                assert!(matches!(reject.code, RejectCode::PeerInactive | RejectCode::Checking), "{reject}");
                None
            }
        }
    }

    /// Whether b has yet to take rows of a up to this one.
    pub fn lacks(&self, a: usize, b: usize, counted: u64) -> bool {
        let inbound = self.nodes[b].state.peers[&self.nodes[a].id].inbound;
        inbound.is_some_and(|(_, number, _)| number < counted)
    }

    /// a's lease arrives at b.
    pub fn grant(&mut self, a: usize, b: usize, granted: Granted) {
        let Granted { nonce, at: asked, lease, .. } = granted;
        let owner = self.nodes[a].id;
        if let Err(reject) = self.nodes[b].run(Command::LeaseGranted { owner, nonce, asked, lease }) {
            assert_eq!(reject.code, RejectCode::FeedGap);
            self.compare(a, b);
        }
    }

    /// a has started and asks b what it holds; whether it had to.
    pub fn recall(&mut self, a: usize, b: usize) -> bool {
        let Some(frames) = self.witness(a, b) else { return false };
        self.hear(a, b, frames);
        true
    }

    /// What b tells a, if a has to ask.
    pub fn witness(&self, a: usize, b: usize) -> Option<Vec<Witness>> {
        let (owner, follower) = (self.nodes[a].id, self.nodes[b].id);
        let theirs = witness::own(&self.nodes[a].state);
        let asks = recovery::needs_word(&self.nodes[a].state, follower);
        asks.then(|| witness::answer(&self.nodes[b].state, &self.nodes[b].disk, owner, &theirs))
    }

    /// b's answer arrives at a.
    pub fn hear(&mut self, a: usize, b: usize, frames: Vec<Witness>) {
        let (owner, follower) = (self.nodes[a].id, self.nodes[b].id);
        self.nodes[b].run(Command::Comparing(owner)).unwrap();
        let mut held = Vec::new();
        for frame in frames {
            held.extend(frame.scopes.clone());
            self.nodes[a].run(Command::Witness(follower, frame)).unwrap();
        }
        self.nodes[a].run(Command::Compared(follower, held)).unwrap();
        let number = self.nodes[a].cursors.get(&follower).map_or(0, |(_, number)| *number);
        self.nodes[b].run(Command::ContentReset(owner, number)).unwrap();
    }

    /// Every follower of every owner asks.
    pub fn leases(&mut self) {
        self.pass(0);
        for (a, b) in self.pairs() {
            self.lease(a, b, 0);
        }
    }

    /// b hears a's newest manifests, as with each greeting.
    pub fn greet(&mut self, a: usize, b: usize) {
        let chain = self.nodes[a].chain();
        self.nodes[b].run(Command::Manifests(chain)).unwrap();
    }

    /// b says what it holds of a's scopes, and gets a new feed.
    pub fn compare(&mut self, a: usize, b: usize) {
        let (from, to) = (self.nodes[a].id, self.nodes[b].id);
        self.nodes[b].run(Command::Comparing(from)).unwrap();
        let held = witness::held(&self.nodes[b].state, from);
        self.nodes[a].run(Command::Compare(to, held)).unwrap();
    }

    /// Live content a -> b; `lossy`: the frame gets lost with the connection.
    pub fn content(&mut self, a: usize, b: usize, lossy: bool) -> bool {
        let (from, to) = (self.nodes[a].id, self.nodes[b].id);
        let Some(frame) = self.frame(a, b) else { return false };
        if lossy {
            let (end, number) = (self.nodes[a].journal.len(), frame.number);
            self.nodes[a].cursors.insert(to, (end, number));
            self.nodes[b].run(Command::ContentReset(from, number)).unwrap();
        } else if !frame.heads.is_empty() {
            self.nodes[b].run(Command::Content(from, frame)).unwrap();
        }
        true
    }

    /// The next frame of live content that a sends to b; without heads there is nothing in it for b.
    pub fn frame(&mut self, a: usize, b: usize) -> Option<ContentFrame> {
        let to = self.nodes[b].id;
        let node = &self.nodes[a];
        let (position, number) = node.cursors.get(&to).copied().unwrap_or((0, 0));
        let mark = node.journal.get(position)?;
        let mut frame = ContentFrame { number: number + 1, entries: vec![], heads: vec![] };
        if let Mark::Content { thread, from, to: last } = mark {
            frame.entries = serve::entries(&node.state, &node.disk, to, *thread, *from, *last);
            if !frame.entries.is_empty() {
                frame.heads = serve::heads(&node.state, to, *thread);
            }
        }
        if let Mark::Covered(thread) = mark {
            frame.heads = serve::heads(&node.state, to, *thread);
        }
        let read = |thread: &ThreadId| {
            node.state.granting(*thread).any(|scope| scope.members.keys().any(|user| user.home() == to))
        };
        let served = frame.entries.iter().map(|stored| stored.entry.thread);
        assert!(
            served.into_iter().all(|thread| read(&thread)),
            "invariant 3: a peer without a reader is served"
        );
        self.nodes[a].cursors.insert(to, (position + 1, number + 1));
        Some(frame)
    }

    /// b fetches history from a.
    pub fn history(&mut self, a: usize, b: usize) -> bool {
        let (from, to) = (self.nodes[a].id, self.nodes[b].id);
        let mut moved = false;
        for request in replica::wanted(&self.nodes[b].state, from) {
            self.nodes[a].run(Command::SignHeads(request.thread)).unwrap();
            let node = &self.nodes[a];
            let Some(page) = serve::page(&node.state, &node.disk, to, &request) else { continue };
            let before = self.nodes[b].state.logs.clone();
            self.nodes[b].run(Command::History(from, page)).unwrap();
            moved |= before != self.nodes[b].state.logs;
        }
        moved
    }

    /// The first message of b's outbox goes to a; `lossy`: the answer gets lost.
    pub fn submit(&mut self, a: usize, b: usize, lossy: bool) -> bool {
        let (owner, home) = (self.nodes[a].id, self.nodes[b].id);
        let waiting = self.nodes[b].state.outbox.range((owner, 0)..=(owner, u64::MAX));
        let Some(pending) = waiting.map(|(_, row)| row.clone()).find(|row| row.refused.is_none()) else {
            return false;
        };
        let submitted =
            Command::Submitted { peer: home, signed: pending.signed.clone(), sealed: pending.sealed.clone() };
        let answer = self.nodes[a].run(submitted).map(|reply| match reply {
            Reply::Posted(seq) => seq,
            other => panic!("{other:?}"),
        });
        let later = answer
            .as_ref()
            .err()
            .is_some_and(|reject: &Reject| matches!(reject.code, RejectCode::Checking | RejectCode::Stale));
        if later {
            return false;
        }
        if !lossy {
            self.nodes[b].run(Command::Answered(owner, pending.submission, answer)).unwrap();
        }
        true
    }

    /// Whether control rows are on the way.
    fn queued(&self) -> bool {
        self.nodes.iter().any(|node| node.state.peers.values().any(|row| row.acked < row.queued))
    }

    /// Everything arrives.
    pub fn settle(&mut self) {
        for round in 0..2000 {
            let mut moved = false;
            if round % 8 == 0 {
                self.leases();
            }
            for (a, b) in self.pairs() {
                moved |= self.recall(a, b)
                    | self.feed(a, b, false)
                    | self.submit(a, b, false)
                    | self.content(a, b, false)
                    | self.history(a, b);
            }
            if !moved {
                self.leases();
                if !self.queued() {
                    return;
                }
            }
        }
        panic!("invariant 15: the cluster does not come to rest");
    }
}
