//! A thread: its messages, its recipients, the composer (P6).
//!
//! Duty: pages and fragments of one thread; what a reader sends from them. Never: a badge beside a name (P4.2).

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Form,
    extract::Query,
    http::{HeaderMap, Method, StatusCode},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::path::Path;
use super::{
    desk::{Desk, escape},
    inbox, markdown,
    message::{Message, Names, Shown, shown},
    naming,
    page::{Failure, Frame, Page, Waits, is_quiet},
    place::Place,
    shapes::{Named, Rights, Scope, Settings, Waiting},
    visitor::Visitor,
};
use crate::time::Millis;

/// Messages of a page.
const MESSAGES: usize = 50;
/// People of a page who are named and read none of it, and whose names are looked up.
const STRANGERS: usize = 20;
/// Recipients whose rows and names a page has.
const RECIPIENTS: usize = 50;

/// A thread as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Thread {
    id: String,
    kind: Option<String>,
    settings: Settings,
    pub(super) groups: Vec<Named>,
    lease: u64,
    external: bool,
    rights: Rights,
    from: Option<Origin>,
    waiting_for: Option<Waiting>,
    frozen: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Origin {
    thread: String,
    seq: u64,
}

/// A recipient, as the API's member lists show him.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Person>,
}

#[derive(Debug, Deserialize)]
struct Messages {
    messages: Vec<Message>,
    next: Option<u64>,
    #[serde(default)]
    pending: Vec<Pending>,
    read: u64,
}

/// What waits for the owner.
#[derive(Debug, Deserialize)]
struct Pending {
    time: Millis,
    owner: String,
    text: String,
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "web/thread.html")]
struct ThreadPage {
    frame: Frame,
    thread: Thread,
    title: String,
    /// The group whose chat this is.
    hub: Option<Scope>,
    messages: Vec<Shown>,
    pending: Vec<Pending>,
    next: Option<u64>,
    recipients: Vec<Person>,
    error: Option<String>,
    draft: String,
}

#[derive(Template)]
#[template(path = "web/messages.html")]
struct Part {
    messages: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "web/message_page.html")]
struct MessagePage {
    frame: Frame,
    thread: String,
    messages: Vec<Shown>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Before {
    before: Option<u64>,
    /// Only what came behind this message.
    since: Option<u64>,
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Before { before, .. }): Query<Before>,
) -> Result<Page<impl Template>, Failure> {
    load(&visitor, &id, before, None, String::new()).await.map(Page)
}

async fn load(
    visitor: &Visitor,
    id: &str,
    before: Option<u64>,
    error: Option<String>,
    draft: String,
) -> Result<ThreadPage, Failure> {
    let mut frame = Frame::load(visitor, "").await?;
    let (desk, id) = (&visitor.desk, escape(id));
    let thread: Thread = visitor.read(&format!("/threads/{id}")).await?;
    let hub = hub(desk, &thread).await;
    if let Some(group) = &hub {
        frame.place.clone_from(&group.id);
    }
    let named = Named { id: thread.id.clone(), name: Some(thread.settings.name.clone()) };
    let title = inbox::title(desk, &frame.me.id, thread.kind.as_deref(), &thread.id, &named).await;
    let mut page = ThreadPage {
        frame,
        thread,
        title,
        hub,
        messages: Vec::new(),
        pending: Vec::new(),
        next: None,
        recipients: Vec::new(),
        error,
        draft,
    };
    if page.thread.waiting_for.is_some() || page.thread.frozen.is_some() {
        let pending = visitor.read::<Outbox>("/pending").await?.pending;
        page.pending =
            pending.into_iter().filter(|waiting| waiting.thread == page.thread.id).map(|at| at.it).collect();
        return Ok(page);
    }
    let members = desk.get::<Members>(&format!("/threads/{id}/members?limit={RECIPIENTS}")).await;
    page.recipients = members.map_err(|no| visitor.failed(no))?.members;
    let found = messages(visitor, &id, before).await?;
    let mut names = names(visitor, &page.thread.groups, &page.recipients).await;
    complete(visitor, &mut names, &found.messages).await;
    if let Some(last) = found.messages.last().filter(|last| before.is_none() && last.seq > found.read) {
        // What is on the screen is read.
        let read = json!({ "seq": last.seq });
        drop(desk.post(&format!("/threads/{id}/read"), &read).await);
        page.frame.waits.unread = visitor.read::<Waits>("/inbox").await?.unread;
    }
    let me = page.frame.me.id.clone();
    page.messages = shown(found.messages, &me, &names);
    // Where somebody comes for the first time everything is new, and no line is needed.
    let unread = |one: &&mut Shown| found.read > 0 && one.message.seq > found.read && !one.own;
    if let Some(first) = page.messages.iter_mut().find(unread).filter(|_| before.is_none()) {
        first.begins_unread = true;
    }
    (page.pending, page.next) = (found.pending, found.next);
    Ok(page)
}

/// The group whose chat a thread is.
async fn hub(desk: &Desk, thread: &Thread) -> Option<Scope> {
    let group = thread.groups.first().filter(|_| thread.kind.as_deref() == Some("chat"))?;
    desk.get(&Place::group(&group.id).api).await.ok()
}

#[derive(Deserialize)]
struct Outbox {
    pending: Vec<Outgoing>,
}

#[derive(Deserialize)]
struct Outgoing {
    thread: String,
    #[serde(flatten)]
    it: Pending,
}

async fn messages(visitor: &Visitor, id: &str, before: Option<u64>) -> Result<Messages, Failure> {
    let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
    let path = format!("/threads/{id}/messages?limit={MESSAGES}{before}");
    visitor.read(&path).await
}

/// Names of direct recipients and of members of the groups, as far as a page of each goes.
async fn names(visitor: &Visitor, groups: &[Named], recipients: &[Person]) -> Names {
    let mut names: Names = recipients.iter().map(|person| (person.id.clone(), person.name.clone())).collect();
    for group in groups {
        let path = format!("/groups/{}/members?limit={RECIPIENTS}", group.id);
        let members = visitor.desk.get::<Members>(&path).await.map(|found| found.members).unwrap_or_default();
        names.extend(members.into_iter().map(|person| (person.id, person.name)));
    }
    names
}

/// Contacts who are named and read none of it yet.
async fn complete(visitor: &Visitor, names: &mut Names, messages: &[Message]) {
    let mentions = messages.iter().flat_map(|message| &message.mentions);
    let strangers: BTreeSet<&String> = mentions.filter(|id| !names.contains_key(*id)).collect();
    let mut found = Names::new();
    for id in strangers.into_iter().take(STRANGERS) {
        if let Ok(person) = visitor.desk.get::<Person>(&format!("/people/{id}")).await {
            found.insert(person.id, person.name);
        }
    }
    names.extend(found);
}

/// Names for messages that are shown without their page.
async fn names_of(visitor: &Visitor, id: &str, messages: &[Message]) -> Result<Names, Failure> {
    if messages.iter().all(|message| message.mentions.is_empty()) {
        return Ok(Names::new());
    }
    let thread: Thread = visitor.read(&format!("/threads/{id}")).await?;
    let members = visitor.desk.get::<Members>(&format!("/threads/{id}/members?limit={RECIPIENTS}")).await;
    let members = members.map(|found| found.members).unwrap_or_default();
    let mut names = names(visitor, &thread.groups, &members).await;
    complete(visitor, &mut names, messages).await;
    Ok(names)
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

async fn me(visitor: &Visitor) -> Result<String, Failure> {
    visitor.desk.get::<Id>("/me").await.map(|me| me.id).map_err(|no| visitor.failed(no))
}

/// Messages to be put above those on the page, or behind them; where to go on from in a header.
pub(super) async fn older(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Before { before, since }): Query<Before>,
) -> Result<Response, Failure> {
    let id = escape(&id);
    let mut found = messages(&visitor, &id, before).await?;
    found.messages.retain(|message| since.is_none_or(|since| message.seq > since));
    let (me, names) = (me(&visitor).await?, names_of(&visitor, &id, &found.messages).await?);
    let mut response = Page(Part { messages: shown(found.messages, &me, &names) }).into_response();
    if let Some(next) = found.next {
        response.headers_mut().insert("x-next", next.into());
    }
    Ok(response)
}

async fn one(visitor: &Visitor, id: &str, seq: u64) -> Result<Vec<Shown>, Failure> {
    let path = format!("/threads/{}/messages/{seq}", escape(id));
    let message: Message = visitor.read(&path).await?;
    let messages = vec![message];
    let (me, names) = (me(visitor).await?, names_of(visitor, &escape(id), &messages).await?);
    Ok(shown(messages, &me, &names))
}

/// One message as it stands in its thread.
pub(super) async fn part(
    visitor: Visitor,
    Path((id, seq)): Path<(String, u64)>,
) -> Result<Page<impl Template>, Failure> {
    Ok(Page(Part { messages: one(&visitor, &id, seq).await? }))
}

/// One message, with what can be done with it.
pub(super) async fn message(
    visitor: Visitor,
    Path((id, seq)): Path<(String, u64)>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "").await?;
    let messages = one(&visitor, &id, seq).await?;
    Ok(Page(MessagePage { frame, thread: id, messages }))
}

#[derive(Deserialize)]
pub(super) struct Written {
    text: String,
    /// The same form sent twice is one message.
    #[serde(default)]
    key: String,
}

pub(super) async fn write(
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(written): Form<Written>,
) -> Result<Response, Failure> {
    let Written { text, key } = written;
    let mentions = naming::mentioned(&visitor, &escape(&id), &text).await;
    let body = json!({ "text": text, "mentions": mentions });
    let desk = visitor.desk.clone().keyed(&key);
    let sent = desk.post(&format!("/threads/{}/messages", escape(&id)), &body).await;
    match sent {
        Ok(answer) if is_quiet(&headers) => Ok(axum::Json(answer).into_response()),
        Ok(_) => Ok(Redirect::to(&format!("/t/{id}#end")).into_response()),
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => Err(visitor.failed(refusal)),
        Err(refusal) if is_quiet(&headers) => Ok((refusal.status, refusal.detail).into_response()),
        // What he wrote is not lost.
        Err(refusal) => {
            let page = load(&visitor, &id, None, Some(refusal.detail), text).await?;
            Ok((refusal.status, Page(page)).into_response())
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Change {
    /// `edit`, `delete`, or `react` or `unreact` with an emoji behind it.
    what: String,
    #[serde(default)]
    text: String,
}

pub(super) async fn change(
    visitor: Visitor,
    Path((id, seq)): Path<(String, u64)>,
    headers: HeaderMap,
    Form(Change { what, text }): Form<Change>,
) -> Result<Response, Failure> {
    let at = format!("/threads/{}/messages/{seq}", escape(&id));
    let (method, path, body) = match what.split_once(' ') {
        None if what == "delete" => (Method::DELETE, at, None),
        Some(("unreact", emoji)) => {
            (Method::DELETE, format!("{at}/reactions"), Some(json!({ "emoji": emoji })))
        }
        Some((_, emoji)) => (Method::POST, format!("{at}/reactions"), Some(json!({ "emoji": emoji }))),
        None => (Method::PATCH, at, Some(json!({ "text": text }))),
    };
    match visitor.desk.ask::<Value>(method, &path, body.as_ref()).await {
        Ok(_) if is_quiet(&headers) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(_) => Ok(Redirect::to(&format!("/t/{id}#m{seq}")).into_response()),
        Err(refusal) if is_quiet(&headers) => Ok((refusal.status, refusal.detail).into_response()),
        Err(refusal) => Err(visitor.failed(refusal)),
    }
}

/// What a reader does with a thread as a whole: each is an endpoint of the API.
pub(super) async fn act(
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let at = format!("/threads/{}", escape(&id));
    let (method, path, body) = match act.as_str() {
        "archive" => (Method::POST, format!("{at}/archive"), None),
        "unarchive" => (Method::DELETE, format!("{at}/archive"), None),
        "follow" => (Method::POST, format!("{at}/follow"), None),
        "unfollow" => (Method::DELETE, format!("{at}/follow"), None),
        "typing" => (Method::POST, format!("{at}/typing"), None),
        "lock" => (Method::PATCH, at, Some(json!({ "locked": true }))),
        "unlock" => (Method::PATCH, at, Some(json!({ "locked": false }))),
        "close" => (Method::PATCH, at, Some(json!({ "closed": true }))),
        "reopen" => (Method::PATCH, at, Some(json!({ "closed": false }))),
        "silence" => (Method::PATCH, at, Some(json!({ "replies_off": true }))),
        "unsilence" => (Method::PATCH, at, Some(json!({ "replies_off": false }))),
        "leave" => (Method::POST, format!("{at}/leave"), None),
        _ => return Err(Failure::nothing()),
    };
    match visitor.desk.ask::<Value>(method, &path, body.as_ref()).await {
        Ok(_) if is_quiet(&headers) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(_) if matches!(act.as_str(), "archive" | "unarchive" | "leave") => {
            Ok(Redirect::to("/").into_response())
        }
        Ok(_) => Ok(Redirect::to(&format!("/t/{id}")).into_response()),
        Err(refusal) if is_quiet(&headers) => Ok((refusal.status, refusal.detail).into_response()),
        Err(refusal) => Err(visitor.failed(refusal)),
    }
}

/// Whether the thread is still there for the viewer: asked when he lost one way to it.
pub(super) async fn here(visitor: Visitor, Path(id): Path<String>) -> &'static str {
    let found = visitor.desk.get::<Thread>(&format!("/threads/{}", escape(&id))).await;
    if found.is_ok() { "here" } else { "gone" }
}

#[derive(Deserialize)]
pub(super) struct Read {
    seq: u64,
}

/// What came while the page was looked at.
pub(super) async fn read(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Read { seq }): Form<Read>,
) -> Result<StatusCode, Failure> {
    let done = visitor.desk.post(&format!("/threads/{}/read", escape(&id)), &json!({ "seq": seq })).await;
    done.map(|_| StatusCode::NO_CONTENT).map_err(|no| visitor.failed(no))
}

#[derive(Deserialize)]
pub(super) struct Draft {
    text: String,
}

/// How a text would look.
pub(super) async fn preview(
    visitor: Visitor,
    Form(Draft { text }): Form<Draft>,
) -> Result<Html<String>, Failure> {
    me(&visitor).await?;
    Ok(Html(markdown::render(&text, &[])))
}
