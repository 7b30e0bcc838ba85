//! Evidence against owners that contradicted themselves (spec 12.7), for the workspace's admins.

use axum::Json;
use serde_json::{Value, json};

use super::{
    path::Path,
    problem::Problem,
    viewer::{Viewer, id},
};
use crate::{ids::Hash, protocol::evidence, view::people};

/// Newest first.
pub(super) async fn list(viewer: Viewer) -> Result<Json<Value>, Problem> {
    let state = &viewer.snapshot().state;
    let mut held: Vec<_> = state.evidence.values().collect();
    held.sort_by_key(|row| std::cmp::Reverse(row.time));
    let shown = held.into_iter().map(|row| {
        json!({
            "id": row.id, "accused": people::home(state, row.owner), "scope": row.scope, "noticed": row.time,
            "own": Some(row.owner) == state.me(),
        })
    });
    std::future::ready(Ok(Json(json!({ "evidence": shown.collect::<Vec<_>>() })))).await
}

/// The file that anybody can check.
pub(super) async fn one(viewer: Viewer, Path(wanted): Path<String>) -> Result<Json<Value>, Problem> {
    let (state, wanted): (_, Hash) = (&viewer.snapshot().state, id(&wanted)?);
    let held = state.evidence.get(&wanted);
    let home = held.and_then(|held| state.homes.get(&held.owner));
    let file = held.zip(home).map(|(held, home)| evidence::export(held, home));
    std::future::ready(file.map(Json).ok_or_else(Problem::not_found)).await
}
