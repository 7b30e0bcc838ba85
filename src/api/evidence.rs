//! Evidence against owners that contradicted themselves (spec 12.7), for the workspace's admins.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::{path::Path, problem::Problem, viewer::Viewer};
use crate::{
    ids::{Hash, ScopeId},
    protocol::evidence,
    time::Millis,
    view::people,
};

/// What is held.
#[derive(Serialize, JsonSchema)]
pub(super) struct Held {
    /// Newest first.
    evidence: Vec<Summary>,
}

/// Two objects that contradict each other.
#[derive(Serialize, JsonSchema)]
struct Summary {
    id: Hash,
    /// Whose keys signed both.
    accused: people::Home,
    scope: ScopeId,
    noticed: Millis,
    /// Whether the accused is this workspace.
    own: bool,
}

/// Newest first.
pub(super) async fn list(viewer: Viewer) -> Result<Json<Held>, Problem> {
    let state = &viewer.snapshot().state;
    let mut held: Vec<_> = state.evidence.values().collect();
    held.sort_by_key(|row| std::cmp::Reverse(row.time));
    let shown = held.into_iter().map(|row| Summary {
        id: row.id,
        accused: people::home(state, row.owner),
        scope: row.scope,
        noticed: row.time,
        own: Some(row.owner) == state.me(),
    });
    std::future::ready(Ok(Json(Held { evidence: shown.collect() }))).await
}

/// The file that anybody can check.
pub(super) async fn one(viewer: Viewer, Path(wanted): Path<Hash>) -> Result<Json<evidence::File>, Problem> {
    let state = &viewer.snapshot().state;
    let held = state.evidence.get(&wanted);
    let home = held.and_then(|held| state.homes.get(&held.owner));
    let file = held.zip(home).map(|(held, home)| evidence::export(held, home));
    std::future::ready(file.map(Json).ok_or_else(Problem::not_found)).await
}
