//! Policies (P8): of the workspace, of a group, for a peer; what a tighter one would end, and that it does.
//!
//! Duty: a change over what holds, refused until it is confirmed if it ends something. Never: a rule.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::NoContent,
    path::Path,
    previews,
    problem::Problem,
    scopes::Confirm,
    viewer::{Body, Query, Viewer},
};
use crate::{
    ids::{GroupId, WorkspaceId},
    protocol::{
        Command, policy,
        row::{FreeAccounts, GroupPolicy, InvitePolicy, Inviters, Peer, PeerPolicy, PeerStatus, Policy, Row},
    },
    view::{
        people::{self, Home},
        preview::{self, Counts},
    },
    wire::objects::Grade,
};

/// Where people of other workspaces may come from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum From {
    /// `all`: every active peer.
    All(All),
    /// Only these.
    Only(Vec<WorkspaceId>),
}

/// The word.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum All {
    /// The word.
    All,
}

impl From {
    fn list(self) -> Option<Vec<WorkspaceId>> {
        match self {
            Self::All(_) => None,
            Self::Only(mut peers) => {
                peers.sort_unstable();
                peers.dedup();
                Some(peers)
            }
        }
    }

    fn shown(peers: Option<&Vec<WorkspaceId>>) -> Self {
        peers.map_or(Self::All(All::All), |peers| Self::Only(peers.clone()))
    }
}

/// The workspace's policy.
#[derive(Serialize, JsonSchema)]
pub(super) struct WorkspaceView {
    inviters: Inviters,
    grade: Grade,
    peers: From,
    free_accounts: FreeAccounts,
    days: u64,
    open_invitations: u64,
    daily_invitations: u64,
    hourly_lookups: u64,
}

/// What of it changes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkspaceChange {
    inviters: Option<Inviters>,
    grade: Option<Grade>,
    peers: Option<From>,
    free_accounts: Option<FreeAccounts>,
    days: Option<u64>,
    open_invitations: Option<u64>,
    daily_invitations: Option<u64>,
    hourly_lookups: Option<u64>,
}

impl WorkspaceChange {
    fn over(self, before: Policy) -> Policy {
        Policy {
            inviters: self.inviters.unwrap_or(before.inviters),
            grade: self.grade.unwrap_or(before.grade),
            peers: self.peers.map_or(before.peers, From::list),
            free_accounts: self.free_accounts.unwrap_or(before.free_accounts),
            days: self.days.unwrap_or(before.days),
            open_invitations: self.open_invitations.unwrap_or(before.open_invitations),
            daily_invitations: self.daily_invitations.unwrap_or(before.daily_invitations),
            hourly_lookups: self.hourly_lookups.unwrap_or(before.hourly_lookups),
        }
    }
}

/// What members may know of it: whom they may invite.
pub(super) async fn workspace(viewer: Viewer) -> Json<WorkspaceView> {
    let policy = viewer.snapshot().state.rules.workspace.clone();
    let peers = From::shown(policy.peers.as_ref());
    let Policy {
        inviters,
        grade,
        free_accounts,
        days,
        open_invitations,
        daily_invitations,
        hourly_lookups,
        peers: _,
    } = (*policy).clone();
    std::future::ready(Json(WorkspaceView {
        inviters,
        grade,
        peers,
        free_accounts,
        days,
        open_invitations,
        daily_invitations,
        hourly_lookups,
    }))
    .await
}

/// The preview of a change: the body of the PATCH as a JSON text in `change`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proposed {
    /// JSON.
    change: String,
}

impl Proposed {
    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_str(&self.change).map_err(|error| Problem::invalid(format!("change: {error}")))
    }
}

pub(super) async fn workspace_tightening(
    viewer: Viewer,
    Query(proposed): Query<Proposed>,
) -> Result<Json<previews::Ends>, Problem> {
    let state = &viewer.snapshot().state;
    let policy = proposed.parse::<WorkspaceChange>()?.over((*state.rules.workspace).clone());
    std::future::ready(Ok(previews::shown(preview::policy(state, Row::Policy(policy))))).await
}

/// Refuses what ends something and was not confirmed.
fn confirmed(viewer: &Viewer, row: Row, confirm: bool, path: &str) -> Result<(), Problem> {
    let counts = preview::policy(&viewer.snapshot().state, row).counts;
    if confirm || counts == Counts::default() {
        return Ok(());
    }
    Err(previews::unconfirmed(counts, &format!("/api/v1{path}/tightening?change=...")))
}

pub(super) async fn set_workspace(
    viewer: Viewer,
    Query(Confirm { confirm }): Query<Confirm>,
    Body(change): Body<WorkspaceChange>,
) -> Result<NoContent, Problem> {
    let policy = change.over((*viewer.snapshot().state.rules.workspace).clone());
    confirmed(&viewer, Row::Policy(policy.clone()), confirm, "/workspace/policy")?;
    viewer.ask(Command::SetPolicy(viewer.user, policy.into(), confirm)).await?;
    Ok(NoContent)
}

/// A group's policy, and what comes of it together with the workspace's.
#[derive(Serialize, JsonSchema)]
pub(super) struct GroupView {
    grade: Grade,
    peers: From,
    /// The highest grade with the workspace's policy.
    effective_grade: Grade,
    /// Partners to choose from, for whoever sets the policy: those of now, and those that it names.
    partners: Vec<Home>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GroupChange {
    grade: Option<Grade>,
    peers: Option<From>,
}

impl GroupChange {
    fn over(self, before: GroupPolicy) -> GroupPolicy {
        GroupPolicy {
            group: before.group,
            grade: self.grade.unwrap_or(before.grade),
            peers: self.peers.map_or(before.peers, From::list),
        }
    }
}

/// Its policy is for those who may change it.
fn administered(viewer: &Viewer, group: GroupId) -> Result<(GroupId, GroupPolicy), Problem> {
    let state = &viewer.snapshot().state;
    let scope = policy::own_scope(state, viewer.user, group.into())?;
    policy::may_administer(state, viewer.user, &scope)?;
    Ok((group, state.rules.group(group)))
}

pub(super) async fn group(viewer: Viewer, Path(group): Path<GroupId>) -> Result<Json<GroupView>, Problem> {
    let (group, set) = administered(&viewer, group)?;
    let state = &viewer.snapshot().state;
    let effective = state.scope(group).map_or(set.grade, |scope| policy::ceiling(state, scope));
    let named = |id: &WorkspaceId| set.peers.as_ref().is_some_and(|peers| peers.contains(id));
    let stands = |row: &Peer| matches!(row.status, PeerStatus::Active | PeerStatus::Paused);
    let choices = state.peers.values().filter(|row| stands(row) || named(&row.id));
    let view = GroupView {
        grade: set.grade,
        peers: From::shown(set.peers.as_ref()),
        effective_grade: effective,
        partners: choices.map(|row| people::home(state, row.id)).collect(),
    };
    std::future::ready(Ok(Json(view))).await
}

pub(super) async fn group_tightening(
    viewer: Viewer,
    Path(group): Path<GroupId>,
    Query(proposed): Query<Proposed>,
) -> Result<Json<previews::Ends>, Problem> {
    let (_, before) = administered(&viewer, group)?;
    let policy = proposed.parse::<GroupChange>()?.over(before);
    let preview = preview::policy(&viewer.snapshot().state, Row::GroupPolicy(policy));
    std::future::ready(Ok(previews::shown(preview))).await
}

pub(super) async fn set_group(
    viewer: Viewer,
    Path(group): Path<GroupId>,
    Query(Confirm { confirm }): Query<Confirm>,
    Body(change): Body<GroupChange>,
) -> Result<NoContent, Problem> {
    let (group, before) = administered(&viewer, group)?;
    let policy = change.over(before);
    confirmed(&viewer, Row::GroupPolicy(policy.clone()), confirm, &format!("/groups/{group}/policy"))?;
    viewer.ask(Command::SetGroupPolicy(viewer.user, policy.into(), confirm)).await?;
    Ok(NoContent)
}

/// What is allowed with a peer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PeerPolicyView")]
pub(super) struct PeerView {
    workspace: Home,
    invites: InvitePolicy,
    admitted: bool,
    free_accounts: bool,
    lookups: bool,
    presence: bool,
    daily_invitations: u64,
    /// Whether it lets us ask for its addresses: else they are invited by e-mail.
    resolves: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PeerChange {
    invites: Option<InvitePolicy>,
    admitted: Option<bool>,
    free_accounts: Option<bool>,
    lookups: Option<bool>,
    presence: Option<bool>,
    daily_invitations: Option<u64>,
}

impl PeerChange {
    fn over(&self, before: &PeerPolicy) -> PeerPolicy {
        PeerPolicy {
            peer: before.peer,
            admitted: self.admitted.unwrap_or(before.admitted),
            free_accounts: self.free_accounts.unwrap_or(before.free_accounts),
            lookups: self.lookups.unwrap_or(before.lookups),
            presence: self.presence.unwrap_or(before.presence),
            daily_invitations: self.daily_invitations.unwrap_or(before.daily_invitations),
        }
    }
}

fn known(viewer: &Viewer, peer: WorkspaceId) -> Result<PeerPolicy, Problem> {
    let state = &viewer.snapshot().state;
    if state.peers.contains_key(&peer) { Ok(state.rules.peer(peer)) } else { Err(Problem::not_found()) }
}

pub(super) async fn peer(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<Json<PeerView>, Problem> {
    let PeerPolicy { peer, admitted, free_accounts, lookups, presence, daily_invitations } =
        known(&viewer, peer)?;
    let state = &viewer.snapshot().state;
    let row = state.peers.get(&peer).ok_or_else(Problem::not_found)?;
    let (workspace, invites, resolves) = (people::home(state, peer), row.invites, row.resolves);
    std::future::ready(Ok(Json(PeerView {
        workspace,
        invites,
        admitted,
        free_accounts,
        lookups,
        presence,
        daily_invitations,
        resolves,
    })))
    .await
}

pub(super) async fn peer_tightening(
    viewer: Viewer,
    Path(peer): Path<WorkspaceId>,
    Query(proposed): Query<Proposed>,
) -> Result<Json<previews::Ends>, Problem> {
    let policy = proposed.parse::<PeerChange>()?.over(&known(&viewer, peer)?);
    let preview = preview::policy(&viewer.snapshot().state, Row::PeerPolicy(policy));
    std::future::ready(Ok(previews::shown(preview))).await
}

pub(super) async fn set_peer(
    viewer: Viewer,
    Path(peer): Path<WorkspaceId>,
    Query(Confirm { confirm }): Query<Confirm>,
    Body(change): Body<PeerChange>,
) -> Result<NoContent, Problem> {
    let before = known(&viewer, peer)?;
    let policy = change.over(&before);
    confirmed(&viewer, Row::PeerPolicy(policy.clone()), confirm, &format!("/peers/{}", before.peer))?;
    if policy != before {
        viewer.ask(Command::SetPeerPolicy(viewer.user, policy.into(), confirm)).await?;
    }
    if let Some(invites) = change.invites {
        viewer.ask(Command::SetInvitePolicy(before.peer, invites)).await?;
    }
    Ok(NoContent)
}
