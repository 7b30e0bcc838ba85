//! The inbox: threads that concern the viewer, newest first, without a badge (P4.2).

use askama::Template;
use axum::extract::Query;
use serde::Deserialize;

use super::{
    desk::{Desk, escape},
    page::{Failure, Frame, Page},
    shapes::{Home, Named, Waiting},
    visitor::Visitor,
};
use crate::time::Millis;

/// Rows of a page.
const ROWS: usize = 40;
/// Characters of the last message that stand in a row.
const SNIPPET: usize = 140;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    view: String,
    #[serde(default)]
    unread: bool,
    before: Option<String>,
}

#[derive(Deserialize)]
struct Threads {
    threads: Vec<Row>,
    next: Option<String>,
}

/// A thread as the API's inbox shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) kind: Option<String>,
    pub(super) settings: Named,
    pub(super) groups: Vec<Named>,
    owner: Home,
    lease: u64,
    pub(super) time: Millis,
    pub(super) unread: usize,
    pub(super) archived: bool,
    pub(super) waiting_for: Option<Waiting>,
    pub(super) frozen: Option<String>,
    /// How long it may stay on a screen without a word from the node, in seconds, where others own it.
    #[serde(skip)]
    pub(super) foreign: Option<u64>,
    #[serde(skip)]
    pub(super) title: String,
    #[serde(skip)]
    pub(super) last: Option<(String, String)>,
}

#[derive(Deserialize)]
struct Last {
    messages: Vec<LastMessage>,
}

#[derive(Deserialize)]
struct LastMessage {
    author: Named,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Named>,
}

#[derive(Template)]
#[template(path = "web/inbox.html")]
struct Inbox {
    frame: Frame,
    rows: Vec<Row>,
    wanted: Wanted,
    next: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "inbox").await?;
    let view = match wanted.view.as_str() {
        "archived" | "all" => wanted.view.as_str(),
        _ => "inbox",
    };
    let before =
        wanted.before.as_ref().map(|before| format!("&before={}", escape(before))).unwrap_or_default();
    let path = format!("/threads?limit={ROWS}&view={view}&unread={}{before}", wanted.unread);
    let (rows, next) = rows(&visitor, &frame, &path).await?;
    let wanted = Wanted { view: view.into(), ..wanted };
    Ok(Page(Inbox { frame, rows, wanted, next }))
}

/// A list of threads with their titles and last messages.
pub(super) async fn rows(
    visitor: &Visitor,
    frame: &Frame,
    path: &str,
) -> Result<(Vec<Row>, Option<String>), Failure> {
    let Threads { mut threads, next } = visitor.read(path).await?;
    for row in &mut threads {
        row.title = title(&visitor.desk, &frame.me.id, row.kind.as_deref(), &row.id, &row.settings).await;
        row.last = last(&visitor.desk, &row.id).await;
        let own = frame.me.workspace.as_ref().filter(|_| !frame.me.free);
        row.foreign = own.is_none_or(|own| own.id != row.owner.id).then_some(row.lease);
    }
    Ok((threads, next))
}

/// What a thread is called: its subject, its group, or whom one talks to.
pub(super) async fn title(desk: &Desk, me: &str, kind: Option<&str>, id: &str, settings: &Named) -> String {
    if kind != Some("dm") {
        return settings.name.clone().unwrap_or_default();
    }
    let members = desk.get::<Members>(&format!("/threads/{id}/members")).await.map(|found| found.members);
    let others = members.unwrap_or_default().into_iter().filter(|member| member.id != me);
    let names: Vec<String> = others.filter_map(|member| member.name).collect();
    if names.is_empty() { "Direct message".into() } else { names.join(", ") }
}

/// Who wrote last, and the beginning of it.
async fn last(desk: &Desk, id: &str) -> Option<(String, String)> {
    let page = desk.get::<Last>(&format!("/threads/{id}/messages?limit=1")).await.ok()?;
    let message = page.messages.into_iter().next()?;
    let text = message.text.unwrap_or_else(|| "deleted a message".into());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(SNIPPET).collect();
    Some((message.author.name.unwrap_or_default(), short))
}
