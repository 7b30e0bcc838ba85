//! What a follower holds of an owner's scopes, told to an owner that has started anew (spec 12.2, 12.4).
//!
//! Duty: the follower's answer; the owner's own signed objects taken back. Never: believing anything that the owner has
//! not signed itself, bringing back a membership that an answer shows as ended.

use std::collections::BTreeMap;

use super::{
    Change, Draft, Mark, Records, Reject, Reply, State, evidence, handover, membership, parting,
    posting::note_marks,
    recovery, reign, removal,
    replica::{check_entry, head_of},
    row::{Log, MemberRow, Row, RowKey, ScopeHead},
    state::Scope,
    uptime::Promise,
};
use crate::{
    ids::{Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        Blob, Stored, Verified, cbor, envelope,
        frames::{HistoryPage, Item, ScopeState, Witness},
        objects::{Acceptance, Event, Handover, Head, Op, Snapshot},
    },
};

/// What this node holds of a peer's scopes (spec 9.6).
#[must_use]
pub fn held(state: &State, owner: WorkspaceId) -> Vec<ScopeState> {
    let theirs = state.scopes.values().filter(|scope| scope.head.owner == owner);
    theirs.map(|scope| position(state, scope)).collect()
}

/// What this node holds of its own scopes: what it asks a follower to look beyond.
#[must_use]
pub fn own(state: &State) -> Vec<ScopeState> {
    state.me().map(|me| held(state, me)).unwrap_or_default()
}

fn position(state: &State, scope: &Scope) -> ScopeState {
    let head = &scope.head;
    let log = head.id.thread().and_then(|thread| state.logs.get(&thread)).filter(|log| log.high > 0);
    let me = state.me();
    ScopeState {
        scope: head.id,
        incarnation: head.incarnation,
        epoch: head.epoch,
        hash: head.hash,
        follows: !head.ended && scope.homes.keys().any(|home| Some(*home) == me),
        content: log.map(|log| (log.high, log.hash)),
    }
}

/// The follower's answer, in frames: what it holds, and everything that the owner signed beyond what it says it knows.
#[must_use]
pub fn answer(
    state: &State,
    records: &dyn Records,
    owner: WorkspaceId,
    theirs: &[ScopeState],
) -> Vec<Witness> {
    let known: BTreeMap<ScopeId, &ScopeState> = theirs.iter().map(|known| (known.scope, known)).collect();
    let mut frames = vec![Witness { scopes: Vec::new(), items: Vec::new(), more: false }];
    let mut bytes = 0;
    for held in held(state, owner) {
        let items = beyond(state, records, &held, known.get(&held.scope).copied());
        for item in items {
            if bytes >= limits::PAGE_BYTES {
                frames.push(Witness { scopes: Vec::new(), items: Vec::new(), more: false });
                bytes = 0;
            }
            bytes += item.len();
            frames.last_mut().into_iter().for_each(|frame| frame.items.push(item.clone()));
        }
        if bytes >= limits::PAGE_BYTES {
            frames.push(Witness { scopes: Vec::new(), items: Vec::new(), more: false });
            bytes = 0;
        }
        bytes += 160;
        frames.last_mut().into_iter().for_each(|frame| frame.scopes.push(held.clone()));
    }
    for items in given_away(state, records, owner, &known) {
        bytes += items.iter().map(|item| item.len()).sum::<usize>();
        frames.last_mut().into_iter().for_each(|frame| frame.items.extend(items.iter().cloned()));
        if bytes >= limits::PAGE_BYTES {
            frames.push(Witness { scopes: Vec::new(), items: Vec::new(), more: false });
            bytes = 0;
        }
    }
    let last = frames.len() - 1;
    frames.iter_mut().take(last).for_each(|frame| frame.more = true);
    frames
}

/// The owner's objects for one scope that it lacks, oldest first, with the base if it lies beyond what it knows.
fn beyond(state: &State, records: &dyn Records, held: &ScopeState, known: Option<&ScopeState>) -> Vec<Blob> {
    let base = records.base(held.scope);
    let Some(known) = known else {
        let mut events = records.events(held.scope, 0);
        if let Some(reign) = reign::last(state, held.scope) {
            let own = |event: Event| event.incarnation > reign.incarnation;
            events.retain(|bytes| envelope::peek::<Event>(bytes).is_ok_and(own));
        }
        return base.into_iter().chain(events).collect();
    };
    let base = base.filter(|base| {
        evidence::claim(base)
            .is_some_and(|claim| (claim.incarnation, claim.position) > (known.incarnation, known.epoch))
    });
    base.into_iter().chain(events_beyond(records, held, known)).collect()
}

fn events_beyond(records: &dyn Records, held: &ScopeState, known: &ScopeState) -> Vec<Blob> {
    if known.incarnation != held.incarnation {
        // Where the branches part is not known here: what the owner has, it recognises.
        return records.events(held.scope, 0);
    }
    if (known.incarnation, known.epoch, known.hash) == (held.incarnation, held.epoch, held.hash) {
        return records.events(held.scope, known.epoch.saturating_add(1));
    }
    records.events(held.scope, known.epoch)
}

/// Moves that an owner has forgotten: of scopes that it still takes for its own, with what it signed before; and of those
/// that came to it (spec 14.5).
fn given_away(
    state: &State,
    records: &dyn Records,
    owner: WorkspaceId,
    known: &BTreeMap<ScopeId, &ScopeState>,
) -> Vec<Vec<Blob>> {
    let theirs = state.reigns.values().filter(|reign| reign.from == owner);
    let forgotten = theirs.filter_map(|reign| Some((reign, known.get(&reign.scope)?)));
    let came = state.reigns.values().filter(|reign| {
        let now = state.scope(reign.scope).is_some_and(|scope| scope.head.owner == owner);
        now && !known.contains_key(&reign.scope)
    });
    let came = came.map(|reign| reign::objects(reign));
    let items = forgotten.flat_map(|(reign, known)| {
        let before = |bytes: &Blob| {
            envelope::peek::<Event>(bytes)
                .is_ok_and(|event| event.incarnation <= reign.incarnation && event.epoch < reign.epoch)
        };
        let mut events = records.events(reign.scope, known.epoch);
        events.retain(before);
        let pair = reign::objects(reign);
        events.into_iter().map(|event| vec![event]).chain([pair]).collect::<Vec<_>>()
    });
    items.chain(came).collect()
}

/// One frame of a follower's answer (spec 12.4): membership first, then what content it has beyond ours.
///
/// # Errors
/// Never for what cannot be used: it is audited and passed over.
pub fn taken(draft: &mut Draft<'_>, peer: WorkspaceId, frame: &Witness) -> Result<Reply, Reject> {
    let mut acceptance = None;
    for item in &frame.items {
        if envelope::peek::<Handover>(item).is_ok() {
            if let Err(reject) = handover::shown(draft, peer, item, (0, Hash::ZERO)) {
                draft.audit("witness.refused", None, Some(peer), None, reject.to_string());
            }
            continue;
        }
        if envelope::peek::<Acceptance>(item).is_ok() {
            acceptance = Some(item);
            continue;
        }
        let taken = match acceptance.take() {
            Some(acceptance) => moved(draft, peer, item, acceptance),
            None => own_object(draft, peer, item),
        };
        if let Err(reject) = taken {
            draft.audit("witness.refused", None, Some(peer), None, reject.to_string());
        }
    }
    for held in &frame.scopes {
        note_content(draft, peer, held);
    }
    Ok(Reply::Done)
}

/// A move that was forgotten. One that came here and was not begun yet waits until the check is over.
fn moved(draft: &mut Draft<'_>, peer: WorkspaceId, event: &Blob, acceptance: &Blob) -> Result<(), Reject> {
    let scope = envelope::peek::<Event>(event).ok().and_then(|event| event.scope);
    let begun = scope.is_some_and(|id| draft.state.owns(id));
    if parting::comes_here(&draft.state, event) && !begun {
        let (event, acceptance) = (event.clone(), acceptance.clone());
        let item = cbor::encode(&Item::Moved { event, acceptance });
        return recovery::defer(draft, peer, &item.into());
    }
    reign::shown(draft, peer, event, acceptance)
}

fn own_object(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    if envelope::peek::<Event>(bytes).is_ok() {
        let event: Verified<Event> = draft.open_own(bytes)?;
        return own_event(draft, Some(peer), &event);
    }
    let snapshot: Verified<Snapshot> = draft.open_own(bytes)?;
    if draft.state.owns(snapshot.object().scope) {
        own_snapshot(draft, &snapshot);
    } else {
        restore(draft, peer, snapshot.into_object());
    }
    Ok(())
}

/// An event that this node signed and may have forgotten.
///
/// # Errors
/// The scope is not ours.
pub fn own_event(
    draft: &mut Draft<'_>,
    from: Option<WorkspaceId>,
    event: &Verified<Event>,
) -> Result<(), Reject> {
    let object = event.object();
    let id = object.scope.unwrap_or_else(|| membership::id_of(event));
    let Some(scope) = draft.state.scope(id).cloned() else {
        if object.scope.is_none() {
            membership::recreate(draft, id, event);
            noted(draft, from, id, object.epoch, "scope.restored");
        }
        return Ok(());
    };
    if scope.head.owner != draft.me() {
        return Ok(());
    }
    if matches!(object.ops.as_slice(), [Op::Move { .. }]) {
        reign::recalled(draft, event);
        return Ok(());
    }
    let held = draft.ctx.records.event(id, object.incarnation, object.epoch);
    if held.as_ref() == Some(event.bytes()) {
        return Ok(());
    }
    if let Some(held) = held {
        evidence::against_self(draft, from, id, &held, event.bytes());
    } else if membership::follows(&scope.head, object) {
        membership::replay(draft, id, event);
        noted(draft, from, id, object.epoch, "scope.replayed");
        place(draft, from, id);
        return Ok(());
    } else {
        wait(draft, id, (object.incarnation, object.epoch), event.bytes());
    }
    restrict(draft, id, object);
    Ok(())
}

/// An own object above what is held is kept until what lies before it is known: answers come in any order.
fn wait(draft: &mut Draft<'_>, id: ScopeId, at: (u64, u64), bytes: &Blob) {
    let waiting = draft.state.uptime.check.as_ref().map_or(usize::MAX, |check| check.waiting.len());
    if is_above(draft, id, at) && waiting < limits::WAITING_OBJECTS {
        recovery::promise(draft, Promise::Waiting(id, at.0, at.1, bytes.clone()));
    }
}

fn is_above(draft: &Draft<'_>, id: ScopeId, at: (u64, u64)) -> bool {
    draft.state.scope(id).is_some_and(|scope| at > (scope.head.incarnation, scope.head.epoch))
}

/// After a replayed event those that waited follow it, or take away again what it gave to who is out later on.
fn place(draft: &mut Draft<'_>, from: Option<WorkspaceId>, id: ScopeId) {
    let check = draft.state.uptime.check.as_ref();
    let waiting = check.map(|check| check.waiting.clone()).unwrap_or_default();
    for ((_, incarnation, epoch), bytes) in waiting.range((id, 0, 0)..=(id, u64::MAX, u64::MAX)) {
        let me = draft.me();
        let event = draft.open::<Event>(bytes, None, me).ok();
        let next = event.filter(|event| {
            draft.state.scope(id).is_some_and(|scope| membership::follows(&scope.head, event.object()))
        });
        if let Some(event) = &next {
            membership::replay(draft, id, event);
            noted(draft, from, id, *epoch, "scope.replayed");
        }
        if !is_above(draft, id, (*incarnation, *epoch)) {
            recovery::promise(draft, Promise::Placed(id, *incarnation, *epoch));
        } else if let Ok(event) = draft.open::<Event>(bytes, None, me) {
            restrict(draft, id, event.object());
        } else if let Ok(snapshot) = draft.open::<Snapshot>(bytes, None, me) {
            exclude(draft, snapshot.object());
        }
    }
}

/// An own snapshot of a scope that is held.
fn own_snapshot(draft: &mut Draft<'_>, snapshot: &Verified<Snapshot>) {
    let object = snapshot.object();
    let at = (object.incarnation, object.epoch);
    if draft.state.owns(object.scope) && is_above(draft, object.scope, at) {
        wait(draft, object.scope, at, snapshot.bytes());
        exclude(draft, object);
    }
}

/// Who is a member here, but was none at a later epoch, is out.
fn exclude(draft: &mut Draft<'_>, later: &Snapshot) {
    let members = draft.state.scope(later.scope).map(|scope| scope.members.clone()).unwrap_or_default();
    for user in members.keys().filter(|user| later.members.iter().all(|member| member.user != **user)) {
        entomb(draft, later.scope, *user, later.epoch);
        recovery::reduce(draft, later.scope, *user, later.starter);
    }
}

fn noted(draft: &mut Draft<'_>, from: Option<WorkspaceId>, id: ScopeId, epoch: u64, act: &str) {
    draft.audit(act, None, from, Some(id), format!("epoch {epoch}"));
}

/// Of an event that cannot be put in its place any more, what it took away stays away.
pub(super) fn restrict(draft: &mut Draft<'_>, id: ScopeId, event: &Event) {
    for op in &event.ops {
        if let Op::Remove { user } | Op::Leave { user } = op {
            entomb(draft, id, *user, event.epoch);
            recovery::reduce(draft, id, *user, event.actor);
        }
    }
}

/// Nobody comes back by an invitation from before a removal that was forgotten (spec 6.5): also where an answer shows nothing
/// but that, and not who he is.
fn entomb(draft: &mut Draft<'_>, id: ScopeId, user: UserId, epoch: u64) {
    let Some(head) = draft.state.scope(id).map(|scope| scope.head.clone()) else { return };
    let held = head.tombstones.iter().find(|(of, _)| *of == user).map(|(_, epoch)| *epoch);
    if held.is_none_or(|held| held < epoch) {
        let mut tombstones = head.tombstones.clone();
        tombstones.retain(|(of, _)| *of != user);
        tombstones.push((user, epoch.max(head.epoch)));
        draft.put(Row::Scope(ScopeHead { tombstones, ..head }));
    }
    removal::void_invitations(draft, id, user);
}

/// A scope of ours that we do not know at all, from our own snapshot.
fn restore(draft: &mut Draft<'_>, peer: WorkspaceId, snapshot: Snapshot) {
    let id = snapshot.scope;
    // A scope that came here after the copy from which we were restored is still another owner's here (spec 14.5).
    let later =
        |scope: &Scope| scope.head.owner != draft.me() && snapshot.incarnation > scope.head.incarnation;
    if snapshot.owner != draft.me() || draft.state.scope(id).is_some_and(|scope| !later(scope)) {
        return;
    }
    let held = draft.state.scope(id).cloned();
    let (members, epoch) = (snapshot.members.clone(), snapshot.epoch);
    let tombstones = held.as_ref().map(|held| held.head.tombstones.clone()).unwrap_or_default();
    draft.put(Row::Scope(ScopeHead::from_snapshot(snapshot, tombstones)));
    for user in held.iter().flat_map(|held| held.members.keys()) {
        draft.delete(RowKey::Member((id, *user)));
    }
    for member in members {
        draft.put(Row::Member(MemberRow { scope: id, member }));
    }
    if let Some(thread) = id.thread() {
        // A copy without its beginning is no owner's: it is fetched back whole.
        let held = draft.state.logs.get(&thread).filter(|log| log.low <= 1).map(|log| (**log).clone());
        if held.is_none() {
            draft.changes.push(Change::Purge(thread));
        }
        let log = held.unwrap_or_else(|| Log::empty(thread, true));
        draft.put(Row::Log(Log { stale: false, bottom: true, pending: Vec::new(), ..log }));
    }
    draft.mark(Mark::Scope(id));
    noted(draft, Some(peer), id, epoch, "scope.restored");
}

/// A follower has more of an own thread than we: it is fetched back, unless the thread went on without it.
fn note_content(draft: &mut Draft<'_>, peer: WorkspaceId, held: &ScopeState) {
    let Some((thread, (high, _))) = held.scope.thread().zip(held.content) else { return };
    let Some(log) = draft.state.logs.get(&thread).filter(|_| draft.state.owns(thread)) else { return };
    if high <= log.high {
        return;
    }
    let check = draft.state.uptime.check.as_ref();
    if check.is_some_and(|check| check.reborn.contains(&held.scope)) {
        draft.audit(
            "content.lost",
            None,
            Some(peer),
            Some(held.scope),
            format!("entries above {}", log.high),
        );
        return;
    }
    if high <= limits::POSITION_MOST && check.is_some_and(|check| !check.lost.contains_key(&(thread, peer))) {
        recovery::promise(draft, Promise::Lost(thread, peer, high));
    }
}

/// A page of an own thread from a follower (spec 12.5): entries that continue ours, up to a head that we signed.
///
/// # Errors
/// The entries do not continue the chain, or no own head covers them.
pub fn content(draft: &mut Draft<'_>, peer: WorkspaceId, page: &HistoryPage) -> Result<Reply, Reject> {
    let thread = page.thread;
    let asked = draft.state.uptime.check.as_ref().and_then(|check| check.lost.get(&(thread, peer))).copied();
    let (Some(most), Some(log)) = (asked, draft.state.logs.get(&thread).map(|log| (**log).clone())) else {
        return Ok(Reply::Already);
    };
    let covered = covered(draft, page);
    let new = continued(draft, &log, &page.entries, covered)?;
    let (from, to) = (log.high + 1, new.high);
    if to < from || to >= most {
        recovery::promise(draft, Promise::Found(thread, peer));
    }
    let check = draft.state.uptime.check.as_ref();
    let others =
        check.is_some_and(|check| check.lost.iter().any(|((of, _), high)| *of == thread && *high > log.high));
    if to < from && most > log.high && !others {
        // No head of ours covers the rest: nobody was shown it, and the thread goes on without it (spec 12.3).
        let incarnation = draft.state.scope(thread).map_or(0, |scope| scope.head.incarnation);
        let unreachable = (incarnation, u64::MAX, Hash::ZERO);
        recovery::promise(draft, Promise::Behind(thread.into(), unreachable));
    }
    if to >= from {
        draft.put(Row::Log(new));
        draft.mark(Mark::Content { thread, from, to });
        draft.audit(
            "content.restored",
            None,
            Some(peer),
            Some(thread.into()),
            format!("entries {from} to {to}"),
        );
    }
    recovery::release(draft);
    Ok(Reply::Done)
}

/// An own thread's chain with the entries that continue it, up to one that is vouched for.
///
/// # Errors
/// An entry lacks its author's signature.
pub(super) fn continued(
    draft: &mut Draft<'_>,
    log: &Log,
    entries: &[Stored],
    last: u64,
) -> Result<Log, Reject> {
    let mut new = log.clone();
    for stored in entries.iter().filter(|stored| stored.entry.seq > log.high) {
        let entry = &stored.entry;
        if entry.seq != new.high + 1 || entry.previous != new.hash || entry.seq > last {
            break;
        }
        check_entry(draft, draft.me(), stored)?;
        (new.high, new.hash, new.time) = (entry.seq, entry.hash(), new.time.max(entry.time));
        note_marks(&draft.state, &mut new);
        draft.changes.push(Change::Content(stored.clone()));
    }
    Ok(new)
}

/// How far the page's entries are covered by heads that we signed ourselves, and that fit them.
fn covered(draft: &Draft<'_>, page: &HistoryPage) -> u64 {
    let hash_at = |seq: u64| {
        let found = page.entries.iter().find(|stored| stored.entry.seq == seq);
        found.map(|stored| stored.entry.hash())
    };
    let heads = page.heads.iter().filter_map(|covering| head_of(draft, draft.me(), &covering.head).ok());
    let of_thread = heads.filter(|head: &Head| head.thread == page.thread);
    let fitting = of_thread.filter(|head| hash_at(head.seq).is_none_or(|hash: Hash| hash == head.hash));
    fitting.map(|head| head.seq).max().unwrap_or(0)
}

/// Own threads whose content this peer said it has beyond ours.
pub fn to_fetch(state: &State, peer: WorkspaceId) -> impl Iterator<Item = (ThreadId, u64)> {
    let lost = state.uptime.check.iter().flat_map(|check| check.lost.iter());
    let of_peer = lost.filter(move |((_, from), _)| *from == peer);
    of_peer.filter_map(|((thread, _), most)| {
        let high = state.logs.get(thread)?.high;
        (high < *most).then_some((*thread, high))
    })
}

/// What a follower gives an owner back (spec 12.5): its copy of the owner's own thread.
#[must_use]
pub fn give_back(state: &State, thread: ThreadId, owner: WorkspaceId) -> Option<(u64, u64)> {
    let scope = state.scope(thread).filter(|scope| scope.head.owner == owner)?;
    let log = state.logs.get(&thread).filter(|log| log.high > 0)?;
    scope.head.frozen.is_none().then_some((log.low, log.high))
}
