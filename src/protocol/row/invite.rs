//! Invitations, as the owner and the home of the invited keep them (spec 6).
//!
//! Duty: whom, into what, and where it stands. Never: a link's secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{Hash, InviteId, ScopeId, UserId, WorkspaceId},
    time::Millis,
    wire::objects::{Floor, Grade, Profile},
};

/// Where an invitation that we sent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InviteStatus {
    /// No answer yet.
    Sent,
    /// Became a membership.
    Accepted,
    /// The invited does not want it.
    Declined,
    /// Taken back, or void after a removal.
    Void,
    /// Somebody with another address claims it: the inviter decides (P1.5).
    Claimed,
    /// Nobody answered in time.
    Expired,
    /// At home: an admin has to approve before the user sees it (P2.5).
    Held,
}

impl InviteStatus {
    /// Whether it may still become a membership.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Claimed)
    }
}

/// An invitation from a scope owned here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentInvite {
    /// Which.
    pub id: InviteId,
    /// Into what.
    pub scope: ScopeId,
    /// Whom.
    pub address: String,
    /// Whose word the acceptance needs.
    pub home: WorkspaceId,
    /// Who invited.
    pub by: UserId,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub floor: Floor,
    /// For how long.
    pub until: Option<Millis>,
    /// The epoch at which it was made.
    pub epoch: u64,
    /// When.
    pub time: Millis,
    /// The object hash.
    pub hash: Hash,
    /// Where it stands.
    pub status: InviteStatus,
    /// When it ends by itself, unanswered.
    #[serde(default)]
    pub expires: Option<Millis>,
    /// By e-mail, to whoever claims it: the hash of its link's secret. Until then `home` is the own workspace.
    #[serde(default)]
    pub link: Option<Hash>,
    /// Who claims it.
    #[serde(default)]
    pub claimant: Option<Claimant>,
}

/// Somebody with an account who showed an invitation's link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claimant {
    /// Who.
    pub user: UserId,
    /// How his home shows him.
    pub profile: Profile,
}

/// An invitation to a user of this home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceivedInvite {
    /// The user.
    pub user: UserId,
    /// From which workspace.
    pub owner: WorkspaceId,
    /// The invitation as signed.
    pub invite: crate::wire::objects::Invite,
    /// Its object hash.
    pub hash: Hash,
    /// Where it stands (`Sent`: the user has to answer).
    pub status: InviteStatus,
}
