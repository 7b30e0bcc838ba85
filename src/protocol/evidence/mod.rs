//! Contradictions (spec 12.7): two objects that an honest owner cannot both have signed.
//!
//! Duty: freezing the scope, keeping both objects as portable evidence, raising the alarm on both sides. Never: judging
//! across incarnations, destroying what is held.

mod file;
#[cfg(test)]
mod tests;

pub use file::{File, NoEvidence, Verdict, export, verify};

use super::{
    Change, Draft, Mark, Reject,
    command::RejectCode,
    fanout, recovery,
    row::{Contradiction, Row, RowKey, ScopeHead},
    witness,
};
use crate::{
    crypto::sha256,
    ids::{GroupId, Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        Blob, Object as _, Verified, cbor, envelope,
        frames::Item,
        objects::{Event, Head, Op, Snapshot},
    },
};

/// What a signed object speaks for: the kind of position, the position, and what the object says is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The scope, or the thread and granting scope of a head.
    pub subject: Vec<u8>,
    /// The incarnation.
    pub incarnation: u64,
    /// The epoch of an event or snapshot, the seq of a head.
    pub position: u64,
    /// The hash that the object gives to the position.
    pub hash: Hash,
}

/// What an event, snapshot or head claims; the signature is not judged here.
#[must_use]
pub fn claim(bytes: &Blob) -> Option<Claim> {
    if let Ok(event) = envelope::peek::<Event>(bytes) {
        let hash = envelope::unverified_hash(Event::TYPE, None, bytes).ok()?;
        return Some(Claim::of_event(&event, hash));
    }
    if let Ok(snapshot) = envelope::peek::<Snapshot>(bytes) {
        return Some(Claim::of_snapshot(&snapshot));
    }
    Some(Claim::of_head(&envelope::peek::<Head>(bytes).ok()?))
}

impl Claim {
    fn of_event(event: &Event, hash: Hash) -> Self {
        let subject = scope_bytes(scope_of_event(event, hash)).to_vec();
        Self { subject, incarnation: event.incarnation, position: event.epoch, hash }
    }

    fn of_snapshot(snapshot: &Snapshot) -> Self {
        let Snapshot { scope, incarnation, epoch, hash, .. } = *snapshot;
        Self { subject: scope_bytes(scope).to_vec(), incarnation, position: epoch, hash }
    }

    fn of_head(head: &Head) -> Self {
        let Head { thread, scope, incarnation, seq, hash, .. } = *head;
        let subject = [thread.as_ref(), &scope_bytes(scope)].concat();
        Self { subject, incarnation, position: seq, hash }
    }

    /// Whether both speak of one position within one incarnation, and say that something else is there.
    fn contradicts(&self, other: &Self) -> bool {
        let place = |claim: &Self| (claim.subject.clone(), claim.incarnation, claim.position);
        self.hash != other.hash && place(self) == place(other)
    }
}

/// The first event of a scope names none: its hash is the id.
fn scope_of_event(event: &Event, hash: Hash) -> ScopeId {
    event.scope.unwrap_or(match event.ops.first() {
        Some(Op::CreateThread { .. }) => ScopeId::Thread(ThreadId(hash.0)),
        _ => ScopeId::Group(GroupId(hash.0)),
    })
}

fn scope_bytes(scope: ScopeId) -> [u8; 33] {
    let mut bytes = [0; 33];
    let kind = [u8::from(scope.thread().is_some())];
    let parts = kind.iter().chain(scope.bytes());
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    bytes
}

/// Whether two objects contradict each other: one position within one incarnation, two hashes.
#[must_use]
pub fn contradict(first: &Blob, second: &Blob) -> bool {
    claim(first).zip(claim(second)).is_some_and(|(a, b)| a.contradicts(&b))
}

/// The follower's side: the scope freezes with the smaller membership of the two, the evidence is kept, the owner is
/// told (spec 12.7).
pub fn freeze(draft: &mut Draft<'_>, head: &ScopeHead, why: &str, objects: Option<(Blob, Blob)>) {
    if head.frozen.is_none() {
        draft.put(Row::Scope(ScopeHead { frozen: Some(why.into()), ..head.clone() }));
        draft.audit("scope.frozen", None, Some(head.owner), Some(head.id), why.into());
        draft.mark(Mark::Scope(head.id));
    }
    let Some((first, second)) = objects.filter(|(first, second)| contradict(first, second)) else { return };
    restrict(draft, head.id, &second);
    let new = keep(draft, head.owner, head.id, &first, &second);
    if new && fanout::is_linked(&draft.state, head.owner) {
        draft.feed(head.owner, &Item::Alarm { first, second });
    }
}

/// Who is out by either of two contradicting objects is out. Content stays: that is the owner's to decide when it goes on.
fn restrict(draft: &mut Draft<'_>, id: ScopeId, later: &Blob) {
    let Some(scope) = draft.state.scope(id).cloned() else { return };
    let out: Vec<UserId> = if let Ok(event) = envelope::peek::<Event>(later) {
        event
            .ops
            .iter()
            .filter_map(Op::ends_place_of)
            .filter(|user| scope.members.contains_key(user))
            .collect()
    } else if let Ok(snapshot) = envelope::peek::<Snapshot>(later) {
        let stays = |user: &UserId| snapshot.members.iter().any(|member| member.user == *user);
        scope.members.keys().filter(|user| !stays(user)).copied().collect()
    } else {
        Vec::new()
    };
    for user in &out {
        draft.delete(RowKey::Member((id, *user)));
    }
    if !out.is_empty() {
        draft.mark(Mark::Lost(id, out));
    }
}

/// Keeps evidence, once per scope and incarnation: more proves nothing more, and would let its owner fill the disk.
/// Whether it is new.
fn keep(draft: &mut Draft<'_>, owner: WorkspaceId, scope: ScopeId, first: &Blob, second: &Blob) -> bool {
    let incarnation = |bytes: &Blob| claim(bytes).map(|claim| claim.incarnation);
    let mut held = draft.state.evidence.values().filter(|held| held.owner == owner && held.scope == scope);
    if held.any(|held| incarnation(&held.first) == incarnation(first)) {
        return false;
    }
    let id = sha256(&[b"comity/1 evidence", first, second]);
    let (first, second, time) = (first.clone(), second.clone(), draft.ctx.now);
    draft.put(Row::Contradiction(Contradiction { id, owner, scope, first, second, time }));
    draft.audit("evidence.kept", None, Some(owner), Some(scope), id.to_string());
    true
}

/// The owner's side of an alarm: both objects are ours. The scope goes on in a new incarnation, what either of them took
/// away is taken away there as well, and the admin is told.
///
/// # Errors
/// The objects are not ours, or do not contradict each other.
pub fn alarmed(draft: &mut Draft<'_>, peer: WorkspaceId, first: &Blob, second: &Blob) -> Result<(), Reject> {
    let signed = |draft: &Draft<'_>, bytes: &Blob| {
        draft.open_own::<Event>(bytes).is_ok()
            || draft.open_own::<Snapshot>(bytes).is_ok()
            || draft.open_own::<Head>(bytes).is_ok()
    };
    let Some((id, claim)) = scope_of(first)
        .zip(claim(first))
        .filter(|_| contradict(first, second) && signed(draft, first) && signed(draft, second))
    else {
        return Err(Reject::new(RejectCode::Invalid, "the alarm shows no contradiction of ours"));
    };
    if !recovery::is_ready(&draft.state, id) {
        let (first, second) = (first.clone(), second.clone());
        return recovery::defer(draft, peer, &cbor::encode(&Item::Alarm { first, second }).into());
    }
    let new = keep(draft, draft.me(), id, first, second);
    draft.audit("scope.contradicted", None, Some(peer), Some(id), "a partner shows two objects".into());
    let Some(head) = draft.state.scope(id).map(|scope| scope.head.clone()) else { return Ok(()) };
    if !draft.state.owns(id) || head.ended {
        return Ok(());
    }
    // A head speaks for the incarnation of the scope that grants the thread; the thread itself has to begin anew.
    let due = if envelope::peek::<Head>(first).is_ok() { new } else { head.incarnation == claim.incarnation };
    if due {
        recovery::incarnate(draft, id)?;
    }
    for object in [first, second] {
        if let Ok(event) = draft.open_own::<Event>(object) {
            let event: Verified<Event> = event;
            witness::own_event(draft, Some(peer), &event)?;
        }
    }
    Ok(())
}

/// What freezes: the scope, or the thread that a head covers.
fn scope_of(bytes: &Blob) -> Option<ScopeId> {
    if let Ok(event) = envelope::peek::<Event>(bytes) {
        return Some(scope_of_event(&event, envelope::unverified_hash(Event::TYPE, None, bytes).ok()?));
    }
    let snapshot = envelope::peek::<Snapshot>(bytes).map(|snapshot| snapshot.scope);
    snapshot.ok().or_else(|| envelope::peek::<Head>(bytes).ok().map(|head| head.thread.into()))
}

/// An answer shows that we signed something else for a position before we forgot it.
pub fn against_self(
    draft: &mut Draft<'_>,
    from: Option<WorkspaceId>,
    id: ScopeId,
    held: &Blob,
    other: &Blob,
) {
    let me = draft.me();
    keep(draft, me, id, held, other);
    draft.audit("scope.contradicted", None, from, Some(id), "signed twice for one epoch".into());
    draft.changes.push(Change::Mark(Mark::Scope(id)));
}
