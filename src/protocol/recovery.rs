//! When the owner forgets (spec 12): after each start nothing new is signed before the followers were asked.
//!
//! Duty: which scopes wait for whom, what is held back meanwhile, and the new incarnation for what stays unanswered.
//! Never: a second object for a position that was signed before, a way back in for who was removed.

use super::{
    Change, Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout, feed, handover, lease, membership, moving, posting, reign,
    row::{Deferred, PeerStatus, Row, RowKey},
    sabotage::{Switch, broken},
    uptime::{Check, Promise},
};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    limits,
    time::Millis,
    wire::{
        Blob, Object as _, envelope,
        frames::ScopeState,
        objects::{Event, Op},
    },
};

/// Whether a peer was compared since the start, and the journal is trusted: before, its users are not served.
#[must_use]
pub fn is_compared(state: &State, peer: WorkspaceId) -> bool {
    let heard = |check: &Check| broken(Switch::NoComparison) || check.compared.contains(&peer);
    state.uptime.check.as_ref().is_none_or(|check| check.trusted && heard(check))
}

/// Whether a peer has yet to say what it holds.
#[must_use]
pub fn needs_word(state: &State, peer: WorkspaceId) -> bool {
    state.uptime.check.as_ref().is_some_and(|check| !check.compared.contains(&peer))
}

/// Whether the node still waits for peers to say what they hold.
#[must_use]
pub fn is_checking(state: &State) -> bool {
    !is_late(state) && unheard(state)
}

/// Peers whose word is waited for: those with which memberships may exist.
fn is_awaited(state: &State, peer: WorkspaceId) -> bool {
    fanout::is_linked(state, peer)
}

fn is_late(state: &State) -> bool {
    patience(state) == 0
}

/// Milliseconds until silence counts as an answer.
#[must_use]
pub fn patience(state: &State) -> u64 {
    state.uptime.started.plus(limits::RECOVERY_MILLIS).since(state.uptime.now)
}

/// Peers with which memberships may exist, and which have not said yet what they hold: they are not served.
pub fn awaited(state: &State) -> impl Iterator<Item = WorkspaceId> {
    state.peers.keys().copied().filter(|peer| needs_word(state, *peer) && is_awaited(state, *peer))
}

/// Since when they are asked, by the wall clock; `None`: nobody had to be asked.
#[must_use]
pub fn since(state: &State) -> Option<Millis> {
    let uptime = &state.uptime;
    uptime.check.as_ref().map(|_| Millis(uptime.wall.0.saturating_sub(uptime.now.since(uptime.started))))
}

/// Whether the journal is there and not older than the store, or an admin has confirmed (spec 12.6).
#[must_use]
pub fn is_trusted(state: &State) -> bool {
    state.uptime.check.as_ref().is_none_or(|check| check.trusted)
}

/// Whether a peer has not said what it holds. Any peer: that one follows the scope may be just what was forgotten.
fn unheard(state: &State) -> bool {
    state.peers.keys().any(|peer| !is_compared(state, *peer) && is_awaited(state, *peer))
}

/// Whether content that a follower reported is on its way back.
fn fetching(state: &State, id: ScopeId) -> bool {
    let check = state.uptime.check.as_ref();
    let high = |thread| state.logs.get(&thread).map_or(0, |log| log.high);
    let lost = check.zip(id.thread()).is_some_and(|(check, thread)| {
        check.lost.iter().any(|((of, _), most)| *of == thread && *most > high(thread))
    });
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
    is_overdue(state, id) || !(unheard(state) || fetching(state, id))
}

/// The highest position of the scope that an answer showed to be signed, if it lies above what is held: events before it
/// are missing.
#[must_use]
pub fn signed_above(state: &State, id: ScopeId) -> Option<(u64, u64)> {
    let head = &state.scope(id)?.head;
    let waiting = &state.uptime.check.as_ref()?.waiting;
    let ((_, incarnation, epoch), _) = waiting.range((id, 0, 0)..=(id, u64::MAX, u64::MAX)).next_back()?;
    Some((*incarnation, *epoch)).filter(|at| *at > (head.incarnation, head.epoch))
}

/// Whether what was signed, or who is out, is known to differ from what is held: nobody is shown the scope as it stands.
#[must_use]
pub fn is_unsettled(state: &State, id: ScopeId) -> bool {
    let denied = |check: &Check| check.denied.iter().any(|(scope, ..)| *scope == id);
    signed_above(state, id).is_some() || state.uptime.check.as_ref().is_some_and(denied)
}

/// Makes the scope fit for something new (spec 12.1, 12.3): a follower that stayed silent, and content or events
/// that nobody brought back, lead to a new incarnation first.
///
/// # Errors
/// The followers are still being asked: the command is to be repeated in a moment.
pub fn ready(draft: &mut Draft<'_>, id: ScopeId) -> Result<(), Reject> {
    if !is_ready(&draft.state, id) {
        return Err(checking());
    }
    let reborn = draft.state.uptime.check.as_ref().is_some_and(|check| check.reborn.contains(&id));
    let unheard = !reborn && (unheard(&draft.state) || fetching(&draft.state, id));
    let gap = signed_above(&draft.state, id).is_some() || is_behind(draft, id);
    if !(unheard || gap) || broken(Switch::SameIncarnation) {
        return Ok(());
    }
    incarnate(draft, id)
}

/// The highest incarnation of a position that a peer held and we did not.
#[must_use]
pub fn behind(state: &State, id: ScopeId) -> Option<u64> {
    state.uptime.check.as_ref()?.behind.get(&id).map(|(incarnation, ..)| *incarnation)
}

/// Whether a peer holds a position that is not on our chain, also after all that was brought back.
fn is_behind(draft: &Draft<'_>, id: ScopeId) -> bool {
    let position = draft.state.uptime.check.as_ref().and_then(|check| check.behind.get(&id)).copied();
    position.is_some_and(|(incarnation, epoch, hash)| {
        let held = draft.ctx.records.event(id, incarnation, epoch);
        let held = held.and_then(|event| envelope::unverified_hash(Event::TYPE, None, &event).ok());
        held != Some(hash)
    })
}

/// A peer holds a position that we forgot and that nobody brought back: the scope has to go on above it (spec 12.3). It says
/// so without proof, and so once for each scope in our uptime, and not of any number: a lie costs one incarnation.
pub fn note_ahead(draft: &mut Draft<'_>, peer: WorkspaceId, held: &ScopeState) {
    let ours =
        draft.state.scope(held.scope).map_or((0, 0), |scope| (scope.head.incarnation, scope.head.epoch));
    let claimed = draft.state.uptime.check.as_ref().map(|check| check.claimed.contains(&(held.scope, peer)));
    if claimed == Some(true) {
        return;
    }
    let what = format!("epoch {} here, {} there", ours.1, held.epoch);
    draft.audit("feed.peer-ahead", None, Some(peer), Some(held.scope), what);
    let far = held.incarnation >> 32 > (ours.0 >> 32) + limits::INCARNATIONS_AHEAD;
    if claimed.is_some() && !far && held.epoch <= limits::POSITION_MOST {
        promise(draft, Promise::Claimed(held.scope, peer));
        promise(draft, Promise::Behind(held.scope, (held.incarnation, held.epoch, held.hash)));
    }
}

/// The answer while followers are asked.
#[must_use]
pub fn checking() -> Reject {
    let what = "the node has just started and asks its partners what they hold: try again in some seconds";
    Reject::new(RejectCode::Checking, what)
}

/// The scope goes on in a new incarnation: contradiction counts only within one (spec 12.3). A thread takes its own groups
/// along: the heads through which they grant it name their incarnation, and give entries new hashes.
///
/// # Errors
/// The scope is over.
pub fn incarnate(draft: &mut Draft<'_>, id: ScopeId) -> Result<(), Reject> {
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    for group in scope.head.groups.iter().map(|recipient| ScopeId::Group(recipient.group)) {
        let reborn = draft.state.uptime.check.as_ref().is_some_and(|check| check.reborn.contains(&group));
        let alive = draft.state.scope(group).is_some_and(|group| !group.head.ended);
        if alive && !reborn && draft.state.owns(group) {
            incarnate(draft, group)?;
        }
    }
    let log = id.thread().and_then(|thread| draft.state.logs.get(&thread));
    let (high, hash) = log.map_or((0, crate::ids::Hash::ZERO), |log| (log.high, log.hash));
    membership::append_now(draft, id, scope.head.starter, vec![Op::Incarnate { high, hash }])?;
    promise(draft, Promise::Reborn(id));
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
///
/// # Errors
/// Too many of this peer wait: the feed is not taken on before they are done.
pub fn defer(draft: &mut Draft<'_>, peer: WorkspaceId, item: &Blob) -> Result<(), Reject> {
    let waiting = draft.state.deferred.values().filter(|row| row.peer == peer).count();
    if waiting >= limits::DEFERRED_PER_PEER {
        return Err(Reject::new(RejectCode::FeedGap, "too many rows wait for the end of the check"));
    }
    let number = posting::next_number(draft);
    draft.put(Row::Deferred(Deferred { number, peer, item: item.clone() }));
    Ok(())
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
    catch_up(draft);
    introduce(draft);
    own_posts(draft);
    if is_checking(&draft.state) {
        return;
    }
    for row in draft.state.deferred.values().cloned().collect::<Vec<_>>() {
        draft.delete(RowKey::Deferred(row.number));
        feed::take(draft, row.peer, &row.item);
    }
}

/// Who was not shown a scope that was not settled, is now.
fn introduce(draft: &mut Draft<'_>) {
    let withheld = draft.state.uptime.check.as_ref().map(|check| check.withheld.clone()).unwrap_or_default();
    for (id, peer) in
        withheld.into_iter().filter(|(id, _)| !is_unsettled(&draft.state, *id)).collect::<Vec<_>>()
    {
        promise(draft, Promise::Introduced(id, peer));
        if fanout::followers(&draft.state, id).contains(&peer) {
            fanout::introduce(draft, peer, id);
        }
    }
}

/// Scopes of which a peer holds more than we can know go on at once: without that the peer would believe nothing of them.
fn catch_up(draft: &mut Draft<'_>) {
    let behind = draft.state.uptime.check.as_ref().map(|check| check.behind.clone()).unwrap_or_default();
    for (id, _) in behind {
        let alive = draft.state.scope(id).is_some_and(|scope| !scope.head.ended);
        if !alive || !is_ready(&draft.state, id) || !is_behind(draft, id) {
            continue;
        }
        if let Err(reject) = incarnate(draft, id) {
            draft.audit("scope.not-incarnated", None, None, Some(id), reject.to_string());
        }
    }
}

/// Own users' messages that were written while their thread was not ready, in their order.
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
    if is_trusted(&draft.state) {
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
