//! Which people of other homes may be in what is owned here, and who may invite them (spec 6.12; P2.5, P2.7, P8).
//!
//! Duty: yes or no by the workspace's, the groups' and the peers' policies together. Never: what a tightened policy ends.

use super::{administers, forbidden, grade, quota, workspace_admin};
use crate::{
    ids::{GroupId, ScopeId, UserId, WorkspaceId},
    protocol::{
        Draft, Reject, State,
        command::RejectCode,
        row::{FreeAccounts, Inviters},
        state::Scope,
    },
    wire::objects::{Grade, ThreadKind, WorkspaceKind},
};

/// Whether this user may invite somebody of this home, or (none) whoever has an e-mail address, as this grade: where he has
/// his home is judged when he comes.
///
/// # Errors
/// The policy that forbids it.
pub fn may_offer(
    state: &State,
    actor: UserId,
    scope: &Scope,
    wanted: Grade,
    home: Option<WorkspaceId>,
) -> Result<(), Reject> {
    if home.is_some() && home == state.me() {
        return Ok(());
    }
    invites_external(state, actor, scope)?;
    home.map_or(Ok(()), |home| admits(state, scope, home))?;
    let most = ceiling(state, scope);
    if wanted > most {
        let most = most.name();
        return Err(forbidden(&format!("give people of other workspaces more than the grade `{most}` here")));
    }
    Ok(())
}

/// Counts an invitation to somebody of this home, or (none) to whoever has an e-mail address.
///
/// # Errors
/// The quota is used up.
pub fn count_invitation(
    draft: &mut Draft<'_>,
    actor: UserId,
    home: Option<WorkspaceId>,
) -> Result<(), Reject> {
    if home == Some(draft.me()) { Ok(()) } else { quota::invites(draft, actor, home) }
}

/// The grade `invite` lets people of other homes add colleagues of their own home only (P2.7). Asked by the domain, before
/// anything is looked up: the answer must not tell who exists.
///
/// # Errors
/// The address is of another domain.
pub fn colleagues(state: &State, actor: UserId, scope: &Scope, domain: &str) -> Result<(), Reject> {
    let by_grade = scope.head.kind.is_none()
        && actor.home() != scope.head.owner
        && !scope.head.settings.open_invites
        && !administers(state, actor, scope);
    let own = state.homes.get(&actor.home()).is_some_and(|home| home.manifest.domain == domain);
    if by_grade && !own { Err(not_a_colleague()) } else { Ok(()) }
}

fn not_a_colleague() -> Reject {
    forbidden("invite people of other homes than your own here: ask an admin of the group")
}

/// Whether the user, who may invite, may invite people of other homes.
///
/// # Errors
/// The workspace's policy gives that to others.
pub fn invites_external(state: &State, actor: UserId, scope: &Scope) -> Result<(), Reject> {
    let by_group = || {
        let in_group = scope.head.id.group().is_some() || !scope.head.groups.is_empty();
        let starter_only = !in_group;
        !starter_only && grade(state, actor, scope) == Some(Grade::Admin)
    };
    let admin = || workspace_admin(state, actor, scope);
    let (allowed, who) = match state.rules.workspace.inviters {
        Inviters::Members => (true, ""),
        Inviters::GroupAdmins => (admin() || by_group(), "an admin of the group"),
        Inviters::Admins => (admin(), "an admin of the workspace"),
        Inviters::Nobody => (false, ""),
    };
    match (allowed, who) {
        (true, _) => Ok(()),
        (false, "") => {
            Err(forbidden("invite people of other workspaces: this workspace's policy lets nobody"))
        }
        (false, who) => Err(forbidden(&format!("invite people of other workspaces: ask {who}"))),
    }
}

/// Whether people of a home may become members of a scope that is owned here.
///
/// # Errors
/// The policy of the workspace, of a group or for the peer that forbids it.
pub fn admits(state: &State, scope: &Scope, home: WorkspaceId) -> Result<(), Reject> {
    if Some(home) == state.me() {
        return Ok(());
    }
    if !admits_home(state, home) {
        return Err(refused("this workspace's policy admits nobody of that workspace"));
    }
    let shared = scope.head.id.group().into_iter().flat_map(|group| beside(state, group));
    if own_groups(scope).chain(shared).all(|group| group_admits(state, group, home)) {
        Ok(())
    } else {
        Err(refused(
            "the group's policy, or that of another group in one of its threads, admits nobody of that workspace",
        ))
    }
}

fn refused(why: &str) -> Reject {
    Reject::new(RejectCode::Forbidden, format!("{why}: an admin can change it"))
}

/// Whether people of a home may be anywhere here: by the workspace's policy and by the one for that peer.
#[must_use]
pub fn admits_home(state: &State, home: WorkspaceId) -> bool {
    if Some(home) == state.me() {
        return true;
    }
    let policy = &state.rules.workspace;
    let listed = policy.peers.as_ref().is_none_or(|peers| peers.contains(&home));
    let free = state.homes.get(&home).is_some_and(|home| home.manifest.kind == WorkspaceKind::Free);
    let own_realm = super::own_realm(state) == Some(home);
    if free {
        let wanted = match policy.free_accounts {
            FreeAccounts::All => true,
            FreeAccounts::Own => own_realm,
            FreeAccounts::None => false,
        };
        return wanted && (own_realm || (listed && realm_admitted(state, home)));
    }
    listed && state.rules.peers.get(&home).is_none_or(|peer| peer.admitted)
}

/// A realm belongs to the peer that has the same domain, or the one above it; it can have a policy of its own as well.
fn realm_admitted(state: &State, realm: WorkspaceId) -> bool {
    let domain = |id: WorkspaceId| state.homes.get(&id).map(|home| home.manifest.domain.as_str());
    let of_realm = domain(realm).unwrap_or_default();
    let hosts = |id: WorkspaceId| {
        let host = domain(id).filter(|host| !host.is_empty());
        id == realm
            || host.is_some_and(|host| {
                of_realm == host || of_realm.strip_suffix(host).is_some_and(|rest| rest.ends_with('.'))
            })
    };
    let mut set = state.rules.peers.values();
    set.all(|peer| (peer.free_accounts && (peer.admitted || peer.peer != realm)) || !hosts(peer.peer))
}

/// Whether a group's own policy, if it has one, admits people of a home.
#[must_use]
pub fn group_admits(state: &State, group: GroupId, home: WorkspaceId) -> bool {
    let set = state.rules.groups.get(&group).filter(|_| state.owns(group));
    set.and_then(|set| set.peers.as_ref())
        .is_none_or(|peers| Some(home) == state.me() || peers.contains(&home))
}

/// The group itself, or the recipient groups of a thread.
pub fn own_groups(scope: &Scope) -> impl Iterator<Item = GroupId> {
    scope.head.id.group().into_iter().chain(scope.head.groups.iter().map(|at| at.group))
}

/// Groups that are in a thread with this one.
fn beside(state: &State, group: GroupId) -> impl Iterator<Item = GroupId> {
    let threads = state.addressed.get(&group).into_iter().flatten().filter_map(|thread| state.scope(*thread));
    let owned = threads.filter(|thread| Some(thread.head.owner) == state.me());
    owned.flat_map(|thread| thread.head.groups.iter().map(|at| at.group)).filter(move |other| *other != group)
}

/// The highest grade of people of other homes in a scope.
#[must_use]
pub fn ceiling(state: &State, scope: &Scope) -> Grade {
    let groups = own_groups(scope).filter(|group| state.owns(*group));
    let by_group = groups.filter_map(|group| state.rules.groups.get(&group)).map(|set| set.grade);
    by_group.fold(state.rules.workspace.grade, std::cmp::min)
}

/// Whether a member may have this grade.
///
/// # Errors
/// He is of another home, and the policy has a lower highest grade for these.
pub fn may_hold(state: &State, scope: &Scope, user: UserId, wanted: Grade) -> Result<(), Reject> {
    if Some(user.home()) == state.me() || wanted <= ceiling(state, scope) {
        return Ok(());
    }
    let most = ceiling(state, scope).name();
    Err(forbidden(&format!("give people of other workspaces more than the grade `{most}` here")))
}

/// Whether a group may be a recipient beside those that a thread has: nobody comes in through it whom the policy of
/// another one excludes, nor the reverse.
///
/// # Errors
/// Which it is.
pub fn may_share(state: &State, thread: &Scope, group: GroupId) -> Result<(), Reject> {
    let others: Vec<GroupId> = own_groups(thread).filter(|other| *other != group).collect();
    let direct = thread.homes.keys().copied();
    let present = direct.chain(others.iter().flat_map(|other| homes_of(state, *other)));
    let fits = homes_of(state, group)
        .into_iter()
        .all(|home| admits_home(state, home) && others.iter().all(|other| group_admits(state, *other, home)))
        && present.into_iter().all(|home| group_admits(state, group, home));
    if fits {
        Ok(())
    } else {
        Err(refused("the policies of the groups do not admit each other's people in one thread"))
    }
}

/// Homes of people who read through a group: of its members, and of its owner, who may add more.
#[must_use]
pub fn homes_of(state: &State, group: GroupId) -> Vec<WorkspaceId> {
    let scope = state.scope(group);
    let members = scope.into_iter().flat_map(|scope| scope.homes.keys().copied());
    members.chain(scope.map(|scope| scope.head.owner)).collect()
}

/// Whether a user may begin a conversation of two with somebody of a home; if he is no
/// contact, it is counted as an invitation.
///
/// # Errors
/// The policy excludes that home, or a quota is used up.
pub fn may_talk(draft: &mut Draft<'_>, actor: UserId, home: WorkspaceId, known: bool) -> Result<(), Reject> {
    if !admits_home(&draft.state, home) {
        return Err(refused("this workspace's policy admits nobody of that workspace"));
    }
    if known || home == draft.me() {
        return Ok(());
    }
    quota::invites(draft, actor, Some(home))
}

/// Whether a scope is one in which these policies count: owned here, alive, no conversation of two.
#[must_use]
pub fn is_governed(state: &State, id: ScopeId) -> bool {
    let alive = |scope: &Scope| !scope.head.ended && scope.head.kind != Some(ThreadKind::Dm);
    state.owns(id) && state.scope(id).is_some_and(|scope| alive(scope))
}
