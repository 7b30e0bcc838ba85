//! Search over what the viewer may read now (P3.1): messages, subjects, groups, people.
//!
//! Duty: threads by their last entry, in each the newest message first; every hit is matched on the text that he is shown.
//! Never: a hit of what the gate does not show, though it stand in an index.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    messages::{self, Message},
    names::{self, Found, Listed},
    scopes::{self, Place},
};
use crate::{
    ids::{ThreadId, UserId},
    limits,
    protocol::{
        Records, State, gate,
        recent::{self, At},
        words::{Sought, Typed},
    },
    wire::objects::ThreadKind,
};

/// Where a page ended: the thread, and what comes next is below this entry of it.
pub type After = (At, u64);

/// What was found.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Results {
    /// Contacts and colleagues; on the first page.
    pub people: Vec<Found>,
    /// Groups that he is in or may join; on the first page.
    pub groups: Vec<Listed>,
    /// Topics by their subject.
    pub threads: Vec<Place>,
    /// Messages.
    pub messages: Vec<Hit>,
}

/// A message that was found.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Hit {
    /// The message, as he is shown it.
    #[serde(flatten)]
    pub message: Message,
    /// The subject of its thread.
    pub subject: String,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// In messages.
    pub words: Sought,
    /// In names.
    pub names: Typed,
}

/// What one request still may do.
struct Work<'a> {
    state: &'a State,
    records: &'a dyn Records,
    viewer: UserId,
    query: &'a Query,
    tokens: Vec<String>,
    limit: usize,
    /// Texts that may still be read.
    texts: usize,
    messages: Vec<Hit>,
}

/// A page, and where the next one begins. It may be short though there is more: a request reads a bounded number of texts.
#[must_use]
pub fn page(
    state: &State,
    records: &dyn Records,
    viewer: UserId,
    query: &Query,
    after: Option<After>,
    limit: usize,
) -> (Results, Option<After>) {
    let mut results =
        Results { people: Vec::new(), groups: Vec::new(), threads: Vec::new(), messages: Vec::new() };
    // Who has typed a letter only is still typing.
    if query.words.is_empty() {
        return (results, None);
    }
    if after.is_none() {
        let few = limit.min(limits::NAMES_FOUND);
        results.people = names::contacts(state, viewer, &query.names, None, few).rows;
        results.groups = names::groups(state, viewer, &query.names, few);
    }
    let (tokens, texts) = (query.words.tokens(), limits::SEARCH_TEXTS);
    let mut work = Work { state, records, viewer, query, tokens, limit, texts, messages: Vec::new() };
    let next = work.run(after, &mut results.threads);
    (Results { messages: work.messages, ..results }, next)
}

impl Work<'_> {
    fn run(&mut self, after: Option<After>, threads: &mut Vec<Place>) -> Option<After> {
        let begun = after.map(|(at, below)| (at, Some(below)));
        let rest = recent::newest(self.state, self.viewer, after.map(|(at, _)| at)).map(|at| (at, None));
        let mut last = after;
        for (looked, (at, below)) in begun.into_iter().chain(rest).enumerate() {
            if self.messages.len() >= self.limit || self.texts == 0 || looked == limits::SEARCH_THREADS {
                return last;
            }
            if below.is_none() && threads.len() < self.limit {
                threads.extend(self.by_subject(at.1));
            }
            if let Some(below) = self.thread(at.1, below) {
                return Some((at, below));
            }
            last = Some((at, 0));
        }
        None
    }

    fn by_subject(&self, thread: ThreadId) -> Option<Place> {
        let head = &self.state.scope(thread)?.head;
        let is = head.kind == Some(ThreadKind::Topic) && self.query.words.matches(&head.settings.name);
        (is && gate::reaches(self.state, self.viewer, thread))
            .then(|| scopes::place(self.state, self.viewer, thread.into()))?
    }

    /// The messages of one thread; where to go on in it, if the page or the work ended there.
    fn thread(&mut self, thread: ThreadId, below: Option<u64>) -> Option<u64> {
        let paths = gate::paths(self.state, self.viewer, thread);
        let from = paths.iter().map(|path| path.from).min()?.max(1);
        let mut to = paths.iter().map(|path| path.to).max()?;
        if let Some(below) = below {
            to = to.min(below.checked_sub(1)?);
        }
        let subject = self.subject(thread);
        while from <= to && !self.tokens.is_empty() {
            let some = self.records.with_words(thread, &self.tokens, (from, to), limits::API_PAGE);
            for seq in &some {
                if self.messages.len() >= self.limit || self.texts == 0 {
                    return Some(seq.saturating_add(1));
                }
                self.texts -= 1;
                self.take(thread, *seq, &subject);
            }
            let lowest = some.last().filter(|_| some.len() == limits::API_PAGE)?;
            to = lowest.saturating_sub(1);
        }
        None
    }

    fn subject(&self, thread: ThreadId) -> String {
        let head = self.state.scope(thread).map(|scope| &scope.head);
        let named = head.filter(|head| head.kind != Some(ThreadKind::Dm));
        named.map(|head| head.settings.name.clone()).unwrap_or_default()
    }

    fn take(&mut self, thread: ThreadId, seq: u64, subject: &str) {
        let found = messages::about(self.state, self.records, self.viewer, thread, seq);
        let matches = |message: &Message| {
            let text = message.text.as_ref().filter(|_| message.seq == seq);
            text.is_some_and(|text| self.query.words.matches(text))
        };
        let hit = found.filter(matches).map(|message| Hit { message, subject: subject.to_owned() });
        self.messages.extend(hit);
    }
}
