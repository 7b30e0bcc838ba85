//! The check after a start and the journal, as they are shown (spec 12.1, 12.6).
//!
//! Duty: whether it runs, on whom it waits, whether an admin has to confirm. Never: naming peers to who is no admin.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Api, answer::NoContent, problem::Problem, viewer::Viewer};
use crate::{
    node::Handle,
    protocol::{Command, recovery},
    time::Millis,
    view::people::{self, Home},
};

/// How the node is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    /// `ok`, or there is no answer.
    status: &'static str,
    /// The number of the last commit.
    position: u64,
    /// Whether partners are asked what they hold, after a start.
    checking: bool,
    journal: Journal,
}

/// Whether the journal is there and not older than the store.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Journal {
    Off,
    Trusted,
    /// Partners wait until an admin confirms.
    Unconfirmed,
}

/// The check after a start.
#[derive(Serialize, JsonSchema)]
pub(super) struct Check {
    running: bool,
    since: Option<Millis>,
    /// Partners that have not said what they hold.
    awaited: Vec<Home>,
    journal: JournalView,
    /// What to do.
    advice: Option<&'static str>,
}

/// The journal and where it lies.
#[derive(Serialize, JsonSchema)]
struct JournalView {
    state: Journal,
    path: Option<String>,
}

/// For whoever asks, so without names.
pub(super) async fn health(State(Api { handle, .. }): State<Api>) -> Json<Health> {
    let snapshot = handle.snapshot();
    let (position, checking) = (snapshot.position, recovery::is_checking(&snapshot.state));
    let shown = Health { status: "ok", position, checking, journal: journal(&handle) };
    std::future::ready(Json(shown)).await
}

fn journal(handle: &Handle) -> Journal {
    match handle.journal() {
        None => Journal::Off,
        Some(_) if recovery::is_trusted(&handle.snapshot().state) => Journal::Trusted,
        Some(_) => Journal::Unconfirmed,
    }
}

/// For admins: the whole of it, with what to do.
pub(super) fn shown(handle: &Handle) -> Check {
    let state = &handle.snapshot().state;
    let awaited: Vec<_> = recovery::awaited(state).map(|peer| people::home(state, peer)).collect();
    let journal = journal(handle);
    let advice = match journal {
        Journal::Unconfirmed => Some(UNCONFIRMED),
        _ if recovery::is_checking(state) => Some(CHECKING),
        _ => None,
    };
    let path = handle.journal().map(|path| path.display().to_string());
    Check {
        running: recovery::is_checking(state),
        since: recovery::since(state),
        awaited,
        journal: JournalView { state: journal, path },
        advice,
    }
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
