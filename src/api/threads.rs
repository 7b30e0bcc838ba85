//! Threads: the inbox, starting, recipients, presence (P3, P6).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, Created, Either, NoContent, Underway},
    messages,
    path::Path,
    problem::Problem,
    scopes::{Made, made, new_settings},
    viewer::{Body, Query, Viewer},
    workspace::page,
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId},
    limits,
    node::Notice,
    protocol::{Command, Reply, gate},
    time::Millis,
    view::{
        conduct,
        inbox::{self, Wanted},
        messages as shown_messages, scopes,
    },
    wire::objects::{Action, Floor},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Inbox {
    /// inbox, archived or all.
    #[serde(default)]
    view: inbox::View,
    /// Only threads that are addressed to this group.
    group: Option<GroupId>,
    /// Only with unread messages.
    #[serde(default)]
    unread: bool,
    /// The `next` of the page before.
    before: Option<String>,
    /// At most so many; 50 if not said, and never more than there is room for.
    limit: Option<usize>,
}

/// A page of the inbox.
#[derive(Serialize, JsonSchema)]
pub(super) struct Threads {
    /// Newest first.
    threads: Vec<inbox::Row>,
    /// The `before` of the next page; null on the last.
    next: Option<String>,
}

pub(super) async fn inbox(viewer: Viewer, Query(query): Query<Inbox>) -> Result<Json<Threads>, Problem> {
    let Inbox { view, group, unread, before, limit } = query;
    let before = before.map(|cursor| parse_cursor(&cursor)).transpose()?;
    let (snapshot, wanted) = (viewer.snapshot(), Wanted { view, group, unread, before });
    let (threads, next) = inbox::page(&snapshot.state, &*snapshot, viewer.user, wanted, page(limit));
    let next = next.map(|(time, thread)| format!("{}-{thread}", time.0));
    std::future::ready(Ok(Json(Threads { threads, next }))).await
}

/// What waits for the viewer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Waits {
    /// Threads in the inbox with unread messages; at 100 there may be more.
    unread: usize,
    /// Invitations without an answer.
    invitations: usize,
    /// Where live events stand: a stream that goes on from here misses nothing that is not in what is asked for later.
    position: u64,
}

pub(super) async fn waiting(viewer: Viewer) -> Json<Waits> {
    let snapshot = viewer.snapshot();
    let unread = inbox::unread(&snapshot.state, &*snapshot, viewer.user, limits::UNREAD_MOST);
    let invitations = scopes::invitations(&snapshot.state, viewer.user).len();
    std::future::ready(Json(Waits { unread, invitations, position: snapshot.position })).await
}

pub(super) fn parse_cursor(cursor: &str) -> Result<(Millis, ThreadId), Problem> {
    let parts = cursor.split_once('-');
    let parsed = parts.and_then(|(time, thread)| Some((Millis(time.parse().ok()?), thread.parse().ok()?)));
    parsed.ok_or_else(|| Problem::invalid("before: pass the `next` of the page before, unchanged"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewThread {
    #[schemars(length(max = limits::NAME_BYTES))]
    subject: String,
    #[serde(default)]
    #[schemars(length(max = limits::GROUPS_PER_THREAD))]
    groups: Vec<GroupId>,
    /// Addresses.
    #[serde(default)]
    people: Vec<String>,
    /// The first message.
    #[schemars(length(max = limits::TEXT_BYTES))]
    text: Option<String>,
    /// Whom it names.
    #[serde(default)]
    mentions: Vec<UserId>,
    /// They become recipients as well, as far as the viewer knows them (P3.3).
    #[serde(default)]
    add_mentioned: bool,
    /// The message that it begins with.
    from: Option<Source>,
}

/// A message from which a thread is started (P6.4).
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    thread: ThreadId,
    seq: u64,
}

/// A thread that was started.
#[derive(Serialize, JsonSchema)]
pub(super) struct Started {
    #[serde(flatten)]
    made: Made,
    /// Its first message.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Posted>,
    /// Whom the message names though they are no recipients (P3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    not_recipients: Option<Vec<UserId>>,
}

/// What became of a message.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Posted {
    Placed(messages::Placed),
    Unplaced(messages::Unplaced),
}

pub(super) async fn start(viewer: Viewer, Body(new): Body<NewThread>) -> Result<Created<Started>, Problem> {
    let settings = new_settings(new.subject);
    if let Some(Source { thread, seq }) = new.from {
        let snapshot = viewer.snapshot();
        let message = shown_messages::about(&snapshot.state, &*snapshot, viewer.user, thread, seq);
        message.filter(|message| message.seq == seq).ok_or_else(|| viewer.absent(thread))?;
    }
    let from = new.from;
    let NewThread { groups, people: mut addresses, text, mentions, add_mentioned, .. } = new;
    if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > limits::TEXT_BYTES)
        || mentions.len() > limits::MENTIONS
    {
        return Err(Problem::invalid("text, mentions: empty, or more than a message takes"));
    }
    if add_mentioned {
        addresses.extend(conduct::addresses(&viewer.snapshot().state, viewer.user, &mentions, &groups));
    }
    let reply = viewer.ask(Command::CreateThread { actor: viewer.user, settings, groups, addresses }).await?;
    if let (Some(Source { thread: from, seq }), Reply::Scope(ScopeId::Thread(thread), _)) = (from, &reply) {
        let refer = Command::Refer { user: viewer.user, thread: *thread, from, seq };
        viewer.handle.ask(refer).await?;
    }
    let thread = if let Reply::Scope(scope, _) = &reply { scope.thread() } else { None };
    let Created(made) = made(&viewer, reply)?;
    let (Some(text), Some(thread)) = (text, thread) else {
        return Ok(Created(Started { made, message: None, not_recipients: None }));
    };
    let not_recipients = Some(messages::strangers(&viewer, thread, &mentions));
    let message = Some(match messages::first(&viewer, thread, text, mentions).await? {
        Either::This(Created(placed)) => Posted::Placed(placed),
        Either::That(Accepted(unplaced)) => Posted::Unplaced(unplaced),
    });
    Ok(Created(Started { made, message, not_recipients }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDm {
    #[schemars(length(max = limits::ADDRESS_BYTES))]
    address: String,
}

pub(super) async fn dm(viewer: Viewer, Body(new): Body<NewDm>) -> Result<Created<Made>, Problem> {
    let reply = viewer.ask(Command::OpenDm(viewer.user, new.address)).await?;
    made(&viewer, reply)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRecipient {
    group: GroupId,
    #[serde(default = "everything")]
    history: Floor,
}

fn everything() -> Floor {
    Floor::All
}

pub(super) async fn add_group(
    viewer: Viewer,
    Path(thread): Path<ThreadId>,
    Body(new): Body<NewRecipient>,
) -> Result<Underway, Problem> {
    let action = Action::AddGroup { thread, group: new.group, floor: new.history };
    viewer.ask(Command::Act(viewer.user, action)).await?;
    Ok(Underway)
}

pub(super) async fn remove_group(
    viewer: Viewer,
    Path((thread, group)): Path<(ThreadId, GroupId)>,
) -> Result<NoContent, Problem> {
    let action = Action::RemoveGroup { thread, group };
    viewer.ask(Command::Act(viewer.user, action)).await?;
    Ok(NoContent)
}

/// Why the viewer reaches a thread.
#[derive(Serialize, JsonSchema)]
pub(super) struct Paths {
    paths: Vec<scopes::Why>,
}

pub(super) async fn why(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<Json<Paths>, Problem> {
    let paths = scopes::why(&viewer.snapshot().state, viewer.user, thread);
    let paths = paths.ok_or_else(|| viewer.absent(thread))?;
    std::future::ready(Ok(Json(Paths { paths }))).await
}

/// Ephemeral (spec 10.1).
pub(super) async fn typing(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<NoContent, Problem> {
    if !gate::reaches(&viewer.snapshot().state, viewer.user, thread) {
        return Err(viewer.absent(thread));
    }
    viewer.handle.notify(Notice::Typing { thread, user: viewer.user });
    std::future::ready(Ok(NoContent)).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadUpTo {
    seq: u64,
}

pub(super) async fn read(
    viewer: Viewer,
    Path(thread): Path<ThreadId>,
    Body(up_to): Body<ReadUpTo>,
) -> Result<NoContent, Problem> {
    viewer.ask(Command::MarkRead(viewer.user, thread, up_to.seq)).await?;
    viewer.handle.notify(Notice::Read { thread, user: viewer.user, seq: up_to.seq });
    Ok(NoContent)
}

async fn attend(viewer: &Viewer, command: Command) -> Result<NoContent, Problem> {
    viewer.ask(command).await?;
    Ok(NoContent)
}

pub(super) async fn follow(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<NoContent, Problem> {
    attend(&viewer, Command::Follow(viewer.user, thread, true)).await
}

pub(super) async fn unfollow(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<NoContent, Problem> {
    attend(&viewer, Command::Follow(viewer.user, thread, false)).await
}

/// Away until something new comes in.
pub(super) async fn archive(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<NoContent, Problem> {
    attend(&viewer, Command::Archive(viewer.user, thread, true)).await
}

pub(super) async fn unarchive(viewer: Viewer, Path(thread): Path<ThreadId>) -> Result<NoContent, Problem> {
    attend(&viewer, Command::Archive(viewer.user, thread, false)).await
}
