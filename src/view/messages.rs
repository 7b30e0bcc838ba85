//! A thread's messages as a reader sees them (P3): with edits, deletions and reactions folded in.
//!
//! Duty: pages newest first, through every path of the reader. Never: an entry that no path shows, an edit or reaction
//! that the reader may not see.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Author};
use crate::{
    ids::{SubmissionId, ThreadId, UserId},
    protocol::{
        Records, State,
        gate::{self, Path},
    },
    time::Millis,
    wire::{Body, Stored, objects::EntryKind},
};

/// A message.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Message {
    /// The thread.
    pub thread: ThreadId,
    /// Its place.
    pub seq: u64,
    /// Who wrote it.
    pub author: Author,
    /// When it was sequenced.
    pub time: Millis,
    /// The text as last edited; null when deleted.
    pub text: Option<String>,
    /// Who is named.
    pub mentions: Vec<UserId>,
    /// The place of the last edit.
    pub edited: Option<u64>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Reaction to who reacted.
    pub reactions: BTreeMap<String, Vec<UserId>>,
}

/// A message of the viewer that its owner has not sequenced.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PendingMessage")]
pub struct Waiting {
    /// Its id.
    pub id: SubmissionId,
    /// The thread.
    pub thread: ThreadId,
    /// When it was written.
    pub time: Millis,
    /// Whose node has to take it.
    pub owner: String,
    /// The text; empty where it is gone with the copy of its thread (spec 8.12).
    pub text: String,
    /// Why the owner refused it.
    pub refused: Option<String>,
}

/// A page of messages, oldest first, and what to ask for the ones before.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// The `before` of the next page; null at the beginning of what may be read.
    pub next: Option<u64>,
}

/// The newest messages below `before`; `None`: the viewer does not know the thread (P3.1).
#[must_use]
pub fn page(
    state: &State,
    records: &dyn Records,
    viewer: UserId,
    thread: ThreadId,
    before: Option<u64>,
    limit: usize,
) -> Option<Page> {
    let paths = gate::paths(state, viewer, thread);
    let highest = paths.iter().map(|path| path.to).max()?;
    let lowest = paths.iter().map(|path| path.from).min()?.max(1);
    let lowest = lowest.max(state.logs.get(&thread).map_or(1, |log| log.low));
    let mut seq = before.map_or(highest, |before| before.saturating_sub(1).min(highest));
    let mut messages = Vec::new();
    while seq >= lowest && messages.len() < limit {
        messages.extend(message(state, records, &paths, thread, seq));
        seq -= 1;
    }
    messages.reverse();
    Some(Page { messages, next: (seq >= lowest).then_some(seq + 1) })
}

/// One message, if the viewer is shown it; an edit, deletion or reaction counts as the message it is about.
#[must_use]
pub fn about(
    state: &State,
    records: &dyn Records,
    viewer: UserId,
    thread: ThreadId,
    seq: u64,
) -> Option<Message> {
    let paths = gate::paths(state, viewer, thread);
    let stored = shown(records, &paths, thread, seq)?;
    let target = if stored.entry.kind == EntryKind::Message { seq } else { body(&stored)?.target? };
    message(state, records, &paths, thread, target)
}

fn shown(records: &dyn Records, paths: &[Path], thread: ThreadId, seq: u64) -> Option<Stored> {
    if paths.iter().any(|path| path.shows(seq)) { records.stored(thread, seq) } else { None }
}

fn body(stored: &Stored) -> Option<Body> {
    Body::parse(&stored.body.as_ref()?.body).ok()
}

fn message(
    state: &State,
    records: &dyn Records,
    paths: &[Path],
    thread: ThreadId,
    seq: u64,
) -> Option<Message> {
    let stored = shown(records, paths, thread, seq)?;
    if stored.entry.kind != EntryKind::Message {
        return None;
    }
    let first = body(&stored);
    let mut message = Message {
        thread,
        seq,
        author: people::author(state, stored.entry.author),
        time: stored.entry.time,
        deleted: first.is_none(),
        mentions: first.as_ref().map(|body| body.mentions.clone()).unwrap_or_default(),
        text: first.map(|body| body.text),
        edited: None,
        reactions: BTreeMap::new(),
    };
    for later in records.refs(thread, seq) {
        if let Some(stored) = shown(records, paths, thread, later) {
            fold(&mut message, &stored);
        }
    }
    Some(message)
}

fn fold(message: &mut Message, stored: &Stored) {
    let Some(body) = body(stored) else { return };
    let (author, seq) = (stored.entry.author, stored.entry.seq);
    match stored.entry.kind {
        EntryKind::Edit if !message.deleted => {
            (message.text, message.mentions, message.edited) = (Some(body.text), body.mentions, Some(seq));
        }
        EntryKind::Delete => {
            message.deleted = true;
            (message.text, message.mentions) = (None, Vec::new());
        }
        EntryKind::React => {
            let by = message.reactions.entry(body.text).or_default();
            if !by.contains(&author) {
                by.push(author);
            }
        }
        EntryKind::Unreact => {
            if let Some(by) = message.reactions.get_mut(&body.text) {
                by.retain(|user| *user != author);
            }
            message.reactions.retain(|_, by| !by.is_empty());
        }
        EntryKind::Edit | EntryKind::Message => {}
    }
}

/// The viewer's messages that wait for their owners, in order; of one thread, or of all.
#[must_use]
pub fn waiting(state: &State, viewer: UserId, thread: Option<ThreadId>) -> Vec<Waiting> {
    let mine = state.outbox.values().filter(|row| row.author == viewer);
    let rows = mine.filter(|row| thread.is_none_or(|thread| row.thread == thread));
    let shown = rows.map(|row| Waiting {
        id: row.submission,
        thread: row.thread,
        time: row.time,
        owner: people::home(state, row.owner).name,
        text: Body::parse(&row.sealed.body).map(|body| body.text).unwrap_or_default(),
        refused: row.refused.clone(),
    });
    shown.collect()
}
