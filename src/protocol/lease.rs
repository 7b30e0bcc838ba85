//! Leases (spec 11): a follower serves an owner's scopes only for a while after the owner's last word.
//!
//! Duty: asking, granting, and the two sides' reckoning of the end, of which the owner's is never the earlier.
//! Never: a wall clock in a decision, a lease on disk, a lease for a follower that lacks a row.

use super::{
    Change, Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    draft::linked,
    membership, policy, recovery,
    row::{PeerStatus, Row, ScopeHead},
    sabotage::{Switch, broken},
    uptime::Promise,
};
use crate::{
    ids::{Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    time::{Boot, Millis},
    wire::{
        Blob, Verified,
        frames::LeaseAsk,
        objects::{Lease, Op, ThreadKind},
    },
};

/// What either side takes off or adds for clocks that do not run alike (spec 11.3).
#[must_use]
pub fn allowance(ttl: u64) -> u64 {
    if broken(Switch::Allowance) { 0 } else { ttl.div_ceil(limits::LEASE_DRIFT_PARTS) }
}

/// When a follower that asked at `asked` stops serving scopes of this ttl.
#[must_use]
pub fn ends(asked: Boot, ttl: u64) -> Boot {
    asked.plus(ttl.saturating_sub(allowance(ttl)))
}

/// When an owner that answered at `given` may believe that its follower has stopped.
#[must_use]
pub fn surely_over(given: Boot, ttl: u64) -> Boot {
    given.plus(ttl.saturating_add(allowance(ttl)))
}

/// Whether a scope may be served as of the state's moment: it is ours, or its owner's lease is fresh. A DM needs none
/// (spec 4.3).
#[must_use]
pub fn fresh(state: &State, head: &ScopeHead) -> bool {
    Some(head.owner) == state.me()
        || head.kind == Some(ThreadKind::Dm)
        || fresh_for(state, head.owner, head.ttl)
}

/// Whether the lease of an owner is fresh for scopes of this ttl.
#[must_use]
pub fn fresh_for(state: &State, owner: WorkspaceId, ttl: u64) -> bool {
    let active = state.peers.get(&owner).is_some_and(|peer| peer.status == PeerStatus::Active);
    let held = state.uptime.held.get(&owner);
    active && (broken(Switch::Lease) || held.is_some_and(|asked| state.uptime.now < ends(*asked, ttl)))
}

/// Since when a scope waits for its owner, by the wall clock; `None`: it does not wait.
#[must_use]
pub fn waiting_since(state: &State, head: &ScopeHead) -> Option<Millis> {
    if fresh(state, head) {
        return None;
    }
    let uptime = &state.uptime;
    let ended = uptime.held.get(&head.owner).map_or(uptime.started, |asked| ends(*asked, head.ttl));
    Some(Millis(uptime.wall.0.saturating_sub(uptime.now.since(ended))))
}

/// Until when what an owner has here may be shown without another word of it; `None`: nothing of it needs one, or it may
/// not be shown now.
#[must_use]
pub fn held_until(state: &State, owner: WorkspaceId) -> Option<Millis> {
    let ttl = shortest(state, owner).filter(|ttl| fresh_for(state, owner, *ttl))?;
    let uptime = &state.uptime;
    uptime.held.get(&owner).map(|asked| uptime.wall.plus(ends(*asked, ttl).since(uptime.now)))
}

/// Until when, at the latest, a peer shows what is owned here without another word of ours, unless a scope says a shorter
/// time; `None`: it has not asked since the start.
#[must_use]
pub fn given_until(state: &State, peer: WorkspaceId) -> Option<Millis> {
    let uptime = &state.uptime;
    let given = uptime.given.get(&peer)?;
    let shared = state.scopes.values().filter(|scope| state.owns(scope.head.id) && !scope.head.ended);
    let longest = shared.filter(|scope| scope.homes.contains_key(&peer)).map(|scope| scope.head.ttl).max()?;
    Some(uptime.wall.plus(surely_over(*given, longest).since(uptime.now)))
}

/// The shortest ttl of the scopes that are followed of an owner; `None`: nothing is followed, no lease is needed.
#[must_use]
pub fn shortest(state: &State, owner: WorkspaceId) -> Option<u64> {
    let mut of_owner = state.followed.range((owner, 0)..=(owner, u64::MAX));
    of_owner.next().map(|((_, ttl), _)| *ttl)
}

/// By when, at the latest, a peer that has not confirmed a removal stops serving the scope (P7.4, spec 11.5): the last
/// lease, or one given at our own start, of the longest ttl that the peer may still believe in.
#[must_use]
pub fn latest(state: &State, peer: WorkspaceId, head: &ScopeHead) -> Millis {
    let uptime = &state.uptime;
    let believed = state.peers.get(&peer).and_then(|row| row.believes.iter().find(|(of, _)| *of == head.id));
    let ttl = believed.map_or(head.ttl, |(_, ttl)| head.ttl.max(*ttl));
    let given = uptime.given.get(&peer).copied().unwrap_or(uptime.started);
    // The owner before us may have given one until the moment at which the scope came here (spec 14.3).
    let given = uptime.taken.get(&head.id).map_or(given, |taken| given.max(*taken));
    uptime.wall.plus(surely_over(given, ttl).since(uptime.now))
}

/// A follower asks (spec 11.1). The grant counts every row that is queued for it, and travels behind them.
///
/// # Errors
/// The peering is not active, or what the follower holds is not what it was sent: only a comparison helps.
pub fn asked(draft: &mut Draft<'_>, peer: WorkspaceId, ask: &LeaseAsk) -> Result<Reply, Reject> {
    let row = linked(draft, peer)?;
    if row.status != PeerStatus::Active {
        return Err(Reject::new(RejectCode::PeerInactive, "the peering is not active"));
    }
    if !recovery::is_compared(&draft.state, peer) {
        return Err(recovery::checking());
    }
    let whole = ask.number == row.queued;
    let roster = roster(&draft.state, draft.me(), peer);
    let continues = ask.feed == row.feed
        && (row.acked..=row.queued).contains(&ask.number)
        && (!whole || (ask.hash == row.queued_hash && ask.roster.is_none_or(|theirs| theirs == roster)));
    if !continues {
        return Err(Reject::new(RejectCode::FeedGap, "the follower does not hold what it was sent: compare"));
    }
    let counted =
        if broken(Switch::Overtake) { (ask.number, ask.hash) } else { (row.queued, row.queued_hash) };
    let (feed, (number, hash), time) = (row.feed, counted, draft.ctx.now);
    let lease = draft.sign(Lease { nonce: ask.nonce, feed, number, hash, time }, Some(peer));
    draft.changes.push(Change::Promise(Promise::Given(peer, draft.ctx.boot)));
    Ok(Reply::Lease(number, lease.bytes().clone()))
}

/// An owner's grant arrives: it counts from the moment at which the request left, if exactly the rows are applied that
/// it speaks of.
///
/// # Errors
/// The signature does not hold, it answers another request, or rows are missing: compare.
pub fn granted(
    draft: &mut Draft<'_>,
    owner: WorkspaceId,
    nonce: Hash,
    asked: Boot,
    bytes: &Blob,
) -> Result<Reply, Reject> {
    let lease: Verified<Lease> = draft.open(bytes, Some(draft.me()), owner)?;
    let lease = lease.into_object();
    if lease.nonce != nonce {
        return Err(Reject::new(RejectCode::Stale, "a lease answers another request"));
    }
    if linked(draft, owner)?.inbound != Some((lease.feed, lease.number, lease.hash)) {
        return Err(Reject::new(RejectCode::FeedGap, "a lease speaks of rows that are not held: compare"));
    }
    // A gap that no tick has seen: what was withheld in it goes out again only if its end is noticed.
    tell(draft, owner);
    let promise = Promise::Held(owner, if broken(Switch::LateCount) { draft.ctx.boot } else { asked });
    draft.state.uptime.apply(&promise);
    draft.changes.push(Change::Promise(promise));
    tell(draft, owner);
    Ok(Reply::Done)
}

/// Readers are told what became visible or hidden of an owner's scopes since they were told last.
fn tell(draft: &mut Draft<'_>, owner: WorkspaceId) {
    let ttls = draft.state.followed.range((owner, 0)..=(owner, u64::MAX));
    let changed: Vec<(u64, bool)> = ttls
        .map(|((_, ttl), _)| (*ttl, fresh_for(&draft.state, owner, *ttl)))
        .filter(|(ttl, fresh)| draft.state.uptime.told.contains(&(owner, *ttl)) != *fresh)
        .collect();
    for (ttl, fresh) in &changed {
        let promise = Promise::Told(owner, *ttl, *fresh);
        draft.state.uptime.apply(&promise);
        draft.changes.push(Change::Promise(promise));
        let act = if *fresh { "lease.fresh" } else { "lease.over" };
        draft.audit(act, None, Some(owner), None, format!("scopes of {ttl} ms"));
    }
    if changed.is_empty() {
        return;
    }
    draft.mark(Mark::Lease(owner));
    for thread in spanning(&draft.state, owner) {
        draft.mark(Mark::Covered(thread));
    }
}

/// Own threads that are addressed to groups of this owner: what was written meanwhile goes out again.
fn spanning(state: &State, owner: WorkspaceId) -> Vec<ThreadId> {
    let links = state.links.values().filter(|link| Some(link.follower) == state.me());
    let of_owner =
        links.filter(|link| state.scope(link.group).is_some_and(|group| group.head.owner == owner));
    of_owner.map(|link| link.thread).collect()
}

/// Time passes: leases run out, and removals take effect at peers that do not answer.
pub fn tick(draft: &mut Draft<'_>) {
    let owners: std::collections::BTreeSet<WorkspaceId> =
        draft.state.followed.keys().map(|(owner, _)| *owner).collect();
    owners.into_iter().for_each(|owner| tell(draft, owner));
    super::removal::pass_deadlines(draft);
}

/// What a home's users are in, of one owner's scopes, as one sum: equal exactly if the rosters are (spec 11.1).
#[must_use]
pub fn roster(state: &State, owner: WorkspaceId, home: WorkspaceId) -> Hash {
    state.rosters.get(&(owner, home)).copied().unwrap_or(Hash::ZERO)
}

/// An admin of the scope sets how long its followers may serve it without a word from us (spec 11.4).
///
/// # Errors
/// The actor may not, or the ttl is out of bounds.
pub fn set_ttl(draft: &mut Draft<'_>, actor: UserId, id: ScopeId, ttl: u64) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_administer(&draft.state, actor, &scope)?;
    if !(limits::LEASE_LEAST_MILLIS..=limits::LEASE_MOST_MILLIS).contains(&ttl) {
        let (least, most) = (limits::LEASE_LEAST_MILLIS / 1000, limits::LEASE_MOST_MILLIS / 1000);
        let rule =
            format!("lease: strict (60 s), standard (300 s), relaxed (24 h), or {least} to {most} seconds");
        return Err(Reject::new(RejectCode::Invalid, rule));
    }
    if scope.head.ttl == ttl {
        return Ok(Reply::Already);
    }
    believe(draft, id, scope.head.ttl);
    membership::append(draft, id, actor, vec![Op::Lease { ttl }])?;
    draft.audit("lease.set", Some(actor), None, Some(id), format!("{ttl} ms"));
    Ok(Reply::Done)
}

/// Followers may believe in the longer ttl until they hold every row that is queued for them.
pub(super) fn believe(draft: &mut Draft<'_>, id: ScopeId, ttl: u64) {
    for peer in super::fanout::followers(&draft.state, id) {
        if let Some(row) = draft.state.peers.get(&peer) {
            let mut row = (**row).clone();
            let before = row.believes.iter().find(|(of, _)| *of == id).map_or(0, |(_, ttl)| *ttl);
            row.believes.retain(|(of, _)| *of != id);
            row.believes.push((id, ttl.max(before)));
            draft.put(Row::Peer(row));
        }
    }
}
