//! Membership: events, their operations, and snapshots (spec 4).
//!
//! Duty: shapes and bounds. Never: what an operation brings about.

use super::super::{
    array::{choice, code, record},
    envelope::Object,
};
use super::{Extensions, Profile, position, short};
use crate::{
    ids::{GroupId, Hash, InviteId, ScopeId, UserId, WorkspaceId},
    limits,
    time::Millis,
};

code! {
    /// What a member may do (spec 4.5, P2.7); each includes those before it.
    pub enum Grade {
        /// Reads.
        0 => Read = "read",
        /// Writes, and starts threads in the group.
        1 => Post = "post",
        /// Also invites people of the own home.
        2 => Invite = "invite",
        /// Also administers the scope.
        3 => Admin = "admin",
    }
}

code! {
    /// What history a join brings (spec 4.6, P2.6).
    pub enum Floor {
        /// Everything.
        0 => All = "all",
        /// What is committed after the join.
        1 => FromNow = "from-now",
    }
}

code! {
    /// What kind of conversation a thread is (spec 4.3).
    pub enum ThreadKind {
        /// The chat of exactly one group.
        0 => Chat = "chat",
        /// A subject, addressed to groups and users.
        1 => Topic = "topic",
        /// Between exactly two users.
        2 => Dm = "dm",
    }
}

record! {
    /// Settings of a group or thread, whole (spec 4.4). Fields that a kind does not use are false.
    pub struct Settings {
        /// Name of a group, subject of a topic.
        pub name: String,
        /// Group: externals may be members.
        pub externals: bool,
        /// Group: every member may add members.
        pub open_invites: bool,
        /// Only admins (of a thread: and the starter) may write.
        pub replies_off: bool,
        /// Thread: only starter and admins change recipients.
        pub locked: bool,
        /// Thread: no entries until it is opened again. Group: archived.
        pub closed: bool,
        /// Group: whoever is at home at the owner may join by himself (P5.1). What was signed before there was such a field
        /// says no.
        pub open: bool = false,
    }
}

record! {
    /// A user's place in a scope (spec 4.5).
    pub struct Member {
        /// Who.
        pub user: UserId,
        /// What he may do.
        pub grade: Grade,
        /// What he may read.
        pub floor: Floor,
        /// The epoch of the join: where `from-now` begins.
        pub joined: u64,
        /// Who added him.
        pub by: UserId,
        /// When, for display.
        pub time: Millis,
        /// When it ends by itself (P2.8).
        pub until: Option<Millis>,
        /// How he is shown.
        pub profile: Profile,
    }
}

record! {
    /// A group to which a thread is addressed (spec 4.8).
    pub struct GroupRecipient {
        /// The group.
        pub group: GroupId,
        /// Its owner.
        pub owner: WorkspaceId,
        /// The epoch of the thread at which it was added.
        pub added: u64,
        /// Who added it.
        pub by: UserId,
        /// First entry that its members get.
        pub from: u64,
    }
}

choice! {
    /// One change of a scope (spec 4.9). Codes below 64 are critical.
    pub enum Op {
        /// First operation of a group's first event.
        0 => CreateGroup { /** As created. */ settings: Settings, /** Random. */ nonce: Hash, },
        /// First operation of a thread's first event.
        1 => CreateThread {
            /** Chat, topic or DM. */ kind: ThreadKind, /** As created. */ settings: Settings, /** Random. */ nonce: Hash,
        },
        /// A user becomes a member; a user of another home by an invitation and a consent.
        2 => Join {
            /** The place, `joined` being this event's epoch. */ member: Member,
            /** The invitation that was accepted; null for the owner's own users. */ invite: Option<InviteId>,
            /** The object hash of the home's consent; null for the owner's own users. */ consent: Option<Hash>,
        },
        /// A user leaves by himself or by his home's word.
        3 => Leave { /** Who. */ user: UserId, },
        /// A user is removed.
        4 => Remove { /** Who. */ user: UserId, },
        /// A user's grade changes.
        5 => Grade { /** Who. */ user: UserId, /** From now on. */ grade: Grade, },
        /// The settings change, whole.
        6 => Settings { /** From now on. */ settings: Settings, },
        /// A group becomes a recipient of the thread.
        7 => AddGroup { /** Which. */ recipient: GroupRecipient, /** Its owner's consent; null for an own group. */ consent: Option<Hash>, },
        /// A group is no longer a recipient.
        8 => RemoveGroup { /** Which. */ group: GroupId, },
        /// The scope ends for everybody.
        9 => End {},
        /// A member is shown differently.
        10 => Profile { /** Who. */ user: UserId, /** From now on. */ profile: Profile, },
        /// How long followers may serve the scope without a word of its owner (spec 11.4).
        11 => Lease { /** In milliseconds. */ ttl: u64, },
        /// First operation of a new incarnation: the owner may have forgotten what it signed after this (spec 12.3).
        12 => Incarnate { /** Of a thread: the last entry that counts. */ high: u64, /** Its hash. */ hash: Hash, },
        /// Alone in its event, the last one of an owner: another workspace owns the scope from now on (spec 14.2).
        13 => Move {
            /** The new owner. */ to: WorkspaceId, /** The object hash of its acceptance. */ consent: Hash,
            /** Of a thread: the last entry. */ high: u64, /** Its hash. */ hash: Hash,
        },
    }
}

impl Op {
    /// Whose place it ends.
    #[must_use]
    pub fn ends_place_of(&self) -> Option<UserId> {
        match self {
            Self::Leave { user } | Self::Remove { user } => Some(*user),
            _ => None,
        }
    }
}

record! {
    /// A link of a membership chain, signed by the owner (spec 4.2).
    pub struct Event {
        /// The scope; null in the first event, whose hash becomes its id.
        pub scope: Option<ScopeId>,
        /// Ordinal of the incarnation, from 0.
        pub incarnation: u64,
        /// Gapless, from 0.
        pub epoch: u64,
        /// The object hash of the event before; zero in the first.
        pub previous: Hash,
        /// When, for display.
        pub time: Millis,
        /// Who did it.
        pub actor: UserId,
        /// What changes, in order; all or nothing.
        pub ops: Vec<Op>,
        /// Later versions.
        pub extensions: Extensions,
    }
}

impl Object for Event {
    const TYPE: u64 = 2;
    fn bounds(&self) -> Result<(), String> {
        position(self.incarnation)?;
        position(self.epoch)?;
        if self.ops.len() > 1 && self.ops.iter().any(|op| matches!(op, Op::Move { .. })) {
            return Err("a move stands alone in its event".into());
        }
        if self.ops.is_empty() || self.ops.len() > limits::OPS_PER_EVENT {
            return Err(format!("an event has 1 to {} operations", limits::OPS_PER_EVENT));
        }
        self.ops.iter().try_for_each(|op| match op {
            Op::CreateGroup { settings, .. }
            | Op::CreateThread { settings, .. }
            | Op::Settings { settings } => short("name", &settings.name, limits::NAME_BYTES),
            Op::Join { member, .. } => member.profile.bounds(),
            Op::Profile { profile, .. } => profile.bounds(),
            Op::Lease { ttl } => lease_bounds(*ttl),
            _ => Ok(()),
        })
    }
}

fn lease_bounds(ttl: u64) -> Result<(), String> {
    let allowed = (limits::LEASE_LEAST_MILLIS..=limits::LEASE_MOST_MILLIS).contains(&ttl);
    if allowed { Ok(()) } else { Err(format!("a lease of {ttl} ms is out of bounds")) }
}

record! {
    /// A scope as it stands at an epoch, without its past (spec 4.10).
    pub struct Snapshot {
        /// Which.
        pub scope: ScopeId,
        /// Its owner.
        pub owner: WorkspaceId,
        /// The kind of a thread; null for a group.
        pub kind: Option<ThreadKind>,
        /// Who created it.
        pub starter: UserId,
        /// The incarnation.
        pub incarnation: u64,
        /// The epoch of the last event that is included.
        pub epoch: u64,
        /// That event's object hash.
        pub hash: Hash,
        /// The settings.
        pub settings: Settings,
        /// How long followers may serve it without a word of the owner, in milliseconds (spec 11.4).
    pub ttl: u64,
    /// The members, ascending by user id.
        pub members: Vec<Member>,
        /// The group recipients, ascending by group id.
        pub groups: Vec<GroupRecipient>,
        /// Later versions.
        pub extensions: Extensions,
    }
}

impl Object for Snapshot {
    const TYPE: u64 = 3;
    fn bounds(&self) -> Result<(), String> {
        position(self.incarnation)?;
        position(self.epoch)?;
        if self.members.len() > limits::MEMBERS_PER_SCOPE + limits::OPS_PER_EVENT {
            return Err(format!("more than {} members", limits::MEMBERS_PER_SCOPE));
        }
        lease_bounds(self.ttl)
    }
}
