//! Policies and what follows from them (P8): of the workspace, of a group, of a peer; requests; counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{GroupId, RequestId, ScopeId, UserId, WorkspaceId},
    limits,
    time::Millis,
    wire::objects::{Floor, Grade, RequestStatus},
};

/// Who may invite people of other homes, of those who may invite at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Inviters {
    /// All of them.
    Members,
    /// Admins of the group, and of the workspace.
    GroupAdmins,
    /// Admins of the workspace.
    Admins,
    /// Nobody.
    Nobody,
}

/// Which free accounts may be members here (P1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FreeAccounts {
    /// Those of the own realm and of peers.
    All,
    /// Those of the own realm.
    Own,
    /// None.
    None,
}

/// What the workspace allows about people of other homes (P2.5, P8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Who may invite them.
    pub inviters: Inviters,
    /// The highest grade that they may have.
    pub grade: Grade,
    /// Where they may come from; null: from every active peer.
    pub peers: Option<Vec<WorkspaceId>>,
    /// Which free accounts are admitted.
    pub free_accounts: FreeAccounts,
    /// After how many days an invitation by e-mail ends, unless it says otherwise.
    pub days: u64,
    /// Open invitations of one user; the workspace's admins are not bound by this and the next two.
    pub open_invitations: u64,
    /// New invitations of one user in a day.
    pub daily_invitations: u64,
    /// Invitations of one user to addresses at peers in an hour, and ten times as many of all to one peer.
    pub hourly_lookups: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            inviters: Inviters::Members,
            grade: Grade::Admin,
            peers: None,
            free_accounts: FreeAccounts::All,
            days: 14,
            open_invitations: 500,
            daily_invitations: 500,
            hourly_lookups: 200,
        }
    }
}

/// What one group allows, within the workspace's policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupPolicy {
    /// Which.
    pub group: GroupId,
    /// The highest grade that people of other homes may have.
    pub grade: Grade,
    /// Where they may come from; null: from everywhere the workspace allows.
    pub peers: Option<Vec<WorkspaceId>>,
}

impl GroupPolicy {
    /// Of a group that says nothing.
    #[must_use]
    pub fn of(group: GroupId) -> Self {
        Self { group, grade: Grade::Admin, peers: None }
    }
}

/// What is allowed with one peer, beside what happens with its invitations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerPolicy {
    /// Which.
    pub peer: WorkspaceId,
    /// Whether its users may be members here.
    pub admitted: bool,
    /// Whether free accounts of its realm may be.
    pub free_accounts: bool,
    /// Whether it may ask for addresses here (P2.3).
    pub lookups: bool,
    /// Whether typing and read positions are exchanged with it (P6.5).
    pub presence: bool,
    /// Invitations from it in a day; those beyond are dropped.
    pub daily_invitations: u64,
}

impl PeerPolicy {
    /// Of a peer about which nothing was said.
    #[must_use]
    pub fn of(peer: WorkspaceId) -> Self {
        Self {
            peer,
            admitted: true,
            free_accounts: true,
            lookups: true,
            presence: true,
            daily_invitations: limits::INVITES_OF_PEER_PER_DAY,
        }
    }
}

/// A recipient of a locked thread asks that somebody be added (P2.4). Decided by the thread's owner; homes of the one who
/// asked and of admins keep the owner's word on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Which.
    pub id: RequestId,
    /// The thread.
    pub scope: ScopeId,
    /// Who asks.
    pub by: UserId,
    /// For whom.
    pub address: String,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub floor: Floor,
    /// Since when.
    pub time: Millis,
    /// Where it stands.
    pub status: RequestStatus,
}

/// What is counted over a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Gauge {
    /// New invitations of a user, by day.
    Invites(UserId),
    /// Invitations of a user to addresses at peers, by hour.
    Lookups(UserId),
    /// Invitations to addresses at a peer, by hour.
    Asked(WorkspaceId),
    /// Invitations from a peer, by day.
    Heard(WorkspaceId),
}

/// A count of a window of time; the next window begins at nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meter {
    /// Of what.
    pub of: Gauge,
    /// Ordinal of the window.
    pub window: u64,
    /// How many in it.
    pub count: u64,
}
