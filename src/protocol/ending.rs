//! The end of a peering (spec 8.8, 8.9; P7.5, P8.1): one decision, both directions.
//!
//! Duty: what ends with it, and what still passes afterwards. Never: anything but the end, removals and receipts.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    follow, invite, membership, peering,
    removal::{self, Cut},
    row::{InviteStatus, Peer, PeerStatus, Pending, ReceivedInvite, Row, RowKey, ScopeHead, SentInvite},
    state::Scope,
};
use crate::{
    ids::{FeedId, GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        Blob, cbor, envelope,
        frames::Item,
        objects::{Event, Op, Settings, Statement, ThreadKind, Word},
    },
};

/// What ends here: places of their people, and their groups as recipients of our threads. DMs are closed instead.
#[must_use]
pub fn theirs(state: &State, peer: WorkspaceId) -> Vec<Cut> {
    let mut ends: BTreeMap<ScopeId, (Vec<UserId>, Vec<GroupId>)> = BTreeMap::new();
    for (user, places) in state.people_of(peer) {
        for id in places.iter().filter(|id| alive(state, **id, false)) {
            ends.entry(*id).or_default().0.push(user);
        }
    }
    let foreign = |group: &GroupId| state.scope(*group).is_some_and(|scope| scope.head.owner == peer);
    for (group, threads) in state.addressed.iter().filter(|(group, _)| foreign(group)) {
        for thread in threads.iter().filter(|thread| alive(state, (**thread).into(), false)) {
            ends.entry((*thread).into()).or_default().1.push(*group);
        }
    }
    ends.into_iter().map(|(scope, (users, groups))| Cut { scope, users, groups }).collect()
}

/// What ends there: everything that the peer owns, for our people who are in it or read it through a group of others.
#[must_use]
pub fn ours(state: &State, peer: WorkspaceId) -> Vec<Cut> {
    let Some(me) = state.me() else { return Vec::new() };
    let readers = |scope: &Scope| {
        let recipients = scope.head.groups.iter().filter_map(|at| state.scope(at.group));
        let others = recipients.filter(|group| group.head.owner != peer && !group.head.ended);
        let through = others.flat_map(|group| group.members_of(me).collect::<Vec<_>>());
        scope.members_of(me).chain(through).collect::<BTreeSet<UserId>>()
    };
    let cut = |scope: &Scope| Cut {
        scope: scope.head.id,
        users: readers(scope).into_iter().collect(),
        groups: Vec::new(),
    };
    followed(state, peer).map(cut).collect()
}

/// Threads of third workspaces to which the peer's groups lead our people: the only way of some of them.
pub fn beyond(state: &State, peer: WorkspaceId) -> impl Iterator<Item = (ThreadId, UserId)> + '_ {
    let groups = followed(state, peer).filter_map(|scope| Some((scope.head.id.group()?, scope)));
    let ways = groups.flat_map(move |(group, scope)| {
        let threads = state.addressed.get(&group).into_iter().flatten();
        let owner = |id: &ThreadId| state.scope(*id).map(|thread| thread.head.owner);
        let third =
            threads.filter(move |id| owner(id).is_some_and(|at| at != peer && Some(at) != state.me()));
        let people: Vec<UserId> = state.me().map(|me| scope.members_of(me).collect()).unwrap_or_default();
        third.flat_map(move |thread| people.clone().into_iter().map(move |user| (*thread, user)))
    });
    ways.collect::<BTreeSet<_>>().into_iter()
}

/// Groups and threads that the peer owns; not DMs.
fn followed(state: &State, peer: WorkspaceId) -> impl Iterator<Item = &Scope> {
    let theirs = state.scopes.values().map(|scope| &**scope);
    let alive = theirs.filter(move |scope| scope.head.owner == peer && !scope.head.ended);
    alive.filter(|scope| scope.head.kind != Some(ThreadKind::Dm))
}

/// Conversations of two across the peering: they stay readable at each home, and take nothing new.
#[must_use]
pub fn dms(state: &State, peer: WorkspaceId) -> Vec<ScopeId> {
    let ours = state.people_of(peer).flat_map(|(_, places)| places.iter().copied());
    let mut all: Vec<ScopeId> = ours.filter(|id| alive(state, *id, true)).collect();
    let theirs = state.scopes.values().map(|scope| &scope.head);
    let open = |head: &&ScopeHead| head.owner == peer && head.kind == Some(ThreadKind::Dm) && !head.ended;
    all.extend(theirs.filter(open).map(|head| head.id));
    all.retain(|id| state.scope(*id).is_some_and(|scope| !scope.head.settings.closed));
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a scope is owned here and not over; a DM or not.
fn alive(state: &State, id: ScopeId, dm: bool) -> bool {
    let fits = |head: &ScopeHead| !head.ended && (head.kind == Some(ThreadKind::Dm)) == dm;
    state.owns(id) && state.scope(id).is_some_and(|scope| fits(&scope.head))
}

/// Open invitations from our scopes to their people.
pub fn sent(state: &State, peer: WorkspaceId) -> impl Iterator<Item = &SentInvite> {
    let open = state.offers.keys().flat_map(|scope| state.open_offers(*scope));
    open.map(|sent| &**sent).filter(move |sent| sent.home == peer)
}

/// Invitations from their scopes that wait for an answer of our people.
pub fn received(state: &State, peer: WorkspaceId) -> impl Iterator<Item = &ReceivedInvite> {
    let held = state.received.values().map(|held| &**held);
    held.filter(move |held| {
        held.owner == peer && matches!(held.status, InviteStatus::Sent | InviteStatus::Held)
    })
}

/// Messages of our people that wait for the peer.
pub fn outbox(state: &State, peer: WorkspaceId) -> impl Iterator<Item = &Pending> {
    let waiting = state.outbox.range((peer, 0)..=(peer, u64::MAX)).map(|(_, pending)| &**pending);
    waiting.filter(|pending| pending.refused.is_none())
}

/// Our admin ends the peering (P7.5).
///
/// # Errors
/// We do not know that peer.
pub fn end(draft: &mut Draft<'_>, admin: UserId, peer: WorkspaceId) -> Result<Reply, Reject> {
    let row = peering::known(draft, peer)?;
    if row.status == PeerStatus::Ended {
        return Ok(Reply::Already);
    }
    begin_last_feed(draft, &row);
    for cut in theirs(&draft.state, peer) {
        expel(draft, admin, &cut, |user| Op::Remove { user })?;
    }
    removal::state(draft, peer, Word::EndPeering {});
    close(draft, peer, Some(admin))?;
    Ok(Reply::Done)
}

/// The peer's statement that the peering ends.
///
/// # Errors
/// We do not know that peer.
pub fn ended(draft: &mut Draft<'_>, peer: WorkspaceId) -> Result<(), Reject> {
    let row = peering::known(draft, peer)?;
    if row.status == PeerStatus::Ended {
        return Ok(());
    }
    begin_last_feed(draft, &row);
    for cut in theirs(&draft.state, peer) {
        let starter = draft.state.scope(cut.scope).map(|scope| scope.head.starter);
        if let Some(by) = cut.users.first().copied().or(starter) {
            expel(draft, by, &cut, |user| Op::Leave { user })?;
        }
    }
    close(draft, peer, None)
}

fn expel(draft: &mut Draft<'_>, by: UserId, cut: &Cut, op: impl Fn(UserId) -> Op) -> Result<(), Reject> {
    let groups = cut.groups.iter().map(|group| Op::RemoveGroup { group: *group });
    let ops: Vec<Op> = cut.users.iter().map(|user| op(*user)).chain(groups).collect();
    removal::cut(draft, by, cut.scope, &ops).map(drop)
}

/// Everything else that ran through the peering. Nothing of it goes out: the status comes first.
fn close(draft: &mut Draft<'_>, peer: WorkspaceId, admin: Option<UserId>) -> Result<(), Reject> {
    let row = peering::known(draft, peer)?;
    draft.put(Row::Peer(Peer { status: PeerStatus::Ended, since: draft.ctx.now, ..row }));
    void_invitations(draft, peer);
    unlink_groups(draft, peer);
    let waiting: Vec<Pending> = outbox(&draft.state, peer).cloned().collect();
    for pending in waiting {
        draft.mark(Mark::Outbox(pending.author, pending.thread));
        draft.put(Row::Pending(Pending { refused: Some("the peering has ended".into()), ..pending }));
    }
    for id in dms(&draft.state, peer) {
        close_dm(draft, id)?;
    }
    let lost: Vec<ScopeId> = followed(&draft.state, peer).map(|scope| scope.head.id).collect();
    for id in lost {
        follow::lose(draft, id);
    }
    draft.audit("peer.ended", admin, Some(peer), None, String::new());
    draft.mark(Mark::Peer(peer));
    Ok(())
}

fn void_invitations(draft: &mut Draft<'_>, peer: WorkspaceId) {
    let open: Vec<SentInvite> = sent(&draft.state, peer).cloned().collect();
    open.into_iter().for_each(|sent| invite::void(draft, sent));
    let open: Vec<ReceivedInvite> = received(&draft.state, peer).cloned().collect();
    for held in open {
        draft.mark(Mark::Invited(held.user, held.invite.id));
        draft.put(Row::Received(ReceivedInvite { status: InviteStatus::Void, ..held }));
    }
}

/// Our groups leave their threads, and theirs ours: nobody follows a roster across an ended peering (spec 6.6).
fn unlink_groups(draft: &mut Draft<'_>, peer: WorkspaceId) {
    let theirs = |group: GroupId| draft.state.scope(group).is_some_and(|scope| scope.head.owner == peer);
    let links = draft.state.links.values().filter(|link| link.follower == peer || theirs(link.group));
    let links: Vec<(GroupId, ThreadId)> = links.map(|link| (link.group, link.thread)).collect();
    links.into_iter().for_each(|key| draft.delete(RowKey::GroupLink(key)));
}

/// By an event if it is ours; of theirs we close our own copy.
pub(super) fn close_dm(draft: &mut Draft<'_>, id: ScopeId) -> Result<(), Reject> {
    let Some(scope) = draft.state.scope(id).cloned() else { return Ok(()) };
    let settings = Settings { closed: true, ..scope.head.settings.clone() };
    if draft.state.owns(id) {
        membership::append(draft, id, scope.head.starter, vec![Op::Settings { settings }])?;
    } else {
        draft.put(Row::Scope(ScopeHead { settings, ..scope.head.clone() }));
        draft.mark(Mark::Scope(id));
    }
    Ok(())
}

/// What was queued for the peer is dropped but for removals and receipts: an ended peer gets nothing else (spec 8.9).
fn begin_last_feed(draft: &mut Draft<'_>, row: &Peer) {
    let kept: Vec<Item> = waiting(draft, row).filter(|item| outlives(item, row.id)).collect();
    restart(draft, row);
    kept.iter().for_each(|item| draft.feed(row.id, item));
}

/// Rows that the peer does not hold: those that are stored, and those of this decision.
fn waiting(draft: &Draft<'_>, row: &Peer) -> impl Iterator<Item = Item> {
    let numbers = row.acked + 1..=row.queued;
    let stored = numbers.filter_map(|number| Some((number, draft.ctx.records.feed(row.id, number)?)));
    let mut rows: BTreeMap<u64, Blob> = stored.collect();
    for change in &draft.changes {
        match change {
            Change::Feed { peer, number, item } if *peer == row.id => {
                rows.insert(*number, item.clone());
            }
            Change::FeedTrim { peer, number } if *peer == row.id => rows.retain(|held, _| held > number),
            _ => {}
        }
    }
    rows.into_values().filter_map(|bytes| cbor::decode::<Item>(&bytes).ok())
}

fn restart(draft: &mut Draft<'_>, row: &Peer) {
    draft.changes.push(Change::FeedTrim { peer: row.id, number: row.queued });
    let feed = FeedId(draft.random());
    draft.put(Row::Peer(Peer { feed, queued: 0, queued_hash: Hash::ZERO, acked: 0, ..row.clone() }));
}

fn outlives(item: &Item, peer: WorkspaceId) -> bool {
    match item {
        Item::Receipt { .. } => true,
        Item::Event { event } => envelope::peek::<Event>(event).is_ok_and(|event| cuts(&event, peer)),
        _ => false,
    }
}

/// Whether the event takes access from people of a home.
fn cuts(event: &Event, home: WorkspaceId) -> bool {
    event.ops.iter().any(|op| match op {
        Op::RemoveGroup { .. } | Op::End {} => true,
        op => op.ends_place_of().is_some_and(|user| user.home() == home),
    })
}

/// An ended peer compares: the end once more, and what the caller adds: removals without a receipt (spec 8.9).
pub fn compared(draft: &mut Draft<'_>, row: &Peer) {
    let receipts: Vec<Item> =
        waiting(draft, row).filter(|item| matches!(item, Item::Receipt { .. })).collect();
    restart(draft, row);
    receipts.iter().for_each(|item| draft.feed(row.id, item));
    removal::state(draft, row.id, Word::EndPeering {});
}

/// A row of an ended peer: receipts, and removals, which are answered; nothing else (spec 8.9).
///
/// # Errors
/// A signature does not hold, or the row is something else.
pub fn taken(draft: &mut Draft<'_>, peer: WorkspaceId, item: Item) -> Result<(), Reject> {
    match item {
        Item::Receipt { receipt } => removal::receipt(draft, peer, &receipt),
        Item::Event { event }
            if envelope::peek::<Event>(&event).is_ok_and(|event| cuts(&event, draft.me())) =>
        {
            follow::answer_removal(draft, peer, &event)
        }
        Item::Statement { statement } if is_end(&statement) => Ok(()),
        _ => Err(over()),
    }
}

fn is_end(statement: &Blob) -> bool {
    envelope::peek::<Statement>(statement).is_ok_and(|statement| statement.word == Word::EndPeering {})
}

/// Refuses what an ended peer sends beside its feed.
///
/// # Errors
/// The peering has ended.
pub fn refuse_ended(state: &State, peer: WorkspaceId) -> Result<(), Reject> {
    let ended = state.peers.get(&peer).is_some_and(|row| row.status == PeerStatus::Ended);
    if ended { Err(over()) } else { Ok(()) }
}

fn over() -> Reject {
    Reject::new(RejectCode::PeerInactive, "after the end of the peering only removals and receipts are taken")
}

/// Whether the peer has not yet taken our end: a new peering would be ended by it.
#[must_use]
pub fn is_untold(draft: &Draft<'_>, row: &Peer) -> bool {
    let mut statements = waiting(draft, row).filter_map(|item| match item {
        Item::Statement { statement } => Some(statement),
        _ => None,
    });
    row.status == PeerStatus::Ended && statements.any(|statement| is_end(&statement))
}
