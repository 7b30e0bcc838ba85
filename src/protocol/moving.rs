//! Moving a group to another workspace (spec 14.1 to 14.3; P5.4): the offer and the answers to it.
//!
//! Duty: who may offer and accept, what moves with a group, an acceptance once every copy is whole. Never: a signature for
//! a history that is not here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout, gate, policy, recovery, removal,
    row::{Log, PeerStatus, Role, Row, ScopeHead},
    state::Scope,
};
use crate::{
    ids::{GroupId, Hash, MoveId, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    time::Millis,
    wire::{
        Blob,
        frames::Item,
        objects::{Acceptance, Word},
    },
};

/// Where an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// The other side has to say whether it wants it.
    Offered,
    /// It does, and fetches what it lacks.
    Wanted,
    /// It holds everything and has signed.
    Signed,
    /// The group has moved.
    Moved,
    /// Taken back, declined, or void because who offered it may not any more.
    Over,
}

/// An offer to move a group, at both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Which.
    pub id: MoveId,
    /// The group.
    pub group: GroupId,
    /// The owner.
    pub from: WorkspaceId,
    /// To whom.
    pub to: WorkspaceId,
    /// Who offered it.
    pub by: UserId,
    /// Who accepted it; known to the new owner.
    pub accepted_by: Option<UserId>,
    /// When the offer was made, or came.
    pub time: Millis,
    /// Where it stands.
    pub stand: Stand,
    /// What moves: acceptances by scope, as signed.
    pub scopes: Vec<(ScopeId, Blob)>,
    /// The longest ttl that followers may believe in, by scope.
    pub believed: Vec<(ScopeId, u64)>,
    /// The old owner's word that it deleted its copy: scope, when it came, the receipt.
    pub receipts: Vec<(ScopeId, Millis, Blob)>,
}

impl Transfer {
    /// Whether something may still come of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.stand, Stand::Offered | Stand::Wanted | Stand::Signed)
    }
}

/// What moves with a group: itself, its chat, and the topics of its owner of which it is the first group (P6.1).
#[must_use]
pub fn scopes(state: &State, group: GroupId) -> Vec<ScopeId> {
    let Some(own) = state.scope(group).filter(|scope| !scope.head.ended) else { return Vec::new() };
    let addressed = state.addressed.get(&group).into_iter().flatten();
    let threads = addressed.filter_map(|thread| state.scope(*thread)).filter(|scope| {
        scope.head.owner == own.head.owner && !scope.head.ended && first_group(&scope.head) == Some(group)
    });
    std::iter::once(group.into()).chain(threads.map(|scope| scope.head.id)).collect()
}

pub(super) fn first_group(head: &ScopeHead) -> Option<GroupId> {
    head.groups.iter().min_by_key(|at| at.added).map(|at| at.group)
}

/// Groups of third workspaces in what moves, and threads of third workspaces that are addressed to the group: each
/// consent names the owner of now (spec 6.6), so a move would cut them unseen.
fn third_parties(state: &State, group: GroupId, to: WorkspaceId) -> bool {
    let here = |owner: WorkspaceId| Some(owner) == state.me() || owner == to;
    let outside = state.links.values().any(|link| link.group == group && !here(link.follower));
    let inside = scopes(state, group).into_iter().filter_map(|id| state.scope(id)).any(|scope| {
        let owners = scope.head.groups.iter().filter_map(|at| state.scope(at.group));
        owners.into_iter().any(|group| !here(group.head.owner))
    });
    outside || inside
}

fn active(state: &State, peer: WorkspaceId) -> bool {
    state.peers.get(&peer).is_some_and(|row| row.status == PeerStatus::Active)
}

/// Whether a group of ours can be offered to a workspace by a user of ours.
///
/// # Errors
/// Why not, and what to do.
pub fn may_offer(state: &State, actor: UserId, group: GroupId, to: WorkspaceId) -> Result<Scope, Reject> {
    let invalid = |why: &str| Err(Reject::new(RejectCode::Invalid, why));
    let scope = policy::own_scope(state, actor, group.into())?;
    policy::may_administer(state, actor, &scope)?;
    if Some(to) == state.me() {
        return invalid("the group is owned here already");
    }
    if !active(state, to) {
        return Err(Reject::new(RejectCode::PeerInactive, "only an active peer can take a group over"));
    }
    if !scope.homes.contains_key(&to) {
        return invalid("the other workspace has nobody in this group: invite its admin first");
    }
    if third_parties(state, group, to) {
        return invalid("the group shares threads with groups of a third workspace: take it off them first");
    }
    if scopes(state, group).len() > limits::MOVED_SCOPES {
        return Err(Reject::new(
            RejectCode::Quota,
            "the group has too many threads to move: end old ones first",
        ));
    }
    Ok(scope)
}

/// An admin of a group offers it to another workspace (P5.4).
///
/// # Errors
/// The actor may not, or the other side cannot take it.
pub fn offer(draft: &mut Draft<'_>, actor: UserId, group: GroupId, to: WorkspaceId) -> Result<Reply, Reject> {
    may_offer(&draft.state, actor, group, to)?;
    let open = || draft.state.transfers.values().filter(|row| row.is_open());
    if let Some(same) = open().find(|row| row.group == group) {
        if same.to == to {
            return Ok(Reply::Offered(same.id));
        }
        return Err(Reject::new(
            RejectCode::Conflict,
            "the group is offered to another workspace: withdraw that",
        ));
    }
    if open().count() >= limits::OPEN_MOVES {
        return Err(Reject::new(RejectCode::Quota, "too many moves are open: withdraw some first"));
    }
    let id = MoveId(draft.random());
    let row = fresh(draft, id, group, (draft.me(), to), actor);
    draft.put(Row::Transfer(row));
    removal::state(draft, to, Word::OfferMove { offer: id, group, by: actor });
    draft.audit("move.offered", Some(actor), Some(to), Some(group.into()), id.to_string());
    draft.mark(Mark::Scope(group.into()));
    Ok(Reply::Offered(id))
}

fn fresh(
    draft: &Draft<'_>,
    id: MoveId,
    group: GroupId,
    (from, to): (WorkspaceId, WorkspaceId),
    by: UserId,
) -> Transfer {
    Transfer {
        id,
        group,
        from,
        to,
        by,
        accepted_by: None,
        time: draft.ctx.now,
        stand: Stand::Offered,
        scopes: Vec::new(),
        believed: Vec::new(),
        receipts: Vec::new(),
    }
}

/// A peer offers a group of its own. The same offer again: what we signed does not fit any more.
pub fn offered(draft: &mut Draft<'_>, peer: WorkspaceId, id: MoveId, group: GroupId, by: UserId) {
    if let Some(row) = draft.state.transfers.get(&id).filter(|row| row.from == peer).cloned() {
        if row.stand == Stand::Signed {
            draft.put(Row::Transfer(Transfer { stand: Stand::Wanted, ..(*row).clone() }));
            progress(draft);
        }
        return;
    }
    let theirs = draft.state.scope(group).is_some_and(|scope| scope.head.owner == peer && !scope.head.ended);
    let open = draft.state.transfers.values().filter(|row| row.is_open() && row.from == peer).count();
    if !theirs || open >= limits::OPEN_MOVES || draft.state.transfers.contains_key(&id) {
        return;
    }
    let row = fresh(draft, id, group, (peer, draft.me()), by);
    draft.put(Row::Transfer(row));
    // Its admins are to look.
    draft.mark(Mark::Peer(peer));
    draft.audit("move.received", Some(by), Some(peer), Some(group.into()), id.to_string());
}

pub(super) fn open_row(draft: &Draft<'_>, id: MoveId) -> Result<Transfer, Reject> {
    let row = draft.state.transfers.get(&id).filter(|row| row.is_open());
    row.map(|row| (**row).clone()).ok_or_else(Reject::not_found)
}

/// Our admin wants what a peer offers; it takes effect once our copies are whole.
///
/// # Errors
/// He is no admin, there is no such offer, or our people are not in the group.
pub fn want(draft: &mut Draft<'_>, admin: UserId, id: MoveId) -> Result<Reply, Reject> {
    let row = open_row(draft, id).ok().filter(|row| row.to == draft.me() && is_admin(&draft.state, admin));
    let row = row.ok_or_else(Reject::not_found)?;
    if row.stand != Stand::Offered {
        return Ok(Reply::Already);
    }
    let here = draft.state.scope(row.group).is_some_and(|scope| {
        scope.head.owner == row.from && !scope.head.ended && scope.homes.contains_key(&draft.me())
    });
    if !here || !active(&draft.state, row.from) {
        let why = "nobody of this workspace is in the group, or its owner is no active peer: join it first";
        return Err(Reject::new(RejectCode::Invalid, why));
    }
    let (from, group) = (row.from, row.group);
    draft.put(Row::Transfer(Transfer { stand: Stand::Wanted, accepted_by: Some(admin), ..row }));
    removal::state(draft, from, Word::WantMove { offer: id });
    draft.audit("move.wanted", Some(admin), Some(from), Some(group.into()), id.to_string());
    progress(draft);
    Ok(Reply::Done)
}

pub(super) fn is_admin(state: &State, user: UserId) -> bool {
    state.users.get(&user).is_some_and(|row| row.role == Role::Admin)
}

/// The receiver of our offer wants it: from now on it may have the whole history.
pub fn wanted(draft: &mut Draft<'_>, peer: WorkspaceId, id: MoveId) {
    match open_row(draft, id).ok().filter(|row| row.to == peer && row.from == draft.me()) {
        Some(row) if is_valid(&draft.state, &row) => {
            draft.put(Row::Transfer(Transfer { stand: Stand::Wanted, ..row }));
        }
        Some(row) => over(draft, row),
        None => {}
    }
}

/// Whether who offered the group still may.
#[must_use]
pub fn is_valid(state: &State, row: &Transfer) -> bool {
    gate::standing(state, row.by) && may_offer(state, row.by, row.group, row.to).is_ok()
}

/// Whether a peer may have all entries of an own thread, because it is about to own it.
#[must_use]
pub fn opens(state: &State, peer: WorkspaceId, thread: ThreadId) -> bool {
    let mut open = state.transfers.values().filter(|row| row.to == peer && row.stand == Stand::Wanted);
    open.any(|row| state.owns(row.group) && scopes(state, row.group).contains(&thread.into()))
}

/// Whether we need all entries of a thread, because we are about to own it.
#[must_use]
pub fn wants_all(state: &State, thread: ThreadId) -> bool {
    let mut open = state.transfers.values().filter(|row| Some(row.to) == state.me() && row.is_open());
    open.any(|row| row.stand == Stand::Wanted && scopes(state, row.group).contains(&thread.into()))
}

/// Signs for the scopes of wanted moves of which everything is here; the group's acceptance is the last one.
pub fn progress(draft: &mut Draft<'_>) {
    let me = draft.me();
    let wanted = draft.state.transfers.values().filter(|row| row.to == me && row.stand == Stand::Wanted);
    for row in wanted.cloned().collect::<Vec<_>>() {
        let mut moving = scopes(&draft.state, row.group);
        let whole = moving.iter().all(|id| is_whole(&draft.state, *id));
        if !whole || moving.is_empty() {
            continue;
        }
        moving.rotate_left(1);
        let mut signed = Vec::new();
        for id in moving {
            if let Some(acceptance) = sign(draft, &row, id) {
                draft.feed(row.from, &Item::Acceptance { acceptance: acceptance.clone() });
                signed.push((id, acceptance));
            }
        }
        draft.put(Row::Transfer(Transfer { stand: Stand::Signed, scopes: signed, ..(*row).clone() }));
    }
}

/// Whether the copy of a thread is whole from entry 1, as far as we know.
fn is_whole(state: &State, id: ScopeId) -> bool {
    let log = |thread: ThreadId| state.logs.get(&thread);
    id.thread().is_none_or(|thread| log(thread).is_some_and(|log| log.low <= 1 && !log.stale))
}

fn sign(draft: &Draft<'_>, row: &Transfer, id: ScopeId) -> Option<Blob> {
    let head = &draft.state.scope(id)?.head;
    let (high, hash) = end_of(&draft.state, id);
    let acceptance = Acceptance {
        offer: row.id,
        scope: id,
        from: row.from,
        incarnation: head.incarnation,
        epoch: head.epoch,
        previous: head.hash,
        high,
        hash,
        begins: recovery::first_epoch(recovery::next_incarnation(head.incarnation, [0; 4])),
        time: draft.ctx.now,
    };
    Some(draft.sign(acceptance, Some(row.from)).bytes().clone())
}

/// The last entry of a thread and its hash.
pub(super) fn end_of(state: &State, id: ScopeId) -> (u64, Hash) {
    let log = id.thread().and_then(|thread| state.logs.get(&thread));
    log.map_or((0, Hash::ZERO), |log: &std::sync::Arc<Log>| (log.high, log.hash))
}

/// An offer is taken back by those who might have made it, or declined by an admin of the receiver.
///
/// # Errors
/// There is no such offer, for this user.
pub fn end(draft: &mut Draft<'_>, actor: UserId, id: MoveId) -> Result<Reply, Reject> {
    let row = open_row(draft, id)?;
    let may = if row.to == draft.me() {
        is_admin(&draft.state, actor)
    } else {
        let own = policy::own_scope(&draft.state, actor, row.group.into());
        own.is_ok_and(|scope| policy::administers(&draft.state, actor, &scope))
    };
    if !may {
        return Err(Reject::not_found());
    }
    let other = if row.to == draft.me() { row.from } else { row.to };
    draft.audit("move.ended", Some(actor), Some(other), Some(row.group.into()), id.to_string());
    over(draft, row);
    Ok(Reply::Done)
}

pub(super) fn over(draft: &mut Draft<'_>, row: Transfer) {
    let other = if row.to == draft.me() { row.from } else { row.to };
    let offer = row.id;
    draft.put(Row::Transfer(Transfer { stand: Stand::Over, scopes: Vec::new(), ..row }));
    if fanout::is_linked(&draft.state, other) {
        removal::state(draft, other, Word::EndMove { offer });
    }
}

/// The other side has ended an offer.
pub fn ended(draft: &mut Draft<'_>, peer: WorkspaceId, id: MoveId) {
    let row = open_row(draft, id).ok().filter(|row| row.from == peer || row.to == peer);
    if let Some(row) = row {
        draft.audit("move.ended", None, Some(peer), Some(row.group.into()), id.to_string());
        draft.put(Row::Transfer(Transfer { stand: Stand::Over, scopes: Vec::new(), ..row }));
    }
}

/// Time passes: an offer ends with the rights of who made it, and with the peering.
pub fn tick(draft: &mut Draft<'_>) {
    let me = draft.me();
    let void = |row: &&std::sync::Arc<Transfer>| {
        let gone = draft.state.peers.get(if row.from == me { &row.to } else { &row.from });
        let ended = gone.is_none_or(|peer| peer.status == PeerStatus::Ended);
        row.is_open() && (ended || (row.from == me && !is_valid_or_paused(&draft.state, row)))
    };
    for row in draft.state.transfers.values().filter(void).cloned().collect::<Vec<_>>() {
        draft.audit("move.void", None, None, Some(row.group.into()), row.id.to_string());
        over(draft, (*row).clone());
    }
    progress(draft);
}

fn is_valid_or_paused(state: &State, row: &Transfer) -> bool {
    is_valid(state, row) || !active(state, row.to)
}

/// Homes with people in the group that have no active peering with this workspace: they would be cut off by a move to
/// it (spec 14.1).
#[must_use]
pub fn cut(state: &State, group: GroupId) -> Vec<WorkspaceId> {
    let threads = scopes(state, group).into_iter().filter_map(|id| state.scope(id));
    let homes = threads.flat_map(|scope| scope.homes.keys().copied());
    let mut homes: Vec<_> = homes.filter(|home| Some(*home) != state.me() && !active(state, *home)).collect();
    homes.sort_unstable();
    homes.dedup();
    homes
}
