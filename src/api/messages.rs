//! Messages: reading, writing, changing (P3).

use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, Created, Either, NoContent},
    path::Path,
    problem::Problem,
    viewer::{Body, HERE, Query, Viewer, first_half},
    workspace::page,
};
use crate::{
    ids::{SubmissionId, ThreadId, UserId},
    limits,
    node::{Snapshot, clock},
    protocol::{Command, Records as _, Reply, gate},
    view::{inbox, messages, scopes},
    wire::objects::EntryKind,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Before {
    /// The `next` of the page before.
    before: Option<u64>,
    /// At most so many; 50 if not said, and never more than there is room for.
    limit: Option<usize>,
}

/// A page of a thread.
#[derive(Serialize, JsonSchema)]
pub(super) struct Messages {
    #[serde(flatten)]
    page: messages::Page,
    /// The viewer's own that their owner has not sequenced.
    pending: Vec<messages::Waiting>,
    /// How far the viewer has read.
    read: u64,
}

pub(super) async fn list(
    viewer: Viewer,
    Path(thread): Path<ThreadId>,
    Query(query): Query<Before>,
) -> Result<Json<Messages>, Problem> {
    let snapshot = viewer.snapshot();
    let limit = page(query.limit);
    let found = messages::page(&snapshot.state, &*snapshot, viewer.user, thread, query.before, limit);
    let page = found.ok_or_else(|| viewer.absent(thread))?;
    let pending = waiting(&viewer, &snapshot, Some(thread));
    let read = inbox::read_mark(&snapshot.state, viewer.user, thread);
    std::future::ready(Ok(Json(Messages { page, pending, read }))).await
}

pub(super) async fn one(
    viewer: Viewer,
    Path((thread, seq)): Path<(ThreadId, u64)>,
) -> Result<Json<messages::Message>, Problem> {
    let snapshot = viewer.snapshot();
    let found = messages::about(&snapshot.state, &*snapshot, viewer.user, thread, seq);
    std::future::ready(found.map(Json).ok_or_else(|| viewer.absent(thread))).await
}

/// What is written.
struct Writing {
    kind: EntryKind,
    target: Option<u64>,
    text: String,
    mentions: Vec<UserId>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    #[schemars(length(max = limits::TEXT_BYTES))]
    text: String,
    /// Who is named.
    #[serde(default)]
    #[schemars(length(max = limits::MENTIONS))]
    mentions: Vec<UserId>,
}

/// What was written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Placed {
    /// The message's name.
    id: SubmissionId,
    thread: ThreadId,
    /// Its place.
    seq: u64,
    /// Whom it names though they are no recipients (P3.3).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_recipients: Vec<UserId>,
}

/// What was written and waits in the outbox.
#[derive(Serialize, JsonSchema)]
pub(super) struct Unplaced {
    /// The message's name.
    id: SubmissionId,
    thread: ThreadId,
    /// Null: it has no place yet.
    seq: Option<u64>,
    /// `pending`.
    status: &'static str,
}

pub(super) type Written = Result<Either<Created<Placed>, Accepted<Unplaced>>, Problem>;

pub(super) async fn post(viewer: Viewer, Path(thread): Path<ThreadId>, Body(text): Body<Text>) -> Written {
    let Text { text, mentions } = text;
    let writing = Writing { kind: EntryKind::Message, target: None, text, mentions };
    write(&viewer, thread, writing).await
}

/// The first message of a thread that was just started.
pub(super) async fn first(viewer: &Viewer, thread: ThreadId, text: String, mentions: Vec<UserId>) -> Written {
    write(viewer, thread, Writing { kind: EntryKind::Message, target: None, text, mentions }).await
}

pub(super) async fn edit(
    viewer: Viewer,
    Path((thread, seq)): Path<(ThreadId, u64)>,
    Body(text): Body<Text>,
) -> Written {
    let Text { text, mentions } = text;
    let writing = Writing { kind: EntryKind::Edit, target: Some(seq), text, mentions };
    write(&viewer, thread, writing).await
}

pub(super) async fn delete(viewer: Viewer, Path((thread, seq)): Path<(ThreadId, u64)>) -> Written {
    let writing =
        Writing { kind: EntryKind::Delete, target: Some(seq), text: String::new(), mentions: vec![] };
    write(&viewer, thread, writing).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reaction {
    #[schemars(length(max = limits::REACTION_BYTES))]
    emoji: String,
}

async fn reaction(viewer: Viewer, at: (ThreadId, u64), kind: EntryKind, emoji: String) -> Written {
    let writing = Writing { kind, target: Some(at.1), text: emoji, mentions: vec![] };
    write(&viewer, at.0, writing).await
}

pub(super) async fn react(
    viewer: Viewer,
    Path(at): Path<(ThreadId, u64)>,
    Body(given): Body<Reaction>,
) -> Written {
    reaction(viewer, at, EntryKind::React, given.emoji).await
}

pub(super) async fn unreact(
    viewer: Viewer,
    Path(at): Path<(ThreadId, u64)>,
    Body(given): Body<Reaction>,
) -> Written {
    reaction(viewer, at, EntryKind::Unreact, given.emoji).await
}

/// Whom a message names though they are no recipients: nobody is added by that (P3.3). Ids of nobody are told as well, so
/// that the list says nothing about who exists.
pub(super) fn strangers(viewer: &Viewer, thread: ThreadId, mentions: &[UserId]) -> Vec<UserId> {
    let state = &viewer.snapshot().state;
    let stranger = |user: &&UserId| gate::ways(state, **user, thread).is_empty();
    let strangers: std::collections::BTreeSet<UserId> = mentions.iter().filter(stranger).copied().collect();
    strangers.into_iter().collect()
}

/// 201 with the place once the owner has sequenced it; 202 while it waits in the outbox (spec 7.5).
async fn write(viewer: &Viewer, thread: ThreadId, writing: Writing) -> Written {
    if scopes::frozen(&viewer.snapshot().state, viewer.user, thread.into()).is_some() {
        return Err(viewer.absent(thread));
    }
    let submission = submission(viewer)?;
    let Writing { kind, target, text, mentions } = writing;
    let not_recipients = strangers(viewer, thread, &mentions);
    let (author, id) = (viewer.user, submission);
    let placed = |seq: u64| Either::This(Created(Placed { id, thread, seq, not_recipients }));
    match viewer.ask(Command::Post { author, thread, id, kind, target, text, mentions }).await? {
        Reply::Posted(seq) => Ok(placed(seq)),
        _ => match sequenced(viewer, submission).await? {
            Some(seq) => Ok(placed(seq)),
            None => Ok(Either::That(Accepted(Unplaced { id, thread, seq: None, status: "pending" }))),
        },
    }
}

/// The message's name: the client's key, or a new one.
fn submission(viewer: &Viewer) -> Result<SubmissionId, Problem> {
    if let Some(key) = viewer.key() {
        return Ok(key);
    }
    let seed = clock::seed().map_err(|error| Problem::no_random(&error))?;
    Ok(SubmissionId(first_half(&seed)))
}

/// Waits a little for the owner's answer; a refusal is the answer, and the message is given up.
async fn sequenced(viewer: &Viewer, id: SubmissionId) -> Result<Option<u64>, Problem> {
    let me = viewer.handle.me();
    let refused = |snapshot: &Snapshot| {
        let mut rows = snapshot.state.outbox.values();
        rows.find(|row| row.submission == id).and_then(|row| row.refused.clone())
    };
    let mut view = viewer.handle.watch();
    let answered =
        view.wait_for(|snapshot| refused(snapshot).is_some() || snapshot.submitted(me, id).is_some());
    let snapshot = match tokio::time::timeout(HERE, answered).await {
        Ok(Ok(snapshot)) => snapshot.clone(),
        Ok(Err(_)) | Err(_) => return Ok(None),
    };
    if let Some((_, seq)) = snapshot.submitted(me, id) {
        return Ok(Some(seq));
    }
    viewer.ask(Command::ForgetPending(viewer.user, id)).await?;
    Err(Problem::new(StatusCode::CONFLICT, "refused", refused(&snapshot).unwrap_or_default()))
}

/// What the viewer wrote and no owner has sequenced.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pending {
    pending: Vec<messages::Waiting>,
}

pub(super) async fn pending(viewer: Viewer) -> Json<Pending> {
    let pending = waiting(&viewer, &viewer.snapshot(), None);
    std::future::ready(Json(Pending { pending })).await
}

/// What waits, without what the owner's feed brought before its answer: that is among the messages.
fn waiting(viewer: &Viewer, snapshot: &Snapshot, thread: Option<ThreadId>) -> Vec<messages::Waiting> {
    let mut waiting = messages::waiting(&snapshot.state, viewer.user, thread);
    waiting.retain(|row| snapshot.submitted(viewer.handle.me(), row.id).is_none());
    waiting
}

pub(super) async fn forget(
    viewer: Viewer,
    Path(submission): Path<SubmissionId>,
) -> Result<NoContent, Problem> {
    viewer.ask(Command::ForgetPending(viewer.user, submission)).await?;
    Ok(NoContent)
}
