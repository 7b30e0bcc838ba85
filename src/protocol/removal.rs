//! Removal and leaving (spec 8; P7): the reductions, which never fail for a stale epoch or a quota.
//!
//! Duty: ending memberships here and abroad, and the receipts. Never: needing anybody's consent.

use super::{
    Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    gate, invite, membership, policy,
    row::{InviteStatus, Removal, Row, RowKey, SentInvite},
};
use crate::{
    ids::{ScopeId, ThreadId, UserId, WorkspaceId},
    wire::{
        Blob, Verified,
        frames::Item,
        objects::{Op, Receipt, Statement, ThreadKind, Word},
    },
};

/// An admin (or starter) removes a member; `everywhere` ends the other paths to the same content too (P7.8).
///
/// # Errors
/// The actor may not, or nobody of that id is a member.
pub fn remove(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    user: UserId,
    everywhere: bool,
) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_administer(&draft.state, actor, &scope)?;
    if scope.head.kind == Some(ThreadKind::Dm) {
        return Err(Reject::new(RejectCode::Invalid, "a DM has no removal: block the person or leave"));
    }
    if !scope.members.contains_key(&user) {
        return Err(Reject::not_found());
    }
    let threads = related(&draft.state, id);
    let address = address(&draft.state, id, user);
    let epoch = end(draft, actor, id, user, Op::Remove { user })?;
    draft.audit("member.removed", Some(actor), Some(user.home()), Some(id), user.to_string());
    if everywhere {
        for thread in threads.iter().filter(|thread| ScopeId::Thread(**thread) != id) {
            let direct = draft.state.scope(*thread).is_some_and(|scope| scope.members.contains_key(&user));
            if direct && draft.state.owns(*thread) {
                end(draft, actor, (*thread).into(), user, Op::Remove { user })?;
            } else {
                void_open(draft, (*thread).into(), user, address.as_deref());
            }
        }
    }
    let paths = threads.into_iter().flat_map(|thread| gate::paths(&draft.state, user, thread));
    let mut remaining: Vec<ScopeId> = paths.map(|path| path.scope).collect();
    remaining.sort_unstable();
    remaining.dedup();
    Ok(Reply::Removed { epoch, remaining })
}

/// Threads whose content the scope grants.
fn related(state: &State, id: ScopeId) -> Vec<ThreadId> {
    match id {
        ScopeId::Thread(thread) => vec![thread],
        ScopeId::Group(group) => state.addressed.get(&group).into_iter().flatten().copied().collect(),
    }
}

/// The event, and the user's open invitations void (spec 6.5).
fn end(draft: &mut Draft<'_>, actor: UserId, id: ScopeId, user: UserId, op: Op) -> Result<u64, Reject> {
    let address = address(&draft.state, id, user);
    let epoch = membership::append(draft, id, actor, vec![op])?;
    void_open(draft, id, user, address.as_deref());
    Ok(epoch)
}

fn address(state: &State, id: ScopeId, user: UserId) -> Option<String> {
    state.scope(id)?.members.get(&user).map(|member| member.profile.address.clone())
}

/// Open invitations of the user, and those that he sent, stop counting: an invitation is a path to be.
fn void_open(draft: &mut Draft<'_>, id: ScopeId, user: UserId, address: Option<&str>) {
    let his = |sent: &SentInvite| address.is_some_and(|address| sent.address.eq_ignore_ascii_case(address));
    let open = |sent: &&std::sync::Arc<SentInvite>| {
        sent.scope == id && sent.status == InviteStatus::Sent && (his(sent) || sent.by == user)
    };
    let stale: Vec<_> = draft.state.sent.values().filter(open).cloned().collect();
    stale.into_iter().for_each(|sent| invite::void(draft, (*sent).clone()));
}

/// A user leaves: here by an event, elsewhere cut off at once and stated to the owner (P5.2).
///
/// # Errors
/// The user is no direct member.
pub fn leave(draft: &mut Draft<'_>, user: UserId, id: ScopeId) -> Result<Reply, Reject> {
    let scope = policy::known_scope(&draft.state, user, id)?;
    if !scope.members.contains_key(&user) {
        return Err(Reject::new(RejectCode::Invalid, "you are here through a group: leave the group"));
    }
    if scope.head.owner == draft.me() {
        let epoch = end(draft, user, id, user, Op::Leave { user })?;
        return Ok(Reply::Removed { epoch, remaining: Vec::new() });
    }
    let owner = scope.head.owner;
    draft.delete(RowKey::Member((id, user)));
    draft.mark(Mark::Lost(id, vec![user]));
    state(draft, owner, Word::Leave { user, scope: id });
    Ok(Reply::Done)
}

fn state(draft: &mut Draft<'_>, peer: WorkspaceId, word: Word) {
    let statement = Statement { word, time: draft.ctx.now };
    let statement = draft.sign(statement, Some(peer)).bytes().clone();
    draft.feed(peer, &Item::Statement { statement });
}

/// A user's memberships end everywhere: here by events, abroad by one statement per owner (P7.5).
///
/// # Errors
/// Never in practice; a scope that is over is skipped.
pub fn offboard(draft: &mut Draft<'_>, user: UserId) -> Result<(), Reject> {
    let places: Vec<ScopeId> = draft.state.places.get(&user).into_iter().flatten().copied().collect();
    let mut owners = std::collections::BTreeSet::new();
    for id in places {
        match draft.state.scope(id).map(|scope| (scope.head.owner, scope.head.ended)) {
            Some((owner, false)) if owner == draft.me() => {
                end(draft, user, id, user, Op::Leave { user })?;
            }
            Some((owner, _)) if owner != draft.me() => {
                owners.insert(owner);
            }
            _ => {}
        }
    }
    owners.into_iter().for_each(|owner| state(draft, owner, Word::Offboard { user }));
    Ok(())
}

/// A peer's statement about its own users (spec 8.5). What it may not say is ignored, and audited.
///
/// # Errors
/// The signature does not hold.
pub fn stated(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let statement: Verified<Statement> = draft.open(bytes, Some(draft.me()), peer)?;
    match statement.into_object().word {
        Word::Leave { user, scope } if user.home() == peer => withdraw(draft, user, scope),
        Word::Offboard { user } if user.home() == peer => {
            let places: Vec<ScopeId> = draft.state.places.get(&user).into_iter().flatten().copied().collect();
            places.into_iter().try_for_each(|scope| withdraw(draft, user, scope))
        }
        Word::Decline { invite } => {
            invite::declined(draft, peer, invite);
            Ok(())
        }
        Word::Revoke { invite } => {
            invite::revoked(draft, peer, invite);
            Ok(())
        }
        Word::EndPeering {} => super::peering::ended(draft, peer),
        Word::Profile { user, profile } if user.home() == peer => super::people::shown(draft, user, &profile),
        _ => {
            draft.audit("statement.refused", None, Some(peer), None, "about a user of another home".into());
            Ok(())
        }
    }
}

fn withdraw(draft: &mut Draft<'_>, user: UserId, id: ScopeId) -> Result<(), Reject> {
    let member =
        draft.state.scope(id).is_some_and(|scope| scope.members.contains_key(&user) && !scope.head.ended);
    if member && draft.state.owns(id) {
        end(draft, user, id, user, Op::Leave { user })?;
        draft.audit("member.left", Some(user), Some(user.home()), Some(id), String::new());
    }
    Ok(())
}

/// A receipt: the home's word that a removal is in force there (spec 8.3, P7.6).
///
/// # Errors
/// The signature does not hold.
pub fn receipt(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let receipt: Verified<Receipt> = draft.open(bytes, Some(draft.me()), peer)?;
    let receipt = receipt.into_object();
    let found = draft.state.removals.values().filter(|removal| removal.scope == receipt.scope);
    let answered: Vec<Removal> =
        found.filter(|removal| answers(removal, peer, &receipt)).map(|removal| (**removal).clone()).collect();
    for mut removal in answered {
        for (home, at) in removal.homes.iter_mut().filter(|(home, at)| *home == peer && at.is_none()) {
            *at = Some((draft.ctx.now, bytes.clone()));
            debug_assert_eq!(*home, peer);
        }
        let (scope, epoch) = (removal.scope, removal.epoch);
        draft.put(Row::Removal(removal));
        draft.mark(Mark::Receipt(scope, epoch));
        draft.audit(
            "removal.confirmed",
            None,
            Some(peer),
            Some(scope),
            format!("applied at {}", receipt.applied),
        );
    }
    Ok(())
}

/// By the event's hash; a later position that includes the removal answers it as well (spec 8.3).
fn answers(removal: &Removal, peer: WorkspaceId, receipt: &Receipt) -> bool {
    let open = removal.homes.iter().any(|(home, at)| *home == peer && at.is_none());
    let theirs = removal.users.iter().filter(|user| user.home() == peer);
    open && (removal.event == receipt.event || theirs.into_iter().all(|user| receipt.users.contains(user)))
}

/// A user of another home leaves every scope that is owned here.
///
/// # Errors
/// Never in practice: scopes that are over are skipped.
pub fn end_all(draft: &mut Draft<'_>, user: UserId) -> Result<(), Reject> {
    let places: Vec<ScopeId> = draft.state.places.get(&user).into_iter().flatten().copied().collect();
    places.into_iter().try_for_each(|scope| withdraw(draft, user, scope))
}

/// A membership reached its end date (P2.8).
///
/// # Errors
/// The scope is over.
pub fn expire(draft: &mut Draft<'_>, id: ScopeId, user: UserId) -> Result<(), Reject> {
    let by =
        draft.state.scope(id).and_then(|scope| scope.members.get(&user)).map_or(user, |member| member.by);
    end(draft, by, id, user, Op::Remove { user })?;
    draft.audit("member.expired", None, Some(user.home()), Some(id), user.to_string());
    Ok(())
}
