//! Removals, and how they take effect everywhere (P7.4, P7.6, P7.8).
//!
//! Duty: the act, and what the owner knows of its effect. Never: a moment that decides anything (spec 11.5).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    path::Path,
    problem::Problem,
    viewer::{Query, Viewer},
};
use crate::{
    ids::{ScopeId, UserId},
    limits,
    protocol::{Command, Reply, gate, policy, row::Removal},
    view::removals,
    wire::objects::Action,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Everywhere {
    #[serde(default)]
    everywhere: bool,
}

/// What a removal did.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Removed {
    /// It was committed.
    Done {
        /// The epoch of the event.
        epoch: u64,
        /// Paths that remain: threads and groups by which the removed still reaches the content (P7.8).
        remaining: Vec<ScopeId>,
        /// How it takes effect at other homes.
        removal: Option<removals::RemovalView>,
    },
    /// There was nothing to remove.
    Nobody {
        /// `no member`.
        status: &'static str,
    },
}

/// Ends a membership. The answer names the paths that remain (P7.8), and how the removal takes effect at other homes
/// (P7.4): null where no other home has to obey, and in a scope of another owner, who alone knows it.
pub(super) async fn remove(
    viewer: Viewer,
    Path((scope, user)): Path<(ScopeId, UserId)>,
    Query(query): Query<Everywhere>,
) -> Result<Json<Removed>, Problem> {
    let action = Action::Remove { scope, user, everywhere: query.everywhere };
    let reply = viewer.ask(Command::Act(viewer.user, action)).await?;
    let Reply::Removed { epoch, remaining } = reply else {
        return Ok(Json(Removed::Nobody { status: "no member" }));
    };
    let state = &viewer.snapshot().state;
    let removal = state.removals.get(&(scope, epoch));
    let removal = removal.map(|removal| removals::removal(state, removal, viewer.handle.now()));
    Ok(Json(Removed::Done { epoch, remaining, removal }))
}

/// Of scopes that the viewer is in, or all for admins.
fn is_visible(viewer: &Viewer, scope: ScopeId) -> bool {
    viewer.is_admin() || gate::sees_scope(&viewer.snapshot().state, viewer.user, scope)
}

/// Removals that other homes have to obey.
#[derive(Serialize, JsonSchema)]
pub(super) struct Removals {
    /// Newest first.
    removals: Vec<removals::RemovalView>,
}

/// Removals that other homes have to obey, newest first.
pub(super) async fn list(viewer: Viewer) -> Json<Removals> {
    let state = &viewer.snapshot().state;
    let visible = |removal: &Removal| is_visible(&viewer, removal.scope);
    let mut found: Vec<_> = state.removals.values().filter(|removal| visible(removal)).collect();
    found.sort_by_key(|removal| std::cmp::Reverse(removal.time));
    found.truncate(limits::API_PAGE);
    let now = viewer.handle.now();
    let shown = found.into_iter().map(|removal| removals::removal(state, removal, now)).collect();
    std::future::ready(Json(Removals { removals: shown })).await
}

/// One of them.
pub(super) async fn show(
    viewer: Viewer,
    Path((scope, epoch)): Path<(ScopeId, u64)>,
) -> Result<Json<removals::RemovalView>, Problem> {
    let state = &viewer.snapshot().state;
    let found = state.removals.get(&(scope, epoch));
    let Some(found) = found.filter(|_| is_visible(&viewer, scope)) else {
        policy::own_scope(state, viewer.user, scope)?;
        return Err(Problem::not_found());
    };
    let shown = removals::removal(state, found, viewer.handle.now());
    std::future::ready(Ok(Json(shown))).await
}
