//! The workspace's keys: what there are, and a new one in place of an old one.
//!
//! Duty: the list, a rotation of the running node. Never: a secret key, in an answer or a log.

use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::NoContent,
    problem::Problem,
    viewer::{Body, Viewer},
};
use crate::{
    node::identity::{self, Layout, Rotate, RotateError},
    view::keys,
};

/// The keys by which this workspace speaks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkspaceKeys")]
pub(super) struct Keys {
    keys: Vec<keys::KeyView>,
    /// Whether the root key lies in the node's folder: it has to for a rotation, and should not otherwise.
    root_here: bool,
}

pub(super) async fn list(viewer: Viewer) -> Json<Keys> {
    let keys = keys::list(&viewer.snapshot().state);
    let root = Layout::new(viewer.handle.dir()).root();
    let root_here = tokio::fs::try_exists(root).await.unwrap_or(false);
    Json(Keys { keys, root_here })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// sign, tls or root.
    key: String,
    /// Only for sign: nothing that the old key signed counts from now on.
    #[serde(default)]
    revoke: bool,
}

/// Replaces a key while the node runs; the root key has to lie in the node's folder for that moment.
pub(super) async fn rotate(viewer: Viewer, Body(rotation): Body<Rotation>) -> Result<NoContent, Problem> {
    let which = match (rotation.key.as_str(), rotation.revoke) {
        ("sign", revoke) => Rotate::Sign { revoke },
        ("tls", false) => Rotate::Tls,
        ("root", false) => Rotate::Root,
        ("tls" | "root", true) => return Err(Problem::invalid("revoke: only for key = sign")),
        _ => return Err(Problem::invalid("key: sign, tls or root")),
    };
    let rotated = identity::rotate_running(&viewer.handle, viewer.handle.dir(), which, viewer.user).await;
    rotated.map(|()| NoContent).map_err(|error| match error {
        RotateError::Ask(error) => error.into(),
        RotateError::Identity(error) => Problem::new(StatusCode::CONFLICT, "keys", error.to_string()),
    })
}
