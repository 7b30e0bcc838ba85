//! When an owner does not come back (spec 14.7): its root key gives a group to a follower.
//!
//! Duty: the followers are asked first, reductions that the dead owner signed above the base stay, an owner that comes
//! back yields. Never: a handover by anything but the root key, a beginning before the followers had their time.

use serde::{Deserialize, Serialize};

use super::{
    Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout, follow, membership, moving, parting, recovery,
    reign::{self, Reign},
    row::{Log, Row, RowKey, ScopeHead},
    uptime::Promise,
    witness,
};
use crate::{
    ids::{GroupId, Hash, MoveId, ScopeId, UserId, WorkspaceId},
    limits,
    wire::{
        Blob, Verified, envelope,
        frames::Item,
        objects::{Event, Handover, Op},
    },
};

/// A handover to this workspace while the followers are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Succession {
    /// Its key.
    pub id: MoveId,
    /// The dead owner.
    pub from: WorkspaceId,
    /// Who took it.
    pub by: UserId,
    /// What is handed over, the group first, each with the handover as signed.
    pub scopes: Vec<(ScopeId, Blob)>,
    /// Followers that have not said yet what they hold.
    pub awaited: Vec<(WorkspaceId, ScopeId)>,
    /// Events of the dead owner above what is held here.
    pub above: Vec<(ScopeId, Blob)>,
}

/// Where a scope stands here: what a handover has to name.
#[must_use]
pub fn base(state: &State, id: ScopeId) -> Option<(u64, u64, Hash)> {
    state.scope(id).map(|scope| (scope.head.incarnation, scope.head.epoch, scope.head.hash))
}

/// What a handover of a followed group has to name: the group first.
#[must_use]
pub fn scopes(state: &State, group: GroupId) -> Vec<ScopeId> {
    if state.owns(group) { Vec::new() } else { moving::scopes(state, group) }
}

fn verify(draft: &Draft<'_>, bytes: &Blob) -> Result<Handover, Reject> {
    let malformed = |error: envelope::EnvelopeError| Reject::new(RejectCode::Malformed, error.to_string());
    let claimed: Handover = envelope::peek(bytes).map_err(malformed)?;
    let root = draft.state.homes.get(&claimed.from).map(|home| home.manifest.root);
    let by_root = |hint| root.filter(|root| root.id() == hint);
    let opened: Verified<Handover> = envelope::open(bytes, None, by_root)
        .map_err(|error| Reject::new(RejectCode::Signature, format!("handover: {error}")))?;
    Ok(opened.into_object())
}

/// Our admin takes over what the root key of a dead owner gave to this workspace. The followers are asked first.
///
/// # Errors
/// A signature does not hold, or it is not about something that is followed here.
pub fn take(draft: &mut Draft<'_>, admin: UserId, handovers: &[Blob]) -> Result<Reply, Reject> {
    let invalid = |why: &str| Reject::new(RejectCode::Invalid, why);
    if !moving::is_admin(&draft.state, admin) {
        return Err(Reject::not_found());
    }
    if handovers.is_empty() || handovers.len() > limits::MOVED_SCOPES {
        return Err(invalid("the file holds no handover, or too many"));
    }
    let (mut scopes, mut from) = (Vec::new(), None);
    for bytes in handovers {
        let handover = verify(draft, bytes)?;
        let id = handover.scope;
        if draft.state.owns(id) {
            return Ok(Reply::Already);
        }
        let held =
            draft.state.scope(id).filter(|scope| scope.head.owner == handover.from && !scope.head.ended);
        let head = held.map(|scope| scope.head.clone()).ok_or_else(Reject::not_found)?;
        let known = (handover.incarnation, handover.epoch) <= (head.incarnation, head.epoch)
            && (handover.epoch != head.epoch || handover.hash == head.hash);
        if handover.to != draft.me() || !known || from.is_some_and(|from| from != handover.from) {
            return Err(invalid(
                "the handover is for another workspace, or for a later state than is held here",
            ));
        }
        from = Some(handover.from);
        scopes.push((id, bytes.clone()));
    }
    let from = from.ok_or_else(Reject::not_found)?;
    let mut awaited = Vec::new();
    for (id, handover) in &scopes {
        recovery::promise(draft, Promise::Taken(*id, draft.ctx.boot));
        for peer in others(&draft.state, *id, from) {
            draft.feed(peer, &Item::HandedOver { handover: handover.clone(), high: 0, hash: Hash::ZERO });
            awaited.push((peer, *id));
        }
        draft.audit("handover.taken", Some(admin), Some(from), Some(*id), String::new());
    }
    let (id, above) = (MoveId(draft.random()), Vec::new());
    draft.put(Row::Succession(Succession { id, from, by: admin, scopes, awaited, above }));
    tick(draft);
    Ok(Reply::Done)
}

/// Followers of a scope that another workspace owns, which may know of something later.
fn others(state: &State, id: ScopeId, from: WorkspaceId) -> Vec<WorkspaceId> {
    let mut followers = fanout::followers(state, id);
    followers.remove(&from);
    followers.into_iter().collect()
}

/// A handover is shown: to a follower, which answers with what it holds; by one, as the end of its answer; to the owner
/// itself when it comes back (spec 14.7).
///
/// # Errors
/// It is not signed by the root key of the owner.
pub fn shown(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob, end: (u64, Hash)) -> Result<(), Reject> {
    let handover = verify(draft, bytes)?;
    let id = handover.scope;
    if handover.to == draft.me() {
        answered(draft, peer, id);
        return Ok(());
    }
    let (high, content) = end;
    let known = reign::last(&draft.state, id).filter(|reign| reign.root && reign.event == *bytes).cloned();
    if let Some(known) = known {
        if peer == handover.to && high > 0 {
            draft.put(Row::Reign(Reign { high, content, ..(*known).clone() }));
        }
        return Ok(());
    }
    let reign = of(&handover, bytes, end);
    match draft.state.scope(id).map(|scope| scope.head.clone()) {
        Some(head) if head.owner == handover.from => yields(draft, head, &handover, reign),
        None if peer == handover.to => draft.put(Row::Reign(reign)),
        _ => {}
    }
    Ok(())
}

fn of(handover: &Handover, bytes: &Blob, (high, content): (u64, Hash)) -> Reign {
    let Handover { scope, from, to, incarnation, epoch, hash, time: _ } = *handover;
    let begins = recovery::first_epoch(recovery::next_incarnation(incarnation, [0; 4]));
    let (event, acceptance, root) = (bytes.clone(), Blob::from(Vec::new()), true);
    Reign { scope, from, to, incarnation, epoch, hash, begins, high, content, event, acceptance, root }
}

/// A follower, or the owner itself, tells the new owner what is above the base, and takes its word from then on.
fn yields(draft: &mut Draft<'_>, head: ScopeHead, handover: &Handover, reign: Reign) {
    let (id, to) = (reign.scope, reign.to);
    let own = head.owner == draft.me();
    let above = draft.ctx.records.events(id, handover.epoch + 1);
    let above: Vec<Blob> =
        above.into_iter().filter(|event| reign::signed_by(draft, event, handover.from)).collect();
    for event in above {
        draft.feed(to, &Item::Event { event });
    }
    let log = id.thread().and_then(|thread| draft.state.logs.get(&thread)).map(|log| (**log).clone());
    let (high, hash) = log.as_ref().map_or((0, Hash::ZERO), |log| (log.high, log.hash));
    draft.feed(to, &Item::HandedOver { handover: reign.event.clone(), high, hash });
    if let Some(log) = log {
        draft.put(Row::Log(Log { stale: true, pending: Vec::new(), ..log }));
    }
    let Handover { incarnation, epoch, hash: base, .. } = *handover;
    let behind = (head.incarnation, head.epoch) <= (incarnation, epoch);
    let position =
        if own || behind { (incarnation, epoch, base) } else { (head.incarnation, head.epoch, head.hash) };
    let (incarnation, epoch, hash) = position;
    let from = head.owner;
    draft.put(Row::Scope(ScopeHead { owner: to, incarnation, epoch, hash, ..head }));
    if own {
        parting::gave(draft, id, to);
    }
    reign::reroute(draft, id, from, to);
    draft.put(Row::Reign(Reign { high, content: log_hash(draft, id), ..reign }));
    draft.audit("scope.handed-over", None, Some(to), Some(id), format!("from {from}"));
    draft.mark(Mark::Scope(id));
}

fn log_hash(draft: &Draft<'_>, id: ScopeId) -> Hash {
    let log = id.thread().and_then(|thread| draft.state.logs.get(&thread));
    log.map_or(Hash::ZERO, |log| log.hash)
}

/// A follower has said all.
fn answered(draft: &mut Draft<'_>, peer: WorkspaceId, id: ScopeId) {
    let rows = draft.state.successions.values();
    let mut of_scope = rows.filter(|row| row.scopes.iter().any(|(of, _)| *of == id));
    if let Some(mut row) = of_scope.next().map(|row| (**row).clone()) {
        row.awaited.retain(|awaited| *awaited != (peer, id));
        draft.put(Row::Succession(row));
        tick(draft);
    }
}

/// An event of a dead owner, from whoever holds it. Whether it was one.
///
/// # Errors
/// Too many are held already.
pub fn heard(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<bool, Reject> {
    let Ok(event) = envelope::peek::<Event>(bytes) else { return Ok(false) };
    let Some(id) = event.scope else { return Ok(false) };
    let at = (event.incarnation, event.epoch);
    let row =
        draft.state.successions.values().find(|row| row.scopes.iter().any(|(of, _)| *of == id)).cloned();
    if let Some(row) = row.filter(|row| row.from != peer && reign::signed_by(draft, bytes, row.from)) {
        if !is_above(&row, id, at) {
            return Ok(true);
        }
        if row.above.len() >= limits::ESTATE_ROWS * 10 {
            return Err(Reject::new(RejectCode::Quota, "too many events above the base of a handover"));
        }
        let mut row = (*row).clone();
        row.above.retain(|(_, held)| held != bytes);
        row.above.push((id, bytes.clone()));
        draft.put(Row::Succession(row));
        return Ok(true);
    }
    let late = reign::last(&draft.state, id)
        .filter(|reign| reign.root && draft.state.owns(id) && reign::signed_by(draft, bytes, reign.from));
    let Some(late) = late else { return Ok(false) };
    if at > (late.incarnation, late.epoch) {
        witness::restrict(draft, id, &event);
    }
    Ok(true)
}

/// What lies at or below the base was in force there already, and may have been taken back since (spec 14.7).
fn is_above(row: &Succession, id: ScopeId, at: (u64, u64)) -> bool {
    let of_scope = row.scopes.iter().find(|(of, _)| *of == id);
    let base = of_scope.and_then(|(_, handover)| envelope::peek::<Handover>(handover).ok());
    base.is_some_and(|base| at > (base.incarnation, base.epoch))
}

/// Time passes: silence is an answer after a while (spec 12.1).
pub fn tick(draft: &mut Draft<'_>) {
    if recovery::is_checking(&draft.state) {
        return;
    }
    for row in draft.state.successions.values().cloned().collect::<Vec<_>>() {
        let overdue = row.scopes.iter().all(|(id, _)| recovery::is_overdue(&draft.state, *id));
        if !(row.awaited.is_empty() || overdue) {
            continue;
        }
        draft.delete(RowKey::Succession(row.id));
        for (id, handover) in &row.scopes {
            if let Err(reject) = begin(draft, &row, *id, handover) {
                draft.audit("handover.failed", Some(row.by), Some(row.from), Some(*id), reject.to_string());
            }
        }
    }
}

/// What continues the chain is applied, of the rest what took something away; then our time begins.
fn begin(draft: &mut Draft<'_>, row: &Succession, id: ScopeId, handover: &Blob) -> Result<(), Reject> {
    let signed = verify(draft, handover)?;
    let mut above: Vec<(Event, &Blob)> = row
        .above
        .iter()
        .filter(|(of, _)| *of == id)
        .filter_map(|(_, bytes)| Some((envelope::peek::<Event>(bytes).ok()?, bytes)))
        .collect();
    above.sort_by_key(|(event, _)| (event.incarnation, event.epoch));
    let mut out = Vec::new();
    for (event, bytes) in above {
        let head = draft.state.scope(id).map(|scope| scope.head.clone()).ok_or_else(Reject::not_found)?;
        if membership::follows(&head, &event) {
            follow::event(draft, row.from, bytes)?;
        } else {
            out.extend(event.ops);
        }
    }
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    let held = |user: &UserId| scope.members.get(user);
    out.retain(|op| match op {
        Op::Remove { user } | Op::Leave { user } => held(user).is_some(),
        Op::Grade { user, grade } => held(user).is_some_and(|member| *grade < member.grade),
        Op::RemoveGroup { group } => scope.head.groups.iter().any(|at| at.group == *group),
        Op::End {} => true,
        _ => false,
    });
    out.truncate(limits::OPS_PER_EVENT - 1);
    let (high, content) = (
        id.thread().and_then(|thread| draft.state.logs.get(&thread)).map_or(0, |log| log.high),
        log_hash(draft, id),
    );
    let head = scope.head.clone();
    let held = Handover { incarnation: head.incarnation, epoch: head.epoch, hash: head.hash, ..signed };
    let reign = of(&held, handover, (high, content));
    draft.put(Row::Scope(ScopeHead { owner: draft.me(), frozen: None, ..head.clone() }));
    draft.put(Row::Reign(reign.clone()));
    let events = draft.ctx.records.events(id, 0);
    let named =
        events.iter().filter_map(|event| envelope::peek::<Event>(event).ok()).flat_map(|event| event.ops);
    let ttls = named.filter_map(|op| if let Op::Lease { ttl } = op { Some(ttl) } else { None });
    let believed = ttls.chain([head.ttl, limits::LEASE_STANDARD_MILLIS]).max().unwrap_or(head.ttl);
    reign::begin(draft, &reign, row.by, believed, out)?;
    reign::settled(draft, &reign);
    draft.audit("scope.taken-over", Some(row.by), Some(row.from), Some(id), "by its root key".into());
    Ok(())
}
