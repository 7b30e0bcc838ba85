//! What an act would end, before an admin confirms it (P8.2, P7.5): the same rights as for the act itself.

use axum::Json;
use serde_json::{Value, json};

use super::{
    path::Path,
    problem::Problem,
    viewer::{Viewer, id},
};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    limits,
    protocol::policy,
    view::preview::{self, Counts, Preview},
};

/// The end of a peering.
pub(super) async fn end(viewer: Viewer, Path(peer): Path<String>) -> Result<Json<Value>, Problem> {
    let peer: WorkspaceId = id(&peer)?;
    let state = &viewer.snapshot().state;
    let known = state.peers.contains_key(&peer).then(|| preview::end_of_peering(state, peer));
    let preview = known.ok_or_else(Problem::not_found)?.unwrap_or_default();
    std::future::ready(Ok(shown(preview))).await
}

/// The suspension or removal of a user.
pub(super) async fn departure(viewer: Viewer, Path(user): Path<String>) -> Result<Json<Value>, Problem> {
    let user: UserId = id(&user)?;
    let preview = preview::departure(&viewer.snapshot().state, user);
    std::future::ready(preview.map(shown).ok_or_else(Problem::not_found)).await
}

/// A group becomes internal-only.
pub(super) async fn tightening(viewer: Viewer, Path(group): Path<String>) -> Result<Json<Value>, Problem> {
    let scope: ScopeId = id(&group)?;
    let state = &viewer.snapshot().state;
    let own = policy::own_scope(state, viewer.user, scope)?;
    policy::may_administer(state, viewer.user, &own)?;
    let preview = scope.group().and_then(|group| preview::tightening(state, group));
    std::future::ready(preview.map(shown).ok_or_else(Problem::not_found)).await
}

pub(super) fn shown(mut preview: Preview) -> Json<Value> {
    let left_out = preview.losses.len().saturating_sub(limits::PREVIEW_LOSSES);
    preview.losses.truncate(limits::PREVIEW_LOSSES);
    preview.lowered.truncate(limits::PREVIEW_LOSSES);
    let Preview { losses, counts, told, lowered } = preview;
    Json(json!({
        "losses": losses, "left_out": left_out, "lowered": lowered, "counts": counts, "told": told,
    }))
}

/// The refusal of an act that ends something and was not confirmed.
pub(super) fn unconfirmed(counts: Counts, preview: &str) -> Problem {
    let Counts { people, losses, groups, invitations, lowered, .. } = counts;
    let detail = format!(
        "this ends {losses} places of {people} people, takes {groups} groups off threads, lowers the rights \
         of {lowered} and ends {invitations} invitations: GET {preview} shows which; repeat with ?confirm=true"
    );
    Problem::new(axum::http::StatusCode::CONFLICT, "confirm", detail).with("counts", json!(counts))
}
