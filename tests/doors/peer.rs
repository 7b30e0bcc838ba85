//! Every request between nodes, by hand, as a peer whose last reader is gone (invariant 3, spec 9.2 to 9.9).
//!
//! Duty: one row per kind of stream, frame, row of a feed, act and statement; the chains of `match` below do not compile
//! until a new kind has its row. Never: a request that an honest node would not be able to send.

use comity::{
    crypto::{SecretKey, sha256},
    ids::{
        FeedId, Hash, InviteId, MoveId, RequestId, Salt, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId,
    },
    node::Notice,
    protocol::{Command, Records as _, Reply, command::RejectCode},
    time::Millis,
    wire::{
        Blob, Body, Sealed, cbor, envelope,
        frames::{
            ContentFrame, Control, FeedFrame, FeedPosition, Hello, HistoryPage, HistoryRequest, Item,
            LeaseAsk, ScopeState, StreamKind, Submit, SubmitAnswer, Witness,
        },
        objects::{
            Acceptance, AccountMove, Act, Action, ClaimStand, Consent, EntryKind, Event, Extensions, Floor,
            Grade, GroupConsent, Handover, Head, Invite, Op, Profile, Purge, Receipt, RequestStatus,
            Snapshot, Statement, Submission, Word,
        },
    },
};
use quinn::{Connection, Endpoint, SendStream};
use tokio::{sync::mpsc, task::JoinSet};

use crate::harness::{
    PATIENCE, Workspace, group,
    raw::{closed, connect, frame, key_of, next, receive, send},
    settings,
};

/// What acme sends by itself.
#[derive(Clone, Debug)]
enum Heard {
    Control(Control),
    Content(ContentFrame),
}

/// A link of globex to acme, held by keys.
struct Link {
    _endpoint: Endpoint,
    connection: Connection,
    control: SendStream,
    heard: mpsc::Receiver<Heard>,
    _readers: JoinSet<()>,
    /// Rows that were sent on globex's feed.
    rows: u64,
    /// Where globex stands in acme's feed.
    position: Option<FeedPosition>,
}

struct Peer {
    acme: Workspace,
    globex: Workspace,
    tls: SecretKey,
    sign: SecretKey,
    bob: UserId,
}

impl Peer {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::asleep("globex"));
        let secret = Blob::from(vec![7; 32]);
        acme.ask(Command::OpenTicket(sha256(&[&secret]), Millis(u64::MAX))).await;
        acme.ask(Command::PeerRequest { manifests: globex.home.chain.clone(), secret }).await;
        acme.ask(Command::Approve(globex.id)).await;
        let (tls, sign) = (key_of(globex.path(), "tls.key"), key_of(globex.path(), "sign.key"));
        let bob = UserId::new(globex.id, [5; 16]);
        Self { acme, globex, tls, sign, bob }
    }

    fn hello(&self) -> Control {
        Control::Hello {
            hello: Hello {
                workspace: self.globex.id,
                revision: 0,
                manifest: self.globex.home.hash,
                known: Some(0),
                ticket: None,
                approved: true,
                boots: 1,
                clock: Millis(0),
                extensions: Extensions::default(),
            },
        }
    }

    async fn link(&self, resume: Option<FeedPosition>) -> Link {
        let (endpoint, connection) = connect(&self.tls, self.acme.address).await;
        let (mut control, mut answers) = connection.open_bi().await.unwrap();
        send(&mut control, &[&[1], frame(&cbor::encode(&self.hello())).as_slice()].concat()).await;
        assert!(matches!(receive::<Control>(&mut answers).await, Control::Hello { .. }));
        let (tell, heard) = mpsc::channel(1 << 16);
        let mut readers = JoinSet::new();
        let told = tell.clone();
        readers.spawn(async move {
            while let Some(frame) = next(&mut answers).await {
                told.send(Heard::Control(frame)).await.unwrap();
            }
        });
        let streams = connection.clone();
        readers.spawn(async move {
            let mut reading = JoinSet::new();
            while let Ok(mut stream) = streams.accept_uni().await {
                let told = tell.clone();
                reading.spawn(async move {
                    let mut kind = [0];
                    stream.read_exact(&mut kind).await.unwrap();
                    while let Some(frame) = next(&mut stream).await {
                        told.send(Heard::Content(frame)).await.unwrap();
                    }
                });
            }
        });
        let rows = self.acme.handle().snapshot().state.peers[&self.globex.id]
            .inbound
            .map_or(0, |(_, number, _)| number);
        let mut link = Link {
            _endpoint: endpoint,
            connection,
            control,
            heard,
            _readers: readers,
            rows,
            position: resume.clone(),
        };
        link.say(&Control::Resume { feed: resume, content: 0 }).await;
        link
    }

    fn statement(&self, word: Word) -> Item {
        let statement = Statement { word, time: Millis(0) };
        Item::Statement {
            statement: envelope::sign(statement, Some(self.acme.id), &self.sign).bytes().clone(),
        }
    }

    fn act(&self, user: UserId, action: Action, id: u8) -> Submit {
        let act = Act { id: SubmissionId([id; 16]), user, action, time: Millis(0) };
        Submit::Act { signed: envelope::sign(act, Some(self.acme.id), &self.sign).bytes().clone() }
    }

    fn post(&self, thread: ThreadId, id: u8, body: Option<Blob>) -> Submit {
        let sealed = Sealed {
            salt: Salt([1; 16]),
            body: Body { target: None, text: "words of bob".into(), mentions: vec![] }.to_blob(),
        };
        let (kind, commitment) = (EntryKind::Message, sealed.commitment());
        let sealed = Sealed { body: body.unwrap_or(sealed.body), ..sealed };
        let submission = Submission {
            id: SubmissionId([id; 16]),
            thread,
            author: self.bob,
            kind,
            commitment,
            time: Millis(0),
        };
        Submit::Post {
            signed: envelope::sign(submission, Some(self.acme.id), &self.sign).bytes().clone(),
            sealed,
        }
    }

    fn consent(&self, invite: &Blob, user: UserId) -> Item {
        let hash = envelope::unverified_hash(6, Some(self.globex.id), invite).unwrap();
        let Invite { id, scope, .. } = envelope::peek(invite).unwrap();
        let profile = Profile::new("bob@globex.example", "bob");
        let consent = Consent { invite: id, hash, scope, user, profile, time: Millis(0) };
        Item::Consent { consent: envelope::sign(consent, Some(self.acme.id), &self.sign).bytes().clone() }
    }

    /// bob comes in; his invitation as acme signed it.
    async fn admit(&self, link: &mut Link, scope: ScopeId) -> Blob {
        self.admit_as(link, scope, self.bob, "bob@globex.example").await
    }

    async fn admit_as(&self, link: &mut Link, scope: ScopeId, user: UserId, address: &str) -> Blob {
        let (address, grade) = (address.into(), Grade::Invite);
        let offer = Action::Invite { scope, address, grade, floor: Floor::All, until: None };
        let Reply::Invited(_) = self.acme.ask(Command::Act(self.acme.alice(), offer)).await else { panic!() };
        let invite = link.invitation().await;
        link.feed(&[self.consent(&invite, user)]).await;
        self.acme.until("him", |view| view.state.scope(scope).unwrap().members.contains_key(&user)).await;
        invite
    }

    async fn remove(&self, scope: ScopeId) -> u64 {
        let remove = Action::Remove { scope, user: self.bob, everywhere: true };
        match self.acme.ask(Command::Act(self.acme.alice(), remove)).await {
            Reply::Removed { epoch, .. } => epoch,
            other => panic!("{other:?}"),
        }
    }

    fn state(&self, scope: ScopeId) -> ScopeState {
        let view = self.acme.handle().snapshot();
        let head = &view.state.scope(scope).unwrap().head;
        let (incarnation, epoch, hash) = (head.incarnation, head.epoch, head.hash);
        ScopeState { scope, incarnation, epoch, hash, follows: false, content: None }
    }

    async fn rename(&self, scope: ScopeId, name: &str) {
        let settings = settings(name);
        self.acme.ask(Command::Act(self.acme.alice(), Action::Settings { scope, settings })).await;
    }
}

impl Link {
    async fn say(&mut self, control: &Control) {
        send(&mut self.control, &frame(&cbor::encode(control))).await;
    }

    /// Rows on globex's feed.
    async fn feed(&mut self, items: &[Item]) {
        let first = self.rows + 1;
        self.rows += u64::try_from(items.len()).unwrap();
        let items = items.iter().map(|item| Blob::from(cbor::encode(item))).collect();
        self.say(&Control::Feed { frame: FeedFrame { feed: FeedId([1; 16]), first, items } }).await;
    }

    async fn next(&mut self) -> Heard {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap();
        if let Heard::Control(Control::Feed { frame }) = &heard {
            let number = frame.first - 1 + u64::try_from(frame.items.len()).unwrap();
            let mut hash = match &self.position {
                Some(at) if at.feed == frame.feed => at.hash,
                _ => Hash::ZERO,
            };
            for item in &frame.items {
                hash = sha256(&[b"comity/1 feed", &hash.0, item]);
            }
            self.position = Some(FeedPosition { feed: frame.feed, number, hash });
            self.say(&Control::FeedAck { feed: frame.feed, number }).await;
        }
        if matches!(heard, Heard::Control(Control::Recall { more: false, .. })) {
            let frame = Witness { scopes: vec![], items: vec![], more: false };
            self.say(&Control::Witness { frame }).await;
        }
        heard
    }

    /// The next invitation.
    async fn invitation(&mut self) -> Blob {
        let got = self.rows_until(|item| matches!(item, Item::Invite { .. })).await;
        let mut invites = got.into_iter().filter_map(|item| match item {
            Item::Invite { invite } => Some(invite),
            _ => None,
        });
        invites.next().unwrap()
    }

    /// Rows of acme's feed up to the one that is wanted.
    async fn rows_until(&mut self, wanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        let mut got = Vec::new();
        while !got.iter().any(&wanted) {
            got.extend(rows(&self.next().await));
        }
        got
    }

    /// Everything up to a text in live content.
    async fn until_text(&mut self, text: &str) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let heard = self.next().await;
            let found = match &heard {
                Heard::Content(frame) => contains(&cbor::encode(frame), text),
                Heard::Control(_) => false,
            };
            all.push(heard);
            if found {
                return all;
            }
        }
    }

    async fn ask_history(&self, thread: ThreadId) -> Option<HistoryPage> {
        let (mut out, mut back) = self.connection.open_bi().await.unwrap();
        let request = HistoryRequest { thread, before: None, after: None, limit: 256 };
        send(&mut out, &[&[StreamKind::History.byte()], frame(&cbor::encode(&request)).as_slice()].concat())
            .await;
        let bytes = back.read_to_end(1 << 20).await.unwrap();
        (!bytes.is_empty()).then(|| cbor::decode(&bytes[4..]).unwrap())
    }

    async fn submit(&self, submit: &Submit) -> SubmitAnswer {
        let (mut out, mut back) = self.connection.open_bi().await.unwrap();
        send(&mut out, &[&[StreamKind::Submit.byte()], frame(&cbor::encode(submit)).as_slice()].concat())
            .await;
        receive(&mut back).await
    }
}

/// The rows of a frame of acme's feed.
fn rows(heard: &Heard) -> Vec<Item> {
    match heard {
        Heard::Control(Control::Feed { frame }) => {
            frame.items.iter().map(|item| cbor::decode(item).unwrap()).collect()
        }
        _ => Vec::new(),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn nowhere() -> (ScopeId, ThreadId) {
    (ScopeId::Group(comity::ids::GroupId([9; 32])), ThreadId([9; 32]))
}

/// Every action on the group or the thread, one after the other.
fn next_action(after: Option<&Action>, group: ScopeId, thread: ThreadId, user: UserId) -> Option<Action> {
    let id = group.group().unwrap();
    let (scope, floor, grade) = (group, Floor::All, Grade::Admin);
    Some(match after {
        None => Action::Invite {
            scope,
            address: "carl@globex.example".into(),
            grade: Grade::Post,
            floor,
            until: None,
        },
        Some(Action::Invite { .. }) => Action::Remove { scope, user, everywhere: true },
        Some(Action::Remove { .. }) => Action::Grade { scope, user, grade },
        Some(Action::Grade { .. }) => Action::Settings { scope, settings: settings("Hijacked") },
        Some(Action::Settings { .. }) => {
            Action::StartThread { settings: settings("x"), groups: vec![id], addresses: vec![] }
        }
        Some(Action::StartThread { .. }) => Action::AddGroup { thread, group: id, floor },
        Some(Action::AddGroup { .. }) => Action::RemoveGroup { thread, group: id },
        Some(Action::RemoveGroup { .. }) => Action::End { scope },
        Some(Action::End { .. }) => Action::Lease { scope, ttl: 86_400_000 },
        Some(Action::Lease { .. }) => {
            let (request, address) = (RequestId([4; 16]), "carl@globex.example".into());
            Action::RequestMember { request, scope: thread.into(), address, grade: Grade::Post, floor }
        }
        Some(Action::RequestMember { request, .. }) => {
            Action::AnswerRequest { scope: thread.into(), request: *request, approve: true }
        }
        Some(Action::AnswerRequest { .. }) => return None,
    })
}

/// Every word of a home, except that the peering ends: that is the last.
fn next_word(after: Option<&Word>, ghost: UserId, scope: ScopeId, invite: InviteId) -> Option<Word> {
    Some(match after {
        None => Word::Leave { user: ghost, scope },
        Some(Word::Leave { .. }) => Word::Offboard { user: ghost },
        Some(Word::Offboard { .. }) => Word::Decline { invite },
        Some(Word::Decline { .. }) => {
            let profile = Profile::new("ghost@globex.example", "ghost");
            Word::Profile { user: ghost, profile }
        }
        Some(Word::Profile { .. }) => Word::Revoke { invite },
        Some(Word::Revoke { .. }) => Word::NotHere { scope },
        Some(Word::NotHere { .. }) => {
            let group = scope.group().unwrap();
            Word::OfferMove { offer: MoveId([3; 16]), group, by: ghost }
        }
        Some(Word::OfferMove { offer, .. }) => Word::WantMove { offer: *offer },
        Some(Word::WantMove { offer }) => Word::EndMove { offer: *offer },
        Some(Word::EndMove { .. }) => {
            let profile = Profile::new("ghost@globex.example", "ghost");
            Word::Claim { link: Hash([5; 32]), user: ghost, profile }
        }
        Some(Word::Claim { link, user, .. }) => {
            let (invite, stand) = (Some(invite), ClaimStand::Accepted);
            Word::ClaimAnswer { link: *link, user: *user, invite, stand }
        }
        Some(Word::ClaimAnswer { .. }) => Word::Lookups { allowed: true },
        Some(Word::Lookups { .. }) => Word::Request {
            request: RequestId([4; 16]),
            scope,
            by: ghost,
            address: "carl@globex.example".into(),
            grade: Grade::Post,
            floor: Floor::All,
            status: RequestStatus::Open,
        },
        Some(Word::Request { .. }) => Word::EndPeering {},
        Some(Word::EndPeering {}) => return None,
    })
}

/// What the rows below speak of.
struct Lost {
    group: ScopeId,
    chat: ThreadId,
    topic: ThreadId,
    invite: Blob,
    alice: UserId,
    acme: WorkspaceId,
}

/// Every row of a control feed about the group.
fn next_item(after: Option<&Item>, peer: &Peer, lost: &Lost) -> Option<Item> {
    let (key, bob, alice) = (&peer.sign, peer.bob, lost.alice);
    let group = lost.group.group().unwrap();
    let thread = ThreadId([8; 32]);
    let (time, extensions) = (Millis(0), Extensions::default());
    Some(match after {
        None => {
            let (scope, previous) = (Some(lost.group), Hash::ZERO);
            let ops = vec![Op::Remove { user: alice }];
            let event =
                Event { scope, incarnation: 0, epoch: 99, previous, time, actor: bob, ops, extensions };
            Item::Event { event: envelope::sign(event, None, key).bytes().clone() }
        }
        Some(Item::Event { .. }) => {
            let snapshot = Snapshot {
                scope: lost.group,
                owner: peer.globex.id,
                kind: None,
                starter: bob,
                incarnation: 0,
                epoch: 99,
                hash: Hash::ZERO,
                settings: settings("Hijacked"),
                ttl: 60_000,
                members: vec![],
                groups: vec![],
                extensions,
            };
            Item::Snapshot { snapshot: envelope::sign(snapshot, None, key).bytes().clone() }
        }
        Some(Item::Snapshot { .. }) => {
            let invite = Invite {
                id: InviteId([1; 16]),
                scope: lost.group,
                kind: None,
                name: "Hijacked".into(),
                address: "alice@acme.example".into(),
                inviter: Profile::new("bob@globex.example", "bob"),
                by: bob,
                grade: Grade::Post,
                floor: Floor::All,
                until: None,
                epoch: 0,
                time,
                extensions,
            };
            Item::Invite { invite: envelope::sign(invite, Some(lost.acme), key).bytes().clone() }
        }
        Some(Item::Invite { .. }) => peer.consent(&lost.invite, bob),
        Some(Item::Consent { .. }) => {
            let (users, applied) = (vec![bob], time);
            let purged = Some(Purge::begin());
            let receipt = Receipt { scope: lost.group, event: Hash::ZERO, users, applied, purged };
            Item::Receipt { receipt: envelope::sign(receipt, Some(lost.acme), key).bytes().clone() }
        }
        Some(Item::Receipt { .. }) => {
            peer.statement(next_word(None, bob, lost.group, InviteId([2; 16])).unwrap())
        }
        Some(Item::Statement { .. }) => {
            let consent = GroupConsent { group, thread: lost.topic, by: bob, time };
            Item::GroupConsent { consent: envelope::sign(consent, Some(lost.acme), key).bytes().clone() }
        }
        Some(Item::GroupConsent { .. }) => Item::Manifests { chain: peer.globex.home.chain.clone() },
        Some(Item::Manifests { .. }) => Item::AskGroup { thread, group, by: bob },
        Some(Item::AskGroup { by, .. }) if *by == bob => Item::AskGroup { thread, group, by: alice },
        Some(Item::AskGroup { .. }) => {
            Item::Alarm { first: lost.invite.clone(), second: lost.invite.clone() }
        }
        Some(Item::Alarm { .. }) => Item::Acceptance { acceptance: acceptance(peer, lost) },
        Some(Item::Acceptance { .. }) => {
            let ops = vec![Op::Move { to: peer.globex.id, consent: Hash::ZERO, high: 1, hash: Hash::ZERO }];
            let (scope, previous) = (Some(lost.group), Hash::ZERO);
            let event =
                Event { scope, incarnation: 0, epoch: 99, previous, time, actor: bob, ops, extensions };
            let event = envelope::sign(event, None, key).bytes().clone();
            Item::Moved { event, acceptance: acceptance(peer, lost) }
        }
        Some(Item::Moved { .. }) => Item::Estate { scope: lost.group, ttl: 60_000, gone: vec![(alice, 1)] },
        Some(Item::Estate { .. }) => {
            let handover = Handover {
                scope: lost.group,
                from: lost.acme,
                to: peer.globex.id,
                incarnation: 0,
                epoch: 1,
                hash: Hash::ZERO,
                time,
            };
            let handover = envelope::sign(handover, None, key).bytes().clone();
            Item::HandedOver { handover, high: 0, hash: Hash::ZERO }
        }
        Some(Item::HandedOver { .. }) => {
            let (from, to) = (bob, alice);
            let moved = AccountMove { from, to, profile: Profile::new("a@acme.example", "a"), time };
            let signed = envelope::sign(moved, None, key).bytes().clone();
            Item::AccountMoved { link: None, old: Some(signed.clone()), new: signed }
        }
        Some(Item::AccountMoved { .. }) => return None,
    })
}

/// Nobody offered the group: an acceptance changes nothing.
fn acceptance(peer: &Peer, lost: &Lost) -> Blob {
    let (offer, scope, from, time) = (MoveId([3; 16]), lost.group, lost.acme, Millis(0));
    let (previous, hash, begins) = (Hash::ZERO, Hash::ZERO, 1 << 32);
    let (incarnation, epoch, high) = (0, 1, 0);
    let acceptance =
        Acceptance { offer, scope, from, incarnation, epoch, previous, high, hash, begins, time };
    envelope::sign(acceptance, Some(lost.acme), &peer.sign).bytes().clone()
}

/// Every control frame that a removed peer may send; `Bye` is the last.
fn next_control(
    after: Option<&Control>,
    peer: &Peer,
    lost: &Lost,
    old: &(FeedPosition, Vec<ScopeState>),
) -> Option<Control> {
    let (thread, user) = (lost.chat, peer.bob);
    Some(match after {
        None => peer.hello(),
        Some(Control::Hello { .. }) => Control::Manifests { chain: peer.globex.home.chain.clone() },
        Some(Control::Manifests { .. }) => Control::Resume { feed: Some(old.0.clone()), content: 0 },
        Some(Control::Resume { .. }) => Control::FeedAck { feed: old.0.feed, number: u64::MAX },
        Some(Control::FeedAck { .. }) => Control::Compare { scopes: old.1.clone() },
        Some(Control::Compare { .. }) => Control::ContentAck { number: u64::MAX / 2 },
        Some(Control::ContentAck { .. }) => Control::ContentReset { number: 0 },
        Some(Control::ContentReset { .. }) => Control::Typing { thread, user },
        Some(Control::Typing { .. }) => Control::Read { thread, user, seq: 1 },
        // Rows of the feed have a table of their own.
        Some(Control::Read { .. } | Control::Feed { .. }) => {
            let FeedPosition { feed, number, hash } = old.0.clone();
            Control::AskLease { ask: LeaseAsk { nonce: Hash::ZERO, feed, number, hash, roster: None } }
        }
        Some(Control::AskLease { .. }) => Control::Lease { lease: lost.invite.clone() },
        Some(Control::Lease { .. }) => Control::NoLease { code: RejectCode::FeedGap.code() },
        Some(Control::NoLease { .. }) => Control::Recall { scopes: old.1.clone(), more: false },
        Some(Control::Recall { .. }) => {
            Control::Witness { frame: Witness { scopes: old.1.clone(), items: vec![], more: false } }
        }
        Some(Control::Witness { .. }) => Control::Bye { reason: "enough".into() },
        Some(Control::Bye { .. }) => return None,
    })
}

/// A peer that lost its last reader of a group, and stays in another one.
struct Stage {
    peer: Peer,
    link: Link,
    lost: Lost,
    /// Where bob stays: a word there comes behind all that came before.
    other: ThreadId,
    words: u64,
    /// The epoch of the removal.
    removed: u64,
}

impl Stage {
    /// Life goes on in the group; what acme sent meanwhile is searched.
    async fn nothing_comes(&mut self, what: &str) {
        let (acme, alice) = (&self.peer.acme, self.lost.alice);
        self.words += 1;
        for (n, thread) in [(1, self.lost.chat), (2, self.lost.topic)] {
            acme.post(alice, thread, self.words * 10 + n, "SECRET later").await;
            acme.handle().notify(Notice::Typing { thread, user: alice });
            acme.handle().notify(Notice::Read { thread, user: alice, seq: 1 });
        }
        self.peer.rename(self.lost.group, "SECRET later").await;
        let fence = format!("fence {}", self.words);
        acme.post(alice, self.other, self.words * 10, &fence).await;
        for heard in self.link.until_text(&fence).await {
            self.allowed(&heard, what);
        }
    }

    /// Invariant 3: only the removal and what leads to it.
    fn allowed(&self, heard: &Heard, what: &str) {
        let threads = [self.lost.chat, self.lost.topic];
        match heard {
            Heard::Content(frame) => {
                let entries = frame.entries.iter().map(|stored| stored.entry.thread);
                let heads = frame.heads.iter().map(|at| envelope::peek::<Head>(&at.head).unwrap().thread);
                let found = entries.chain(heads).find(|thread| threads.contains(thread));
                assert_eq!(found, None, "{what}: content");
            }
            Heard::Control(Control::Feed { frame }) => {
                for bytes in &frame.items {
                    self.allowed_row(&cbor::decode(bytes).unwrap(), what);
                    assert!(!contains(bytes, "SECRET later"), "{what}");
                }
            }
            Heard::Control(Control::Typing { thread, .. } | Control::Read { thread, .. }) => {
                assert!(!threads.contains(thread), "{what}: a notice");
            }
            Heard::Control(
                Control::Hello { .. }
                | Control::Manifests { .. }
                | Control::Resume { .. }
                | Control::FeedAck { .. }
                | Control::Compare { .. }
                | Control::ContentAck { .. }
                | Control::ContentReset { .. }
                | Control::AskLease { .. }
                | Control::Lease { .. }
                | Control::NoLease { .. }
                | Control::Recall { .. }
                | Control::Bye { .. },
            ) => {}
            Heard::Control(Control::Witness { frame }) => {
                assert!(frame.scopes.is_empty() && frame.items.is_empty(), "{what}: {frame:?}");
            }
        }
    }

    fn allowed_row(&self, item: &Item, what: &str) {
        let scopes = [self.lost.group, self.lost.chat.into(), self.lost.topic.into()];
        match item {
            Item::Event { event } => {
                let event: Event = envelope::peek(event).unwrap();
                let of_group = event.scope == Some(self.lost.group);
                assert!(!of_group || event.epoch <= self.removed, "{what}: {event:?}");
                assert!(of_group || event.scope.is_none_or(|scope| !scopes.contains(&scope)), "{what}");
            }
            Item::Snapshot { snapshot } => {
                let snapshot: Snapshot = envelope::peek(snapshot).unwrap();
                assert!(!scopes.contains(&snapshot.scope), "{what}: a snapshot");
            }
            Item::GroupConsent { .. } => panic!("{what}: a consent"),
            Item::Moved { .. }
            | Item::Acceptance { .. }
            | Item::Estate { .. }
            | Item::HandedOver { .. }
            | Item::AccountMoved { .. } => panic!("{what}: a move"),
            Item::Invite { .. }
            | Item::Consent { .. }
            | Item::Receipt { .. }
            | Item::Statement { .. }
            | Item::Manifests { .. }
            | Item::AskGroup { .. }
            | Item::Alarm { .. } => {}
        }
    }

    /// A row on globex's feed, taken in and answered.
    async fn row(&mut self, item: &Item, what: &str) {
        self.link.feed(std::slice::from_ref(item)).await;
        loop {
            let heard = self.link.next().await;
            self.allowed(&heard, what);
            if matches!(heard, Heard::Control(Control::FeedAck { number, .. }) if number == self.link.rows) {
                break;
            }
        }
        self.nothing_comes(what).await;
    }
}

fn refusal(answer: SubmitAnswer) -> (u64, String) {
    match answer {
        SubmitAnswer::Refused { code, detail, .. } => (code, detail),
        other => panic!("not refused: {other:?}"),
    }
}

async fn stage() -> (Stage, (FeedPosition, Vec<ScopeState>), Vec<SubmitAnswer>) {
    let peer = Peer::new().await;
    let alice = peer.acme.alice();
    let mut link = peer.link(None).await;
    let (group_id, chat) = group(&peer.acme, alice, "SECRET group").await;
    let (other, other_chat) = group(&peer.acme, alice, "Other").await;
    peer.admit(&mut link, other).await;
    let invite = peer.admit(&mut link, group_id).await;
    let (groups, addresses) = (vec![group_id.group().unwrap()], vec![]);
    let made = Command::CreateThread { actor: alice, settings: settings("Topic"), groups, addresses };
    let Reply::Scope(topic, _) = peer.acme.ask(made).await else { panic!() };
    let topic = topic.thread().unwrap();
    let mut answers = Vec::new();
    peer.acme.post(alice, chat, 1, "SECRET words").await;
    link.until_text("SECRET words").await;
    let page = link.ask_history(chat).await.unwrap();
    assert!(contains(&cbor::encode(&page), "SECRET words"), "before: history");
    answers.push(link.submit(&peer.post(chat, 1, None)).await);
    assert!(matches!(answers[0], SubmitAnswer::Posted { .. }), "before: a submission");
    let (mut action, mut id) = (None, 10);
    while let Some(next) = next_action(action.as_ref(), group_id, topic, alice) {
        let answer = link.submit(&peer.act(peer.bob, next.clone(), id)).await;
        let unknown =
            matches!(&answer, SubmitAnswer::Refused { code, .. } if *code == RejectCode::NotFound.code());
        assert!(!unknown, "before: {next:?}: {answer:?}");
        answers.push(answer);
        (action, id) = (Some(next), id + 1);
    }
    let mut notices = peer.acme.handle().notices();
    link.say(&Control::Typing { thread: chat, user: peer.bob }).await;
    let heard = tokio::time::timeout(PATIENCE, notices.recv()).await.unwrap().unwrap();
    assert_eq!(heard, Notice::Typing { thread: chat, user: peer.bob }, "before: typing");
    let old = (
        link.position.clone().unwrap(),
        vec![peer.state(group_id), peer.state(chat.into()), peer.state(topic.into())],
    );
    peer.rename(group_id, "SECRET group too").await;
    let removed = peer.remove(group_id).await;
    link.rows_until(|item| is_event(item, group_id, removed)).await;
    let acme = peer.acme.id;
    let lost = Lost { group: group_id, chat, topic, invite, alice, acme };
    (Stage { peer, link, lost, other: other_chat, words: 100, removed }, old, answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_every_request_as_the_peer_whose_last_reader_is_gone() {
    let (mut stage, old, answers) = stage().await;
    stage.nothing_comes("live").await;
    streams(&mut stage, &answers).await;
    let (mut item, first) = (None, InviteId([2; 16]));
    while let Some(next) = next_item(item.as_ref(), &stage.peer, &stage.lost) {
        stage.row(&next, &format!("{next:?}")).await;
        item = Some(next);
    }
    let mut control = None;
    while let Some(next) = next_control(control.as_ref(), &stage.peer, &stage.lost, &old) {
        stage.link.say(&next).await;
        if matches!(next, Control::Bye { .. }) {
            closed(&stage.link.connection).await;
        } else {
            stage.nothing_comes(&format!("{next:?}")).await;
        }
        control = Some(next);
    }
    for position in [None, Some(old.0.clone())] {
        stage.link = stage.peer.link(position.clone()).await;
        // The pump knows where we stand before anything happens.
        loop {
            let heard = stage.link.next().await;
            stage.allowed(&heard, "resumed");
            if matches!(heard, Heard::Control(Control::ContentReset { .. })) {
                break;
            }
        }
        stage.nothing_comes(&format!("resumed at {position:?}")).await;
    }
    let ghost = UserId::new(stage.peer.globex.id, [7; 16]);
    let (mut word, scope) = (None, stage.lost.group);
    while let Some(next) = next_word(word.as_ref(), ghost, scope, first) {
        if next == (Word::EndPeering {}) {
            stage.link.feed(&[stage.peer.statement(next.clone())]).await;
            let globex = stage.peer.globex.id;
            let ended = |view: &comity::node::Snapshot| {
                view.state.peers[&globex].status == comity::protocol::row::PeerStatus::Ended
            };
            stage.peer.acme.until("the end of the peering", ended).await;
            assert!(stage.link.ask_history(stage.other).await.is_none(), "P7.5");
        } else {
            stage.row(&stage.peer.statement(next.clone()), &format!("{next:?}")).await;
        }
        word = Some(next);
    }
    let view = stage.peer.acme.handle().snapshot();
    assert!(!view.state.scope(scope).unwrap().members.contains_key(&stage.peer.bob), "brought back");
    let entries =
        (1..=view.state.logs[&stage.lost.chat].high).filter_map(|seq| view.stored(stage.lost.chat, seq));
    let his = entries.filter(|stored| stored.entry.author == stage.peer.bob).count();
    assert_eq!(his, 1, "only what he wrote before");
}

/// Every kind of stream; control frames have a table of their own.
async fn streams(stage: &mut Stage, answers: &[SubmitAnswer]) {
    let mut kind = Some(StreamKind::Control);
    while let Some(now) = kind {
        kind = match now {
            StreamKind::Control => {
                let (mut out, mut back) = stage.link.connection.open_bi().await.unwrap();
                send(
                    &mut out,
                    &[&[now.byte()], frame(&cbor::encode(&stage.peer.hello())).as_slice()].concat(),
                )
                .await;
                assert!(back.read_to_end(100).await.unwrap().is_empty(), "a second control stream");
                Some(StreamKind::Content)
            }
            StreamKind::Content => {
                let view = stage.peer.acme.handle().snapshot();
                let forged = view.stored(stage.lost.chat, 1).unwrap();
                let frame_ = ContentFrame { number: 1, entries: vec![forged], heads: vec![] };
                let mut out = stage.link.connection.open_uni().await.unwrap();
                send(&mut out, &[&[now.byte()], frame(&cbor::encode(&frame_)).as_slice()].concat()).await;
                Some(StreamKind::Submit)
            }
            StreamKind::Submit => {
                submits(stage, answers).await;
                Some(StreamKind::History)
            }
            StreamKind::History => {
                for thread in [stage.lost.chat, stage.lost.topic, nowhere().1] {
                    assert_eq!(stage.link.ask_history(thread).await, None, "{thread}");
                }
                None
            }
        };
        stage.nothing_comes(&format!("{now:?}")).await;
    }
}

/// Every submission and act: new ones are refused as if nothing were there, old ones get their old answer (spec 7.2, 7.6).
async fn submits(stage: &Stage, answers: &[SubmitAnswer]) {
    let (peer, link, lost) = (&stage.peer, &stage.link, &stage.lost);
    let not_found = RejectCode::NotFound.code();
    let garbage = Some(Body { target: None, text: "other words".into(), mentions: vec![] }.to_blob());
    for body in [None, garbage] {
        let there = refusal(link.submit(&peer.post(lost.chat, 2, body.clone())).await);
        let nowhere = refusal(link.submit(&peer.post(nowhere().1, 2, body)).await);
        assert_eq!(there, nowhere, "P3.1: a submission");
    }
    assert_eq!(link.submit(&peer.post(lost.chat, 1, None)).await, answers[0], "the old answer again");
    let held = peer.acme.handle().snapshot().state.sent.len();
    let (mut action, mut elsewhere, mut id) = (None, None, 10);
    while let Some(next) = next_action(action.as_ref(), lost.group, lost.topic, lost.alice) {
        let other = next_action(elsewhere.as_ref(), nowhere().0, nowhere().1, lost.alice).unwrap();
        let there = refusal(link.submit(&peer.act(peer.bob, next.clone(), id + 100)).await);
        assert_eq!(there.0, not_found, "{next:?}");
        assert_eq!(
            there,
            refusal(link.submit(&peer.act(peer.bob, other.clone(), id + 150)).await),
            "P3.1: {next:?}"
        );
        let again = link.submit(&peer.act(peer.bob, next.clone(), id)).await;
        let old = &answers[usize::from(id - 9)];
        let done = matches!(old, SubmitAnswer::Done { .. });
        assert!(if done { again == *old } else { refusal(again).0 == not_found }, "{next:?}");
        (action, elsewhere, id) = (Some(next), Some(other), id + 1);
    }
    assert_eq!(peer.acme.handle().snapshot().state.sent.len(), held, "no act was carried out again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_a_comparison_brings_nothing_from_before_or_after_the_membership() {
    let peer = Peer::new().await;
    let mut link = peer.link(None).await;
    let (alice, mut old) = (peer.acme.alice(), Vec::new());
    let (other, chat) = group(&peer.acme, alice, "Other").await;
    let mut removed = std::collections::BTreeMap::new();
    let zero = |scope| ScopeState {
        scope,
        incarnation: 0,
        epoch: 0,
        hash: Hash::ZERO,
        follows: false,
        content: None,
    };
    let mut ids = vec![other];
    for (name, member, ends) in
        [("a", true, true), ("b", true, false), ("c", false, true), ("d", false, false)]
    {
        let (id, _) = group(&peer.acme, alice, name).await;
        peer.rename(id, "SECRET before").await;
        peer.rename(id, name).await;
        if member {
            peer.admit(&mut link, id).await;
            old.push(peer.state(id));
            peer.rename(id, "in between").await;
            removed.insert(id, peer.remove(id).await);
        }
        peer.rename(id, "SECRET later").await;
        if ends {
            peer.acme.ask(Command::Act(alice, Action::End { scope: id })).await;
        }
        ids.push(id);
    }
    peer.rename(other, "SECRET before").await;
    peer.rename(other, "Other").await;
    peer.admit(&mut link, other).await;
    for (n, scopes) in (1..).zip([old, ids.into_iter().map(zero).collect()]) {
        link.say(&Control::Compare { scopes }).await;
        let is_other = |item: &Item| match item {
            Item::Snapshot { snapshot } => envelope::peek::<Snapshot>(snapshot).unwrap().scope == other,
            _ => false,
        };
        let mut got = link.rows_until(is_other).await;
        let fence = format!("fence {n}");
        peer.acme.post(alice, chat, n, &fence).await;
        got.extend(link.until_text(&fence).await.iter().flat_map(rows));
        let events = got.iter().filter_map(|item| match item {
            Item::Event { event } => Some(envelope::peek::<Event>(event).unwrap()),
            _ => None,
        });
        for event in events {
            let last = removed.get(&event.scope.unwrap()).copied().unwrap_or(0);
            assert!(event.epoch <= last, "comparison {n}: {event:?}");
        }
        assert!(!got.iter().any(|item| contains(&cbor::encode(item), "SECRET")), "comparison {n}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_2_a_comparison_brings_the_event_that_took_the_last_path_through_a_group() {
    let peer = Peer::new().await;
    let mut link = peer.link(None).await;
    let alice = peer.acme.alice();
    let (scope, _) = group(&peer.acme, alice, "Group").await;
    peer.admit(&mut link, scope).await;
    let group = scope.group().unwrap();
    for ends in [false, true] {
        let made = Command::CreateThread {
            actor: alice,
            settings: settings("Topic"),
            groups: vec![group],
            addresses: vec![],
        };
        let Reply::Scope(topic, _) = peer.acme.ask(made).await else { panic!() };
        let old = peer.state(topic);
        peer.rename(topic, "Led to it").await;
        let thread = topic.thread().unwrap();
        let last = if ends { Action::End { scope: topic } } else { Action::RemoveGroup { thread, group } };
        peer.acme.ask(Command::Act(alice, last)).await;
        let last = peer.state(topic).epoch;
        if !ends {
            peer.rename(topic, "SECRET later").await;
        }
        link.rows_until(|item| is_event(item, topic, last)).await;
        link.say(&Control::Compare { scopes: vec![old] }).await;
        let got = link.rows_until(|item| is_event(item, topic, last)).await;
        assert!(got.iter().any(|item| is_event(item, topic, last - 1)), "what led to it");
        assert!(!got.iter().any(|item| contains(&cbor::encode(item), "SECRET")), "{got:?}");
    }
}

fn is_event(item: &Item, scope: ScopeId, epoch: u64) -> bool {
    match item {
        Item::Event { event } => {
            let event: Event = envelope::peek(event).unwrap();
            event.scope == Some(scope) && event.epoch == epoch
        }
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_4_nobody_comes_back_under_the_invitation_of_a_colleague_for_somebody_else() {
    let peer = Peer::new().await;
    let mut link = peer.link(None).await;
    let (scope, _) = group(&peer.acme, peer.acme.alice(), "Group").await;
    let user = |n: u8| UserId::new(peer.globex.id, [n; 16]);
    let (bea, fay) = (user(6), user(7));
    peer.admit_as(&mut link, scope, bea, "bea@globex.example").await;
    peer.admit(&mut link, scope).await;
    peer.remove(scope).await;
    for (n, address, who) in [(1, "eve@globex.example", peer.bob), (2, "fay@globex.example", fay)] {
        let (address, grade) = (address.into(), Grade::Post);
        let offer = Action::Invite { scope, address, grade, floor: Floor::All, until: None };
        let answer = link.submit(&peer.act(bea, offer, n)).await;
        assert!(matches!(answer, SubmitAnswer::Done { .. }), "{answer:?}");
        let invite = link.invitation().await;
        link.feed(&[peer.consent(&invite, who)]).await;
    }
    let members = |view: &comity::node::Snapshot| view.state.scope(scope).unwrap().members.clone();
    let view = peer.acme.until("fay, behind him", |view| members(view).contains_key(&fay)).await;
    assert!(!members(&view).contains_key(&peer.bob), "an admin removed him: only an admin brings him back");
}
