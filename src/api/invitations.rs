//! Invitations to the viewer, and those that he sent (P2).

use axum::Json;
use serde_json::{Value, json};

use super::{
    answer::NoContent,
    path::Path,
    problem::Problem,
    viewer::{Viewer, id},
};
use crate::{protocol::Command, view::scopes};

pub(super) async fn list(viewer: Viewer) -> Json<Value> {
    let invitations = scopes::invitations(&viewer.snapshot().state, viewer.user);
    std::future::ready(Json(json!({ "invitations": invitations }))).await
}

async fn answer(viewer: Viewer, invite: &str, accept: bool) -> Result<NoContent, Problem> {
    viewer.ask(Command::AnswerInvite(viewer.user, id(invite)?, accept)).await?;
    Ok(NoContent)
}

pub(super) async fn accept(viewer: Viewer, Path(invite): Path<String>) -> Result<NoContent, Problem> {
    answer(viewer, &invite, true).await
}

pub(super) async fn decline(viewer: Viewer, Path(invite): Path<String>) -> Result<NoContent, Problem> {
    answer(viewer, &invite, false).await
}

pub(super) async fn revoke(viewer: Viewer, Path(invite): Path<String>) -> Result<NoContent, Problem> {
    viewer.ask(Command::RevokeInvite(viewer.user, id(&invite)?)).await?;
    Ok(NoContent)
}
