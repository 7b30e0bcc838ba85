//! What a home says to invitations (spec 6.2, 6.12; P2.3, P2.4, P2.5): the peer's policy, blocks, look-ups.
//!
//! Duty: what becomes of an invitation before its user sees it, and whom he has blocked. Never: an answer about an address.

use super::quota;
use crate::{
    ids::{ThreadId, UserId, WorkspaceId},
    protocol::{
        Draft, Reject, Reply, State,
        command::RejectCode,
        row::{InvitePolicy, InviteStatus, Log, PeerStatus, ReceivedInvite, Row, User},
        state::Scope,
    },
    wire::objects::{Invite, ThreadKind},
};

/// What becomes of an invitation that came for a user of this home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Nothing, and nobody is told.
    Dropped,
    /// An admin is asked first.
    Held,
    /// The user is asked.
    Asked,
    /// It is accepted for him.
    Accepted,
}

/// The home's say (P2.5). Counts the invitation.
pub fn hears(draft: &mut Draft<'_>, peer: WorkspaceId, user: UserId, invite: &Invite) -> Hearing {
    let policy = draft.state.peers.get(&peer).map_or(InvitePolicy::Refuse, |peer| peer.invites);
    if !quota::hears(draft, peer) {
        draft.audit("invite.dropped", None, Some(peer), None, "more than this peer may send in a day".into());
        return Hearing::Dropped;
    }
    let state = &draft.state;
    let looks_up = state.rules.peers.get(&peer).is_none_or(|set| set.lookups) || meets(state, user, peer);
    if !looks_up || blocks(state, user, invite.by) {
        return Hearing::Dropped;
    }
    let to_contact = invite.kind == Some(ThreadKind::Dm) && is_contact(state, user, invite.by);
    match policy {
        InvitePolicy::Refuse => Hearing::Dropped,
        InvitePolicy::AskAdmin => Hearing::Held,
        InvitePolicy::Ask if to_contact => Hearing::Accepted,
        InvitePolicy::Ask => Hearing::Asked,
        InvitePolicy::Accept => Hearing::Accepted,
    }
}

/// Whether the peer knows the user already: they are in something together, so nothing was looked up.
fn meets(state: &State, user: UserId, peer: WorkspaceId) -> bool {
    let places = state.places.get(&user).into_iter().flatten().filter_map(|id| state.scope(*id));
    places.into_iter().any(|scope| scope.head.owner == peer || scope.homes.contains_key(&peer))
}

/// Whether two people share a group, a thread or a conversation of two.
#[must_use]
pub fn is_contact(state: &State, a: UserId, b: UserId) -> bool {
    let (Some(mine), Some(his)) = (state.places.get(&a), state.places.get(&b)) else { return false };
    let (few, many) = if mine.len() <= his.len() { (mine, his) } else { (his, mine) };
    few.iter().any(|id| many.contains(id) && state.scope(*id).is_some_and(|scope| !scope.head.ended))
}

/// Whether a user has blocked somebody.
#[must_use]
pub fn blocks(state: &State, user: UserId, other: UserId) -> bool {
    state.users.get(&user).is_some_and(|row| row.blocked.contains(&other))
}

/// Whether a conversation of two takes something of this author: neither may have blocked the other.
///
/// # Errors
/// To the blocked as to anybody where it was closed; to the other what he has to do.
pub fn may_write(state: &State, author: UserId, scope: &Scope) -> Result<(), Reject> {
    let Some(thread) = scope.head.id.thread().filter(|_| scope.head.kind == Some(ThreadKind::Dm)) else {
        return Ok(());
    };
    if is_shut_to(state, thread, author) {
        return Err(closed());
    }
    if scope.members.keys().any(|other| *other != author && blocks(state, author, *other)) {
        return Err(super::forbidden("write to somebody whom you have blocked: unblock the person first"));
    }
    Ok(())
}

/// What is said where a thread is closed.
#[must_use]
pub fn closed() -> Reject {
    Reject::new(RejectCode::Closed, "this thread is closed: it can be opened again in its settings")
}

/// Whether a conversation of two takes nothing from this author: the other one, who is at home here, has blocked him.
fn is_shut_to(state: &State, thread: ThreadId, author: UserId) -> bool {
    let scope = state.scope(thread).filter(|scope| scope.head.kind == Some(ThreadKind::Dm));
    scope
        .is_some_and(|scope| scope.members.keys().any(|user| *user != author && blocks(state, *user, author)))
}

/// Whether a copy of a conversation of two takes nothing new: its reader here has blocked the other one.
#[must_use]
pub fn is_shut(state: &State, thread: ThreadId) -> bool {
    let scope = state.scope(thread).filter(|scope| scope.head.kind == Some(ThreadKind::Dm));
    scope.is_some_and(|scope| scope.members.keys().any(|author| is_shut_to(state, thread, *author)))
}

/// A user blocks a person, or does so no more (P2.4). What he was invited to by that person is gone, and nobody is told.
///
/// # Errors
/// There are too many, or it is himself.
pub fn block(draft: &mut Draft<'_>, user: UserId, other: UserId, on: bool) -> Result<Reply, Reject> {
    let row = draft.state.users.get(&user).map(|row| (**row).clone()).ok_or_else(Reject::not_found)?;
    if row.blocked.contains(&other) == on {
        return Ok(Reply::Already);
    }
    let mut blocked = row.blocked.clone();
    if !on {
        blocked.retain(|held| *held != other);
        draft.put(Row::User(User { blocked, ..row }));
        catch_up(draft, user, other);
        return Ok(Reply::Done);
    }
    if other == user {
        return Err(Reject::new(RejectCode::Invalid, "user: yourself"));
    }
    if blocked.len() >= crate::limits::BLOCKED {
        return Err(Reject::new(RejectCode::Quota, "you block as many people as you may: let some go first"));
    }
    blocked.push(other);
    draft.put(Row::User(User { blocked, ..row }));
    let open = draft.state.received.values().filter(|held| held.user == user && held.invite.by == other);
    let open: Vec<ReceivedInvite> =
        open.filter(|held| held.status == InviteStatus::Sent).map(|held| (**held).clone()).collect();
    for held in open {
        draft.mark(super::super::Mark::Invited(user, held.invite.id));
        draft.put(Row::Received(ReceivedInvite { status: InviteStatus::Void, ..held }));
    }
    Ok(Reply::Done)
}

/// What was not taken while somebody was blocked is asked for.
fn catch_up(draft: &mut Draft<'_>, user: UserId, other: UserId) {
    let places = draft.state.places.get(&user).into_iter().flatten().filter_map(|id| draft.state.scope(*id));
    let dms = places.into_iter().filter(|scope| {
        scope.head.kind == Some(ThreadKind::Dm)
            && Some(scope.head.owner) != draft.state.me()
            && scope.members.contains_key(&other)
    });
    let logs = dms.filter_map(|scope| draft.state.logs.get(&scope.head.id.thread()?));
    let logs: Vec<Log> = logs.map(|log| (**log).clone()).collect();
    logs.into_iter().for_each(|log| draft.put(Row::Log(Log { stale: true, ..log })));
}

/// Whether addresses of a peer's domain may be asked for: else an invitation goes by e-mail (P2.3, spec 6.12).
#[must_use]
pub fn resolves(state: &State, peer: WorkspaceId) -> bool {
    state.peers.get(&peer).is_some_and(|row| row.status == PeerStatus::Active && row.resolves)
}

/// The same for one address: who is in something here is known, and needs no look-up.
#[must_use]
pub fn resolves_for(state: &State, peer: WorkspaceId, address: &str) -> bool {
    let known = |user: UserId| {
        let places = state.places.get(&user).into_iter().flatten().filter_map(|id| state.scope(*id));
        let mut members = places.into_iter().filter_map(|scope| scope.members.get(&user));
        members.next().is_some_and(|member| member.profile.address.eq_ignore_ascii_case(address))
    };
    resolves(state, peer) || state.people_of(peer).any(|(user, _)| known(user))
}

/// Whether typing and read positions are exchanged with a peer (P6.5).
#[must_use]
pub fn presence(state: &State, peer: WorkspaceId) -> bool {
    state.rules.peers.get(&peer).is_none_or(|set| set.presence)
}
