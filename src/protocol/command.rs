//! What may be asked of the core, and what it answers.
//!
//! Duty: the doors. Everything that changes state comes in as a [`Command`]. Never: behaviour.

use serde::{Deserialize, Serialize};

use super::{
    account::{By, Which},
    change::Change,
    claim,
    journal::Record,
    people,
    row::{GroupPolicy, InvitePolicy, PeerPolicy, Policy, Role, Session, Told},
};
use crate::{
    crypto::Secret,
    ids::{Hash, InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    time::{Boot, Millis},
    wire::{
        Blob, Sealed,
        frames::{ContentFrame, FeedFrame, HistoryPage, LeaseAsk, ScopeState, Witness},
        objects::{Action, EntryKind, Floor, Grade, Settings},
    },
};

/// Something that is asked of the node's state.
#[derive(Clone, Debug)]
pub enum Command {
    /// The node starts: counts the boot. First of all commands. Whether its journal is there and not older than the store.
    Boot {
        /// Else no peer is served before an admin has confirmed it.
        trusted: bool,
    },
    /// A record of the journal that the store lacks (spec 12.6).
    Recorded(Record),
    /// An admin confirms that the journal may begin anew.
    TrustJournal,
    /// Own manifest of a new revision, after a rotation or a change of endpoints.
    Manifest(Blob),

    /// A command in the name of a user of this home, who stands in its audit lines; it does not say so itself.
    By(UserId, Box<Command>),
    /// A command of a local user that is carried out once under this key, however often it is asked.
    Once {
        /// The key, bound to the user.
        key: SubmissionId,
        /// Who.
        user: UserId,
        /// A hash of what is asked: another question under the key is refused.
        asked: Hash,
        /// What.
        command: Box<Command>,
    },

    /// A user of this workspace is added.
    AddUser {
        /// Local part of the address.
        local: String,
        /// Display name.
        name: String,
        /// Standing.
        role: Role,
    },
    /// A session begins, or a token is made; only the hash of what is shown is given.
    OpenSession(Session),
    /// The session or token of this name ends, and this session begins in its place.
    TradeSession(Hash, Session),
    /// One session or token of the user ends.
    EndSession(UserId, Hash),
    /// Sessions of the user end.
    EndSessions(UserId, Which),
    /// A user sets his password, given as its hash; which of his sessions end.
    SetPassword(UserId, Secret, Which),
    /// Somebody without an account makes a free one, at a realm (P1.2).
    AddFree(people::Free),
    /// A user of this home shows the link of an invitation (P1.5).
    Claim(UserId, claim::Code),
    /// The inviter, or an admin of the scope, says whether who claims an invitation is whom he meant.
    DecideClaim(UserId, InviteId, bool),
    /// The inviter, or an admin of the scope, sends an invitation again; an older link of it stops working.
    ResendInvite(UserId, InviteId),
    /// Our admin wants a peering with the workspace whose invitation somebody claims.
    WantPeering(Hash),
    /// Whether e-mail can be sent.
    Mails(bool),
    /// A link to a user's first or next password: who wants it, and where it is mailed if not to his own address.
    PasswordLink(UserId, By, Option<String>),
    /// Somebody who is not signed in forgot the password of this address.
    Forgot(String),
    /// A user of a free account wants a code by mail.
    AskCode(UserId),
    /// He shows it: the hash of it.
    ShowCode(UserId, Hash),
    /// Somebody shows such a link.
    UsePasswordLink {
        /// The hash of the link's secret.
        link: Hash,
        /// The hash of the new password.
        password: Secret,
        /// The hash of the token of the session that begins.
        token: Hash,
        /// What the client calls itself.
        agent: String,
    },
    /// A user's display name changes.
    Rename(UserId, String),
    /// A user says what he does.
    SetTitle(UserId, String),
    /// Of what a user wants to be told where he does not look.
    SetTold(UserId, Told),
    /// A user's standing changes; suspension ends every membership abroad and here (P7.5).
    SetRole(UserId, Role),
    /// A user's account ends for good, and every membership with it.
    RemoveUser(UserId),
    /// An admin takes one of the own people out of one group or thread of another owner (P5.5).
    Withdraw {
        /// Who decides.
        admin: UserId,
        /// Whom.
        user: UserId,
        /// From where.
        scope: ScopeId,
    },

    /// A ticket is opened; only the hash of its secret is given.
    OpenTicket(Hash, Millis),
    /// Our admin redeems a ticket of another workspace.
    RedeemTicket {
        /// Whose.
        peer: WorkspaceId,
        /// Where they listen.
        endpoints: Vec<String>,
        /// The secret.
        secret: Blob,
    },
    /// Over the link: a stranger presents a ticket and its manifest chain.
    PeerRequest {
        /// The chain from genesis.
        manifests: Vec<Blob>,
        /// The ticket's secret.
        secret: Blob,
    },
    /// Over the link: manifests of a workspace, oldest first.
    Manifests(Vec<Blob>),
    /// Over the link: the peer says that it has approved us.
    PeerApproved(WorkspaceId),
    /// Our admin approves a waiting peer, or resumes a paused one.
    Approve(WorkspaceId),
    /// Our admin pauses a peering.
    Pause(WorkspaceId),
    /// Our admin ends a peering: memberships through it end in both directions (P7.5).
    EndPeer(UserId, WorkspaceId),
    /// Our admin sets what happens with invitations from a peer.
    SetInvitePolicy(WorkspaceId, InvitePolicy),

    // Policy and conduct.
    /// An admin sets the workspace's policy; whom it excludes goes, if that is confirmed (P8.2).
    SetPolicy(UserId, Box<Policy>, bool),
    /// An admin of a group sets its policy, likewise.
    SetGroupPolicy(UserId, Box<GroupPolicy>, bool),
    /// An admin sets what is allowed with a peer, likewise.
    SetPeerPolicy(UserId, Box<PeerPolicy>, bool),
    /// Our admin lets an invitation through to its user, or refuses it (P2.5).
    Approval(InviteId, bool),
    /// A user blocks a person, or does so no more (P2.4).
    Block(UserId, UserId, bool),

    /// A user creates a group.
    CreateGroup(UserId, Settings),
    /// A user starts a topic thread. With a first group of another owner it is forwarded there.
    CreateThread {
        /// Who.
        actor: UserId,
        /// Subject and settings.
        settings: Settings,
        /// Group recipients, in order.
        groups: Vec<crate::ids::GroupId>,
        /// Addresses of direct recipients.
        addresses: Vec<String>,
    },
    /// A user opens the DM with the owner of an address, or finds it.
    OpenDm(UserId, String),
    /// Users of this home become members at once.
    AddMembers {
        /// Who adds.
        actor: UserId,
        /// Where.
        scope: ScopeId,
        /// Whom.
        users: Vec<UserId>,
        /// As what.
        grade: Grade,
        /// With what history.
        floor: Floor,
    },
    /// A user acts on a scope that is owned here. For foreign scopes the node forwards it as an act.
    Act(UserId, Action),
    /// A group's settings change, and whoever they exclude goes: the actor has seen who that is (P8.2).
    Tighten(UserId, ScopeId, Settings),
    /// An admin of a group offers it to another workspace.
    OfferMove(UserId, crate::ids::GroupId, WorkspaceId),
    /// Our admin wants what was offered.
    WantMove(UserId, crate::ids::MoveId),
    /// Our admin takes over what the root key of a dead owner gave to this workspace: the signed handovers.
    TakeHandover(UserId, Vec<Blob>),
    /// An offer is taken back here, or declined.
    EndMove(UserId, crate::ids::MoveId),
    /// A user leaves a scope, wherever it is owned.
    Leave(UserId, ScopeId),
    /// A user answers an invitation.
    AnswerInvite(UserId, InviteId, bool),
    /// An inviter or admin takes an invitation back.
    RevokeInvite(UserId, InviteId),
    /// A user writes, wherever the thread is owned.
    Post {
        /// Who.
        author: UserId,
        /// Where.
        thread: ThreadId,
        /// The key of idempotency.
        id: SubmissionId,
        /// What.
        kind: EntryKind,
        /// The message it is about, unless it is one.
        target: Option<u64>,
        /// Text or reaction.
        text: String,
        /// Who is named.
        mentions: Vec<UserId>,
    },
    /// A user has read a thread up to here.
    MarkRead(UserId, ThreadId, u64),
    /// The author has seen that a message was refused, or gives it up: (owner, number).
    ForgetPending(UserId, SubmissionId),

    /// Over the link: a submission of a peer's user.
    Submitted {
        /// The channel it came on.
        peer: WorkspaceId,
        /// The signed submission.
        signed: Blob,
        /// The body.
        sealed: Sealed,
    },
    /// Over the link: an act of a peer's user.
    Acted(WorkspaceId, Blob),
    /// Over the link: the owner's answer to a submission of ours.
    Answered(WorkspaceId, SubmissionId, Result<u64, Reject>),
    /// Over the link: rows of the peer's control feed.
    Feed(WorkspaceId, FeedFrame),
    /// Over the link: rows of our feed are durable at the peer.
    FeedAcked(WorkspaceId, crate::ids::FeedId, u64),
    /// Over the link: what the peer says it holds of our scopes; starts a new feed.
    Compare(WorkspaceId, Vec<ScopeState>),
    /// Over the link: live content.
    Content(WorkspaceId, ContentFrame),
    /// Over the link: our content frames up to a number are durable at the peer; our journal position of it.
    ContentAcked(WorkspaceId, u64, u64),
    /// Over the link: a page of history that we asked for.
    History(WorkspaceId, HistoryPage),
    /// Over the link: the peer's content feed begins anew after this number; copies may lack entries.
    ContentReset(WorkspaceId, u64),
    /// A follower needs heads of a thread that were not signed yet.
    SignHeads(ThreadId),
    /// We tell an owner what we hold: it will begin a new feed.
    Comparing(WorkspaceId),
    /// Over the link: a frame of what a follower holds of our scopes.
    Witness(WorkspaceId, Witness),
    /// Over the link: a follower has said all that it holds.
    Compared(WorkspaceId, Vec<ScopeState>),
    /// Over the link: a follower asks for a lease.
    LeaseAsked(WorkspaceId, LeaseAsk),
    /// Over the link: an owner's lease.
    LeaseGranted {
        /// Whose.
        owner: WorkspaceId,
        /// The request's nonce.
        nonce: Hash,
        /// When the request left.
        asked: Boot,
        /// As signed.
        lease: Blob,
    },
    /// A part of the audit log is signed for an export; changes nothing.
    SealAudit {
        /// The first record.
        first: u64,
        /// The last one.
        last: u64,
        /// How many.
        count: u64,
        /// The chain hash of the last.
        hash: Hash,
    },
    // Mail.
    /// The mail server has taken a letter.
    LetterSent(u64),
    /// A try to send a letter failed.
    LetterFailed {
        /// Which.
        number: u64,
        /// Why.
        error: String,
        /// Whether the server will never take it.
        permanent: bool,
    },
    /// An admin wants a letter to be tried again now.
    LetterRetry(u64),
    /// An admin does not want a letter to be sent.
    LetterDropped(u64),
    /// An admin looks whether letters to an address are sent.
    LetterTrial(UserId, String),
    // People views.
    /// A user joins an open group of his workspace.
    JoinGroup(UserId, crate::ids::GroupId),
    /// A user started a thread from a message (P6.4).
    Refer {
        /// Who.
        user: UserId,
        /// The new thread.
        thread: ThreadId,
        /// The thread of the message.
        from: ThreadId,
        /// The message.
        seq: u64,
    },
    /// A user follows a thread, or ceases to.
    Follow(UserId, ThreadId, bool),
    /// A user puts a thread away until something new comes, or takes it back.
    Archive(UserId, ThreadId, bool),

    /// Time passes: memberships with an end date end, tickets run out.
    Tick,
}

/// What a command brought about.
#[derive(Clone, Debug)]
pub struct Decision {
    /// All of it, in order.
    pub changes: Vec<Change>,
    /// For the one who asked, after the commit.
    pub reply: Reply,
}

/// The answer to a command that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Nothing to say.
    Done,
    /// A user was made.
    User(UserId),
    /// A group or thread was made or found; ids of invitations that were sent on the way.
    Scope(ScopeId, Vec<InviteId>),
    /// A link that works once: of which invitation, if of one, and its path below the node's address, to be passed on.
    /// Shown once.
    Link(Option<InviteId>, String),
    /// An invitation was sent.
    Invited(InviteId),
    /// A move was offered.
    Offered(crate::ids::MoveId),
    /// The entry's place in the thread.
    Posted(u64),
    /// The message waits in the outbox for this owner.
    Pending(WorkspaceId),
    /// A lease that may leave behind the rows up to this number.
    Lease(u64, Blob),
    /// The scope belongs to this peer: send this signed act there and wait for the answer.
    Forward(WorkspaceId, Blob),
    /// The signed seal of a part of the audit log.
    Sealed(Blob),
    /// A letter was queued under this number.
    Letter(u64),
    /// A removal was committed.
    Removed {
        /// The scope's epoch of the event.
        epoch: u64,
        /// Paths that remain for the removed: threads and groups by which the content is still reached (P7.8).
        remaining: Vec<ScopeId>,
    },
    /// Nothing was changed because it was done before.
    Already,
}

crate::wire::code! {
    /// Why a peer's or a user's request is refused (spec 9.9). Travels.
    pub enum RejectCode {
        /// The bytes are not a valid object.
        0 => Malformed = "malformed",
        /// Larger than a limit.
        1 => TooLarge = "too-large",
        /// The peering is not active.
        2 => PeerInactive = "peer-inactive",
        /// The author's home is not the peer on this channel.
        3 => WrongHome = "wrong-home",
        /// Unknown here, or not to be known to the one who asks: never told apart (P3.1).
        4 => NotFound = "not-found",
        /// The same id was used for something else.
        5 => Conflict = "conflict",
        /// Not allowed to those who may know of it.
        6 => Forbidden = "forbidden",
        /// The thread takes no such entry now.
        7 => Closed = "closed",
        /// A bound is reached; later it may not be.
        8 => Quota = "quota",
        /// The signature does not hold.
        9 => Signature = "signature",
        /// The scope's state is older or newer than assumed.
        10 => Stale = "stale",
        /// The scope is owned by another workspace.
        11 => NotOwner = "not-owner",
        /// The chain contradicts what was seen before.
        12 => Contradiction = "contradiction",
        /// The feed does not continue where it ended: compare.
        13 => FeedGap = "feed-gap",
        /// A value breaks its rule.
        14 => Invalid = "invalid",
        /// An unknown critical operation: this node needs an update.
        15 => UpdateNeeded = "update-needed",
        /// The owner has just started and asks its followers what they hold; in some seconds it will answer.
        16 => Checking = "checking",
    }
}

/// A refusal: at fault is the one who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {detail}", code.name())]
pub struct Reject {
    /// Which rule.
    pub code: RejectCode,
    /// What exactly, and what to do. Names nothing that the asker may not know.
    pub detail: String,
}

impl Reject {
    /// A refusal with its explanation.
    pub fn new(code: RejectCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The one answer for what does not exist and for what must not be known to (P3.1).
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            RejectCode::NotFound,
            "no such group, thread, message or person, or you have no access to it",
        )
    }
}
