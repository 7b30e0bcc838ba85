//! Control feeds and their comparison (spec 9.4 to 9.6).
//!
//! Duty: taking rows in order, acknowledgement, a new feed after a comparison. Never: a row lost, or a
//! feed that stalls because of one bad row.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Draft, Mark, Reject, Reply,
    command::RejectCode,
    consent,
    draft::{linked, running_hash},
    ending, evidence, fanout, follow, grouplink, handover, identity, moved_account, parting, recovery, reign,
    removal,
    row::{Peer, PeerStatus, Row},
    state::Scope,
    uptime::Promise,
};
use crate::{
    ids::{FeedId, GroupId, Hash, ScopeId, WorkspaceId},
    limits,
    wire::{
        Blob, Object as _, cbor, envelope,
        frames::{FeedFrame, Item, ScopeState},
        objects::{Event, Op, Statement, Word},
    },
};

/// Rows of a peer's feed. The caller acknowledges after the commit.
///
/// # Errors
/// The rows do not continue what is held: compare.
pub fn rows(draft: &mut Draft<'_>, peer: WorkspaceId, frame: &FeedFrame) -> Result<Reply, Reject> {
    let mut row = linked(draft, peer)?;
    if frame.items.len() > limits::FEED_ROWS_PER_FRAME {
        return Err(Reject::new(RejectCode::TooLarge, "too many rows in one frame"));
    }
    let (mut number, mut hash) = match row.inbound {
        Some((feed, number, hash)) if feed == frame.feed => (number, hash),
        _ if frame.first == 1 && may_begin(draft, peer) => {
            recovery::promise(draft, Promise::Comparing(peer, false));
            (0, Hash::ZERO)
        }
        _ => return Err(gap()),
    };
    if frame.first > number + 1 {
        return Err(gap());
    }
    let skip = usize::try_from(number + 1 - frame.first).unwrap_or(usize::MAX);
    for item in frame.items.iter().skip(skip) {
        take_or_compare(draft, peer, item)?;
        (number, hash) = (number + 1, running_hash(hash, item));
    }
    row = linked(draft, peer)?;
    draft.put(Row::Peer(Peer { inbound: Some((frame.feed, number, hash)), ..row }));
    Ok(Reply::Done)
}

/// A new feed follows from a comparison. Any other one may leave out what we have forgotten: who was restored finds the
/// owner with a feed that began after that (spec 9.6).
fn may_begin(draft: &Draft<'_>, peer: WorkspaceId) -> bool {
    let holds = || draft.state.scopes.values().any(|scope| scope.head.owner == peer);
    draft.state.uptime.comparing.contains(&peer) || !holds()
}

fn gap() -> Reject {
    Reject::new(RejectCode::FeedGap, "the rows do not continue the feed: compare")
}

/// One row that was held back.
pub(super) fn take(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) {
    if let Err(reject) = take_or_compare(draft, peer, bytes) {
        draft.audit("feed.refused", None, Some(peer), None, reject.to_string());
    }
}

/// One row. A row that is refused leaves nothing but a line in the audit, unless only a comparison helps.
fn take_or_compare(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    match draft.attempt(|draft| take_row(draft, peer, bytes)) {
        Err(reject) if reject.code == RejectCode::FeedGap => Err(reject),
        Err(reject) => {
            draft.audit("feed.refused", None, Some(peer), None, reject.to_string());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Whether a row can lead to an event of ours. That somebody is not in a scope any more cannot: taken late, it would take
/// away what came after it.
fn may_sign(item: &Item) -> bool {
    match item {
        Item::Statement { statement } => !envelope::peek::<Statement>(statement)
            .is_ok_and(|statement| matches!(statement.word, Word::NotHere { .. })),
        Item::Consent { .. }
        | Item::GroupConsent { .. }
        | Item::Alarm { .. }
        | Item::Acceptance { .. }
        | Item::AccountMoved { .. } => true,
        _ => false,
    }
}

fn take_row(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let ended = linked(draft, peer)?.status == PeerStatus::Ended;
    match cbor::decode::<Item>(bytes) {
        Err(error) => Err(Reject::new(RejectCode::Malformed, error.to_string())),
        Ok(item) if recovery::is_checking(&draft.state) && may_sign(&item) => {
            recovery::defer(draft, peer, bytes)
        }
        Ok(Item::Moved { event, .. })
            if recovery::is_checking(&draft.state) && parting::comes_here(&draft.state, &event) =>
        {
            recovery::defer(draft, peer, bytes)
        }
        Ok(item) if ended => ending::taken(draft, peer, item),
        Ok(Item::Receipt { receipt }) => removal::receipt(draft, peer, &receipt),
        Ok(Item::Event { event }) => follow::event(draft, peer, &event),
        Ok(Item::Statement { statement }) => removal::stated(draft, peer, &statement),
        Ok(Item::Snapshot { snapshot }) => follow::snapshot(draft, peer, &snapshot),
        Ok(Item::Invite { invite }) => consent::received(draft, peer, &invite),
        Ok(Item::Consent { consent }) => consent::consented(draft, peer, &consent),
        Ok(Item::GroupConsent { consent }) => grouplink::consented(draft, peer, &consent),
        Ok(Item::Manifests { chain }) => identity::shown(draft, &chain),
        Ok(Item::AskGroup { thread, group, by }) => grouplink::asked(draft, peer, thread, group, by),
        Ok(Item::Moved { event, acceptance }) => reign::shown(draft, peer, &event, &acceptance),
        Ok(Item::Acceptance { acceptance }) => parting::accepted(draft, peer, &acceptance),
        Ok(Item::Estate { scope, ttl, gone }) => {
            parting::inherits(draft, peer, scope, ttl, &gone);
            Ok(())
        }
        Ok(Item::HandedOver { handover, high, hash }) => {
            handover::shown(draft, peer, &handover, (high, hash))
        }
        Ok(Item::AccountMoved { link, old, new }) => moved_account::heard(draft, peer, link, old, &new),
        Ok(Item::Alarm { first, second }) => evidence::alarmed(draft, peer, &first, &second),
    }
}

/// The peer holds our rows durably: they may go.
///
/// # Errors
/// There is no such peer.
pub fn acked(draft: &mut Draft<'_>, peer: WorkspaceId, feed: FeedId, number: u64) -> Result<Reply, Reject> {
    let row = linked(draft, peer)?;
    if row.feed != feed || number <= row.acked || number > row.queued {
        return Ok(Reply::Already);
    }
    draft.changes.push(Change::FeedTrim { peer, number });
    let believes = if number == row.queued { Vec::new() } else { row.believes.clone() };
    draft.put(Row::Peer(Peer { acked: number, believes, ..row }));
    Ok(Reply::Done)
}

/// The peer cannot continue our feed and says what it holds: it gets what it lacks in a new feed (spec 9.6).
///
/// # Errors
/// There is no such peer.
pub fn compare(draft: &mut Draft<'_>, peer: WorkspaceId, held: &[ScopeState]) -> Result<Reply, Reject> {
    renew(draft, peer, held, true)
}

/// The same; `doubted`: the peer's rows may differ even where its position is ours.
///
/// # Errors
/// There is no such peer.
pub(super) fn renew(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    held: &[ScopeState],
    doubted: bool,
) -> Result<Reply, Reject> {
    let row = linked(draft, peer)?;
    if row.status == PeerStatus::Ended {
        ending::compared(draft, &row);
        unconfirmed(draft, peer);
        return Ok(Reply::Done);
    }
    let unacked = unacked(draft, &row);
    draft.changes.push(Change::FeedTrim { peer, number: row.queued });
    let feed = FeedId(draft.random());
    draft.put(Row::Peer(Peer { feed, queued: 0, queued_hash: Hash::ZERO, acked: 0, ..row }));
    for item in unacked {
        draft.feed(peer, &item);
    }
    // Each scope once, whatever was said.
    let held: BTreeMap<ScopeId, &ScopeState> = held.iter().map(|state| (state.scope, state)).collect();
    for state in held.values() {
        update(draft, peer, state, doubted);
    }
    for state in held.values().filter(|state| lags(draft, state)).collect::<Vec<_>>() {
        introduce_granted(draft, peer, state.scope);
    }
    let due: Vec<_> = draft
        .state
        .scopes
        .keys()
        .copied()
        .filter(|id| draft.state.owns(*id) && !held.contains_key(id))
        .collect();
    for id in due {
        if fanout::followers(&draft.state, id).contains(&peer) {
            fanout::introduce(draft, peer, id);
        }
    }
    unconfirmed(draft, peer);
    recovery::release(draft);
    draft.mark(Mark::Peer(peer));
    draft.audit("feed.compared", None, Some(peer), None, format!("{} scopes", held.len()));
    Ok(Reply::Done)
}

/// Whether the peer named another position of an own scope than ours.
fn lags(draft: &Draft<'_>, held: &ScopeState) -> bool {
    let head = draft.state.scope(held.scope).map(|scope| &scope.head);
    head.is_some_and(|head| (head.epoch, head.hash) != (held.epoch, held.hash))
}

/// Threads of a roster that the peer catches up with: on the way it may lose its last reader, and with him the thread,
/// and get one again.
fn introduce_granted(draft: &mut Draft<'_>, peer: WorkspaceId, id: ScopeId) {
    let threads = id.group().and_then(|group| draft.state.addressed.get(&group)).into_iter().flatten();
    for thread in threads.copied().collect::<Vec<_>>() {
        let follows = fanout::followers(&draft.state, thread.into()).contains(&peer);
        if follows && draft.state.owns(thread) {
            fanout::introduce(draft, peer, thread.into());
        }
    }
}

/// Rows that were queued but not acknowledged, without those that a comparison sends anyway.
fn unacked(draft: &Draft<'_>, row: &Peer) -> Vec<Item> {
    let numbers = row.acked + 1..=row.queued;
    let items = numbers.filter_map(|number| draft.ctx.records.feed(row.id, number));
    let items = items.filter_map(|bytes| cbor::decode::<Item>(&bytes).ok());
    let mut once = BTreeSet::new();
    let again = |item: &Item| match item {
        Item::Snapshot { .. } => false,
        // After a move only this says so (spec 14.3); else the comparison does.
        Item::Statement { statement } => envelope::peek::<Statement>(statement).is_ok_and(|statement| {
            let moved = |id| reign::last(&draft.state, id).is_some_and(|reign| reign.from == row.id);
            !matches!(statement.word, Word::NotHere { scope } if !moved(scope))
        }),
        // Of others only what a handover made us tell (spec 14.7): no comparison brings that.
        Item::Event { event } => envelope::peek::<Event>(event)
            .is_ok_and(|event| event.scope.is_some_and(|id| !draft.state.owns(id))),
        _ => true,
    };
    items.filter(again).filter(|item| once.insert(cbor::encode(item))).collect()
}

/// Brings one scope of the peer up to date: the events it lacks, up to its own removal.
fn update(draft: &mut Draft<'_>, peer: WorkspaceId, held: &ScopeState, doubted: bool) {
    let Some(scope) = draft.state.scope(held.scope).cloned().filter(|scope| scope.head.owner == draft.me())
    else {
        given_away(draft, peer, held);
        return;
    };
    let now = (scope.head.incarnation, scope.head.epoch);
    let follows = fanout::followers(&draft.state, held.scope).contains(&peer);
    let other_hash = (held.incarnation, held.epoch) == now && held.hash != scope.head.hash;
    if (held.incarnation, held.epoch) > now || other_hash {
        recovery::note_ahead(draft, peer, held);
        return;
    }
    if held.incarnation != now.0 {
        other_incarnation(draft, peer, held, follows);
        return;
    }
    if follows && !held.follows {
        // Without a reader it forgot the roster: events alone would lead nowhere.
        fanout::introduce(draft, peer, held.scope);
        return;
    }
    if (held.epoch, held.hash) == (now.1, scope.head.hash) {
        match (follows, held.follows) {
            (false, true) => not_here(draft, peer, held.scope),
            (true, true) if doubted => fanout::introduce(draft, peer, held.scope),
            _ => {}
        }
        return;
    }
    if !proven(draft, held, now.0) {
        if follows {
            fanout::introduce(draft, peer, held.scope);
        }
        return;
    }
    // A removal that was forgotten may lie above all that is held.
    let last = if follows { now.1 } else { last_concern(draft, peer, &scope).min(now.1) };
    let mut left = false;
    for epoch in held.epoch + 1..=last {
        let Some(event) = draft.ctx.records.event(held.scope, now.0, epoch) else { continue };
        let opened = envelope::peek::<Event>(&event).ok();
        let removes = opened.as_ref().is_some_and(|event| ends_place_at(event, peer));
        // Who loses a reader on the way may forget the scope, and who has forgotten it can take no join: what comes after
        // either needs the whole of it, but for what ended a place.
        left |= !held.follows && opened.is_some_and(|event| joins_from(&event, peer));
        if removes || !left {
            draft.feed(peer, &Item::Event { event });
        }
        left |= removes;
    }
    if left && follows {
        fanout::introduce(draft, peer, held.scope);
    }
}

fn joins_from(event: &Event, home: WorkspaceId) -> bool {
    event.ops.iter().any(|op| matches!(op, Op::Join { member, .. } if member.user.home() == home))
}

fn ends_place_at(event: &Event, home: WorkspaceId) -> bool {
    event.ops.iter().filter_map(Op::ends_place_of).any(|user| user.home() == home)
}

/// The peer holds a branch that was left: it gets the scope as it stands, or hears that it has no reader (spec 12.4).
fn other_incarnation(draft: &mut Draft<'_>, peer: WorkspaceId, held: &ScopeState, follows: bool) {
    if follows {
        fanout::introduce(draft, peer, held.scope);
    } else if held.follows || held.content.is_some() {
        not_here(draft, peer, held.scope);
    }
}

/// The peer takes us for the owner of a scope that we gave away: it gets what came before, and the move (spec 14.5).
fn given_away(draft: &mut Draft<'_>, peer: WorkspaceId, held: &ScopeState) {
    let me = draft.me();
    let Some(reign) = reign::of(&draft.state, held.scope).find(|reign| reign.from == me).cloned() else {
        return;
    };
    if proven(draft, held, reign.incarnation) {
        for epoch in held.epoch + 1..reign.epoch {
            if let Some(event) = draft.ctx.records.event(held.scope, reign.incarnation, epoch) {
                draft.feed(peer, &Item::Event { event });
            }
        }
    }
    if held.follows {
        reign::items(&draft.state, held.scope)
            .collect::<Vec<_>>()
            .iter()
            .for_each(|item| draft.feed(peer, item));
    }
}

fn not_here(draft: &mut Draft<'_>, peer: WorkspaceId, scope: ScopeId) {
    removal::state(draft, peer, Word::NotHere { scope });
}

/// Whether the peer was told of the position that it names: else it would get events from before its membership.
fn proven(draft: &Draft<'_>, held: &ScopeState, incarnation: u64) -> bool {
    let event = draft.ctx.records.event(held.scope, held.incarnation, held.epoch);
    let hash = event.and_then(|event| envelope::unverified_hash(Event::TYPE, None, &event).ok());
    held.incarnation == incarnation && hash == Some(held.hash)
}

/// What ended it for a peer that follows no more: nothing after that concerns it (P7.2).
fn last_concern(draft: &Draft<'_>, peer: WorkspaceId, scope: &Scope) -> u64 {
    let id = scope.head.id;
    let left = scope.head.tombstones.iter().filter(|(user, _)| user.home() == peer).map(|(_, epoch)| *epoch);
    let removals = draft.state.removals.range((id, 0)..=(id, u64::MAX));
    let removals = removals.filter(|(_, removal)| removal.homes.iter().any(|(home, _)| *home == peer));
    let by_group = taken_off(draft, peer, scope);
    left.chain(removals.map(|((_, epoch), _)| *epoch)).chain(by_group).max().unwrap_or(0)
}

/// The event that took a group of the peer's readers off a thread, or ended the thread under them.
fn taken_off(draft: &Draft<'_>, peer: WorkspaceId, scope: &Scope) -> Option<u64> {
    let head = &scope.head;
    let reads = |id: GroupId| draft.state.scope(id).is_some_and(|group| group.homes.contains_key(&peer));
    let (mut groups, mut last) = (BTreeSet::new(), None);
    let signed = head.id.thread().map(|_| draft.ctx.records.events(head.id, 0)).unwrap_or_default();
    for event in signed.iter().filter_map(|event| envelope::peek::<Event>(event).ok()) {
        for op in event.ops {
            match op {
                Op::AddGroup { recipient, .. } if reads(recipient.group) => {
                    groups.insert(recipient.group);
                }
                Op::RemoveGroup { group } if groups.remove(&group) => last = Some(event.epoch),
                Op::End {} if !groups.is_empty() => last = Some(event.epoch),
                _ => {}
            }
        }
    }
    last
}

/// Removals that the peer has not answered go out again: their receipts are a promise (spec 8.3).
fn unconfirmed(draft: &mut Draft<'_>, peer: WorkspaceId) {
    let open =
        |removal: &super::row::Removal| removal.homes.iter().any(|(home, at)| *home == peer && at.is_none());
    let due: Vec<_> = draft.state.removals.values().filter(|removal| open(removal)).cloned().collect();
    for removal in due {
        if let Some(event) = draft.ctx.records.event(removal.scope, removal.incarnation, removal.epoch) {
            draft.feed(peer, &Item::Event { event });
        }
    }
}
