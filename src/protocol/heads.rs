//! Heads (spec 5.4): the owner's signed word on how far a thread goes, per granting scope.
//!
//! Duty: signing what a batch owes. Never: a head for a scope without followers.

use super::{
    Draft, State,
    row::{Cover, Log, PeerStatus, Row},
    state::Scope,
};
use crate::{
    ids::{ScopeId, ThreadId, WorkspaceId},
    wire::{Stored, Verified, envelope, frames::Covering, objects::Head},
};

/// Signs the heads that the followers of a thread lack; whether there were any.
pub fn sign(draft: &mut Draft<'_>, thread: ThreadId) -> bool {
    let Some(log) = draft.state.logs.get(&thread).cloned() else {
        return false;
    };
    if !draft.state.owns(thread) || log.high == 0 {
        return false;
    }
    let due: Vec<(ScopeId, u64, u64)> = draft
        .state
        .granting(thread)
        .filter(|scope| followed(&draft.state, scope))
        .map(|scope| (scope.head.id, scope.head.incarnation, scope.head.epoch))
        .collect();
    let mut log = (*log).clone();
    let before = log.covers.clone();
    for (scope, incarnation, epoch) in due {
        let current = |cover: &Cover| {
            let by_key_in_use = envelope::hint(&cover.head) == Some(draft.ctx.key.public().id());
            cover.seq == log.high && cover.epoch == epoch && by_key_in_use
        };
        if log.covers.iter().any(|(of, cover)| *of == scope && current(cover)) {
            continue;
        }
        let head =
            draft.sign(Head { thread, scope, incarnation, epoch, seq: log.high, hash: log.hash }, None);
        let cover = Cover { seq: log.high, epoch, head: head.bytes().clone() };
        log.covers.retain(|(of, _)| *of != scope);
        log.covers.push((scope, cover));
    }
    let signed = log.covers != before;
    if signed {
        draft.put(Row::Log(log));
    }
    signed
}

fn followed(state: &State, scope: &Scope) -> bool {
    let active = |home| state.peers.get(home).is_some_and(|peer| peer.status == PeerStatus::Active);
    scope.homes.keys().any(active)
}

/// Content of an incarnation whose row is on its way (control does not wait for content): it is asked for again.
pub(super) fn is_early(draft: &Draft<'_>, peer: WorkspaceId, entries: &[Stored], heads: &[Covering]) -> bool {
    let Some(first) = entries.first() else { return false };
    let Some(log) = draft.state.logs.get(&first.entry.thread).filter(|log| log.high > 0) else {
        return false;
    };
    let mut next = entries.iter().filter(|stored| stored.entry.seq == log.high + 1);
    let opened = heads.iter().filter_map(|covering| draft.open::<Head>(&covering.head, None, peer).ok());
    let mut heads = opened.map(Verified::into_object);
    next.any(|stored| stored.entry.previous != log.hash)
        && heads.any(|head| head.thread == log.thread && is_later(log, &head))
}

/// Whether a head is of a later incarnation than the one that covers what is held.
pub(super) fn is_later(log: &Log, head: &Head) -> bool {
    let mut held = log.covers.iter().filter(|(of, _)| *of == head.scope);
    held.any(|(_, cover)| {
        envelope::peek(&cover.head).is_ok_and(|held: Head| held.incarnation < head.incarnation)
    })
}

/// A head covers what it names, unless one covers more already.
pub(super) fn cover_by(log: &mut Log, scope: ScopeId, cover: Cover) {
    let newer = log
        .covers
        .iter()
        .any(|(of, held)| *of == scope && held.seq >= cover.seq && held.epoch >= cover.epoch);
    if !newer {
        log.covers.retain(|(of, _)| *of != scope);
        log.covers.push((scope, cover));
    }
}

/// Where `from-now` begins, by epoch of the join.
pub(super) fn add_marks(log: &mut Log, scope: ScopeId, marks: &[(u64, u64)]) {
    if !log.marks.iter().any(|(of, _)| *of == scope) && !marks.is_empty() {
        log.marks.push((scope, Vec::new()));
    }
    let Some((_, held)) = log.marks.iter_mut().find(|(of, _)| *of == scope) else {
        return;
    };
    for (epoch, seq) in marks {
        held.retain(|(at, _)| at != epoch);
        held.push((*epoch, *seq));
    }
    held.sort_unstable();
}
