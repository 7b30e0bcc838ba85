//! Attention (spec 10.3): what makes a thread come to somebody's inbox, kept with the entries that bring it about.
//!
//! Duty: following, putting away, and who was named or wrote. Never: access: who is named gets none by it (P3.3).

use super::{
    Draft, Reject, Reply, State, gate,
    row::{Attention, Origin, Row, RowKey},
};
use crate::{
    ids::{ThreadId, UserId},
    wire::{Body, Entry, objects::EntryKind},
};

/// What is kept of a user and a thread.
#[must_use]
pub fn of(state: &State, user: UserId, thread: ThreadId) -> Attention {
    let held = state.attention.get(&(thread, user));
    held.map_or_else(|| Attention::none(user, thread), |held| (**held).clone())
}

fn keep(draft: &mut Draft<'_>, row: Attention) {
    if of(&draft.state, row.user, row.thread) != row {
        draft.put(Row::Attention(row));
    }
}

/// An entry is stored here: users of this home whom it names, and its author.
pub fn note(draft: &mut Draft<'_>, entry: &Entry, body: &Body) {
    let (thread, seq, author) = (entry.thread, entry.seq, entry.author);
    if !matches!(entry.kind, EntryKind::Message | EntryKind::Edit) {
        return;
    }
    if entry.kind == EntryKind::Message && draft.state.is_local(author) {
        let row = of(&draft.state, author, thread);
        let anew = row.followed == Some(false) && row.wrote <= row.since && seq > row.since;
        if row.wrote == 0 || anew {
            keep(draft, Attention { wrote: seq, ..row });
        }
    }
    for user in body.mentions.iter().copied().filter(|user| *user != author) {
        if draft.state.is_local(user) && !gate::ways(&draft.state, user, thread).is_empty() {
            let row = of(&draft.state, user, thread);
            keep(draft, Attention { mentioned: row.mentioned.max(seq), ..row });
        }
    }
}

/// The last entry that the user is shown.
fn last(draft: &Draft<'_>, user: UserId, thread: ThreadId) -> Result<u64, Reject> {
    let paths = gate::paths(&draft.state, user, thread);
    paths.iter().map(|path| path.to).max().ok_or_else(Reject::not_found)
}

/// A user follows a thread, or does not any more.
///
/// # Errors
/// There is no such thread for him.
pub fn follow(draft: &mut Draft<'_>, user: UserId, thread: ThreadId, on: bool) -> Result<Reply, Reject> {
    let since = last(draft, user, thread)?;
    let row = of(&draft.state, user, thread);
    if row.followed == Some(on) && (on || row.mentioned.max(row.wrote) <= row.since) {
        return Ok(Reply::Already);
    }
    keep(draft, Attention { followed: Some(on), since, ..row });
    Ok(Reply::Done)
}

/// A user puts a thread away until something new comes, or takes it back.
///
/// # Errors
/// There is no such thread for him.
pub fn archive(draft: &mut Draft<'_>, user: UserId, thread: ThreadId, on: bool) -> Result<Reply, Reject> {
    let last = last(draft, user, thread)?;
    let archived = on.then_some(last);
    let row = of(&draft.state, user, thread);
    keep(draft, Attention { archived, ..row });
    Ok(Reply::Done)
}

/// A user started a thread from a message that he reads (P6.4). His home keeps it, and shows it to its users who read the
/// message: other homes are told of no thread that they may not know.
///
/// # Errors
/// He does not read the message, or somebody else started the thread.
pub fn refer(draft: &mut Draft<'_>, origin: Origin) -> Result<Reply, Reject> {
    let paths = gate::paths(&draft.state, origin.by, origin.from);
    let stored = draft.ctx.records.stored(origin.from, origin.seq);
    let message = stored.is_some_and(|stored| stored.entry.kind == EntryKind::Message);
    let reads = message && paths.iter().any(|path| path.shows(origin.seq));
    // A thread that its owner has just made may not be here yet.
    let his = draft.state.scope(origin.thread).is_none_or(|scope| scope.head.starter == origin.by);
    if !reads || !his {
        return Err(Reject::not_found());
    }
    if draft.state.origins.contains_key(&origin.thread) {
        return Ok(Reply::Already);
    }
    draft.put(Row::Origin(origin));
    Ok(Reply::Done)
}

/// The message from which a thread was started, for who reads it.
#[must_use]
pub fn origin(state: &State, user: UserId, thread: ThreadId) -> Option<&Origin> {
    let origin = state.origins.get(&thread)?;
    gate::paths(state, user, origin.from).iter().any(|path| path.shows(origin.seq)).then_some(origin)
}

/// The copy of a thread is gone, and what was wanted of it.
pub fn forget(draft: &mut Draft<'_>, thread: ThreadId) {
    let least = (thread, UserId([0; 48]));
    let rows = draft.state.attention.range(least..).map(|(key, _)| *key);
    let gone: Vec<_> = rows.take_while(|(of, _)| *of == thread).collect();
    gone.into_iter().for_each(|key| draft.delete(RowKey::Attention(key)));
    if draft.state.origins.contains_key(&thread) {
        draft.delete(RowKey::Origin(thread));
    }
}
