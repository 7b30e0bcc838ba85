//! An invitation's link that a user of this home has shown here (P1.5).
//!
//! Duty: what is kept at the home until the owner has answered. Never: the secret, which the owner knows by its hash.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    crypto::sha256,
    ids::{Hash, InviteId, UserId, WorkspaceId},
    time::Millis,
};

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimStatus {
    /// The inviting workspace is no peer yet: the admins decide.
    Peering,
    /// The owner was told.
    Told,
    /// The inviter has to say whether this is whom he meant.
    Asked,
    /// The invitation is for this user now.
    Accepted,
    /// The link was used by somebody else, taken back, or is too old.
    Gone,
    /// The inviter does not want it.
    Refused,
}

/// A user of this home claims an invitation by its link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Of the inviting workspace and the link.
    pub id: Hash,
    /// Who claims.
    pub user: UserId,
    /// The inviting workspace.
    pub owner: WorkspaceId,
    /// Where it listens, as the link says.
    pub endpoints: Vec<String>,
    /// The hash of the link's secret.
    pub link: Hash,
    /// When.
    pub time: Millis,
    /// Where it stands.
    pub status: ClaimStatus,
    /// The invitation, once the owner has said which.
    pub invite: Option<InviteId>,
}

/// A user who goes on as another one: what was taken from him stays taken from his successor (spec 6.10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Successor {
    /// Who goes on.
    pub to: UserId,
    /// Whose places he took.
    pub from: UserId,
    /// When.
    pub time: Millis,
}

impl Claim {
    /// The id of a claim.
    #[must_use]
    pub fn id_of(owner: WorkspaceId, link: Hash) -> Hash {
        sha256(&[b"comity/1 claim", &owner.0, &link.0])
    }

    /// Whether it may still come to something.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status, ClaimStatus::Peering | ClaimStatus::Told | ClaimStatus::Asked)
    }
}
