//! What comes in on a peer's control feed (spec 9.4, 9.5): events and snapshots of scopes that it owns.
//!
//! Duty: applying links in order; cutting access and deleting copies in the same decision as the event
//! that ends it (P7.3). Never: stalling the feed because of one scope.

use std::collections::BTreeSet;

use super::{
    Change, Draft, Mark, Reject, State,
    command::RejectCode,
    evidence, fanout, handover, leaving, membership, posting, reign, replica,
    row::{Log, MemberRow, Row, RowKey, ScopeHead},
    sabotage::{Switch, broken},
    state::Scope,
};
use crate::{
    ids::{ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{Event, Op, Purge, Receipt, Snapshot},
    },
};

/// A membership event of the peer's.
///
/// # Errors
/// The signature does not hold, or the chain is contradicted.
pub fn event(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    if handover::heard(draft, peer, bytes)? {
        return Ok(());
    }
    let event: Verified<Event> = draft.open(bytes, None, peer)?;
    let Some(id) = event.object().scope else {
        return Ok(());
    };
    if matches!(event.object().ops.as_slice(), [Op::Move { .. }]) {
        return Err(Reject::new(RejectCode::Invalid, "a move comes with the new owner's acceptance"));
    }
    let Some(scope) = draft.state.scope(id).cloned().filter(|scope| scope.head.owner == peer) else {
        confirm(draft, peer, id, &event, Vec::new(), None);
        return Ok(());
    };
    let (incarnation, epoch) = (event.object().incarnation, event.object().epoch);
    if (incarnation, epoch) <= (scope.head.incarnation, scope.head.epoch) {
        confirm(draft, peer, id, &event, Vec::new(), None);
        return replayed(draft, &scope, &event);
    }
    if scope.head.ended && !removes_ours(draft, event.object()) {
        return forgotten(draft, event.object());
    }
    let follows = membership::follows(&scope.head, event.object());
    if !follows && !removes_ours(draft, event.object()) {
        return Err(Reject::new(RejectCode::FeedGap, "an event does not continue the chain that is held"));
    }
    let before = fanout::audience(&draft.state, id);
    let readers = local_members(draft, &scope);
    draft.changes.push(Change::Event { scope: id, incarnation, epoch, bytes: bytes.clone(), own: false });
    if follows {
        membership::apply(draft, id, event.object(), event.hash());
        goes_on(draft, id, event.object());
    } else {
        remove_across_gap(draft, id, event.object());
    }
    draft.mark(Mark::Scope(id));
    let after = fanout::audience(&draft.state, id);
    fanout::spread(draft, &before, &after);
    rejoined(draft, id, event.object());
    leaving::disown(draft, peer, id);
    let (gone, purged) = after_change(draft, id, &readers);
    confirm(draft, peer, id, &event, gone, purged);
    Ok(())
}

/// The receipt for an event that names users of ours as gone, or that cost them their access (spec 8.3).
fn confirm(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    id: ScopeId,
    event: &Verified<Event>,
    mut users: Vec<UserId>,
    purged: Option<Purge>,
) {
    let followed = follows_roster(&draft.state, id);
    users.extend(event.object().ops.iter().filter_map(|op| match op {
        Op::Remove { user } | Op::Leave { user } if followed || draft.state.is_local(*user) => Some(*user),
        _ => None,
    }));
    users.sort_unstable();
    users.dedup();
    // An event of a branch that was left may name somebody who is in: it is not in force here.
    let members = draft.state.scope(id).map(|scope| scope.members.clone()).unwrap_or_default();
    users.retain(|user| members.get(user).is_none_or(|member| member.joined > event.object().epoch));
    if !users.is_empty() {
        let gone: Vec<String> = users.iter().map(ToString::to_string).collect();
        let line = AuditLine::of("removal.received").with(peer).at(id).saying(gone.join(" "));
        draft.note(line.proven(Proof::of(event, peer, None)));
    }
    let applied = draft.ctx.now;
    send_receipt(draft, peer, Receipt { scope: id, event: event.hash(), users, applied, purged });
}

/// Whether own threads are addressed to this group of another owner: then its removals are ours to obey as well.
fn follows_roster(state: &State, id: ScopeId) -> bool {
    let mut links = state.links.values();
    links.any(|link| Some(link.group) == id.group() && Some(link.follower) == state.me())
}

/// A removal from a peer that has no say here any more: nothing changes, the receipt goes out (spec 8.9).
///
/// # Errors
/// The signature does not hold.
pub fn answer_removal(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let event: Verified<Event> = draft.open(bytes, None, peer)?;
    if let Some(id) = event.object().scope {
        confirm(draft, peer, id, &event, Vec::new(), None);
    }
    Ok(())
}

fn send_receipt(draft: &mut Draft<'_>, peer: WorkspaceId, receipt: Receipt) {
    if !receipt.users.is_empty() {
        confirmed(draft, peer, receipt);
    }
}

fn confirmed(draft: &mut Draft<'_>, peer: WorkspaceId, receipt: Receipt) {
    if broken(Switch::Receipt) {
        return;
    }
    let (scope, purged) = (receipt.scope, receipt.purged.clone());
    let receipt = draft.sign(receipt, Some(peer));
    let deleted = purged.map_or("readers remain".into(), |Purge { threads, entries, .. }| {
        format!("threads deleted: {threads}, entries: {entries}")
    });
    let line = AuditLine::of("removal.applied").with(peer).at(scope).saying(deleted);
    draft.note(line.proven(Proof::of(&receipt, draft.me(), Some(peer))));
    draft.feed(peer, &Item::Receipt { receipt: receipt.bytes().clone() });
}

/// Of a scope that was forgotten with its last reader an event changes nothing; for a new reader it takes the whole scope.
fn forgotten(draft: &Draft<'_>, event: &Event) -> Result<(), Reject> {
    let joins = |op: &Op| matches!(op, Op::Join { member, .. } if draft.state.is_local(member.user));
    if event.ops.iter().any(joins) {
        return Err(Reject::new(RejectCode::FeedGap, "a join to a scope that was forgotten: compare"));
    }
    Ok(())
}

/// In a new incarnation a thread goes on after the entry that it names; a frozen scope thaws (spec 12.3, 12.7).
fn goes_on(draft: &mut Draft<'_>, id: ScopeId, event: &Event) {
    let Some(Op::Incarnate { high, hash }) = event.ops.first() else { return };
    if let Some(head) =
        draft.state.scope(id).map(|scope| scope.head.clone()).filter(|head| head.frozen.is_some())
    {
        draft.put(Row::Scope(ScopeHead { frozen: None, ..head }));
    }
    if let Some(thread) = id.thread() {
        replica::truncate(draft, thread, *high, *hash);
    }
}

/// An event at or below the epoch held: the same one, or evidence against the owner (spec 4.2).
fn replayed(draft: &mut Draft<'_>, scope: &Scope, event: &Verified<Event>) -> Result<(), Reject> {
    let (incarnation, epoch) = (event.object().incarnation, event.object().epoch);
    let at_head = epoch == scope.head.epoch && incarnation == scope.head.incarnation;
    let held = signed_at(draft, scope.head.id, incarnation, epoch);
    let other = held.as_ref().is_some_and(|held| evidence::contradict(held, event.bytes()));
    if other || (at_head && event.hash() != scope.head.hash) {
        let objects = held.map(|held| (held, event.bytes().clone()));
        evidence::freeze(draft, &scope.head, "the owner signed two different events for one epoch", objects);
    }
    Ok(())
}

/// What the owner signed for an epoch, as it is held here: the event, or the snapshot by which the scope began.
fn signed_at(draft: &Draft<'_>, id: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob> {
    let records = draft.ctx.records;
    let base = || {
        let base = records.base(id)?;
        let claim = evidence::claim(&base)?;
        (claim.incarnation == incarnation && claim.position == epoch).then_some(base)
    };
    records.event(id, incarnation, epoch).or_else(base)
}

fn removes_ours(draft: &Draft<'_>, event: &Event) -> bool {
    event.ops.iter().any(|op| match op {
        Op::Remove { user } | Op::Leave { user } => draft.state.is_local(*user),
        Op::End {} => true,
        _ => false,
    })
}

/// A home applies a verified removal of its own user on receipt, whatever it missed before (spec 8.2).
fn remove_across_gap(draft: &mut Draft<'_>, id: ScopeId, event: &Event) {
    let ours = draft.state.scope(id).map(|scope| local_members(draft, scope)).unwrap_or_default();
    for op in &event.ops {
        match op {
            Op::Remove { user } | Op::Leave { user } => draft.delete(RowKey::Member((id, *user))),
            Op::End {} => ours.iter().for_each(|user| draft.delete(RowKey::Member((id, *user)))),
            _ => {}
        }
    }
}

fn local_members(draft: &Draft<'_>, scope: &Scope) -> BTreeSet<UserId> {
    scope.members.keys().filter(|user| draft.state.is_local(**user)).copied().collect()
}

/// A newcomer of ours may be entitled to older history than what is held.
fn rejoined(draft: &mut Draft<'_>, id: ScopeId, event: &Event) {
    let ours =
        event.ops.iter().any(|op| matches!(op, Op::Join { member, .. } if draft.state.is_local(member.user)));
    if ours || event.ops.iter().any(|op| matches!(op, Op::AddGroup { .. })) {
        reopen_granted(draft, id);
    }
}

/// Copies of foreign threads that the scope grants are fetched anew from where its newcomers may begin.
pub fn reopen_granted(draft: &mut Draft<'_>, id: ScopeId) {
    for thread in granted(draft, id) {
        reopen(draft, thread);
    }
}

fn reopen(draft: &mut Draft<'_>, thread: ThreadId) {
    let followed =
        draft.state.scope(thread).is_some_and(|scope| scope.head.owner != draft.me() && !scope.head.ended);
    match draft.state.logs.get(&thread).map(|log| (**log).clone()) {
        Some(log) if followed => {
            draft.put(Row::Log(Log { bottom: log.low <= 1 && log.high > 0, stale: true, ..log }))
        }
        None if followed => draft.put(Row::Log(Log::empty(thread, false))),
        _ => {}
    }
}

/// Threads whose content the scope grants.
fn granted(draft: &Draft<'_>, id: ScopeId) -> Vec<ThreadId> {
    match id {
        ScopeId::Thread(thread) => vec![thread],
        ScopeId::Group(group) => draft.state.addressed.get(&group).into_iter().flatten().copied().collect(),
    }
}

/// Access that ended with a change: live views and copies (spec 8.2). Who lost it, and what was deleted.
fn after_change(
    draft: &mut Draft<'_>,
    id: ScopeId,
    before: &BTreeSet<UserId>,
) -> (Vec<UserId>, Option<Purge>) {
    let now = draft.state.scope(id).map(|scope| local_members(draft, scope)).unwrap_or_default();
    let gone: Vec<UserId> = before.difference(&now).copied().collect();
    for thread in granted(draft, id) {
        replica::promote(draft, thread);
    }
    if !gone.is_empty() {
        draft.mark(Mark::Lost(id, gone.clone()));
    }
    (gone, drop_unread(draft, id))
}

/// Copies without a reader are deleted; of the scope only what a comparison needs stays (spec 8.2).
/// What, if anything went.
fn drop_unread(draft: &mut Draft<'_>, id: ScopeId) -> Option<Purge> {
    let mut purged = None;
    for thread in granted(draft, id) {
        posting::withdraw(draft, thread);
        let foreign = draft.state.scope(thread).is_some_and(|scope| scope.head.owner != draft.me());
        if foreign && !replica::has_reader(&draft.state, thread) {
            let entries = replica::purge(draft, thread);
            let all = purged.get_or_insert_with(Purge::begin);
            (all.threads, all.entries) = (all.threads + 1, all.entries + entries);
            forget_scope(draft, thread.into());
        }
    }
    if let ScopeId::Group(group) = id {
        let unread = draft.state.scope(id).is_some_and(|scope| local_members(draft, scope).is_empty());
        let linked =
            draft.state.links.values().any(|link| link.group == group && link.follower == draft.me());
        if unread && !linked {
            forget_scope(draft, id);
            purged = purged.or_else(|| Some(Purge::begin()));
        }
    }
    purged
}

/// Keeps position and hash of a scope, and our users' tombstones: the witness. Nothing else.
fn forget_scope(draft: &mut Draft<'_>, id: ScopeId) {
    let Some(scope) = draft.state.scope(id).cloned() else {
        return;
    };
    for user in scope.members.keys() {
        draft.delete(RowKey::Member((id, *user)));
    }
    let mut head = scope.head.clone();
    head.settings = membership::empty_settings();
    head.groups.clear();
    head.ended = true;
    let me = draft.me();
    head.tombstones.retain(|(user, _)| user.home() == me);
    draft.put(Row::Scope(head));
    membership::forget_former(draft, id);
}

/// A scope as it stands at its owner: we begin to follow it, or are brought up to date (spec 4.10).
///
/// # Errors
/// The signature does not hold, or somebody else owns the scope.
pub fn snapshot(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let opened: Verified<Snapshot> = draft.open(bytes, None, peer)?;
    let snapshot = opened.into_object();
    let held = draft.state.scope(snapshot.scope).cloned();
    if snapshot.owner != peer || held.as_ref().is_some_and(|held| held.head.owner != peer) {
        return Err(Reject::new(RejectCode::Contradiction, "a scope has one owner, and it is not the peer"));
    }
    if let Some(held) = &held {
        let (position, now) =
            ((held.head.incarnation, held.head.epoch), (snapshot.incarnation, snapshot.epoch));
        if now < position || (now == position && snapshot.hash != held.head.hash) {
            let signed = signed_at(draft, snapshot.scope, snapshot.incarnation, snapshot.epoch);
            let objects = signed.map(|signed| (signed, bytes.clone()));
            evidence::freeze(draft, &held.head, "the owner went back behind what it had signed", objects);
            return Ok(());
        }
    }
    let id = snapshot.scope;
    let before = fanout::audience(&draft.state, id);
    let readers = held.as_ref().map(|held| local_members(draft, held)).unwrap_or_default();
    let later = held.as_ref().is_some_and(|held| snapshot.incarnation > held.head.incarnation);
    replace(draft, snapshot, held.as_deref());
    draft.changes.push(Change::Base(id, bytes.clone()));
    if let Some(thread) = id.thread().filter(|_| later) {
        let (high, hash) = reign::goes_on(&draft.state, id).unwrap_or((0, crate::ids::Hash::ZERO));
        replica::truncate(draft, thread, high, hash);
    }
    leaving::disown(draft, peer, id);
    draft.mark(Mark::Scope(id));
    let after = fanout::audience(&draft.state, id);
    fanout::spread(draft, &before, &after);
    for thread in granted(draft, id) {
        reopen(draft, thread);
    }
    let hash = draft.state.scope(id).map_or(crate::ids::Hash::ZERO, |scope| scope.head.hash);
    let (users, purged) = after_change(draft, id, &readers);
    let applied = draft.ctx.now;
    send_receipt(draft, peer, Receipt { scope: id, event: hash, users, applied, purged });
    Ok(())
}

fn replace(draft: &mut Draft<'_>, snapshot: Snapshot, held: Option<&Scope>) {
    let id = snapshot.scope;
    let members = snapshot.members.clone();
    let tombstones = held.map(|held| held.head.tombstones.clone()).unwrap_or_default();
    draft.put(Row::Scope(ScopeHead::from_snapshot(snapshot, tombstones)));
    let kept: BTreeSet<UserId> = members.iter().map(|member| member.user).collect();
    for user in held.into_iter().flat_map(|held| held.members.keys()).filter(|user| !kept.contains(user)) {
        membership::part(draft, id, *user);
    }
    for member in members {
        draft.put(Row::Member(MemberRow { scope: id, member }));
    }
}

/// The owner says that none of our users is in the scope: what we took for memberships ends, with a receipt (spec 12.4).
pub fn not_here(draft: &mut Draft<'_>, owner: WorkspaceId, id: ScopeId, statement: &Blob) {
    let Some(scope) = draft.state.scope(id).cloned().filter(|scope| scope.head.owner == owner) else {
        return;
    };
    let users: Vec<UserId> = local_members(draft, &scope).into_iter().collect();
    let purged = Some(lose(draft, id));
    let (event, applied) = (crate::crypto::sha256(&[statement]), draft.ctx.now);
    let me = draft.me();
    if let Some(reign) = reign::last(&draft.state, id).filter(|reign| reign.from == me).cloned() {
        confirmed(draft, owner, Receipt { scope: id, event: reign.hash, users, applied, purged });
        return;
    }
    send_receipt(draft, owner, Receipt { scope: id, event, users, applied, purged });
}

/// The link to the owner is over: our users' access ends and the copies go, through whichever group they read (P7.5).
/// What was deleted.
pub fn lose(draft: &mut Draft<'_>, id: ScopeId) -> Purge {
    let mut purged = Purge::begin();
    let Some(scope) = draft.state.scope(id).cloned() else {
        return purged;
    };
    let owner = scope.head.owner;
    let granting: Vec<_> = match id {
        ScopeId::Thread(thread) => draft.state.granting(thread).cloned().collect(),
        ScopeId::Group(_) => vec![scope],
    };
    let ours: BTreeSet<UserId> = granting.iter().flat_map(|scope| local_members(draft, scope)).collect();
    for user in &ours {
        draft.delete(RowKey::Member((id, *user)));
    }
    draft.audit("scope.lost", None, Some(owner), Some(id), format!("{} people", ours.len()));
    draft.mark(Mark::Lost(id, ours.into_iter().collect()));
    draft.mark(Mark::Scope(id));
    purged = drop_unread(draft, id).unwrap_or(purged);
    if let ScopeId::Thread(thread) = id {
        purged.threads = purged.threads.max(1);
        purged.entries += replica::purge(draft, thread);
    }
    forget_scope(draft, id);
    purged
}
