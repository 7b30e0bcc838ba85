//! Membership chains (spec 4): new links by the owner, and what a link does to the rows of a scope.
//!
//! Duty: `append` for owners, `apply` for everybody. Never: judging whether the actor may (`policy`).

use std::collections::BTreeSet;

use super::{
    Change, Draft, Mark, Reject,
    command::RejectCode,
    fanout::{self, Audience},
    recovery,
    row::{Former, Log, MemberRow, Row, RowKey, ScopeHead},
};
use crate::{
    ids::{GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        Verified,
        objects::{Event, Extensions, Member, Op, Settings},
    },
};

/// Begins a chain: the id is the hash of the first event (spec 4.1).
pub fn create(draft: &mut Draft<'_>, actor: UserId, first: Op, members: Vec<Member>) -> ScopeId {
    let joins = members.into_iter().map(|member| Op::Join { member, invite: None, consent: None });
    let event = event(draft, None, 0, Hash::ZERO, actor, std::iter::once(first).chain(joins).collect());
    let id = id_of(&event);
    begin(draft, id, &event);
    id
}

/// The id of the scope that a first event makes.
#[must_use]
pub fn id_of(event: &Verified<Event>) -> ScopeId {
    match event.object().ops.first() {
        Some(Op::CreateThread { .. }) => ScopeId::Thread(ThreadId(event.hash().0)),
        _ => ScopeId::Group(GroupId(event.hash().0)),
    }
}

fn begin(draft: &mut Draft<'_>, id: ScopeId, event: &Verified<Event>) {
    let head = first_head(draft.me(), id, event.object(), event.hash());
    draft.put(Row::Scope(head));
    if let Some(thread) = id.thread() {
        draft.put(Row::Log(Log::empty(thread, true)));
    }
    let before = Audience::default();
    apply(draft, id, event.object(), event.hash());
    record(draft, id, event);
    fanout::announce(draft, id, &before, event.bytes());
}

/// An own scope that was forgotten begins again by its own first event (spec 12.4).
pub(super) fn recreate(draft: &mut Draft<'_>, id: ScopeId, event: &Verified<Event>) {
    begin(draft, id, event);
}

/// An own link that was forgotten is put back in its place (spec 12.4).
pub(super) fn replay(draft: &mut Draft<'_>, id: ScopeId, event: &Verified<Event>) {
    for user in event.object().ops.iter().filter_map(Op::ends_place_of) {
        super::removal::void_invitations(draft, id, user);
    }
    let before = fanout::audience(&draft.state, id);
    apply(draft, id, event.object(), event.hash());
    record(draft, id, event);
    fanout::announce(draft, id, &before, event.bytes());
}

/// Whether a link is the next one after a head: the next epoch, or the first one of a later incarnation (spec 4.2, 12.3).
#[must_use]
pub fn follows(head: &ScopeHead, event: &Event) -> bool {
    let begins = matches!(event.ops.first(), Some(Op::Incarnate { .. }));
    let next = if begins {
        event.incarnation > head.incarnation && event.epoch == recovery::first_epoch(event.incarnation)
    } else {
        event.incarnation == head.incarnation && event.epoch == head.epoch + 1
    };
    next && event.previous == head.hash
}

/// Appends a link to a chain that is owned here, and tells everybody whom it concerns (spec 4.2, 9.5).
///
/// # Errors
/// The scope is unknown or over, or its followers are still being asked what they hold (spec 12.1).
pub fn append(draft: &mut Draft<'_>, id: ScopeId, actor: UserId, ops: Vec<Op>) -> Result<u64, Reject> {
    recovery::ready(draft, id)?;
    append_now(draft, id, actor, ops)
}

/// The same without asking whether followers may know of something later (spec 12.3).
///
/// # Errors
/// The scope is unknown or over.
pub(super) fn append_now(
    draft: &mut Draft<'_>,
    id: ScopeId,
    actor: UserId,
    ops: Vec<Op>,
) -> Result<u64, Reject> {
    let before = fanout::audience(&draft.state, id);
    let event = link(draft, id, actor, ops)?;
    fanout::announce(draft, id, &before, event.bytes());
    Ok(event.object().epoch)
}

/// The link alone: in force here, and nobody is told.
///
/// # Errors
/// The scope is unknown, over or not ours.
pub(super) fn link(
    draft: &mut Draft<'_>,
    id: ScopeId,
    actor: UserId,
    ops: Vec<Op>,
) -> Result<Verified<Event>, Reject> {
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    if scope.head.owner != draft.me() {
        return Err(Reject::new(RejectCode::NotOwner, "another workspace owns this: ask there"));
    }
    if scope.head.ended {
        return Err(Reject::new(RejectCode::Closed, "this group or thread was ended"));
    }
    if scope.members.len() + ops.len() > limits::MEMBERS_PER_SCOPE + limits::OPS_PER_EVENT {
        return Err(Reject::new(RejectCode::Quota, "the scope has as many members as it may have"));
    }
    let (incarnation, epoch) = match ops.first() {
        Some(Op::Incarnate { .. }) => {
            let above = recovery::signed_above(&draft.state, id).map_or(0, |(incarnation, _)| incarnation);
            let behind = recovery::behind(&draft.state, id).unwrap_or(0);
            let before = scope.head.incarnation.max(above).max(behind);
            let incarnation = recovery::next_incarnation(before, draft.random());
            (incarnation, recovery::first_epoch(incarnation))
        }
        _ => (scope.head.incarnation, scope.head.epoch + 1),
    };
    let event = event(draft, Some((id, incarnation)), epoch, scope.head.hash, actor, ops);
    apply(draft, id, event.object(), event.hash());
    record(draft, id, &event);
    Ok(event)
}

fn event(
    draft: &Draft<'_>,
    scope: Option<(ScopeId, u64)>,
    epoch: u64,
    previous: Hash,
    actor: UserId,
    ops: Vec<Op>,
) -> Verified<Event> {
    let (time, incarnation) = (draft.ctx.now, scope.map_or(0, |(_, incarnation)| incarnation));
    let scope = scope.map(|(id, _)| id);
    draft.sign(
        Event { scope, incarnation, epoch, previous, time, actor, ops, extensions: Extensions::default() },
        None,
    )
}

fn record(draft: &mut Draft<'_>, scope: ScopeId, event: &Verified<Event>) {
    let (incarnation, epoch, bytes) =
        (event.object().incarnation, event.object().epoch, event.bytes().clone());
    draft.changes.push(Change::Event { scope, incarnation, epoch, bytes, own: true });
    draft.mark(Mark::Scope(scope));
}

/// The head of a chain that consists of its first event.
fn first_head(owner: WorkspaceId, id: ScopeId, event: &Event, hash: Hash) -> ScopeHead {
    let (kind, settings) = match event.ops.first() {
        Some(Op::CreateThread { kind, settings, .. }) => (Some(*kind), settings.clone()),
        Some(Op::CreateGroup { settings, .. }) => (None, settings.clone()),
        _ => (None, empty_settings()),
    };
    ScopeHead {
        id,
        owner,
        kind,
        starter: event.actor,
        incarnation: 0,
        epoch: 0,
        hash,
        settings,
        groups: Vec::new(),
        ttl: limits::LEASE_STANDARD_MILLIS,
        tombstones: Vec::new(),
        ended: false,
        frozen: None,
    }
}

/// Settings before the first event named them.
#[must_use]
pub fn empty_settings() -> Settings {
    Settings {
        name: String::new(),
        externals: false,
        open_invites: false,
        replies_off: false,
        locked: false,
        closed: false,
        open: false,
    }
}

/// Writes what a verified link says into the rows: by owner and follower alike, so that replaying a
/// chain gives the state (spec 4.9). The caller has checked that the link is the next one.
pub fn apply(draft: &mut Draft<'_>, id: ScopeId, event: &Event, hash: Hash) {
    let Some(scope) = draft.state.scope(id).cloned() else {
        return;
    };
    let mut head = scope.head.clone();
    (head.incarnation, head.epoch, head.hash) = (event.incarnation, event.epoch, hash);
    let gone: BTreeSet<_> = event.ops.iter().filter_map(Op::ends_place_of).collect();
    if !gone.is_empty() {
        head.tombstones.retain(|(of, _)| !gone.contains(of));
        head.tombstones.extend(gone.into_iter().map(|user| (user, event.epoch)));
    }
    for op in &event.ops {
        apply_to_head(&mut head, op);
    }
    draft.put(Row::Scope(head));
    for op in &event.ops {
        apply_to_members(draft, id, op);
    }
    if draft.state.scope(id).is_some_and(|scope| scope.head.ended) {
        let users: Vec<_> =
            draft.state.scope(id).into_iter().flat_map(|scope| scope.members.keys().copied()).collect();
        users.into_iter().for_each(|user| draft.delete(RowKey::Member((id, user))));
        forget_former(draft, id);
    }
}

/// A member is one no more; what he wrote keeps its author's name. Own users are known anyway.
pub(super) fn part(draft: &mut Draft<'_>, scope: ScopeId, user: UserId) {
    let member = draft.state.scope(scope).and_then(|scope| scope.members.get(&user)).cloned();
    if let Some(member) = member.filter(|_| !draft.state.is_local(user)) {
        draft.put(Row::Former(Former { scope, user, profile: member.profile.clone() }));
    }
    draft.delete(RowKey::Member((scope, user)));
}

/// Nothing of the scope is left to read.
pub(super) fn forget_former(draft: &mut Draft<'_>, scope: ScopeId) {
    let keys: Vec<_> = draft.state.former.keys().filter(|(_, of)| *of == scope).copied().collect();
    keys.into_iter().for_each(|key| draft.delete(RowKey::Former(key)));
}

fn apply_to_head(head: &mut ScopeHead, op: &Op) {
    match op {
        Op::CreateGroup { settings, .. } | Op::CreateThread { settings, .. } | Op::Settings { settings } => {
            head.settings = settings.clone();
        }
        Op::AddGroup { recipient, .. } => {
            head.groups.retain(|at| at.group != recipient.group);
            head.groups.push(recipient.clone());
        }
        Op::RemoveGroup { group } => head.groups.retain(|at| at.group != *group),
        Op::End {} => {
            head.ended = true;
            head.groups.clear();
        }
        Op::Lease { ttl } => head.ttl = *ttl,
        Op::Move { to, .. } => head.owner = *to,
        Op::Join { .. }
        | Op::Leave { .. }
        | Op::Remove { .. }
        | Op::Grade { .. }
        | Op::Profile { .. }
        | Op::Incarnate { .. } => {}
    }
}

fn apply_to_members(draft: &mut Draft<'_>, scope: ScopeId, op: &Op) {
    let present = |draft: &Draft<'_>, user: &UserId| {
        draft.state.scope(scope).and_then(|scope| scope.members.get(user)).map(|member| (**member).clone())
    };
    match op {
        Op::Join { member, .. } => draft.put(Row::Member(MemberRow { scope, member: member.clone() })),
        Op::Leave { user } | Op::Remove { user } => part(draft, scope, *user),
        Op::Grade { user, grade } => {
            if let Some(member) = present(draft, user) {
                let member = Member { grade: *grade, ..member };
                draft.put(Row::Member(MemberRow { scope, member }));
            }
        }
        Op::Profile { user, profile } => {
            if let Some(member) = present(draft, user) {
                let member = Member { profile: profile.clone(), ..member };
                draft.put(Row::Member(MemberRow { scope, member }));
            }
        }
        _ => {}
    }
}

impl Log {
    /// A chain without entries. The owner holds it from entry 1; a follower has yet to ask.
    #[must_use]
    pub fn empty(thread: ThreadId, owned: bool) -> Self {
        let none = (Vec::new(), Vec::new(), Vec::new());
        Self {
            thread,
            low: 1,
            high: 0,
            hash: Hash::ZERO,
            below: Hash::ZERO,
            covers: none.0,
            pending: none.1,
            marks: none.2,
            time: crate::time::Millis(0),
            stale: !owned,
            bottom: owned,
        }
    }
}
