//! The rows of state: what the store keeps under a key and the core holds in memory.
//!
//! Duty: one type per concept, with its key. A row is written whole. Never: content of threads, links
//! of chains or feed rows, which only grow and live in the store (see `change`).

mod account;
mod attention;
mod claim;
mod invite;
mod policy;
mod recovery;
mod removal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use account::{Credential, Link, LinkStatus, Purpose, Session, TokenScope, Way};
pub use attention::{Attention, Origin};
pub use claim::{Claim, ClaimStatus, Successor};
pub use invite::{Claimant, InviteStatus, ReceivedInvite, SentInvite};
pub use policy::{FreeAccounts, Gauge, GroupPolicy, Inviters, Meter, PeerPolicy, Policy, Request};
pub use recovery::{Contradiction, Deferred};
pub use removal::Removal;

use crate::{
    crypto::PublicKey,
    ids::{
        FeedId, GroupId, Hash, InviteId, MoveId, RequestId, ScopeId, SubmissionId, ThreadId, UserId,
        WorkspaceId,
    },
    limits,
    time::Millis,
    wire::{
        Blob, Sealed,
        objects::{GroupRecipient, Manifest, Member, Profile, Settings, Snapshot, ThreadKind},
    },
};

/// What is known of a workspace: its manifest chain, own workspace included (spec 2.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Home {
    /// The workspace.
    pub id: WorkspaceId,
    /// The newest manifest seen; never goes back.
    pub manifest: Manifest,
    /// Its object hash.
    pub hash: Hash,
    /// The chain from genesis, as received.
    pub chain: Vec<Blob>,
}

/// Where a peering stands (P8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PeerStatus {
    /// We redeemed their ticket; they have not approved yet.
    Requested,
    /// They redeemed our ticket; our admin has to approve.
    Waiting,
    /// Both approved.
    Active,
    /// Control feed only.
    Paused,
    /// Over; only the end and removals go out, receipts come in.
    Ended,
}

/// What happens with invitations from a peer (P2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InvitePolicy {
    /// Accepted for the user at once.
    Accept,
    /// The user is asked.
    Ask,
    /// Refused unseen.
    Refuse,
    /// An admin of the home has to approve before the user is asked.
    AskAdmin,
}

/// Another workspace's node with which this one has, had or will have a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The workspace.
    pub id: WorkspaceId,
    /// Where the peering stands.
    pub status: PeerStatus,
    /// Endpoints of the ticket, until a manifest says better.
    pub endpoints: Vec<String>,
    /// The ticket's secret that we present until they approve.
    pub ticket: Option<Blob>,
    /// Our policy for invitations from them.
    pub invites: InvitePolicy,
    /// Our control feed to them: its id.
    pub feed: FeedId,
    /// Rows queued so far: the number of the last.
    pub queued: u64,
    /// Running hash over the queued rows.
    pub queued_hash: Hash,
    /// Rows that they hold durably.
    pub acked: u64,
    /// Their feed to us: id, rows applied, running hash.
    pub inbound: Option<(FeedId, u64, Hash)>,
    /// Content frames that they hold durably: (number, our journal position).
    pub content_acked: (u64, u64),
    /// Content frames of theirs that we hold durably.
    pub content_in: u64,
    /// Scopes of ours whose ttl was longer before a change that they have not acknowledged, with that ttl (spec 11.5).
    #[serde(default)]
    pub believes: Vec<(ScopeId, u64)>,
    /// The invitation by e-mail that somebody there claims, if that is how it asked for the peering.
    #[serde(default)]
    pub invite: Option<InviteId>,
    /// When the status changed.
    pub since: Millis,
    /// Whether it lets us ask for addresses of its domain, as it said (spec 6.12).
    #[serde(default = "yes")]
    pub resolves: bool,
}

/// An open ticket (spec 8.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// SHA-256 of the secret.
    pub secret: Hash,
    /// When it stops being good.
    pub expires: Millis,
}

/// The standing of a user at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An ordinary member.
    Member,
    /// Administers the workspace.
    Admin,
    /// No access, no new memberships.
    Suspended,
    /// As suspended, for good. The row stays: its id and its address are never given to somebody else.
    Removed,
}

impl Role {
    /// Whether the user may read, write and become a member of anything.
    #[must_use]
    pub fn has_access(self) -> bool {
        matches!(self, Self::Member | Self::Admin)
    }
}

/// A user of this workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The local part of the address, unique here.
    pub local: String,
    /// The display name.
    pub name: String,
    /// The standing.
    pub role: Role,
    /// What he does at the workspace, as he says; empty when he does not.
    #[serde(default)]
    pub title: String,
    /// Whether it was shown that the address is his: for free accounts, whose address is an e-mail of their own (P1.2).
    #[serde(default = "yes")]
    pub verified: bool,
    /// Users who are blocked from inviting and messaging this one.
    pub blocked: Vec<UserId>,
    /// Of what he wants to be told where he does not look.
    #[serde(default)]
    pub told: Told,
}

/// Of which messages somebody wants to be told where he does not look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Of everything that comes to his inbox.
    Everything,
    /// Of what is addressed to him himself, and of what names him.
    #[default]
    Direct,
    /// Of nothing.
    Nothing,
}

/// A group or thread, owned here or followed: everything but its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScopeHead {
    /// Which.
    pub id: ScopeId,
    /// Its owner.
    pub owner: WorkspaceId,
    /// The kind of a thread.
    pub kind: Option<ThreadKind>,
    /// Who created it.
    pub starter: UserId,
    /// The incarnation.
    pub incarnation: u64,
    /// The epoch applied.
    pub epoch: u64,
    /// The object hash of its event.
    pub hash: Hash,
    /// The settings.
    pub settings: Settings,
    /// Group recipients of a thread.
    pub groups: Vec<GroupRecipient>,
    /// How long a follower may serve it without a word of the owner, in milliseconds (spec 11.4).
    #[serde(default = "standard")]
    pub ttl: u64,
    /// Who was removed, and at what epoch (spec 6.5). The owner's knowledge; a follower knows its own users'.
    pub tombstones: Vec<(UserId, u64)>,
    /// Whether it is over.
    pub ended: bool,
    /// Why nothing of it is served, if so.
    pub frozen: Option<String>,
}

fn yes() -> bool {
    true
}

fn nothing() -> (u64, Hash) {
    (0, Hash::ZERO)
}

fn standard() -> u64 {
    limits::LEASE_STANDARD_MILLIS
}

/// How far a thread may be shown to those who read it through a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cover {
    /// Last entry covered.
    pub seq: u64,
    /// The scope's epoch in the head.
    pub epoch: u64,
    /// The head as signed.
    pub head: Blob,
}

/// A thread's content chain, without the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The thread.
    pub thread: ThreadId,
    /// First entry held; `high + 1` when none is.
    pub low: u64,
    /// Last entry held, 0 when none is.
    pub high: u64,
    /// The hash of entry `high`.
    pub hash: Hash,
    /// The hash that entry `low - 1` must have.
    pub below: Hash,
    /// Heads by granting scope.
    pub covers: Vec<(ScopeId, Cover)>,
    /// Heads whose epoch is not applied yet: at most one per scope.
    pub pending: Vec<(ScopeId, Cover)>,
    /// Per granting scope, (epoch, first entry at or after it), ascending: where `from-now` begins.
    pub marks: Vec<(ScopeId, Vec<(u64, u64)>)>,
    /// Time of the last entry, for the inbox's order.
    pub time: Millis,
    /// Follower: entries after `high` may exist that nobody sends unasked.
    pub stale: bool,
    /// Follower: the owner has nothing below `low` for us.
    pub bottom: bool,
}

/// A message of a user of this home that its owner has not answered (spec 7.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The owner.
    pub owner: WorkspaceId,
    /// Order within the outbox of this owner.
    pub number: u64,
    /// The submission, signed.
    pub signed: Blob,
    /// Its id.
    pub submission: SubmissionId,
    /// Where to.
    pub thread: ThreadId,
    /// Who wrote it.
    pub author: UserId,
    /// What it is.
    pub kind: crate::wire::objects::EntryKind,
    /// Its body.
    pub sealed: Sealed,
    /// When.
    pub time: Millis,
    /// Why the owner refused it, if it did; kept until the author has seen it.
    pub refused: Option<String>,
}

/// The answer to an act, kept for those who ask again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// The home's name for the act.
    pub id: SubmissionId,
    /// Who asked.
    pub user: UserId,
    /// Order, for forgetting the oldest.
    pub number: u64,
    /// What was asked, hashed.
    pub asked: Hash,
    /// The answer.
    pub answer: super::command::Reply,
}

impl ScopeHead {
    /// The head that a snapshot describes.
    #[must_use]
    pub fn from_snapshot(snapshot: Snapshot, tombstones: Vec<(UserId, u64)>) -> Self {
        let Snapshot { scope, owner, kind, starter, incarnation, epoch, hash, settings, ttl, groups, .. } =
            snapshot;
        let (ended, frozen) = (false, None);
        Self {
            id: scope,
            owner,
            kind,
            starter,
            incarnation,
            epoch,
            hash,
            settings,
            groups,
            ttl,
            tombstones,
            ended,
            frozen,
        }
    }
}

/// A group of another owner that may stand in a thread of ours, or the reverse (spec 6.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLink {
    /// The group.
    pub group: GroupId,
    /// The thread.
    pub thread: ThreadId,
    /// The thread's owner, who follows the group's roster.
    pub follower: WorkspaceId,
    /// The consent, as signed.
    pub consent: Blob,
    /// Its object hash.
    pub hash: Hash,
}

/// How far a user has read a thread (spec 10.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadMark {
    /// Who.
    pub user: UserId,
    /// What.
    pub thread: ThreadId,
    /// Up to where.
    pub seq: u64,
}

/// Numbers and keys of the node itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The own workspace.
    pub id: WorkspaceId,
    /// The TLS key in use.
    pub tls: PublicKey,
    /// Starts so far.
    pub boots: u64,
    /// Last number given to an outbox row or a remembered act.
    pub numbers: u64,
    /// How far the journal went with the last commit: its records, and the hash over them (spec 12.6).
    #[serde(default = "nothing")]
    pub journal: (u64, Hash),
}

macro_rules! rows {
    ($($code:literal $name:ident($row:ty, $key:ty, |$r:ident| $of:expr),)+) => {
        /// A row, with its kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Row { $(#[doc = concat!("A [`", stringify!($row), "`].")] $name($row),)+ }

        /// The key of a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RowKey { $(#[doc = concat!("Of a [`", stringify!($row), "`].")] $name($key),)+ }

        impl Row {
            /// The key under which it is kept.
            #[must_use]
            pub fn key(&self) -> RowKey {
                match self { $(Self::$name($r) => RowKey::$name($of),)+ }
            }

            /// The number of its kind in stored keys; never reused.
            #[must_use]
            pub fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => $code,)+ }
            }

            /// The stored form: CBOR of the row alone.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                match self { $(Self::$name(row) => crate::wire::cbor::encode(row),)+ }
            }

            /// Reads the stored form of a kind.
            ///
            /// # Errors
            /// The kind is unknown, or the bytes are not of this version.
            pub fn from_bytes(kind: u8, bytes: &[u8]) -> Result<Self, String> {
                match kind {
                    $($code => ciborium::from_reader::<$row, _>(bytes)
                        .map(Self::$name)
                        .map_err(|error| format!(concat!("a stored ", stringify!($name), " row: {}"), error)),)+
                    other => Err(format!("rows of kind {other} are unknown to this version")),
                }
            }
        }

        impl RowKey {
            /// The stored form: the number of the kind, then the key's bytes in CBOR.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                match self { $(Self::$name(key) => {
                    let mut bytes = vec![$code];
                    bytes.extend(crate::wire::cbor::encode(key));
                    bytes
                })+ }
            }
        }
    };
}

rows! {
    0 Node(Node, (), |_r| ()),
    1 Home(Home, WorkspaceId, |r| r.id),
    2 Peer(Peer, WorkspaceId, |r| r.id),
    3 Ticket(Ticket, Hash, |r| r.secret),
    4 User(User, UserId, |r| r.id),
    5 Scope(ScopeHead, ScopeId, |r| r.id),
    6 Member(MemberRow, (ScopeId, UserId), |r| (r.scope, r.member.user)),
    7 Log(Log, ThreadId, |r| r.thread),
    8 Sent(SentInvite, InviteId, |r| r.id),
    9 Received(ReceivedInvite, (InviteId, UserId), |r| (r.invite.id, r.user)),
    10 Pending(Pending, (WorkspaceId, u64), |r| (r.owner, r.number)),
    11 Remembered(Remembered, SubmissionId, |r| r.id),
    12 Removal(Removal, (ScopeId, u64), |r| (r.scope, r.epoch)),
    13 GroupLink(GroupLink, (GroupId, ThreadId), |r| (r.group, r.thread)),
    14 ReadMark(ReadMark, (UserId, ThreadId), |r| (r.user, r.thread)),
    15 Deferred(Deferred, u64, |r| r.number),
    16 Contradiction(Contradiction, Hash, |r| r.id),
    17 Reign(super::reign::Reign, (ScopeId, u64), |r| (r.scope, r.epoch)),
    19 Succession(super::handover::Succession, MoveId, |r| r.id),
    20 Credential(Credential, UserId, |r| r.user),
    21 Session(Session, Hash, |r| r.token),
    22 Link(Link, Hash, |r| r.secret),
    23 Claim(Claim, Hash, |r| r.id),
    24 Successor(Successor, UserId, |r| r.to),
    18 Transfer(super::moving::Transfer, MoveId, |r| r.id),
    // Mail.
    26 Letter(super::letter::Letter, u64, |r| r.number),
    27 Mailed(super::letter::Mailed, Hash, |r| r.to),
    31 Origin(Origin, ThreadId, |r| r.thread),
    30 Attention(Attention, (ThreadId, UserId), |r| (r.thread, r.user)),
    35 Policy(Policy, (), |_r| ()),
    36 GroupPolicy(GroupPolicy, GroupId, |r| r.group),
    37 PeerPolicy(PeerPolicy, WorkspaceId, |r| r.peer),
    38 Request(Request, RequestId, |r| r.id),
    39 Meter(Meter, Gauge, |r| r.of),
    40 Former(Former, (UserId, ScopeId), |r| (r.user, r.scope)),
}

/// Who was in a scope, for as long as its copy stays: what he wrote there keeps its author's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Former {
    /// The scope.
    pub scope: ScopeId,
    /// Who.
    pub user: UserId,
    /// As he was shown last.
    pub profile: Profile,
}

/// A member of a scope, as a row of its own: rosters can be long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The scope.
    pub scope: ScopeId,
    /// The place.
    pub member: Member,
}
