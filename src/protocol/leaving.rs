//! Leaving at home (spec 8.6, 8.7; P7.5, P5.5): a user whose account ends, and a user whom the home takes back.
//!
//! Duty: denied here at once, owners told by signed statements, and told again by a home that is shown a member without
//! an account. Never: waiting for an owner.

use std::collections::BTreeSet;

use super::{
    Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    consent, gate, invite, posting,
    removal::{self, Cut},
    replica,
    row::{InviteStatus, ReceivedInvite, Row, RowKey},
};
use crate::{
    ids::{InviteId, ScopeId, UserId, WorkspaceId},
    wire::objects::{Op, Word},
};

/// What ends with a user's account: his places, here and abroad.
#[must_use]
pub fn cuts(state: &State, user: UserId) -> Vec<Cut> {
    let places = state.places.get(&user).into_iter().flatten().copied();
    let alive = places.filter(|id| state.scope(*id).is_some_and(|scope| !scope.head.ended));
    alive.map(|scope| Cut { scope, users: vec![user], groups: Vec::new() }).collect()
}

/// Invitations to the user that wait for his answer.
pub fn invitations(state: &State, user: UserId) -> impl Iterator<Item = &ReceivedInvite> {
    let mine = state.received.values().map(|held| &**held);
    mine.filter(move |held| {
        held.user == user && matches!(held.status, InviteStatus::Sent | InviteStatus::Held)
    })
}

/// Messages of the user that wait for their owners.
pub fn outbox(state: &State, user: UserId) -> impl Iterator<Item = (WorkspaceId, u64)> {
    state.outbox.iter().filter(move |(_, pending)| pending.author == user).map(|(key, _)| *key)
}

/// Open invitations that the user sent.
pub fn offers(state: &State, user: UserId) -> impl Iterator<Item = InviteId> {
    let open = state.offers.keys().flat_map(|scope| state.open_offers(*scope));
    open.filter(move |sent| sent.by == user).map(|sent| sent.id)
}

/// Every membership of a user of this home ends: here by events, abroad at once and by one statement per owner (P7.5).
///
/// # Errors
/// Never in practice: scopes that are over are skipped.
pub fn offboard(draft: &mut Draft<'_>, user: UserId) -> Result<(), Reject> {
    let waiting: Vec<InviteId> = invitations(&draft.state, user).map(|held| held.invite.id).collect();
    for id in waiting {
        consent::answer(draft, user, id, false)?;
    }
    let sent: Vec<InviteId> = offers(&draft.state, user).collect();
    for sent in sent.iter().filter_map(|id| draft.state.sent.get(id).cloned()).collect::<Vec<_>>() {
        invite::void(draft, (*sent).clone());
    }
    let unsent: Vec<_> = outbox(&draft.state, user).collect();
    unsent.into_iter().for_each(|key| draft.delete(RowKey::Pending(key)));
    let mut owners = BTreeSet::new();
    for Cut { scope, .. } in cuts(&draft.state, user) {
        match draft.state.scope(scope).map(|scope| scope.head.owner) {
            Some(owner) if owner == draft.me() => {
                removal::cut(draft, user, scope, &[Op::Leave { user }])?;
            }
            Some(owner) => {
                deny(draft, scope, user);
                owners.insert(owner);
            }
            None => {}
        }
    }
    owners.into_iter().for_each(|owner| removal::state(draft, owner, Word::Offboard { user }));
    Ok(())
}

/// An admin takes one of the own people out of one group or thread of another owner (P5.5).
///
/// # Errors
/// There is no such membership of a user of this home, or it is owned here.
pub fn take_back(draft: &mut Draft<'_>, admin: UserId, user: UserId, id: ScopeId) -> Result<Reply, Reject> {
    let member = draft.state.scope(id).filter(|scope| scope.members.contains_key(&user)).cloned();
    let scope = member.filter(|_| draft.state.is_local(user)).ok_or_else(Reject::not_found)?;
    if scope.head.owner == draft.me() {
        return Err(Reject::new(RejectCode::Invalid, "this is owned here: remove the member there"));
    }
    withdraw(draft, scope.head.owner, id, user);
    draft.audit("member.withdrawn", Some(admin), Some(scope.head.owner), Some(id), user.to_string());
    Ok(Reply::Done)
}

/// A user's place abroad ends here at once, and its owner is told (spec 8.6).
pub fn withdraw(draft: &mut Draft<'_>, owner: WorkspaceId, id: ScopeId, user: UserId) {
    deny(draft, id, user);
    removal::state(draft, owner, Word::Leave { user, scope: id });
}

/// Access and copies without a reader go. Position and roster stay until the owner's event: it builds on them.
/// What the owner still shows of him until then does not count.
fn deny(draft: &mut Draft<'_>, id: ScopeId, user: UserId) {
    draft.delete(RowKey::Member((id, user)));
    if let Some(mut head) = draft.state.scope(id).map(|scope| scope.head.clone()) {
        head.tombstones.retain(|(of, _)| *of != user);
        head.tombstones.push((user, head.epoch));
        draft.put(Row::Scope(head));
    }
    draft.mark(Mark::Lost(id, vec![user]));
    draft.mark(Mark::Scope(id));
    drop_copies(draft, id);
}

/// Copies of foreign threads that nobody reads any more go, also those read through a group of ours (P7.3).
pub fn drop_copies(draft: &mut Draft<'_>, id: ScopeId) {
    for thread in removal::related(&draft.state, id) {
        if !draft.state.owns(thread) && !replica::has_reader(&draft.state, thread) {
            replica::purge(draft, thread);
        }
        posting::withdraw(draft, thread);
    }
}

/// An owner shows people of ours who have no account with access here, or whose place ended here: they are never shown, and
/// leave at once by statements that mend what a lost one left (spec 8.7).
pub fn disown(draft: &mut Draft<'_>, owner: WorkspaceId, id: ScopeId) {
    let me = draft.me();
    let Some(scope) = draft.state.scope(id).filter(|scope| scope.head.owner == owner) else { return };
    let left = |user: &UserId| {
        let ended = scope.head.tombstones.iter().find(|(of, _)| of == user).map(|(_, epoch)| *epoch);
        ended.zip(scope.members.get(user)).is_some_and(|(ended, member)| member.joined <= ended)
    };
    let strangers: Vec<UserId> =
        scope.members_of(me).filter(|user| left(user) || !gate::standing(&draft.state, *user)).collect();
    for user in strangers {
        draft.delete(RowKey::Member((id, user)));
        removal::state(draft, owner, Word::Leave { user, scope: id });
        draft.audit("member.disowned", Some(user), Some(owner), Some(id), String::new());
    }
}
