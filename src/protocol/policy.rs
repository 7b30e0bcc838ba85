//! Who may do what: the one place (spec 4.5, 6.2, 7.3; P2.4, P5, P6.3).
//!
//! Duty: yes or no for a user and a scope. Never: what follows from it.

mod admission;
mod excess;
mod hearing;
mod quota;
mod rules;

pub use admission::{
    admits, admits_home, ceiling, colleagues, count_invitation, group_admits, homes_of, invites_external,
    is_governed, may_hold, may_offer, may_share, may_talk, own_groups,
};
pub use excess::{Excess, excess, set_group, set_peer, set_workspace, with};
pub use hearing::{
    Hearing, block, blocks, closed, hears, is_contact, is_shut, may_write, presence, resolves, resolves_for,
};
pub use rules::Rules;

use super::{
    State,
    command::{Reject, RejectCode},
    gate, people,
    row::Role,
    state::Scope,
    tighten,
};
use crate::{
    ids::{GroupId, ScopeId, UserId, WorkspaceId},
    wire::objects::{Grade, Settings, ThreadKind, WorkspaceKind},
};

/// The highest grade that the user holds in the scope, through any path.
#[must_use]
pub fn grade(state: &State, user: UserId, scope: &Scope) -> Option<Grade> {
    let direct = scope.members.get(&user).map(|member| member.grade);
    let by_group = scope.head.groups.iter().filter_map(|recipient| {
        let group = state.scope(recipient.group)?;
        group.members.get(&user).map(|member| member.grade)
    });
    by_group.chain(direct).max()
}

/// Whether the user administers the scope: by grade, as the starter of a topic who still has access
/// (P6.6), or as an admin of the owning workspace (P5.5).
#[must_use]
pub fn administers(state: &State, user: UserId, scope: &Scope) -> bool {
    let held = grade(state, user, scope);
    let starter = scope.head.kind == Some(ThreadKind::Topic) && scope.head.starter == user && held.is_some();
    held == Some(Grade::Admin) || starter || workspace_admin(state, user, scope)
}

fn workspace_admin(state: &State, user: UserId, scope: &Scope) -> bool {
    scope.head.kind != Some(ThreadKind::Dm)
        && Some(scope.head.owner) == state.me()
        && workspace_role(state, user)
}

/// Whether the user sees a group without being in it: who it is, and who is in it, not what is said there. The admins of its
/// owner act as its admins at any time (P5.5).
#[must_use]
pub fn oversees(state: &State, user: UserId, scope: &Scope) -> bool {
    scope.head.id.group().is_some() && !scope.head.ended && workspace_admin(state, user, scope)
}

fn workspace_role(state: &State, user: UserId) -> bool {
    state.users.get(&user).is_some_and(|user| user.role == Role::Admin)
}

/// The realm of free accounts that this node hosts.
#[must_use]
pub fn own_realm(state: &State) -> Option<WorkspaceId> {
    let own = &state.homes.get(&state.me()?)?.manifest.domain;
    let of_domain = |id: &WorkspaceId| state.homes.get(id).is_some_and(|home| home.manifest.domain == *own);
    let free =
        |id: &WorkspaceId| state.homes.get(id).is_some_and(|home| home.manifest.kind == WorkspaceKind::Free);
    state.peers.keys().copied().find(|id| free(id) && of_domain(id))
}

/// The scope, if it exists, is owned here and the user may know of it.
///
/// # Errors
/// The one answer for all else (P3.1), or who owns it.
pub fn own_scope(state: &State, user: UserId, id: ScopeId) -> Result<Scope, Reject> {
    let scope = known_scope(state, user, id)?;
    if Some(scope.head.owner) != state.me() {
        return Err(Reject::new(RejectCode::NotOwner, "another workspace owns this: ask there"));
    }
    Ok(scope)
}

/// The scope, if it exists and the user may know of it.
///
/// # Errors
/// The one answer for all else (P3.1).
pub fn known_scope(state: &State, user: UserId, id: ScopeId) -> Result<Scope, Reject> {
    let scope = state.scope(id).ok_or_else(Reject::not_found)?;
    let may_know =
        gate::knows_scope(state, user, id) || (workspace_admin(state, user, scope) && !scope.head.ended);
    if may_know { Ok((**scope).clone()) } else { Err(Reject::not_found()) }
}

/// Whether the user may add members, or invite (P2.4).
///
/// # Errors
/// Why not, for somebody who may know of the scope.
pub fn may_invite(state: &State, user: UserId, scope: &Scope) -> Result<(), Reject> {
    as_member(state, user, "invite anybody")?;
    if administers(state, user, scope) {
        return Ok(());
    }
    let held = grade(state, user, scope);
    let open = match scope.head.kind {
        None => scope.head.settings.open_invites || held >= Some(Grade::Invite),
        Some(ThreadKind::Topic) => !scope.head.settings.locked && held >= Some(Grade::Post),
        Some(ThreadKind::Chat | ThreadKind::Dm) => false,
    };
    if open {
        Ok(())
    } else {
        Err(forbidden("invite here: ask an admin of the group or the starter of the thread"))
    }
}

/// What a free account has no part in, here and wherever it is asked for (P1.3).
///
/// # Errors
/// The user has one.
pub fn as_member(state: &State, user: UserId, what: &str) -> Result<(), Reject> {
    if people::is_free(state, user) {
        let why = format!("a free account cannot {what}: it reads, writes and answers where it was invited");
        return Err(Reject::new(RejectCode::Forbidden, why));
    }
    Ok(())
}

/// Whether the user may administer the scope.
///
/// # Errors
/// Why not.
pub fn may_administer(state: &State, user: UserId, scope: &Scope) -> Result<(), Reject> {
    if administers(state, user, scope) {
        Ok(())
    } else {
        Err(forbidden("change this: only its admins and its starter may"))
    }
}

/// Whether the user may change the settings to these. Who writes in a topic that is not locked may name it anew (P6.3);
/// either side of a conversation of two may close and open it.
///
/// # Errors
/// Why not.
pub fn may_set(state: &State, user: UserId, scope: &Scope, settings: &Settings) -> Result<(), Reject> {
    let before = &scope.head.settings;
    let own = match scope.head.kind {
        Some(ThreadKind::Topic) if !before.locked => {
            *settings == Settings { name: settings.name.clone(), ..before.clone() }
        }
        Some(ThreadKind::Dm) => *settings == Settings { closed: settings.closed, ..before.clone() },
        _ => false,
    };
    if own && grade(state, user, scope) >= Some(Grade::Post) {
        return Ok(());
    }
    may_administer(state, user, scope)
}

/// Whether people of other homes may be in the scope (P2.5, P5.1).
///
/// # Errors
/// Why not.
pub fn externals_allowed(state: &State, scope: &Scope) -> Result<(), Reject> {
    let group = scope.head.id.group();
    let by_group = scope.head.groups.iter().any(|at| is_internal(state, at.group));
    if by_group || group.is_some_and(|group| is_internal(state, group)) {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "this group is internal-only: allow externals in its settings first",
        ));
    }
    if group.is_some_and(|group| tighten::shares_with_internal(state, group)) {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "a thread of this group is also addressed to an internal-only group: take one of them off first",
        ));
    }
    Ok(())
}

/// Whether a group of this workspace admits nobody of other homes.
#[must_use]
pub fn is_internal(state: &State, group: GroupId) -> bool {
    state.owns(group) && state.scope(group).is_some_and(|scope| !scope.head.settings.externals)
}

/// A refusal for somebody who may know of the scope.
#[must_use]
pub fn forbidden(what: &str) -> Reject {
    Reject::new(RejectCode::Forbidden, format!("you may not {what}"))
}
