//! The workspace and its people (P1).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Created, NoContent},
    check,
    path::Path,
    problem::Problem,
    viewer::{Body, Query, Viewer},
};
use crate::{
    crypto::fingerprint,
    ids::{ScopeId, UserId},
    limits,
    protocol::{
        Command, Reply,
        row::{Role, Told},
    },
    view::people,
};

pub(super) async fn me(viewer: Viewer) -> Result<Json<people::Me>, Problem> {
    let me = people::me(&viewer.snapshot().state, viewer.user).map(Json);
    std::future::ready(me.ok_or_else(Problem::not_found)).await
}

/// Of what somebody is told where he does not look.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notifications {
    told: Told,
}

pub(super) async fn notifications(viewer: Viewer) -> Result<Json<Notifications>, Problem> {
    let told = viewer.snapshot().state.users.get(&viewer.user).map(|user| user.told);
    std::future::ready(told.map(|told| Json(Notifications { told })).ok_or_else(Problem::not_found)).await
}

pub(super) async fn notify(
    viewer: Viewer,
    Body(Notifications { told }): Body<Notifications>,
) -> Result<NoContent, Problem> {
    viewer.ask(Command::SetTold(viewer.user, told)).await?;
    Ok(NoContent)
}

/// This workspace.
#[derive(Serialize, JsonSchema)]
pub(super) struct Workspace {
    #[serde(flatten)]
    home: people::Home,
    /// Of its root key: what people compare before they trust.
    fingerprint: String,
    /// For admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<check::Check>,
}

pub(super) async fn show(viewer: Viewer) -> Result<Json<Workspace>, Problem> {
    let me = viewer.handle.me();
    let home = people::home(&viewer.snapshot().state, me);
    let check = viewer.is_admin().then(|| check::shown(&viewer.handle));
    std::future::ready(Ok(Json(Workspace { home, fingerprint: fingerprint(&me.0), check }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// The `next` of the page before.
    after: Option<UserId>,
    /// At most so many; 50 if not said, and never more than there is room for.
    limit: Option<usize>,
}

impl After {
    pub(super) fn parts(&self) -> (Option<UserId>, usize) {
        (self.after, page(self.limit))
    }
}

/// The size of a page.
pub(super) fn page(limit: Option<usize>) -> usize {
    limit.unwrap_or(50).clamp(1, limits::API_PAGE)
}

/// A page of users.
#[derive(Serialize, JsonSchema)]
pub(super) struct Users {
    users: Vec<people::Me>,
    /// The `after` of the next page; null on the last.
    next: Option<UserId>,
}

pub(super) async fn users(viewer: Viewer, Query(query): Query<After>) -> Result<Json<Users>, Problem> {
    let snapshot = viewer.snapshot();
    let (after, limit) = query.parts();
    let rest = snapshot.state.users.keys().filter(|user| after.is_none_or(|after| **user > after));
    let users: Vec<_> = rest.take(limit).filter_map(|user| people::me(&snapshot.state, *user)).collect();
    let next = users.last().filter(|_| users.len() == limit).map(|last| last.person.id);
    std::future::ready(Ok(Json(Users { users, next }))).await
}

pub(super) async fn user(viewer: Viewer, Path(user): Path<UserId>) -> Result<Json<people::Me>, Problem> {
    let user = people::me(&viewer.snapshot().state, user).map(Json);
    std::future::ready(user.ok_or_else(Problem::not_found)).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Local part of the address.
    #[schemars(length(max = limits::ADDRESS_BYTES))]
    local: String,
    #[schemars(length(max = limits::NAME_BYTES))]
    name: String,
    #[serde(default = "member")]
    role: Role,
}

fn member() -> Role {
    Role::Member
}

pub(super) async fn add_user(
    viewer: Viewer,
    Body(new): Body<NewUser>,
) -> Result<Created<Option<people::Me>>, Problem> {
    let NewUser { local, name, role } = new;
    match viewer.ask(Command::AddUser { local, name, role }).await? {
        Reply::User(user) => Ok(Created(people::me(&viewer.snapshot().state, user))),
        _ => Err(Problem::not_found()),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    #[schemars(length(max = limits::NAME_BYTES))]
    name: Option<String>,
    /// What he does, as he says; empty to say nothing.
    title: Option<String>,
    role: Option<Role>,
}

pub(super) async fn change_user(
    viewer: Viewer,
    Path(user): Path<UserId>,
    Body(change): Body<UserChange>,
) -> Result<Json<people::Me>, Problem> {
    if user != viewer.user || change.role.is_some() {
        viewer.administers()?;
    }
    if let Some(name) = change.name {
        viewer.ask(Command::Rename(user, name)).await?;
    }
    if let Some(title) = change.title {
        viewer.ask(Command::SetTitle(user, title)).await?;
    }
    if let Some(role) = change.role {
        viewer.ask(Command::SetRole(user, role)).await?;
    }
    people::me(&viewer.snapshot().state, user).map(Json).ok_or_else(Problem::not_found)
}

/// For good: the id and the address are never given to somebody else.
pub(super) async fn remove_user(viewer: Viewer, Path(user): Path<UserId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::RemoveUser(user)).await?;
    Ok(NoContent)
}

/// One of the own people leaves one group or thread of another owner (P5.5).
pub(super) async fn withdraw(
    viewer: Viewer,
    Path((user, scope)): Path<(UserId, ScopeId)>,
) -> Result<NoContent, Problem> {
    viewer.ask(Command::Withdraw { admin: viewer.user, user, scope }).await?;
    Ok(NoContent)
}
