//! The check after a start and the journal, as they are shown (spec 12.1, 12.6).
//!
//! Duty: whether it runs, on whom it waits, whether an admin has to confirm. Never: naming peers to who is no admin.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Api, answer::NoContent, problem::Problem, viewer::Viewer};
use crate::{
    node::Handle,
    protocol::{Command, recovery},
    view::people,
};

/// For whoever asks, so without names.
pub(super) async fn health(State(Api { handle, .. }): State<Api>) -> Json<Value> {
    let snapshot = handle.snapshot();
    let shown = json!({
        "status": "ok", "position": snapshot.position, "checking": recovery::is_checking(&snapshot.state),
        "journal": journal(&handle),
    });
    std::future::ready(Json(shown)).await
}

/// `off`, `trusted`, or `unconfirmed`: then partners wait.
fn journal(handle: &Handle) -> &'static str {
    match handle.journal() {
        None => "off",
        Some(_) if recovery::is_trusted(&handle.snapshot().state) => "trusted",
        Some(_) => "unconfirmed",
    }
}

/// For admins: the whole of it, with what to do.
pub(super) fn shown(handle: &Handle) -> Value {
    let state = &handle.snapshot().state;
    let awaited: Vec<_> = recovery::awaited(state).map(|peer| people::home(state, peer)).collect();
    let journal = journal(handle);
    let advice = match journal {
        "unconfirmed" => Some(UNCONFIRMED),
        _ if recovery::is_checking(state) => Some(CHECKING),
        _ => None,
    };
    json!({
        "running": recovery::is_checking(state), "since": recovery::since(state), "awaited": awaited,
        "journal": { "state": journal, "path": handle.journal() }, "advice": advice,
    })
}

const UNCONFIRMED: &str = "the journal is missing or older than the data: partners are not served. Put it back and start \
    again, or, if it is lost, look whether somebody is in a group who was removed, then run `comity journal confirm`";
const CHECKING: &str = "partners are asked what they hold: removals and invitations take some seconds";

/// For the workspace, and for the realm that its node hosts.
pub(super) async fn confirm(State(api): State<Api>, viewer: Viewer) -> Result<NoContent, Problem> {
    viewer.ask(Command::TrustJournal).await?;
    if let Some(realm) = &api.realm {
        realm.ask(Command::TrustJournal).await?;
    }
    Ok(NoContent)
}
