//! The signed objects of spec 2 to 8, one type per clause.
//!
//! Duty: field order, codes and bounds. Never: what an object may bring about, which is `protocol`'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de};

use super::{
    array::{choice, code, record},
    blob::Blob,
    envelope::Object,
};
use crate::{
    crypto::PublicKey,
    ids::{GroupId, Hash, InviteId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    limits,
    time::Millis,
};

/// Fields of later versions: keys from 1024 on, kept and ignored (spec 3.7).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Extensions(BTreeMap<u64, Blob>);

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<u64, Blob>::deserialize(d)?;
        match map.first_key_value() {
            Some((key, _)) if *key < 1024 => {
                Err(de::Error::custom(format!("extension key {key} is below 1024")))
            }
            _ => Ok(Self(map)),
        }
    }
}

fn short(what: &str, text: &str, limit: usize) -> Result<(), String> {
    let fits = !text.is_empty() && text.len() <= limit && !text.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(format!(
            "{what} must have 1 to {limit} bytes and no control characters"
        ))
    }
}

code! {
    /// What a manifest speaks for (spec 2.3).
    pub enum WorkspaceKind {
        /// A company's workspace.
        0 => Workspace = "workspace",
        /// A realm of free accounts.
        1 => Free = "free",
    }
}

record! {
    /// One revision of a workspace's identity, signed by the root key (spec 2.3).
    pub struct Manifest {
        /// Gapless, from 0.
        pub revision: u64,
        /// The object hash of the revision before; zero in the genesis.
        pub previous: Hash,
        /// Workspace or realm.
        pub kind: WorkspaceKind,
        /// The display name.
        pub name: String,
        /// The claimed domain: for display and addresses, never a proof.
        pub domain: String,
        /// `host:port` of the QUIC endpoints, best first.
        pub endpoints: Vec<String>,
        /// The root key; a change is signed by the root of the revision before.
        pub root: PublicKey,
        /// Keys that sign objects; the first one is in use.
        pub sign: Vec<PublicKey>,
        /// Keys of the TLS certificates.
        pub tls: Vec<PublicKey>,
        /// Signing keys that must not be believed any more.
        pub revoked: Vec<PublicKey>,
        /// When it was signed: for display.
        pub time: Millis,
        /// Later versions.
        pub extensions: Extensions,
    }
}

impl Object for Manifest {
    const TYPE: u64 = 1;
    fn bounds(&self) -> Result<(), String> {
        short("name", &self.name, limits::NAME_BYTES)?;
        short("domain", &self.domain, limits::ADDRESS_BYTES)?;
        let uses = [&self.sign, &self.tls];
        if uses
            .iter()
            .any(|keys| keys.is_empty() || keys.len() > limits::KEYS_PER_USE)
        {
            return Err(format!("each use needs 1 to {} keys", limits::KEYS_PER_USE));
        }
        if self.revoked.len() > limits::KEYS_PER_USE * 8 || self.endpoints.len() > limits::ENDPOINTS {
            return Err("too many revoked keys or endpoints".into());
        }
        self.endpoints
            .iter()
            .try_for_each(|endpoint| short("endpoint", endpoint, limits::ADDRESS_BYTES))
    }
}

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
    /// How a user is shown; the home vouches for it (spec 4.7).
    pub struct Profile {
        /// `local@domain`.
        pub address: String,
        /// The display name.
        pub name: String,
    }
}

impl Profile {
    fn bounds(&self) -> Result<(), String> {
        short("address", &self.address, limits::ADDRESS_BYTES)?;
        short("name", &self.name, limits::NAME_BYTES)
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
        if self.ops.is_empty() || self.ops.len() > limits::OPS_PER_EVENT {
            return Err(format!("an event has 1 to {} operations", limits::OPS_PER_EVENT));
        }
        self.ops.iter().try_for_each(|op| match op {
            Op::CreateGroup { settings, .. }
            | Op::CreateThread { settings, .. }
            | Op::Settings { settings } => short("name", &settings.name, limits::NAME_BYTES),
            Op::Join { member, .. } => member.profile.bounds(),
            Op::Profile { profile, .. } => profile.bounds(),
            _ => Ok(()),
        })
    }
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
}

record! {
    /// The owner's word on how far a thread goes for those who read it through `scope` (spec 5.4).
    pub struct Head {
        /// The thread.
        pub thread: ThreadId,
        /// The thread itself or one of its recipient groups.
        pub scope: ScopeId,
        /// Incarnation of the scope.
        pub incarnation: u64,
        /// Epoch of the scope when the batch was committed.
        pub epoch: u64,
        /// The last entry.
        pub seq: u64,
        /// Its hash.
        pub hash: Hash,
    }
}

impl Object for Head {
    const TYPE: u64 = 4;
}

code! {
    /// What an entry is (spec 5.3).
    pub enum EntryKind {
        /// A message.
        0 => Message = "message",
        /// A new text for the target.
        1 => Edit = "edit",
        /// The target is deleted.
        2 => Delete = "delete",
        /// A reaction to the target.
        3 => React = "react",
        /// A reaction is taken back.
        4 => Unreact = "unreact",
    }
}

record! {
    /// What an author's home signs before the owner sequences it (spec 7.2).
    pub struct Submission {
        /// Unique for the home, for ever.
        pub id: SubmissionId,
        /// Where to.
        pub thread: ThreadId,
        /// Who wrote it.
        pub author: UserId,
        /// What it is.
        pub kind: EntryKind,
        /// SHA-256 over salt and body (spec 5.2).
        pub commitment: Hash,
        /// When it was written, for display.
        pub time: Millis,
    }
}

impl Object for Submission {
    const TYPE: u64 = 5;
}

record! {
    /// The owner invites somebody at another home (spec 6.1).
    pub struct Invite {
        /// Random.
        pub id: InviteId,
        /// The group or thread.
        pub scope: ScopeId,
        /// Null for a group.
        pub kind: Option<ThreadKind>,
        /// Its name, for display.
        pub name: String,
        /// The invited address.
        pub address: String,
        /// Who invites.
        pub inviter: Profile,
        /// The inviter's id.
        pub by: UserId,
        /// What the invited may do.
        pub grade: Grade,
        /// What he may read.
        pub floor: Floor,
        /// When the membership would end.
        pub until: Option<Millis>,
        /// The scope's epoch at the time.
        pub epoch: u64,
        /// When.
        pub time: Millis,
        /// Later versions.
        pub extensions: Extensions,
    }
}

impl Object for Invite {
    const TYPE: u64 = 6;
    fn bounds(&self) -> Result<(), String> {
        short("name", &self.name, limits::NAME_BYTES)?;
        short("address", &self.address, limits::ADDRESS_BYTES)?;
        self.inviter.bounds()
    }
}

record! {
    /// The home's word that its user accepts (spec 6.3).
    pub struct Consent {
        /// The invitation.
        pub invite: InviteId,
        /// The object hash of the invitation.
        pub hash: Hash,
        /// Its scope.
        pub scope: ScopeId,
        /// Who joins.
        pub user: UserId,
        /// How he is shown.
        pub profile: Profile,
        /// When.
        pub time: Millis,
    }
}

impl Object for Consent {
    const TYPE: u64 = 7;
    fn bounds(&self) -> Result<(), String> {
        self.profile.bounds()
    }
}

record! {
    /// The home's word that a removal of its users is in force (spec 8.3).
    pub struct Receipt {
        /// The scope.
        pub scope: ScopeId,
        /// The object hash of the event that removed.
        pub event: Hash,
        /// Whose access ended.
        pub users: Vec<UserId>,
        /// When the home applied it.
        pub applied: Millis,
        /// Entries deleted, when no reader was left; null when readers remain.
        pub purged: Option<u64>,
    }
}

impl Object for Receipt {
    const TYPE: u64 = 8;
}

choice! {
    /// What a home tells an owner about its own users or about the link (spec 8.5).
    pub enum Word {
        /// A user leaves a scope by himself, or is withdrawn by his home's admin.
        0 => Leave { /** Who. */ user: UserId, /** From where. */ scope: ScopeId, },
        /// A user's account ended or is suspended: every membership ends.
        1 => Offboard { /** Who. */ user: UserId, },
        /// An invitation is declined.
        2 => Decline { /** Which. */ invite: InviteId, },
        /// The peering ends.
        3 => EndPeering {},
        /// A user is shown differently.
        4 => Profile { /** Who. */ user: UserId, /** From now on. */ profile: Profile, },
        /// An invitation is void: revoked by the owner.
        5 => Revoke { /** Which. */ invite: InviteId, },
    }
}

record! {
    /// A signed word from one workspace to another (spec 8.5).
    pub struct Statement {
        /// What it says.
        pub word: Word,
        /// When.
        pub time: Millis,
    }
}

impl Object for Statement {
    const TYPE: u64 = 10;
}

record! {
    /// The owner of a group lets a thread of another owner be addressed to it (spec 6.6).
    pub struct GroupConsent {
        /// The group.
        pub group: GroupId,
        /// The thread.
        pub thread: ThreadId,
        /// The user of the group who asked for it.
        pub by: UserId,
        /// When.
        pub time: Millis,
    }
}

impl Object for GroupConsent {
    const TYPE: u64 = 13;
}

choice! {
    /// What a user of another home asks the owner to do (spec 7.6).
    pub enum Action {
        /// Invite an address into a scope.
        0 => Invite {
            /** Where. */ scope: ScopeId, /** Whom. */ address: String, /** As what. */ grade: Grade,
            /** With what history. */ floor: Floor, /** For how long. */ until: Option<Millis>,
        },
        /// Remove a member.
        1 => Remove { /** Where. */ scope: ScopeId, /** Whom. */ user: UserId, /** Every other path to the same content too. */ everywhere: bool, },
        /// Change a member's grade.
        2 => Grade { /** Where. */ scope: ScopeId, /** Whose. */ user: UserId, /** New. */ grade: Grade, },
        /// Change the settings.
        3 => Settings { /** Where. */ scope: ScopeId, /** New, whole. */ settings: Settings, },
        /// Start a topic thread in one or more groups; the first one's owner will own it.
        4 => StartThread { /** Its settings. */ settings: Settings, /** Recipient groups. */ groups: Vec<GroupId>, /** Addresses to invite. */ addresses: Vec<String>, },
        /// Address a thread to one more group.
        5 => AddGroup { /** Which thread. */ thread: ThreadId, /** Which group. */ group: GroupId, /** With what history. */ floor: Floor, },
        /// Take a group off a thread.
        6 => RemoveGroup { /** Which thread. */ thread: ThreadId, /** Which group. */ group: GroupId, },
        /// End a group or thread.
        7 => End { /** Which. */ scope: ScopeId, },
    }
}

record! {
    /// An action, signed by the home of the user who asks (spec 7.6).
    pub struct Act {
        /// Unique for the home: the key of idempotency.
        pub id: SubmissionId,
        /// Who asks.
        pub user: UserId,
        /// For what.
        pub action: Action,
        /// When, for display.
        pub time: Millis,
    }
}

impl Object for Act {
    const TYPE: u64 = 12;
}
