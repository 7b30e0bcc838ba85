//! Messages as pages show them: the text as HTML, reactions counted, what one says in one go under one name.
//!
//! Duty: from the API's message to what a template needs. Never: a badge beside a name (P4.2).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{markdown, thread::Person};
use crate::time::Millis;

/// How soon after one message another one of the same author goes on with it.
const ONE_GO_MILLIS: u64 = 5 * 60 * 1000;

/// A message, as the API has it.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) thread: String,
    pub(super) seq: u64,
    pub(super) author: Person,
    pub(super) time: Millis,
    pub(super) text: Option<String>,
    pub(super) mentions: Vec<String>,
    pub(super) edited: Option<u64>,
    pub(super) reactions: BTreeMap<String, Vec<String>>,
}

/// A reaction under a message.
pub(super) struct Reaction {
    pub(super) emoji: String,
    pub(super) count: usize,
    pub(super) mine: bool,
}

/// A message as a page shows it.
pub(super) struct Shown {
    pub(super) message: Message,
    pub(super) html: String,
    pub(super) reactions: Vec<Reaction>,
    pub(super) own: bool,
    /// Whether it goes on what its author has just said.
    pub(super) goes_on: bool,
    /// Whether what has not been read begins here.
    pub(super) begins_unread: bool,
}

/// Names by id, of whom a thread's pages may speak.
pub(super) type Names = BTreeMap<String, String>;

impl Shown {
    fn new(message: Message, me: &str, names: &Names) -> Self {
        let named: Vec<String> = message.mentions.iter().filter_map(|id| names.get(id).cloned()).collect();
        let html = message.text.as_ref().map(|text| markdown::render(text, &named)).unwrap_or_default();
        let reactions = message.reactions.iter().map(|(emoji, who)| Reaction {
            emoji: emoji.clone(),
            count: who.len(),
            mine: who.iter().any(|id| id == me),
        });
        let (reactions, own) = (reactions.collect(), message.author.id == me);
        Self { message, html, reactions, own, goes_on: false, begins_unread: false }
    }
}

/// Messages in their order: what one says in one go stands under one name.
pub(super) fn shown(messages: Vec<Message>, me: &str, names: &Names) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::with_capacity(messages.len());
    for message in messages {
        let goes_on = all.last().is_some_and(|Shown { message: before, .. }| {
            before.author.id == message.author.id && message.time.since(before.time) < ONE_GO_MILLIS
        });
        all.push(Shown { goes_on, ..Shown::new(message, me, names) });
    }
    all
}
