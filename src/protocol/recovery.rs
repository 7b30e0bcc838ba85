//! When the owner forgets (spec 12): after each start nothing new is signed before the followers were asked.
//!
//! Duty: which scopes wait for whom, what is held back meanwhile, and the new incarnation for what stays unanswered.
//! Never: a second object for a position that was signed before, a way back in for who was removed.

use super::{
    Change, Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout, feed, handover, lease, membership, moving, posting, reign,
    row::{Deferred, PeerStatus, Row, RowKey},
    uptime::Promise,
};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    limits,
    wire::{Blob, frames::ScopeState, objects::Op},
};

/// Whether a peer was compared since the start, and the journal is trusted: before, its users are not served.
#[must_use]
pub fn is_compared(state: &State, peer: WorkspaceId) -> bool {
    state.uptime.check.as_ref().is_none_or(|check| check.trusted && check.compared.contains(&peer))
}

/// Whether a peer has yet to say what it holds.
#[must_use]
pub fn needs_word(state: &State, peer: WorkspaceId) -> bool {
    state.uptime.check.as_ref().is_some_and(|check| !check.compared.contains(&peer))
}

/// Whether the node still waits for peers to say what they hold.
#[must_use]
pub fn is_checking(state: &State) -> bool {
    let waiting = |peer: WorkspaceId| !is_compared(state, peer) && is_awaited(state, peer);
    !is_late(state) && state.peers.keys().any(|peer| waiting(*peer))
}

/// Peers whose word is waited for: those with which memberships may exist.
fn is_awaited(state: &State, peer: WorkspaceId) -> bool {
    fanout::is_linked(state, peer)
}

fn is_late(state: &State) -> bool {
    state.uptime.now >= state.uptime.started.plus(limits::RECOVERY_MILLIS)
}

/// Followers of a scope that have not said what they hold.
fn silent(state: &State, id: ScopeId) -> bool {
    state.uptime.check.is_some() && fanout::followers(state, id).iter().any(|peer| !is_compared(state, *peer))
}

/// Whether content that a follower reported is on its way back.
fn fetching(state: &State, id: ScopeId) -> bool {
    let check = state.uptime.check.as_ref();
    let lost = check.zip(id.thread()).is_some_and(|(check, thread)| check.lost.contains_key(&thread));
    lost || id.thread().is_some_and(|thread| reign::lacking(state, thread).is_some())
}

/// Whether a scope has waited long enough, since the start or since it came from another owner.
pub(super) fn is_overdue(state: &State, id: ScopeId) -> bool {
    let taken = state.uptime.taken.get(&id);
    is_late(state) && taken.is_none_or(|taken| state.uptime.now >= taken.plus(limits::RECOVERY_MILLIS))
}

/// Whether something new may be signed in the scope now.
#[must_use]
pub fn is_ready(state: &State, id: ScopeId) -> bool {
    is_overdue(state, id) || !(silent(state, id) || fetching(state, id))
}

/// Makes the scope fit for something new (spec 12.1, 12.3): a follower that stayed silent, or content that nobody
/// brought back, lead to a new incarnation first.
///
/// # Errors
/// The followers are still being asked: the command is to be repeated in a moment.
pub fn ready(draft: &mut Draft<'_>, id: ScopeId) -> Result<(), Reject> {
    if !is_ready(&draft.state, id) {
        return Err(checking());
    }
    let reborn = draft.state.uptime.check.as_ref().is_some_and(|check| check.reborn.contains(&id));
    if reborn || !(silent(&draft.state, id) || fetching(&draft.state, id)) {
        return Ok(());
    }
    incarnate(draft, id)
}

/// The answer while followers are asked.
#[must_use]
pub fn checking() -> Reject {
    let what = "the node has just started and asks its partners what they hold: try again in some seconds";
    Reject::new(RejectCode::Checking, what)
}

/// The scope goes on in a new incarnation: contradiction counts only within one (spec 12.3).
///
/// # Errors
/// The scope is over.
pub fn incarnate(draft: &mut Draft<'_>, id: ScopeId) -> Result<(), Reject> {
    promise(draft, Promise::Reborn(id));
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    let log = id.thread().and_then(|thread| draft.state.logs.get(&thread));
    let (high, hash) = log.map_or((0, crate::ids::Hash::ZERO), |log| (log.high, log.hash));
    membership::append_now(draft, id, scope.head.starter, vec![Op::Incarnate { high, hash }])?;
    reign::give_up_tail(draft, id);
    draft.audit("scope.incarnated", None, None, Some(id), format!("after epoch {}", scope.head.epoch));
    Ok(())
}

/// The number of an incarnation: its ordinal, then 32 random bits, so that two that were begun in ignorance of each other
/// differ.
#[must_use]
pub fn next_incarnation(before: u64, random: [u8; 4]) -> u64 {
    ((before >> 32).saturating_add(1) << 32) | u64::from(u32::from_be_bytes(random))
}

/// Where the epochs of an incarnation begin: above all of any earlier one.
#[must_use]
pub fn first_epoch(incarnation: u64) -> u64 {
    incarnation >> 32 << 32
}

/// Notes something that a restart forgets, and reads it from now on.
pub fn promise(draft: &mut Draft<'_>, promise: Promise) {
    draft.state.uptime.apply(&promise);
    draft.changes.push(Change::Promise(promise));
}

/// A peer has said all that it holds: it gets what it lacks in a new feed, and is served from now on (spec 12.2).
///
/// # Errors
/// There is no such peer.
pub fn compared(draft: &mut Draft<'_>, peer: WorkspaceId, held: &[ScopeState]) -> Result<Reply, Reject> {
    promise(draft, Promise::Compared(peer));
    let reply = feed::renew(draft, peer, held, false)?;
    release(draft);
    Ok(reply)
}

/// An item of a peer's feed that would sign something new waits until the check is over.
pub fn defer(draft: &mut Draft<'_>, peer: WorkspaceId, item: &Blob) {
    let number = posting::next_number(draft);
    draft.put(Row::Deferred(Deferred { number, peer, item: item.clone() }));
}

/// What was held back is done, as far as its scope is ready: removals first, then items of feeds, then own posts.
pub fn release(draft: &mut Draft<'_>) {
    let due = draft.state.uptime.check.as_ref().map(|check| check.denied.clone()).unwrap_or_default();
    for (scope, user, actor) in due {
        if is_ready(&draft.state, scope) {
            promise(draft, Promise::Settled(scope, user, actor));
            reduce(draft, scope, user, actor);
        }
    }
    if is_checking(&draft.state) {
        return;
    }
    for row in draft.state.deferred.values().cloned().collect::<Vec<_>>() {
        draft.delete(RowKey::Deferred(row.number));
        feed::take(draft, row.peer, &row.item);
    }
    own_posts(draft);
}

/// Own users' messages that were written while their thread was not ready.
pub(super) fn own_posts(draft: &mut Draft<'_>) {
    let me = draft.me();
    let waiting = draft.state.outbox.range((me, 0)..=(me, u64::MAX)).map(|(_, row)| row.clone());
    for pending in waiting.filter(|row| row.refused.is_none()).collect::<Vec<_>>() {
        if is_ready(&draft.state, pending.thread.into()) {
            posting::sequence_own(draft, &pending);
        }
    }
}

/// A membership that somebody knows to be ended, ended here as well (spec 12.4): by an event of now.
pub fn reduce(draft: &mut Draft<'_>, id: ScopeId, user: UserId, actor: UserId) {
    let member = draft.state.scope(id).is_some_and(|scope| scope.members.contains_key(&user));
    if !member {
        return;
    }
    if !is_ready(&draft.state, id) {
        promise(draft, Promise::Denied(id, user, actor));
        draft.mark(Mark::Lost(id, vec![user]));
        return;
    }
    match super::removal::end(draft, actor, id, user, Op::Remove { user }) {
        Ok(_) => {
            draft.audit("member.removed-again", Some(actor), Some(user.home()), Some(id), user.to_string())
        }
        Err(reject) => draft.audit("member.removal-failed", Some(actor), None, Some(id), reject.to_string()),
    }
}

/// Whether somebody is known to be out though no event says so yet.
#[must_use]
pub fn is_denied(state: &State, id: ScopeId, user: UserId) -> bool {
    let check = state.uptime.check.as_ref();
    check.is_some_and(|check| check.denied.iter().any(|(scope, of, _)| *scope == id && *of == user))
}

/// An admin takes the responsibility for a journal that is missing or older than the store (spec 12.6).
pub fn trust(draft: &mut Draft<'_>) -> Reply {
    if draft.state.uptime.check.as_ref().is_none_or(|check| check.trusted) {
        return Reply::Already;
    }
    promise(draft, Promise::Trusted);
    draft.audit("journal.confirmed", None, None, None, String::new());
    Reply::Done
}

/// Time passes: silence is an answer after a while.
pub fn tick(draft: &mut Draft<'_>) {
    if draft.state.uptime.check.is_some() {
        release(draft);
    }
    moving::tick(draft);
    handover::tick(draft);
    lease::tick(draft);
}

/// The standing of a peer by which its feed may carry rows to it before a comparison: only after the end.
#[must_use]
pub fn feeds(state: &State, peer: WorkspaceId) -> bool {
    let ended = state.peers.get(&peer).is_some_and(|row| row.status == PeerStatus::Ended);
    ended || is_compared(state, peer)
}
