//! Contradictions (spec 12.7): two objects that an honest owner cannot both have signed.
//!
//! Duty: freezing the scope, keeping both objects as portable evidence, raising the alarm on both sides. Never: judging
//! across incarnations, destroying what is held.

use super::{
    Change, Draft, Mark, Reject,
    command::RejectCode,
    fanout, recovery,
    row::{Contradiction, Row, ScopeHead},
};
use crate::{
    crypto::sha256,
    ids::{Hash, ScopeId, WorkspaceId},
    wire::{
        Blob, envelope,
        frames::Item,
        objects::{Event, Head, Snapshot},
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
        let hash = envelope::unverified_hash(2, None, bytes).ok()?;
        let subject = event.scope.map_or_else(|| hash.0.to_vec(), |scope| scope_bytes(scope).to_vec());
        return Some(Claim { subject, incarnation: event.incarnation, position: event.epoch, hash });
    }
    if let Ok(snapshot) = envelope::peek::<Snapshot>(bytes) {
        let Snapshot { scope, incarnation, epoch, hash, .. } = snapshot;
        return Some(Claim { subject: scope_bytes(scope).to_vec(), incarnation, position: epoch, hash });
    }
    let Head { thread, scope, incarnation, seq, hash, .. } = envelope::peek::<Head>(bytes).ok()?;
    let subject = [thread.as_ref(), &scope_bytes(scope)].concat();
    Some(Claim { subject, incarnation, position: seq, hash })
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
    claim(first).zip(claim(second)).is_some_and(|(a, b)| {
        a.hash != b.hash && (a.subject, a.incarnation, a.position) == (b.subject, b.incarnation, b.position)
    })
}

/// The follower's side: the scope freezes, the evidence is kept, the owner is told (spec 12.7).
pub fn freeze(draft: &mut Draft<'_>, head: &ScopeHead, why: &str, objects: Option<(Blob, Blob)>) {
    draft.put(Row::Scope(ScopeHead { frozen: Some(why.into()), ..head.clone() }));
    draft.audit("scope.frozen", None, Some(head.owner), Some(head.id), why.into());
    draft.mark(Mark::Scope(head.id));
    let Some((first, second)) = objects.filter(|(first, second)| contradict(first, second)) else { return };
    keep(draft, head.owner, head.id, &first, &second);
    if fanout::is_linked(&draft.state, head.owner) {
        draft.feed(head.owner, &Item::Alarm { first, second });
    }
}

/// Keeps evidence under the hash of both objects, so that the same one is kept once.
fn keep(draft: &mut Draft<'_>, owner: WorkspaceId, scope: ScopeId, first: &Blob, second: &Blob) {
    let id = sha256(&[b"comity/1 evidence", first, second]);
    if draft.state.evidence.contains_key(&id) {
        return;
    }
    let (first, second, time) = (first.clone(), second.clone(), draft.ctx.now);
    draft.put(Row::Contradiction(Contradiction { id, owner, scope, first, second, time }));
    draft.audit("evidence.kept", None, Some(owner), Some(scope), id.to_string());
}

/// The owner's side of an alarm: both objects are ours. The scope goes on in a new incarnation, and the admin is told.
///
/// # Errors
/// The objects are not ours, or do not contradict each other.
pub fn alarmed(draft: &mut Draft<'_>, peer: WorkspaceId, first: &Blob, second: &Blob) -> Result<(), Reject> {
    let me = draft.me();
    let signed = |draft: &Draft<'_>, bytes: &Blob| {
        draft.open::<Event>(bytes, None, me).is_ok()
            || draft.open::<Snapshot>(bytes, None, me).is_ok()
            || draft.open::<Head>(bytes, None, me).is_ok()
    };
    if !contradict(first, second) || !signed(draft, first) || !signed(draft, second) {
        return Err(Reject::new(RejectCode::Invalid, "the alarm shows no contradiction of ours"));
    }
    let Some(scope) = scope_of(first) else { return Ok(()) };
    keep(draft, me, scope, first, second);
    draft.audit("scope.contradicted", None, Some(peer), Some(scope), "a partner shows two objects".into());
    if draft.state.owns(scope) && recovery::is_ready(&draft.state, scope) {
        recovery::incarnate(draft, scope)?;
    }
    Ok(())
}

fn scope_of(bytes: &Blob) -> Option<ScopeId> {
    if let Ok(event) = envelope::peek::<Event>(bytes) {
        return event.scope;
    }
    let snapshot = envelope::peek::<Snapshot>(bytes).map(|snapshot| snapshot.scope);
    snapshot.ok().or_else(|| envelope::peek::<Head>(bytes).ok().map(|head| head.scope))
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
