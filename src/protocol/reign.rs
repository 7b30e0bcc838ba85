//! Whose a scope was (spec 14): the moves that it went through, and what a node does when one is shown.
//!
//! Duty: believing a move only with both signatures; the new owner's beginning, the old owner's yielding, the others'
//! going along. Never: offers (`moving`), a second owner, an entry that no owner of its time vouched for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Change, Draft, Mark, Reject, State,
    command::RejectCode,
    evidence, fanout, heads, identity, lease, membership, parting, posting, recovery, removal, replica,
    row::{Log, Row, ScopeHead},
    state::Scope,
    uptime::Promise,
};
use crate::{
    ids::{Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        AuditLine, Blob, Object, Proof, Stored, Verified, envelope,
        frames::{HistoryPage, Item},
        objects::{Acceptance, Event, Op, Word},
    },
};

/// How an owner's time ended, and who came after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reign {
    /// The scope.
    pub scope: ScopeId,
    /// Who owned it.
    pub from: WorkspaceId,
    /// Who owns it after that.
    pub to: WorkspaceId,
    /// The incarnation of the last event.
    pub incarnation: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Its object hash.
    pub hash: Hash,
    /// The new owner's first epoch.
    pub begins: u64,
    /// Of a thread: the last entry of that time.
    pub high: u64,
    /// Its hash.
    pub content: Hash,
    /// The event, by the old owner; or the handover, by its root key.
    pub event: Blob,
    /// The acceptance, by the new one.
    pub acceptance: Blob,
    /// Whether the root key of a dead owner gave it away (spec 14.7): then there is no acceptance.
    pub root: bool,
}

/// The moves of a scope, the first one first.
pub fn of(state: &State, id: ScopeId) -> impl DoubleEndedIterator<Item = &Arc<Reign>> {
    state.reigns.range((id, 0)..=(id, u64::MAX)).map(|(_, reign)| reign)
}

/// The move that brought the scope to its owner of now.
#[must_use]
pub fn last(state: &State, id: ScopeId) -> Option<&Arc<Reign>> {
    of(state, id).next_back()
}

/// Owners who may have taken an entry in before they gave the thread away: they vouch for it as the present one does.
pub fn vouching(state: &State, thread: ThreadId, seq: u64) -> impl Iterator<Item = WorkspaceId> {
    of(state, thread.into()).filter(move |reign| seq <= reign.high).map(|reign| reign.from)
}

/// The last entry of an owner's time is the one that its last event names: what is below hangs on it (spec 14.6).
///
/// # Errors
/// It is another one.
pub fn check_end(state: &State, stored: &Stored) -> Result<(), Reject> {
    let entry = &stored.entry;
    let other = |reign: &&Arc<Reign>| reign.high == entry.seq && reign.content != entry.hash();
    if of(state, entry.thread.into()).any(|reign| other(&reign)) {
        let why = "the last entry before a move is not the one that the old owner named";
        return Err(Reject::new(RejectCode::Contradiction, why));
    }
    Ok(())
}

/// The move by which an own thread came here, while entries from before it are still on the way.
#[must_use]
pub fn lacking(state: &State, thread: ThreadId) -> Option<&Arc<Reign>> {
    let log = state.logs.get(&thread).filter(|_| state.owns(thread))?;
    last(state, thread.into()).filter(|reign| Some(reign.to) == state.me() && log.high < reign.high)
}

/// An own thread that a root key handed over while its beginning was not here: others may have it (spec 14.7).
#[must_use]
pub fn headless(state: &State, thread: ThreadId) -> Option<&Arc<Log>> {
    let log = state.logs.get(&thread).filter(|log| log.low > 1 && log.high > 0 && state.owns(thread))?;
    last(state, thread.into()).is_some_and(|reign| reign.root).then_some(log)
}

/// Whether a thread that is not ours was or will be ours, as a peer with readers knows: it asks again later.
#[must_use]
pub fn is_in_motion(state: &State, thread: ThreadId, peer: WorkspaceId) -> bool {
    let reads = || state.granting(thread).any(|scope| scope.homes.contains_key(&peer));
    last(state, thread.into()).is_some() && reads()
}

/// What a newcomer needs to believe the present owner, before the snapshot.
pub fn items(state: &State, id: ScopeId) -> impl Iterator<Item = Item> {
    of(state, id).map(|reign| {
        let (event, acceptance) = (reign.event.clone(), reign.acceptance.clone());
        match reign.root {
            true => Item::HandedOver { handover: event, high: reign.high, hash: reign.content },
            false => Item::Moved { event, acceptance },
        }
    })
}

/// What proves a move, as it stands in an answer to a restored owner: the acceptance before the event.
#[must_use]
pub fn objects(reign: &Reign) -> Vec<Blob> {
    if reign.root {
        return vec![reign.event.clone()];
    }
    vec![reign.acceptance.clone(), reign.event.clone()]
}

/// A move is shown: by the old owner, by the new one, or by whoever knows better than a restored node (spec 14.4).
///
/// # Errors
/// A signature does not hold, both do not belong together, or events before it are missing.
pub fn shown(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    event: &Blob,
    acceptance: &Blob,
) -> Result<(), Reject> {
    let (event, reign) = verify(draft, event, acceptance)?;
    let held = draft.state.reigns.get(&(reign.scope, reign.epoch));
    if held.is_some_and(|held| !held.acceptance.is_empty()) {
        return Ok(());
    }
    let scope = draft.state.scope(reign.scope).cloned();
    match scope {
        Some(scope) if scope.head.owner == reign.from => {
            if reign.to == draft.me() {
                take_over(draft, peer, &event, reign, &scope)
            } else {
                go_along(draft, &event, reign, &scope);
                Ok(())
            }
        }
        // History of a scope that comes with a snapshot, or of one that was taken before it was forgotten.
        None if peer == reign.to => keep(draft, reign),
        Some(scope) if leads_to(&draft.state, &reign, scope.head.owner) => keep(draft, reign),
        _ => Ok(()),
    }
}

/// Whether a move belongs to the scope's past: it led to the owner of now, or to one that gave it away later.
fn leads_to(state: &State, reign: &Reign, owner: WorkspaceId) -> bool {
    reign.to == owner || of(state, reign.scope).any(|later| later.from == reign.to)
}

fn keep(draft: &mut Draft<'_>, reign: Reign) -> Result<(), Reject> {
    draft.put(Row::Reign(reign));
    Ok(())
}

/// Whether a move and an acceptance, each by its signer, are the two halves of one (spec 14.4).
#[must_use]
pub fn belong_together(event: &Verified<Event>, acceptance: &Verified<Acceptance>) -> bool {
    let (last, accepted) = (event.object(), acceptance.object());
    let begins = recovery::first_epoch(recovery::next_incarnation(last.incarnation, [0; 4]));
    let named = matches!(last.ops.as_slice(), [Op::Move { consent, .. }] if *consent == acceptance.hash());
    named
        && last.scope == Some(accepted.scope)
        && (accepted.incarnation, accepted.begins) == (last.incarnation, begins)
        && accepted.epoch < last.epoch
}

/// Both signatures, by keys that their workspaces had and did not revoke.
fn verify(draft: &Draft<'_>, event: &Blob, acceptance: &Blob) -> Result<(Verified<Event>, Reign), Reject> {
    let claimed: Acceptance =
        envelope::peek(acceptance).map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
    let from = claimed.from;
    let opened: Verified<Event> = open(draft, event, None, from)?;
    let object = opened.object();
    let (Some(scope), [Op::Move { to, high, hash, .. }]) = (object.scope, object.ops.as_slice()) else {
        return Err(Reject::new(RejectCode::Malformed, "this event moves nothing"));
    };
    let accepted: Verified<Acceptance> = open(draft, acceptance, Some(from), *to)?;
    if *to == from || !belong_together(&opened, &accepted) {
        return Err(Reject::new(
            RejectCode::Contradiction,
            "a move and its acceptance do not belong together",
        ));
    }
    let reign = Reign {
        scope,
        from,
        to: *to,
        incarnation: object.incarnation,
        epoch: object.epoch,
        hash: opened.hash(),
        begins: accepted.object().begins,
        high: *high,
        content: *hash,
        event: event.clone(),
        acceptance: acceptance.clone(),
        root: false,
    };
    Ok((opened, reign))
}

fn open<T: Object>(
    draft: &Draft<'_>,
    bytes: &Blob,
    audience: Option<WorkspaceId>,
    signer: WorkspaceId,
) -> Result<Verified<T>, Reject> {
    let home = draft.state.homes.get(&signer);
    let keys = home.map(|home| identity::ever_keys(home)).unwrap_or_default();
    let revoked = |key| home.is_some_and(|home| home.manifest.revoked.contains(key));
    let valid = |hint| keys.iter().find(|key| key.id() == hint && !revoked(*key)).copied();
    let opened = envelope::open(bytes, audience, valid);
    opened.map_err(|error| Reject::new(RejectCode::Signature, error.to_string()))
}

/// The scope is ours from this commit on (spec 14.3): a new incarnation, and everybody hears it from us.
fn take_over(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    event: &Verified<Event>,
    reign: Reign,
    scope: &Scope,
) -> Result<(), Reject> {
    let (id, from) = (reign.scope, reign.from);
    if !membership::follows(&scope.head, event.object()) {
        if peer != from {
            draft.audit(
                "move.ahead",
                None,
                Some(peer),
                Some(id),
                "its last event comes from its owner".into(),
            );
            return Ok(());
        }
        return Err(Reject::new(RejectCode::FeedGap, "events before the move are missing: compare"));
    }
    apply(draft, event, id, false);
    draft.put(Row::Reign(reign.clone()));
    let (by, believed) = parting::taken(draft, id, from);
    let actor = by.unwrap_or(scope.head.starter);
    begin(draft, &reign, actor, believed, Vec::new())?;
    note(draft, "scope.taken-over", &reign, Some(actor));
    if id.thread().is_none_or(|thread| lacking(&draft.state, thread).is_none()) {
        settled(draft, &reign);
    }
    Ok(())
}

/// A new incarnation begins here, with what else its first event says; the followers get the scope as it stands.
///
/// # Errors
/// The scope is over.
pub(super) fn begin(
    draft: &mut Draft<'_>,
    reign: &Reign,
    actor: UserId,
    believed: u64,
    out: Vec<Op>,
) -> Result<(), Reject> {
    let (id, from) = (reign.scope, reign.from);
    recovery::promise(draft, Promise::Taken(id, draft.ctx.boot));
    if let Some(log) = held_log(draft, id) {
        draft.put(Row::Log(Log { stale: false, bottom: true, pending: Vec::new(), ..log }));
    }
    let first = Op::Incarnate { high: reign.high, hash: reign.content };
    membership::link(draft, id, actor, std::iter::once(first).chain(out).collect())?;
    parting::relink(draft, id, from);
    lease::believe(draft, id, believed);
    for follower in fanout::followers(&draft.state, id) {
        fanout::introduce(draft, follower, id);
    }
    reroute(draft, id, from, draft.me());
    Ok(())
}

/// Whether an owner signed an event, by a key that it had and did not revoke.
#[must_use]
pub fn signed_by(draft: &Draft<'_>, event: &Blob, owner: WorkspaceId) -> bool {
    open::<Event>(draft, event, None, owner).is_ok()
}

/// Everything from before the move is here: its heads are ours, and an old owner without a reader may let go.
pub(super) fn settled(draft: &mut Draft<'_>, reign: &Reign) {
    let id = reign.scope;
    if let Some(thread) = id.thread() {
        heads::sign(draft, thread);
        draft.mark(Mark::Covered(thread));
        recovery::own_posts(draft);
    }
    if !fanout::followers(&draft.state, id).contains(&reign.from)
        && fanout::is_linked(&draft.state, reign.from)
    {
        removal::state(draft, reign.from, Word::NotHere { scope: id });
    }
}

/// Entries from before the move that came after it (spec 14.3). Whether the page was about that.
///
/// # Errors
/// They do not continue the chain up to the entry that the old owner named last.
pub fn tail(draft: &mut Draft<'_>, peer: WorkspaceId, page: &HistoryPage) -> Result<bool, Reject> {
    let thread = page.thread;
    let headless = headless(&draft.state, thread).cloned();
    let below = |log: &Arc<Log>| page.entries.last().is_some_and(|last| last.entry.seq < log.low);
    if let Some(log) = headless.filter(below) {
        replica::take_below(draft, draft.me(), &log, &page.entries)?;
        return Ok(true);
    }
    let reign = lacking(&draft.state, thread).filter(|reign| reign.from == peer).cloned();
    let (Some(reign), Some(log)) = (reign, held_log(draft, thread.into())) else { return Ok(false) };
    let new = super::witness::continued(draft, &log, &page.entries, reign.high)?;
    let (from, to) = (log.high + 1, new.high);
    if to >= from {
        draft.put(Row::Log(new));
        draft.mark(Mark::Content { thread, from, to });
    }
    if to == reign.high {
        settled(draft, &reign);
    }
    Ok(true)
}

/// The entries did not come: the thread goes on without them, as after a loss (spec 12.3).
pub fn give_up_tail(draft: &mut Draft<'_>, id: ScopeId) {
    let lacking = id.thread().and_then(|thread| lacking(&draft.state, thread)).cloned();
    if let (Some(reign), Some(log)) = (lacking, held_log(draft, id)) {
        let shorter = Reign { high: log.high, content: log.hash, ..(*reign).clone() };
        draft.put(Row::Reign(shorter.clone()));
        settled(draft, &shorter);
    }
}

/// Another workspace owns the scope from now on: for a follower, and for an owner that had forgotten it (spec 14.4, 14.5).
fn go_along(draft: &mut Draft<'_>, event: &Verified<Event>, reign: Reign, scope: &Scope) {
    let (id, head) = (reign.scope, &scope.head);
    let own = head.owner == draft.me();
    if membership::follows(head, event.object()) {
        apply(draft, event, id, own);
    } else {
        let passed = head.incarnation == reign.incarnation && head.epoch >= reign.epoch;
        let held = draft.ctx.records.event(id, reign.incarnation, reign.epoch).filter(|_| passed);
        if passed && !own {
            let objects = held.map(|held| (held, event.bytes().clone()));
            evidence::freeze(draft, head, "the owner gave away what it had gone on with", objects);
            return;
        }
        if let Some(held) = held {
            evidence::against_self(draft, None, id, &held, event.bytes());
        }
        let Reign { to: owner, incarnation, epoch, hash, .. } = reign;
        draft.put(Row::Scope(ScopeHead { owner, incarnation, epoch, hash, ..head.clone() }));
    }
    if let Some(thread) = id.thread() {
        replica::truncate(draft, thread, reign.high, reign.content);
        if let Some(log) = held_log(draft, id) {
            draft.put(Row::Log(Log { stale: true, pending: Vec::new(), ..log }));
        }
    }
    if own {
        parting::gave(draft, id, reign.to);
    }
    reroute(draft, id, reign.from, reign.to);
    note(draft, if own { "scope.yielded" } else { "scope.moved" }, &reign, None);
    draft.mark(Mark::Scope(id));
    draft.put(Row::Reign(reign));
}

fn apply(draft: &mut Draft<'_>, event: &Verified<Event>, id: ScopeId, own: bool) {
    let (incarnation, epoch, bytes) =
        (event.object().incarnation, event.object().epoch, event.bytes().clone());
    draft.changes.push(Change::Event { scope: id, incarnation, epoch, bytes, own });
    membership::apply(draft, id, event.object(), event.hash());
    draft.mark(Mark::Scope(id));
}

fn held_log(draft: &Draft<'_>, id: ScopeId) -> Option<Log> {
    id.thread().and_then(|thread| draft.state.logs.get(&thread)).map(|log| (**log).clone())
}

fn note(draft: &mut Draft<'_>, act: &str, reign: &Reign, by: Option<UserId>) {
    let event = Proof { kind: Event::TYPE, signer: reign.from, audience: None, bytes: reign.event.clone() };
    let line = AuditLine { actor: by, ..AuditLine::of(act) }.with(reign.to).at(reign.scope);
    draft.note(line.saying(format!("from {}", reign.from)).proven(event));
    if reign.acceptance.is_empty() {
        return;
    }
    let (kind, bytes) = (Acceptance::TYPE, reign.acceptance.clone());
    let acceptance = Proof { kind, signer: reign.to, audience: Some(reign.from), bytes };
    draft.note(AuditLine::of("move.accepted").with(reign.to).at(reign.scope).proven(acceptance));
}

/// What waits for the old owner goes to the new one: the same words under the same name, for its eyes (spec 7.2).
pub fn reroute(draft: &mut Draft<'_>, id: ScopeId, from: WorkspaceId, to: WorkspaceId) {
    let Some(thread) = id.thread() else { return };
    let waiting = draft.state.outbox.range((from, 0)..=(from, u64::MAX)).map(|(_, row)| row.clone());
    for pending in waiting.filter(|row| row.thread == thread && row.refused.is_none()).collect::<Vec<_>>() {
        posting::readdress(draft, &pending, to);
    }
}

/// From where the content of a scope goes on that its owner's snapshot shows in the first incarnation after a move.
#[must_use]
pub fn goes_on(state: &State, id: ScopeId) -> Option<(u64, Hash)> {
    let incarnation = state.scope(id)?.head.incarnation;
    let reign = last(state, id).filter(|reign| reign.begins == recovery::first_epoch(incarnation))?;
    Some((reign.high, reign.content))
}

/// The own last event of a scope that we take for ours comes back without its acceptance (spec 14.5).
pub fn recalled(draft: &mut Draft<'_>, event: &Verified<Event>) {
    let object = event.object();
    let (Some(id), [Op::Move { to, high, hash, .. }]) = (object.scope, object.ops.as_slice()) else { return };
    let Some(scope) = draft.state.scope(id).cloned() else { return };
    let reign = Reign {
        scope: id,
        from: draft.me(),
        to: *to,
        incarnation: object.incarnation,
        epoch: object.epoch,
        hash: event.hash(),
        begins: recovery::first_epoch(recovery::next_incarnation(object.incarnation, [0; 4])),
        high: *high,
        content: *hash,
        event: event.bytes().clone(),
        acceptance: Blob::from(Vec::new()),
        root: false,
    };
    go_along(draft, event, reign, &scope);
}
