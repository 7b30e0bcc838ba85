//! The inbox: what is new for the viewer, the newest first.
//!
//! Duty: which threads come to him, why, and what of them he has not read. A thread comes to his inbox
//! - always, if it is a DM;
//! - if he follows it: by his own word, or by default, as everything in his groups and everything that is addressed to him;
//! - not any more once he has ceased to follow it, until it names him or he writes in it again.
//!
//! A group's chat stands for the group: who has ceased to follow it gets of its topics only what is addressed to him, what
//! he started or wrote in, and what names him. What he has put away comes back with the next message. Never: a thread
//! without a path; that somebody is named or follows gives him nothing (P3.3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    messages::Message,
    scopes::{self, Place},
};
use crate::{
    ids::{GroupId, ThreadId, UserId},
    limits,
    protocol::{
        Records, State, attention,
        gate::{self, Path},
        recent::{self, At},
        row::{Attention, ScopeHead, Told},
    },
    time::Millis,
    wire::objects::ThreadKind,
};

/// A thread in the inbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// The thread.
    #[serde(flatten)]
    pub thread: Place,
    /// The last entry that may be read.
    pub last: u64,
    /// How far the viewer has read.
    pub read: u64,
    /// When something was last written.
    pub time: Millis,
    /// Messages of others that he has not read; at 100 there may be more.
    pub unread: usize,
    /// Why it is here.
    pub why: Vec<Reason>,
    /// Whether he has put it away.
    pub archived: bool,
}

/// Why a thread concerns the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is addressed to him himself.
    Direct,
    /// He started it.
    Started,
    /// He wrote in it.
    Replied,
    /// It names him.
    Mentioned,
    /// He follows it, or a group to which it is addressed.
    Followed,
}

/// Which threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// What came and was not put away.
    #[default]
    Inbox,
    /// What was put away.
    Archived,
    /// Everything that he may read.
    All,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Which threads.
    pub view: View,
    /// Only of this group.
    pub group: Option<GroupId>,
    /// Only with unread messages.
    pub unread: bool,
    /// Older than this row.
    pub before: Option<At>,
}

/// A page, and what to ask for the next one: (time, thread) of what was looked at last. A page may be short though there
/// are more: a request looks at a bounded number of threads.
#[must_use]
pub fn page(
    state: &State,
    records: &dyn Records,
    viewer: UserId,
    wanted: Wanted,
    limit: usize,
) -> (Vec<Row>, Option<At>) {
    let (mut rows, mut last, mut work) = (Vec::new(), None, 0);
    let of_group = wanted.group.map(|group| recent::newest_of(state, viewer, group, wanted.before));
    let of_all = wanted.group.is_none().then(|| recent::newest(state, viewer, wanted.before));
    for at in of_group.into_iter().flatten().chain(of_all.into_iter().flatten()) {
        if rows.len() == limit || work >= limits::INBOX_SCAN {
            return (rows, last);
        }
        let counts = state.logs.get(&at.1).is_some_and(|log| log.high > read_mark(state, viewer, at.1));
        work += if counts { COUNTED } else { 1 };
        if counts || !wanted.unread {
            rows.extend(row(state, records, viewer, wanted, at));
        }
        last = Some(at);
    }
    (rows, None)
}

/// What it costs to look at a thread whose messages have to be counted, where one that is read costs 1.
const COUNTED: usize = 10;

/// How far somebody has read in a thread.
#[must_use]
pub fn read_mark(state: &State, viewer: UserId, thread: ThreadId) -> u64 {
    state.reads.get(&(viewer, thread)).copied().unwrap_or(0)
}

fn row(state: &State, records: &dyn Records, viewer: UserId, wanted: Wanted, (time, id): At) -> Option<Row> {
    let head = &state.scope(id)?.head;
    let paths = gate::paths(state, viewer, id);
    let held = attention::of(state, viewer, id);
    let (last, from) = (paths.iter().map(|path| path.to).max(), paths.iter().map(|path| path.from).min());
    let (last, from) = (last.unwrap_or(0), from.unwrap_or(0));
    let archived = held.archived.is_some_and(|at| records.messages(id, at, last, None, 1) == 0);
    let followed = is_followed(state, viewer, head, &held, &paths);
    let why = reasons(viewer, head, &held, &paths, followed);
    let shown = match wanted.view {
        View::All => true,
        View::Archived => archived,
        // What waits for its owner has no path now; that it waits is shown all the same.
        View::Inbox => !archived && (paths.is_empty() || comes(head, &held, &why)),
    };
    if !shown {
        return None;
    }
    let read = read_mark(state, viewer, id);
    let after = read.max(from.saturating_sub(1));
    let unread = records.messages(id, after, last, Some(viewer), limits::UNREAD_MOST);
    if wanted.unread && unread == 0 {
        return None;
    }
    let thread = scopes::place(state, viewer, id.into())?;
    Some(Row { thread, last, read, time, unread, why, archived })
}

/// Whether the viewer follows a thread that he reads.
pub(super) fn follows(state: &State, viewer: UserId, thread: ThreadId) -> Option<bool> {
    let head = &state.scope(thread)?.head;
    let (held, paths) = (attention::of(state, viewer, thread), gate::paths(state, viewer, thread));
    Some(is_followed(state, viewer, head, &held, &paths))
}

/// Why somebody is told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// It is addressed to him himself, or names him.
    Direct,
    /// It comes to his inbox.
    Inbox,
}

/// Whether a new message is one of which the viewer wants to be told, and why.
#[must_use]
pub fn concern(state: &State, viewer: UserId, message: &Message) -> Option<Concern> {
    let told = state.users.get(&viewer)?.told;
    let head = &state.scope(message.thread)?.head;
    if message.author.id == viewer || message.deleted || told == Told::Nothing {
        return None;
    }
    let held = attention::of(state, viewer, message.thread);
    let paths = gate::paths(state, viewer, message.thread);
    let why = reasons(viewer, head, &held, &paths, is_followed(state, viewer, head, &held, &paths));
    if why.contains(&Reason::Direct) || message.mentions.contains(&viewer) {
        return Some(Concern::Direct);
    }
    (told == Told::Everything && comes(head, &held, &why)).then_some(Concern::Inbox)
}

/// How many threads with unread messages are in the viewer's inbox, as far as one request looks, and at most `most`.
#[must_use]
pub fn unread(state: &State, records: &dyn Records, viewer: UserId, most: usize) -> usize {
    page(state, records, viewer, Wanted { unread: true, ..Wanted::default() }, most).0.len()
}

/// By his own word, or by default.
fn is_followed(state: &State, viewer: UserId, head: &ScopeHead, held: &Attention, paths: &[Path]) -> bool {
    held.followed.unwrap_or_else(|| {
        let left = |chat: ThreadId| attention::of(state, viewer, chat).followed == Some(false);
        paths.iter().any(|path| match path.scope.group() {
            Some(group) if head.kind == Some(ThreadKind::Topic) => {
                !scopes::chat(state, group).is_some_and(left)
            }
            _ => true,
        })
    })
}

fn reasons(
    viewer: UserId,
    head: &ScopeHead,
    held: &Attention,
    paths: &[Path],
    followed: bool,
) -> Vec<Reason> {
    let direct = paths.iter().any(|path| path.scope == head.id);
    let started = head.kind == Some(ThreadKind::Topic) && head.starter == viewer;
    let all = [
        (Reason::Direct, direct),
        (Reason::Started, started),
        (Reason::Replied, held.wrote > 0),
        (Reason::Mentioned, held.mentioned > 0),
        (Reason::Followed, followed),
    ];
    all.into_iter().filter_map(|(reason, is)| is.then_some(reason)).collect()
}

/// The rule at the head of this file.
fn comes(head: &ScopeHead, held: &Attention, why: &[Reason]) -> bool {
    let again = held.mentioned > held.since || held.wrote > held.since;
    let wanted = if held.followed == Some(false) { again } else { !why.is_empty() };
    wanted || head.kind == Some(ThreadKind::Dm)
}
