//! What one workspace says to another: invitations, consents, receipts, statements (spec 6, 8).
//!
//! Duty: shapes and bounds. Never: free text from strangers.

use super::super::{
    array::{choice, code, record},
    envelope::Object,
};
use super::{Extensions, Floor, Grade, Profile, ThreadKind, short};
use crate::{
    ids::{FeedId, GroupId, Hash, InviteId, MoveId, RequestId, ScopeId, ThreadId, UserId},
    limits,
    time::Millis,
};

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
        /// What was deleted because no reader was left; null when readers remain.
        pub purged: Option<Purge>,
    }
}

record! {
    /// What a home deleted, and what may remain of it (spec 8.3).
    pub struct Purge {
        /// Copies of threads.
        pub threads: u64,
        /// Entries in them.
        pub entries: u64,
        /// Where it may still lie: [`Purge::FREE_PAGES`], [`Purge::BACKUPS`].
        pub remains: u64,
    }
}

impl Purge {
    /// Pages of the database file that are free but not overwritten; bodies lie there under keys that are gone.
    pub const FREE_PAGES: u64 = 1;
    /// Backups that the home's operator made.
    pub const BACKUPS: u64 = 2;

    /// Nothing yet, at a node that cannot vouch for free pages and for what its operator copied.
    #[must_use]
    pub fn begin() -> Self {
        Self { threads: 0, entries: 0, remains: Self::FREE_PAGES | Self::BACKUPS }
    }
}

impl Object for Receipt {
    const TYPE: u64 = 8;
}

record! {
    /// The owner's word that a follower held every row at a moment (spec 11.1).
    pub struct Lease {
        /// The request's.
        pub nonce: Hash,
        /// The owner's feed to this follower.
        pub feed: FeedId,
        /// The last row of it that this speaks of.
        pub number: u64,
        /// The running hash up to there.
        pub hash: Hash,
        /// When, for display.
        pub time: Millis,
    }
}

impl Object for Lease {
    const TYPE: u64 = 9;
}

code! {
    /// What becomes of a claim (spec 6.8).
    pub enum ClaimStand {
        /// The invitation is for the claimant, and follows.
        0 => Accepted = "accepted",
        /// The inviter has to say whether this is whom he meant.
        1 => Asked = "asked",
        /// Nobody can claim it any more.
        2 => Gone = "gone",
        /// The inviter does not want it.
        3 => Refused = "refused",
    }
}

code! {
    /// Where a request to add somebody to a locked thread stands (spec 6.11).
    pub enum RequestStatus {
        /// The starter or an admin has to answer.
        0 => Open = "open",
        /// Became an invitation.
        1 => Approved = "approved",
        /// Will not.
        2 => Declined = "declined",
        /// Over with the lock, or with the place of the one who asked.
        3 => Void = "void",
    }
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
        /// No user of the receiver is in the scope (spec 12.4).
        6 => NotHere { /** Which. */ scope: ScopeId, },
        /// The owner offers a group, its chat and the topics that began with it, to the receiver (spec 14.1).
        7 => OfferMove { /** The offer. */ offer: MoveId, /** What. */ group: GroupId, /** Who offers. */ by: UserId, },
        /// The receiver of an offer wants it, once its copies are whole.
        8 => WantMove { /** The offer. */ offer: MoveId, },
        /// An offer is over: taken back by the owner, or declined.
        9 => EndMove { /** The offer. */ offer: MoveId, },
        /// A user shows the link of an invitation by e-mail (spec 6.8).
        10 => Claim { /** The hash of the link's secret. */ link: Hash, /** Who. */ user: UserId, /** How he is shown. */ profile: Profile, },
        /// What the owner says to that (spec 6.8).
        11 => ClaimAnswer {
            /** The link. */ link: Hash, /** Who claimed. */ user: UserId,
            /** The invitation, if it is for him now. */ invite: Option<InviteId>, /** Where it stands. */ stand: ClaimStand,
        },
        /// Whether the receiver may ask for addresses of the signer's domain at all (spec 6.12).
        14 => Lookups { /** It may. */ allowed: bool, },
        /// Where a request in a thread of the signer stands: for the homes of who asked and of who may answer (spec 6.11).
        15 => Request {
            /** The request. */ request: RequestId, /** The thread. */ scope: ScopeId, /** Who asks. */ by: UserId,
            /** For whom. */ address: String, /** As what. */ grade: Grade, /** With what history. */ floor: Floor,
            /** Where it stands. */ status: RequestStatus,
        },
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
    fn bounds(&self) -> Result<(), String> {
        match &self.word {
            Word::Request { address, .. } => short("address", address, limits::ADDRESS_BYTES),
            _ => Ok(()),
        }
    }
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
