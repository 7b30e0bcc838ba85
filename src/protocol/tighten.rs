//! A group becomes internal-only (spec 8.10; P8.2, P5.1): who is in already goes with the decision.
//!
//! Duty: what the rule costs whom, and that rule at every later door. Never: a cut that was not confirmed.

use super::{
    Draft, Reject, Reply, State,
    command::RejectCode,
    membership, policy,
    removal::{self, Cut},
    row::SentInvite,
    state::Scope,
};
use crate::{
    ids::{GroupId, ScopeId, UserId, WorkspaceId},
    wire::objects::{Op, Settings},
};

/// What ends when the group admits no externals any more: their places in it and in the threads addressed to it, and
/// other groups in these threads that hold externals.
#[must_use]
pub fn cuts(state: &State, group: GroupId) -> Vec<Cut> {
    let threads = state.addressed.get(&group).into_iter().flatten().map(|thread| ScopeId::from(*thread));
    let scopes = std::iter::once(ScopeId::from(group)).chain(threads);
    let owned = scopes.filter_map(|id| state.scope(id)).filter(|scope| Some(scope.head.owner) == state.me());
    let cuts = owned.map(|scope| Cut {
        scope: scope.head.id,
        users: externals(state, scope),
        groups: others(scope, group).filter(|other| holds_externals(state, *other)).collect(),
    });
    cuts.filter(|cut| !cut.users.is_empty() || !cut.groups.is_empty()).collect()
}

fn externals(state: &State, scope: &Scope) -> Vec<UserId> {
    scope.members.keys().filter(|user| !state.is_local(**user)).copied().collect()
}

fn others(scope: &Scope, group: GroupId) -> impl Iterator<Item = GroupId> {
    scope.head.groups.iter().map(|at| at.group).filter(move |other| *other != group)
}

/// Whether people of other homes read through this group.
fn holds_externals(state: &State, group: GroupId) -> bool {
    let foreign =
        |scope: &Scope, me: WorkspaceId| scope.head.owner != me || scope.homes.keys().any(|h| *h != me);
    state.scope(group).zip(state.me()).is_none_or(|(scope, me)| foreign(scope, me))
}

/// Open invitations of people of other homes that end with it.
pub fn offers(state: &State, group: GroupId) -> impl Iterator<Item = &SentInvite> {
    let threads = state.addressed.get(&group).into_iter().flatten().map(|thread| ScopeId::from(*thread));
    let scopes = std::iter::once(ScopeId::from(group)).chain(threads);
    scopes.flat_map(|scope| state.open_offers(scope)).map(|sent| &**sent)
}

/// Whether the change makes a group internal-only.
#[must_use]
pub fn is_tightened(scope: &Scope, settings: &Settings) -> bool {
    scope.head.settings.externals && !settings.externals
}

/// The settings, and everything that they end, in one decision. The caller has checked the actor.
///
/// # Errors
/// People of other homes are in, and nobody has confirmed that they go.
pub fn apply(
    draft: &mut Draft<'_>,
    actor: UserId,
    scope: &Scope,
    settings: Settings,
    confirmed: bool,
) -> Result<Reply, Reject> {
    let id = scope.head.id;
    let cuts = id.group().map(|group| cuts(&draft.state, group));
    let in_thread = id.group().is_none() && !externals(&draft.state, scope).is_empty();
    if in_thread || (!confirmed && cuts.as_ref().is_some_and(|cuts| !cuts.is_empty())) {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "externals: people of other workspaces are in; an admin of the group's workspace has to confirm their removal",
        ));
    }
    let open: Vec<SentInvite> =
        id.group().into_iter().flat_map(|group| offers(&draft.state, group)).cloned().collect();
    open.into_iter().for_each(|sent| super::invite::void(draft, sent));
    for cut in cuts.into_iter().flatten() {
        let users = cut.users.iter().map(|user| Op::Remove { user: *user });
        let groups = cut.groups.iter().map(|group| Op::RemoveGroup { group: *group });
        removal::cut(draft, actor, cut.scope, &users.chain(groups).collect::<Vec<_>>())?;
        draft.audit("members.cut", Some(actor), None, Some(cut.scope), format!("{} people", cut.users.len()));
    }
    membership::append(draft, id, actor, vec![Op::Settings { settings }])?;
    Ok(Reply::Done)
}

/// Whether a thread may be addressed to a group beside its other recipients: an internal-only group's threads have no
/// external recipients (P5.1).
///
/// # Errors
/// One of them is internal-only, and another brings people of other homes.
pub fn may_address(state: &State, thread: &Scope, group: GroupId) -> Result<(), Reject> {
    let open = thread.homes.keys().any(|home| Some(*home) != state.me())
        || others(thread, group).any(|other| holds_externals(state, other));
    let clash = if policy::is_internal(state, group) {
        open
    } else {
        holds_externals(state, group) && others(thread, group).any(|other| policy::is_internal(state, other))
    };
    if clash {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "an internal-only group and people of other workspaces cannot be in one thread: start another one",
        ));
    }
    Ok(())
}

/// Whether people of other homes may join a group: none of its threads is shared with an internal-only group.
#[must_use]
pub fn shares_with_internal(state: &State, group: GroupId) -> bool {
    let threads = state.addressed.get(&group).into_iter().flatten().filter_map(|thread| state.scope(*thread));
    threads.into_iter().any(|thread| others(thread, group).any(|other| policy::is_internal(state, other)))
}
