//! Frames: what travels on the streams between two nodes (spec 9).
//!
//! Duty: shapes and bounds. A stream begins with one byte that names its kind; then frames, each with a
//! 4-byte big-endian length before it. Never: a decision.

use super::{
    Blob,
    array::{choice, record},
    content::{Sealed, Stored},
    objects::Extensions,
};
use crate::{
    ids::{FeedId, Hash, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    limits,
    time::Millis,
};

/// First byte of a stream: what it carries (spec 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StreamKind {
    /// Bidirectional, one per connection, opened by the dialler: [`Control`] frames both ways.
    Control = 1,
    /// Unidirectional, owner to follower: [`ContentFrame`]s.
    Content = 2,
    /// Bidirectional, home to owner: [`Submit`] one way, [`SubmitAnswer`] the other.
    Submit = 3,
    /// Bidirectional, follower to owner: one [`HistoryRequest`], then one [`HistoryPage`].
    History = 4,
}

impl StreamKind {
    /// The kind of this first byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Control, Self::Content, Self::Submit, Self::History]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    /// The first byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Control => 1,
            Self::Content => 2,
            Self::Submit => 3,
            Self::History => 4,
        }
    }
}

record! {
    /// First control frame each way (spec 9.3).
    pub struct Hello {
        /// Who speaks.
        pub workspace: WorkspaceId,
        /// The newest own manifest.
        pub revision: u64,
        /// Its object hash.
        pub manifest: Hash,
        /// The newest revision known of the other side; null when nothing is known.
        pub known: Option<u64>,
        /// The secret of a ticket, from the one who asks to be a peer.
        pub ticket: Option<Blob>,
        /// Whether the peering is approved on the speaker's side.
        pub approved: bool,
        /// Starts of the node so far.
        pub boots: u64,
        /// The clock, for a warning only.
        pub clock: Millis,
        /// Features and limits of later versions.
        pub extensions: Extensions,
    }
}

choice! {
    /// Frames of the control stream (spec 9.3 to 9.6).
    pub enum Control {
        /// First, both ways.
        0 => Hello { /** Who and what. */ hello: Hello, },
        /// Manifests that the other side lacks, oldest first: own ones, or of homes of authors.
        1 => Manifests { /** As signed. */ chain: Vec<Blob>, },
        /// Where the speaker stands in the other's feeds; sent once after the peering is active on both sides.
        2 => Resume {
            /** The feed known, its rows applied, their running hash. */ feed: Option<FeedPosition>,
            /** Content frames that are durable here. */ content: u64,
        },
        /// Rows of the control feed.
        3 => Feed { /** The rows. */ frame: FeedFrame, },
        /// Rows up to this number are durable.
        4 => FeedAck { /** The feed. */ feed: FeedId, /** The last row. */ number: u64, },
        /// The speaker cannot continue the other's feed: what it holds of the other's scopes.
        5 => Compare { /** All of them. */ scopes: Vec<ScopeState>, },
        /// Content frames up to this number are durable.
        6 => ContentAck { /** The last frame. */ number: u64, },
        /// The content feed starts anew: catch up by history.
        7 => ContentReset { /** The number that the next frame will follow. */ number: u64, },
        /// Somebody types (ephemeral, spec 10.1).
        8 => Typing { /** Where. */ thread: ThreadId, /** Who. */ user: UserId, },
        /// Somebody has read up to here (ephemeral, spec 10.2).
        9 => Read { /** Where. */ thread: ThreadId, /** Who. */ user: UserId, /** Up to which entry. */ seq: u64, },
        /// The speaker closes the connection for this reason.
        10 => Bye { /** For people. */ reason: String, },
        /// A follower asks for a lease (spec 11.1).
        11 => AskLease { /** What it holds. */ ask: LeaseAsk, },
        /// The owner's grant, type 9, audience the follower; behind the rows that it counts.
        12 => Lease { /** As signed. */ lease: Blob, },
        /// No lease now.
        13 => NoLease { /** The code of spec 9.9. */ code: u64, },
        /// An owner that has started asks what the follower holds; what it knows itself (spec 12.2).
        14 => Recall { /** Positions. */ scopes: Vec<ScopeState>, /** Whether more frames follow. */ more: bool, },
        /// The follower's answer.
        15 => Witness { /** What it holds. */ frame: Witness, },
    }
}

record! {
    /// What a follower holds of an owner's feed when it asks for a lease (spec 11.1).
    pub struct LeaseAsk {
        /// Random.
        pub nonce: Hash,
        /// The feed.
        pub feed: FeedId,
        /// The last row applied.
        pub number: u64,
        /// The running hash up to there.
        pub hash: Hash,
        /// The sum of what the follower's users are in; null while a word about them is on the way.
        pub roster: Option<Hash>,
    }
}

record! {
    /// A place in a control feed.
    pub struct FeedPosition {
        /// Which life of the feed.
        pub feed: FeedId,
        /// The last row.
        pub number: u64,
        /// SHA-256 over the running hash before and the row (spec 9.4).
        pub hash: Hash,
    }
}

record! {
    /// Consecutive rows of a control feed (spec 9.4).
    pub struct FeedFrame {
        /// Which life of the feed.
        pub feed: FeedId,
        /// The number of the first row, from 1.
        pub first: u64,
        /// Encoded [`Item`]s.
        pub items: Vec<Blob>,
    }
}

choice! {
    /// A row of a control feed (spec 9.5). Each holds one signed object.
    pub enum Item {
        /// A membership event, type 2.
        0 => Event { /** As signed. */ event: Blob, },
        /// A scope's snapshot, type 3: the peer begins to follow it here.
        1 => Snapshot { /** As signed. */ snapshot: Blob, },
        /// An invitation, type 6, audience the home.
        2 => Invite { /** As signed. */ invite: Blob, },
        /// A consent, type 7, audience the owner.
        3 => Consent { /** As signed. */ consent: Blob, },
        /// A receipt, type 8, audience the owner.
        4 => Receipt { /** As signed. */ receipt: Blob, },
        /// A statement, type 10, audience the receiver.
        5 => Statement { /** As signed. */ statement: Blob, },
        /// A consent for a group in a thread, type 13, audience the thread's owner.
        6 => GroupConsent { /** As signed. */ consent: Blob, },
        /// Manifests of a home whose users appear in a scope, oldest first.
        7 => Manifests { /** As signed. */ chain: Vec<Blob>, },
        /// Two objects of the receiver's that contradict each other (spec 12.7).
        9 => Alarm { /** What was held first, as signed. */ first: Blob, /** What contradicts it, as signed. */ second: Blob, },
        /// An old owner's last event with the acceptance by the new one (spec 14.2).
        10 => Moved { /** As signed, type 2. */ event: Blob, /** As signed, type 14, audience the old owner. */ acceptance: Blob, },
        /// An acceptance, type 14, audience the receiver, which owns the scope.
        11 => Acceptance { /** As signed. */ acceptance: Blob, },
        /// To the new owner, before the move: what only the owner knows of a scope (spec 14.3).
        12 => Estate {
            /** The scope. */ scope: ScopeId, /** The longest ttl that a follower may believe in. */ ttl: u64,
            /** Who was removed, and at what epoch. */ gone: Vec<(UserId, u64)>,
        },
        /// A dead owner's root key gave the scope away, type 15 (spec 14.7).
        13 => HandedOver {
            /** As signed. */ handover: Blob, /** Of a thread: the last entry held. */ high: u64, /** Its hash. */ hash: Hash,
        },
        /// A free account goes on as an account of a workspace, type 16 (spec 6.10).
        14 => AccountMoved {
            /** From the new home to the old one: the link by which it was asked for. */ link: Option<Hash>,
            /** As the old home signed it; null while only the new one has. */ old: Option<Blob>,
            /** As the new home signed it. */ new: Blob,
        },
        /// A thread's owner asks the group's owner for a consent, in the name of one of the group's users.
        8 => AskGroup { /** The thread. */ thread: ThreadId, /** The group. */ group: crate::ids::GroupId, /** Who asks. */ by: UserId, },
    }
}

record! {
    /// What a follower holds of a scope (spec 9.6).
    pub struct ScopeState {
        /// Which.
        pub scope: ScopeId,
        /// The incarnation.
        pub incarnation: u64,
        /// The epoch applied.
        pub epoch: u64,
        /// The object hash of its event.
        pub hash: Hash,
        /// Whether the speaker has a reader there.
        pub follows: bool,
        /// Of a thread: the last entry held, and its hash.
        pub content: Option<(u64, Hash)>,
    }
}

record! {
    /// What a follower holds of an owner's scopes, for an owner that has started anew (spec 12.2).
    pub struct Witness {
        /// Positions.
        pub scopes: Vec<ScopeState>,
        /// The owner's own events (type 2) and snapshots (type 3) beyond what it says it knows.
        pub items: Vec<Blob>,
        /// Whether more frames follow.
        pub more: bool,
    }
}

record! {
    /// A head with where `from-now` begins for users of the receiver (spec 5.6).
    pub struct Covering {
        /// As signed, type 4.
        pub head: Blob,
        /// (epoch of a join, first entry at or after it).
        pub marks: Vec<(u64, u64)>,
    }
}

record! {
    /// Live content (spec 9.7).
    pub struct ContentFrame {
        /// Counts the frames to this peer, from 1, over connections.
        pub number: u64,
        /// Entries, ascending within each thread.
        pub entries: Vec<Stored>,
        /// Heads that cover them.
        pub heads: Vec<Covering>,
    }
}

record! {
    /// A follower asks for part of a thread (spec 9.8).
    pub struct HistoryRequest {
        /// The thread.
        pub thread: ThreadId,
        /// Entries below this one, newest first; null: the newest.
        pub before: Option<u64>,
        /// Entries from this one on, oldest first, instead.
        pub after: Option<u64>,
        /// At most so many.
        pub limit: u64,
    }
}

record! {
    /// The answer (spec 9.8): consecutive entries in ascending order, and the newest heads.
    pub struct HistoryPage {
        /// The thread.
        pub thread: ThreadId,
        /// The entries.
        pub entries: Vec<Stored>,
        /// The heads through which the follower reads.
        pub heads: Vec<Covering>,
        /// Whether the follower may have nothing below the first entry.
        pub bottom: bool,
    }
}

choice! {
    /// Home to owner (spec 9.9).
    pub enum Submit {
        /// A submission, type 5, audience the owner.
        0 => Post { /** As signed. */ signed: Blob, /** Its body. */ sealed: Sealed, },
        /// An act, type 12, audience the owner.
        1 => Act { /** As signed. */ signed: Blob, },
    }
}

choice! {
    /// Owner to home, in the order of the requests (spec 9.9).
    pub enum SubmitAnswer {
        /// The entry's place.
        0 => Posted { /** Which submission. */ id: SubmissionId, /** Its entry. */ seq: u64, },
        /// The act was carried out.
        1 => Done { /** Which act. */ id: SubmissionId, /** What it made. */ scope: Option<ScopeId>, /** The epoch it led to. */ epoch: Option<u64>, },
        /// Refused.
        2 => Refused { /** Which. */ id: SubmissionId, /** The code of spec 9.9. */ code: u64, /** For people. */ detail: String, },
    }
}

/// Whether a received length is one that a frame may have.
#[must_use]
pub fn length_allowed(length: usize) -> bool {
    length > 0 && length <= limits::FRAME_BYTES
}
