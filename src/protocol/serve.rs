//! What an owner hands to a follower (spec 5.6, 9.7, 9.8): entries and heads, through the gate.
//!
//! Duty: pages and frames as a pure function of a snapshot. Never: an entry below the floor of the
//! peer's users, or of a thread in which it has no reader (P7.2).

use super::{
    Records, State, gate, moving,
    sabotage::{Switch, broken},
    witness,
};
use crate::{
    ids::{ThreadId, WorkspaceId},
    limits,
    wire::{
        Stored,
        frames::{Covering, HistoryPage, HistoryRequest},
    },
};

/// The entries `from..=to` of an own thread that the peer is entitled to, ascending, within a frame's bounds.
#[must_use]
pub fn entries(
    state: &State,
    records: &dyn Records,
    peer: WorkspaceId,
    thread: ThreadId,
    from: u64,
    to: u64,
) -> Vec<Stored> {
    let Some(floor) = floor(state, peer, thread) else { return Vec::new() };
    bounded((from.max(floor)..=to).map_while(|seq| records.stored(thread, seq)))
}

/// The heads of an own thread through which the peer reads, with where `from-now` begins for its users.
#[must_use]
pub fn heads(state: &State, peer: WorkspaceId, thread: ThreadId) -> Vec<Covering> {
    let Some(log) = state.logs.get(&thread).filter(|_| floor(state, peer, thread).is_some()) else {
        return Vec::new();
    };
    let scopes = gate::peer_scopes(state, peer, thread);
    let covers = scopes.filter_map(|scope| {
        let (_, cover) = log.covers.iter().find(|(of, _)| *of == scope.head.id)?;
        Some(Covering { head: cover.head.clone(), marks: gate::peer_marks(state, peer, thread, scope) })
    });
    covers.collect()
}

/// The answer to a request; `None`: the peer has nothing to ask for there.
#[must_use]
pub fn page(
    state: &State,
    records: &dyn Records,
    peer: WorkspaceId,
    request: &HistoryRequest,
) -> Option<HistoryPage> {
    let thread = request.thread;
    if let Some((low, high)) = witness::give_back(state, thread, peer) {
        return Some(given_back(state, records, request, low, high));
    }
    let floor = floor(state, peer, thread)?.max(1);
    let high = state.logs.get(&thread)?.high;
    let limit = request.limit.clamp(1, u64::try_from(limits::PAGE_ENTRIES).unwrap_or(1));
    let entries = match (request.before, request.after) {
        (_, Some(after)) => {
            let from = floor.max(after.saturating_add(1));
            bounded(
                (from..=high.min(from.saturating_add(limit - 1)))
                    .map_while(|seq| records.stored(thread, seq)),
            )
        }
        (before, None) => {
            let to = before.map_or(high, |before| before.saturating_sub(1)).min(high);
            let from = floor.max(to.saturating_sub(limit - 1));
            let mut newest_first = bounded((from..=to).rev().map_while(|seq| records.stored(thread, seq)));
            newest_first.reverse();
            newest_first
        }
    };
    let nothing_older = request.after.is_none() && entries.is_empty();
    let bottom = nothing_older || entries.first().is_some_and(|first| first.entry.seq <= floor);
    Some(HistoryPage { thread, entries, heads: heads(state, peer, thread), bottom })
}

/// Whether the peer has anything to ask for in the thread.
#[must_use]
pub fn serves(state: &State, peer: WorkspaceId, thread: ThreadId) -> bool {
    witness::give_back(state, thread, peer).is_some() || floor(state, peer, thread).is_some()
}

/// The owner of a thread that has forgotten its end gets it back from our copy (spec 12.5).
fn given_back(
    state: &State,
    records: &dyn Records,
    request: &HistoryRequest,
    low: u64,
    high: u64,
) -> HistoryPage {
    let thread = request.thread;
    let limit = request.limit.clamp(1, u64::try_from(limits::PAGE_ENTRIES).unwrap_or(1));
    let entries = if let Some(before) = request.before {
        let to = high.min(before.saturating_sub(1));
        let from = low.max(to.saturating_sub(limit - 1));
        let mut newest_first = bounded((from..=to).rev().map_while(|seq| records.stored(thread, seq)));
        newest_first.reverse();
        newest_first
    } else {
        let from = request.after.map_or(low, |after| after.saturating_add(1)).max(low);
        let to = high.min(from.saturating_add(limit - 1));
        bounded((from..=to).map_while(|seq| records.stored(thread, seq)))
    };
    let covers = state.logs.get(&thread).into_iter().flat_map(|log| log.covers.iter().chain(&log.pending));
    let heads = covers.map(|(_, cover)| Covering { head: cover.head.clone(), marks: Vec::new() }).collect();
    HistoryPage { thread, entries, heads, bottom: false }
}

fn floor(state: &State, peer: WorkspaceId, thread: ThreadId) -> Option<u64> {
    if broken(Switch::ServeAnyone) {
        return Some(0);
    }
    let floor = gate::peer_floor(state, peer, thread).filter(|_| state.owns(thread))?;
    Some(if moving::opens(state, peer, thread) { 0 } else { floor })
}

fn bounded(entries: impl Iterator<Item = Stored>) -> Vec<Stored> {
    let mut bytes = 0;
    let mut taken = Vec::new();
    for stored in entries.take(limits::PAGE_ENTRIES) {
        let signed = stored.entry.signed.as_ref().map_or(0, |signed| signed.len());
        bytes += 320 + signed + stored.body.as_ref().map_or(0, |sealed| sealed.body.len());
        taken.push(stored);
        if bytes >= limits::PAGE_BYTES {
            break;
        }
    }
    taken
}
