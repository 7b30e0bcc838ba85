//! The parting (spec 14.2, 14.3): the one decision by which a group leaves its owner, and what goes with it.
//!
//! Duty: a move only for what the new owner signed for; the estate; links of groups that follow from who owns what. Never:
//! an offer (`moving`), what a move does to others (`reign`).

use super::{
    Draft, Reject, State,
    command::RejectCode,
    fanout, invite, membership,
    moving::{Stand, Transfer, end_of, first_group, is_valid, open_row, over, scopes},
    recovery,
    reign::{self, Reign},
    removal,
    row::{GroupLink, Row, RowKey},
};
use crate::{
    ids::{GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine, Blob, Proof, Verified, envelope,
        frames::Item,
        objects::{Acceptance, Event, Op, Receipt, Word},
    },
};

/// An acceptance by the receiver of our offer; with the group's own, the last one, the group leaves.
///
/// # Errors
/// The signature does not hold.
pub fn accepted(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let acceptance: Verified<Acceptance> = draft.open(bytes, Some(draft.me()), peer)?;
    let object = acceptance.object();
    let row = open_row(draft, object.offer).ok().filter(|row| row.to == peer && row.from == draft.me());
    let Some(mut row) =
        row.filter(|row| row.stand == Stand::Wanted && row.scopes.len() < limits::MOVED_SCOPES)
    else {
        return Ok(());
    };
    row.scopes.retain(|(id, _)| *id != object.scope);
    row.scopes.push((object.scope, bytes.clone()));
    draft.put(Row::Transfer(row.clone()));
    if object.scope != row.group.into() {
        return Ok(());
    }
    if !is_valid(&draft.state, &row) {
        over(draft, row);
        return Ok(());
    }
    let moving = scopes(&draft.state, row.group);
    let fits = moving.iter().all(|id| {
        let found = row.scopes.iter().find(|(of, _)| of == id);
        found.is_some_and(|(_, bytes)| is_of_ours(draft, *id, bytes))
    });
    if fits {
        return leave(draft, row, &moving);
    }
    // Something of ours is newer than what was signed for: once more.
    let (offer, group, by) = (row.id, row.group, row.by);
    draft.put(Row::Transfer(Transfer { scopes: Vec::new(), ..row }));
    removal::state(draft, peer, Word::OfferMove { offer, group, by });
    Ok(())
}

/// Whether an acceptance names a position of our chain in this incarnation, and an entry that is ours.
fn is_of_ours(draft: &Draft<'_>, id: ScopeId, bytes: &Blob) -> bool {
    let (Ok(signed), Some(scope)) = (envelope::peek::<Acceptance>(bytes), draft.state.scope(id)) else {
        return false;
    };
    let event = || {
        let event = draft.ctx.records.event(id, signed.incarnation, signed.epoch)?;
        envelope::unverified_hash(2, None, &event).ok()
    };
    let head = &scope.head;
    let at_head = (signed.epoch, signed.previous) == (head.epoch, head.hash);
    let position = signed.incarnation == head.incarnation
        && (at_head || (signed.epoch < head.epoch && event() == Some(signed.previous)));
    let entry = || {
        let stored = id.thread().and_then(|thread| draft.ctx.records.stored(thread, signed.high))?;
        Some(stored.entry.hash())
    };
    let content = (signed.high, signed.hash) == end_of(&draft.state, id)
        || (signed.high == 0 && id.thread().is_some())
        || entry() == Some(signed.hash);
    position && content
}

/// The one decision by which a group leaves: one event per scope, the last of our time (spec 14.2).
fn leave(draft: &mut Draft<'_>, row: Transfer, moving: &[ScopeId]) -> Result<(), Reject> {
    for id in moving {
        recovery::ready(draft, *id)?;
    }
    let audiences: Vec<_> = moving.iter().map(|id| fanout::followers(&draft.state, *id)).collect();
    for (id, followers) in moving.iter().zip(audiences) {
        let Some((_, acceptance)) = row.scopes.iter().find(|(of, _)| of == id) else { continue };
        bequeath(draft, *id, row.to);
        let reign = give(draft, &row, *id, acceptance)?;
        for peer in followers {
            let (event, acceptance) = (reign.event.clone(), reign.acceptance.clone());
            draft.feed(peer, &Item::Moved { event, acceptance });
        }
        gave(draft, *id, row.to);
        reign::reroute(draft, *id, row.from, row.to);
        draft.put(Row::Reign(reign));
    }
    draft.put(Row::Transfer(Transfer { stand: Stand::Moved, ..row }));
    Ok(())
}

fn give(draft: &mut Draft<'_>, row: &Transfer, id: ScopeId, acceptance: &Blob) -> Result<Reign, Reject> {
    let signed = envelope::peek::<Acceptance>(acceptance)
        .map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
    let consent = envelope::unverified_hash(14, Some(row.from), acceptance)
        .map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
    let (high, hash) = end_of(&draft.state, id);
    let event = membership::link(draft, id, row.by, vec![Op::Move { to: row.to, consent, high, hash }])?;
    let proof: Proof = Proof::of::<Event>(&event, row.from, None);
    let line = AuditLine::of("scope.moved").by(row.by).with(row.to).at(id).saying(row.id.to_string());
    draft.note(line.proven(proof));
    Ok(Reign {
        scope: id,
        from: row.from,
        to: row.to,
        incarnation: event.object().incarnation,
        epoch: event.object().epoch,
        hash: event.hash(),
        begins: signed.begins,
        high,
        content: hash,
        event: event.bytes().clone(),
        acceptance: acceptance.clone(),
        root: false,
    })
}

/// What only we know of a scope goes to the new owner first.
fn bequeath(draft: &mut Draft<'_>, id: ScopeId, to: WorkspaceId) {
    let Some(head) = draft.state.scope(id).map(|scope| scope.head.clone()) else { return };
    let believes = draft.state.peers.values().flat_map(|peer| peer.believes.iter());
    let ttl = believes.filter(|(of, _)| *of == id).map(|(_, ttl)| *ttl).chain([head.ttl]).max();
    let ttl = ttl.unwrap_or(head.ttl);
    let mut chunks = head.tombstones.chunks(limits::ESTATE_ROWS);
    let first = chunks.next().unwrap_or_default();
    for gone in std::iter::once(first).chain(chunks) {
        draft.feed(to, &Item::Estate { scope: id, ttl, gone: gone.to_vec() });
    }
}

/// What the old owner knows of a scope that comes here: only restrictions.
pub fn inherits(draft: &mut Draft<'_>, peer: WorkspaceId, id: ScopeId, ttl: u64, gone: &[(UserId, u64)]) {
    let rows = draft.state.transfers.values();
    let mut signed = rows.filter(|row| row.from == peer && row.stand == Stand::Signed);
    let row = signed.find(|row| row.scopes.iter().any(|(of, _)| *of == id)).cloned();
    let head = draft.state.scope(id).map(|scope| scope.head.clone()).filter(|head| head.owner == peer);
    let (Some(row), Some(mut head)) = (row, head) else { return };
    for (user, epoch) in gone {
        if !head.tombstones.iter().any(|(of, _)| of == user) {
            head.tombstones.push((*user, *epoch));
        }
    }
    draft.put(Row::Scope(head));
    let mut row = (*row).clone();
    row.believed.retain(|(of, _)| *of != id);
    row.believed.push((id, ttl.min(limits::LEASE_MOST_MILLIS)));
    draft.put(Row::Transfer(row));
}

/// What ends at the old owner with a move: open invitations, and links that follow from owning the scope.
pub fn gave(draft: &mut Draft<'_>, id: ScopeId, to: WorkspaceId) {
    let open: Vec<_> = draft.state.open_offers(id).cloned().collect();
    open.into_iter().for_each(|sent| invite::void(draft, (*sent).clone()));
    relink(draft, id, to);
}

/// Groups of either side in threads of the other: the owner of each thread follows the rosters of groups that it does
/// not own. Both sides reckon it from what they hold; `other` is the other side.
pub fn relink(draft: &mut Draft<'_>, id: ScopeId, other: WorkspaceId) {
    let me = draft.me();
    let state = &draft.state;
    let pairs: Vec<(GroupId, ThreadId)> = match id {
        ScopeId::Thread(thread) => {
            let groups = state.scope(thread).map(|scope| scope.head.groups.clone()).unwrap_or_default();
            groups.into_iter().map(|at| (at.group, thread)).collect()
        }
        ScopeId::Group(group) => {
            state.addressed.get(&group).into_iter().flatten().map(|thread| (group, *thread)).collect()
        }
    };
    for (group, thread) in pairs {
        let owner = |id: ScopeId| draft.state.scope(id).map(|scope| scope.head.owner);
        let (Some(of_group), Some(of_thread)) = (owner(group.into()), owner(thread.into())) else { continue };
        let between = [of_group, of_thread].iter().all(|owner| *owner == me || *owner == other);
        if !between {
            continue;
        }
        if of_group == of_thread {
            draft.delete(RowKey::GroupLink((group, thread)));
            continue;
        }
        let goes_along = ScopeId::from(group) == id
            && draft.state.scope(thread).is_some_and(|scope| first_group(&scope.head) == Some(group));
        if goes_along {
            continue;
        }
        let followed = fanout::followers(&draft.state, group.into()).contains(&other);
        let (consent, hash) = (Blob::from(Vec::new()), Hash::ZERO);
        draft.put(Row::GroupLink(GroupLink { group, thread, follower: of_thread, consent, hash }));
        if of_group == me && of_thread == other && !followed && id != group.into() {
            fanout::introduce(draft, other, group.into());
        }
    }
}

/// A scope came here: who accepted it, and the longest ttl that followers may believe in.
pub fn taken(draft: &mut Draft<'_>, id: ScopeId, from: WorkspaceId) -> (Option<UserId>, u64) {
    let mine = draft.state.transfers.values().filter(|row| row.from == from && row.stand == Stand::Signed);
    let row = mine.into_iter().find(|row| row.scopes.iter().any(|(of, _)| *of == id)).cloned();
    let ttl = draft.state.scope(id).map_or(limits::LEASE_STANDARD_MILLIS, |scope| scope.head.ttl);
    let Some(row) = row else { return (None, ttl) };
    let believed =
        row.believed.iter().find(|(of, _)| *of == id).map_or(ttl, |(_, believed)| ttl.max(*believed));
    if row.scopes.iter().all(|(of, _)| draft.state.owns(*of)) {
        draft.put(Row::Transfer(Transfer { stand: Stand::Moved, ..(*row).clone() }));
    }
    (row.accepted_by, believed)
}

/// The old owner deleted its copy of a scope that came here (spec 14.3).
pub fn confirmed(draft: &mut Draft<'_>, peer: WorkspaceId, receipt: &Receipt, bytes: &Blob, proof: &Proof) {
    let moved = reign::last(&draft.state, receipt.scope)
        .is_some_and(|reign| reign.from == peer && reign.hash == receipt.event && reign.to == draft.me());
    let rows = draft.state.transfers.values();
    let mut rows = rows.filter(|row| row.from == peer && row.to == draft.me());
    let row = rows.find(|row| row.scopes.iter().any(|(of, _)| *of == receipt.scope)).cloned();
    let Some(row) = row.filter(|_| moved) else { return };
    let mut row = (*row).clone();
    row.receipts.retain(|(of, ..)| *of != receipt.scope);
    row.receipts.push((receipt.scope, draft.ctx.now, bytes.clone()));
    draft.put(Row::Transfer(row));
    let line = AuditLine::of("move.purged").with(peer).at(receipt.scope);
    let entries = receipt.purged.as_ref().map_or(0, |purged| purged.entries);
    draft.note(line.saying(format!("entries deleted: {entries}")).proven(proof.clone()));
}

/// Whether an event gives a scope to this workspace.
#[must_use]
pub fn comes_here(state: &State, event: &Blob) -> bool {
    let event = envelope::peek::<Event>(event);
    event.is_ok_and(|event| matches!(event.ops.as_slice(), [Op::Move { to, .. }] if Some(*to) == state.me()))
}
