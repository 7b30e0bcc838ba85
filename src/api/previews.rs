//! What an act would end, before an admin confirms it (P8.2, P7.5): the same rights as for the act itself.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{path::Path, problem::Problem, viewer::Viewer};
use crate::{
    ids::{GroupId, UserId, WorkspaceId},
    limits,
    protocol::policy,
    view::{
        people::Home,
        preview::{self, Counts, Loss, Lowered, Preview},
    },
};

/// The end of a peering.
pub(super) async fn end(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<Json<Ends>, Problem> {
    let state = &viewer.snapshot().state;
    let known = state.peers.contains_key(&peer).then(|| preview::end_of_peering(state, peer));
    let preview = known.ok_or_else(Problem::not_found)?.unwrap_or_default();
    std::future::ready(Ok(shown(preview))).await
}

/// The suspension or removal of a user.
pub(super) async fn departure(viewer: Viewer, Path(user): Path<UserId>) -> Result<Json<Ends>, Problem> {
    let preview = preview::departure(&viewer.snapshot().state, user);
    std::future::ready(preview.map(shown).ok_or_else(Problem::not_found)).await
}

/// A group becomes internal-only.
pub(super) async fn tightening(viewer: Viewer, Path(group): Path<GroupId>) -> Result<Json<Ends>, Problem> {
    let state = &viewer.snapshot().state;
    let own = policy::own_scope(state, viewer.user, group.into())?;
    policy::may_administer(state, viewer.user, &own)?;
    let preview = preview::tightening(state, group);
    std::future::ready(preview.map(shown).ok_or_else(Problem::not_found)).await
}

/// What would end.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ends {
    /// Who loses what.
    losses: Vec<Loss>,
    /// How many more losses there are.
    left_out: usize,
    /// Who stays with fewer rights.
    lowered: Vec<Lowered>,
    /// How much it is, all in all.
    counts: Counts,
    /// Workspaces whose nodes are told.
    told: Vec<Home>,
}

pub(super) fn shown(mut preview: Preview) -> Json<Ends> {
    let left_out = preview.losses.len().saturating_sub(limits::PREVIEW_LOSSES);
    preview.losses.truncate(limits::PREVIEW_LOSSES);
    preview.lowered.truncate(limits::PREVIEW_LOSSES);
    let Preview { losses, counts, told, lowered } = preview;
    Json(Ends { losses, left_out, lowered, counts, told })
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
