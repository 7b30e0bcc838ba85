//! Removals, and how they take effect everywhere (P7.4, P7.6, P7.8).
//!
//! Duty: the act, and what the owner knows of its effect. Never: a moment that decides anything (spec 11.5).

use axum::Json;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    path::Path,
    problem::Problem,
    viewer::{Query, Viewer, id},
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

/// Ends a membership. The answer names the paths that remain (P7.8), and how the removal takes effect at other homes
/// (P7.4): null where no other home has to obey, and in a scope of another owner, who alone knows it.
pub(super) async fn remove(
    viewer: Viewer,
    Path((scope, user)): Path<(String, String)>,
    Query(query): Query<Everywhere>,
) -> Result<Json<Value>, Problem> {
    let (scope, user): (ScopeId, UserId) = (id(&scope)?, id(&user)?);
    let action = Action::Remove { scope, user, everywhere: query.everywhere };
    let reply = viewer.ask(Command::Act(viewer.user, action)).await?;
    let Reply::Removed { epoch, remaining } = reply else {
        return Ok(Json(json!({ "status": "no member" })));
    };
    let state = &viewer.snapshot().state;
    let removal = state.removals.get(&(scope, epoch));
    let removal = removal.map(|removal| removals::removal(state, removal, viewer.handle.now()));
    Ok(Json(json!({ "epoch": epoch, "remaining": remaining, "removal": removal })))
}

/// Of scopes that the viewer is in, or all for admins.
fn is_visible(viewer: &Viewer, scope: ScopeId) -> bool {
    viewer.is_admin() || gate::sees_scope(&viewer.snapshot().state, viewer.user, scope)
}

/// Removals that other homes have to obey, newest first.
pub(super) async fn list(viewer: Viewer) -> Json<Value> {
    let state = &viewer.snapshot().state;
    let visible = |removal: &Removal| is_visible(&viewer, removal.scope);
    let mut found: Vec<_> = state.removals.values().filter(|removal| visible(removal)).collect();
    found.sort_by_key(|removal| std::cmp::Reverse(removal.time));
    found.truncate(limits::API_PAGE);
    let now = viewer.handle.now();
    let shown: Vec<_> = found.into_iter().map(|removal| removals::removal(state, removal, now)).collect();
    std::future::ready(Json(json!({ "removals": shown }))).await
}

/// One of them.
pub(super) async fn show(
    viewer: Viewer,
    Path((scope, epoch)): Path<(String, String)>,
) -> Result<Json<removals::RemovalView>, Problem> {
    let scope: ScopeId = id(&scope)?;
    let state = &viewer.snapshot().state;
    let found = epoch.parse().ok().and_then(|epoch| state.removals.get(&(scope, epoch)));
    let Some(found) = found.filter(|_| is_visible(&viewer, scope)) else {
        policy::own_scope(state, viewer.user, scope)?;
        return Err(Problem::not_found());
    };
    let shown = removals::removal(state, found, viewer.handle.now());
    std::future::ready(Ok(Json(shown))).await
}
