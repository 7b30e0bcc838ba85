//! A policy becomes tighter (spec 8.10; P8.2): who is in against it, and that he goes with the decision.
//!
//! Duty: places, grades, groups, invitations and conversations that a policy does not allow; ending them. Never: a cut
//! that was not confirmed.

use super::{
    admits, admits_home, ceiling, forbidden, group_admits, homes_of, invites_external, is_governed,
    may_administer, own_groups, own_scope, workspace_role,
};
use crate::{
    ids::{GroupId, ScopeId, UserId},
    limits,
    protocol::{
        Draft, Reject, Reply, State,
        command::RejectCode,
        ending, invite, membership, peering,
        removal::{self, Cut},
        row::{GroupPolicy, PeerPolicy, PeerStatus, Policy, Row, SentInvite},
        state::Scope,
    },
    wire::objects::{Grade, Op, ThreadKind, Word},
};

/// What stands against the policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Excess {
    /// Places of people, and recipient groups of threads.
    pub cuts: Vec<Cut>,
    /// Places with a grade that is too high, with the grade that they may have.
    pub lowered: Vec<(ScopeId, UserId, Grade)>,
    /// Open invitations.
    pub offers: Vec<SentInvite>,
    /// Conversations of two: they stay readable, and take nothing new.
    pub conversations: Vec<ScopeId>,
}

impl Excess {
    /// Whether nobody loses anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// All that stands against the policies of a state: of the one that will be, seen before it is.
#[must_use]
pub fn excess(state: &State) -> Excess {
    let mut all = Excess::default();
    let owned = state.scopes.values().filter(|scope| Some(scope.head.owner) == state.me());
    for scope in owned.filter(|scope| !scope.head.ended) {
        if scope.head.kind == Some(ThreadKind::Dm) {
            let shut = scope.homes.keys().any(|home| !admits_home(state, *home));
            all.conversations.extend((shut && !scope.head.settings.closed).then_some(scope.head.id));
            continue;
        }
        let cut = cut(state, scope);
        all.lowered.extend(lowered(state, scope, &cut.users));
        all.cuts.extend((!cut.users.is_empty() || !cut.groups.is_empty()).then_some(cut));
    }
    let open = state.offers.keys().flat_map(|scope| state.open_offers(*scope));
    all.offers = open.filter(|sent| !is_allowed(state, sent)).map(|sent| (**sent).clone()).collect();
    all
}

fn cut(state: &State, scope: &Scope) -> Cut {
    let out: Vec<_> = scope.homes.keys().copied().filter(|home| !is_in_order(state, scope, *home)).collect();
    let users = out.into_iter().flat_map(|home| scope.members_of(home).collect::<Vec<_>>()).collect();
    let groups = scope.head.groups.iter().map(|at| at.group);
    let groups = groups.filter(|group| clashes(state, scope, *group)).collect();
    Cut { scope: scope.head.id, users, groups }
}

/// A member of the group itself is judged by its own policy; one of a thread by those of all its groups.
fn is_in_order(state: &State, scope: &Scope, home: crate::ids::WorkspaceId) -> bool {
    admits_home(state, home) && own_groups(scope).all(|group| group_admits(state, group, home))
}

/// Whether a group brings people into a thread whom the policy, or that of another of its groups, excludes. Of our own
/// groups those whom the workspace excludes go themselves.
fn clashes(state: &State, thread: &Scope, group: GroupId) -> bool {
    let others: Vec<GroupId> = own_groups(thread).filter(|other| *other != group).collect();
    homes_of(state, group).into_iter().any(|home| {
        let excluded = !state.owns(group) && !admits_home(state, home);
        let stays = admits_home(state, home) && group_admits(state, group, home);
        excluded || (stays && others.iter().any(|other| !group_admits(state, *other, home)))
    })
}

fn lowered(state: &State, scope: &Scope, gone: &[UserId]) -> Vec<(ScopeId, UserId, Grade)> {
    if scope.homes.len() < 2 && scope.homes.keys().all(|home| Some(*home) == state.me()) {
        return Vec::new();
    }
    let most = ceiling(state, scope);
    let external = scope.members.values().filter(|member| Some(member.user.home()) != state.me());
    let over = external.filter(|member| member.grade > most && !gone.contains(&member.user));
    over.map(|member| (scope.head.id, member.user, most)).collect()
}

fn is_allowed(state: &State, sent: &SentInvite) -> bool {
    let Some(scope) = state.scope(sent.scope) else { return true };
    if !is_governed(state, sent.scope) {
        return admits_home(state, sent.home);
    }
    // By e-mail it is not known yet whose home it will be: that is judged when somebody claims it.
    invites_external(state, sent.by, scope).is_ok()
        && (sent.link.is_some() || admits(state, scope, sent.home).is_ok())
        && sent.grade <= ceiling(state, scope)
}

/// The state with this policy instead of the one before.
#[must_use]
pub fn with(state: &State, row: Row) -> State {
    let mut after = state.clone();
    after.put(row);
    after
}

/// An admin sets the workspace's policy.
///
/// # Errors
/// It names too much, or it cuts somebody and nobody has confirmed that.
pub fn set_workspace(
    draft: &mut Draft<'_>,
    actor: UserId,
    policy: Policy,
    confirmed: bool,
) -> Result<Reply, Reject> {
    if !workspace_role(&draft.state, actor) {
        return Err(Reject::not_found());
    }
    fits(policy.peers.as_deref())?;
    if !(1..=365).contains(&policy.days) {
        return Err(Reject::new(RejectCode::Invalid, "days: 1 to 365"));
    }
    if *draft.state.rules.workspace == policy {
        return Ok(Reply::Already);
    }
    let detail = format!("{policy:?}");
    settle(draft, actor, Row::Policy(policy), confirmed)?;
    draft.audit("policy.changed", Some(actor), None, None, detail);
    Ok(Reply::Done)
}

/// An admin of a group sets its policy.
///
/// # Errors
/// As [`set_workspace`], or he is none.
pub fn set_group(
    draft: &mut Draft<'_>,
    actor: UserId,
    policy: GroupPolicy,
    confirmed: bool,
) -> Result<Reply, Reject> {
    let scope = own_scope(&draft.state, actor, policy.group.into())?;
    may_administer(&draft.state, actor, &scope)?;
    if scope.head.ended {
        return Err(forbidden("set the policy of a group that was ended"));
    }
    fits(policy.peers.as_deref())?;
    if draft.state.rules.group(policy.group) == policy {
        return Ok(Reply::Already);
    }
    let (group, detail) = (policy.group, format!("{policy:?}"));
    settle(draft, actor, Row::GroupPolicy(policy), confirmed)?;
    draft.audit("group.policy", Some(actor), None, Some(group.into()), detail);
    Ok(Reply::Done)
}

/// An admin sets what is allowed with a peer; it hears whether it may ask for addresses.
///
/// # Errors
/// As [`set_workspace`], or there is no such peer.
pub fn set_peer(
    draft: &mut Draft<'_>,
    actor: UserId,
    policy: PeerPolicy,
    confirmed: bool,
) -> Result<Reply, Reject> {
    let row = peering::known(draft, policy.peer)?;
    let before = draft.state.rules.peer(policy.peer);
    if before == policy {
        return Ok(Reply::Already);
    }
    let (peer, lookups, detail) = (policy.peer, policy.lookups, format!("{policy:?}"));
    settle(draft, actor, Row::PeerPolicy(policy), confirmed)?;
    if before.lookups != lookups && matches!(row.status, PeerStatus::Active | PeerStatus::Paused) {
        removal::state(draft, peer, Word::Lookups { allowed: lookups });
    }
    draft.audit("peer.policy", Some(actor), Some(peer), None, detail);
    Ok(Reply::Done)
}

fn fits(peers: Option<&[crate::ids::WorkspaceId]>) -> Result<(), Reject> {
    if peers.is_some_and(|peers| peers.len() > limits::PEERS_IN_POLICY) {
        return Err(Reject::new(RejectCode::TooLarge, "peers: more than a workspace can have"));
    }
    Ok(())
}

/// The policy, and everything that it ends, in one decision.
fn settle(draft: &mut Draft<'_>, actor: UserId, row: Row, confirmed: bool) -> Result<(), Reject> {
    draft.put(row);
    let ends = excess(&draft.state);
    if !confirmed && !ends.is_empty() {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "people are in whom this policy excludes: look at who it is, and confirm that they go",
        ));
    }
    ends.offers.into_iter().for_each(|sent| invite::void(draft, sent));
    for cut in ends.cuts {
        let users = cut.users.iter().map(|user| Op::Remove { user: *user });
        let groups = cut.groups.iter().map(|group| Op::RemoveGroup { group: *group });
        removal::cut(draft, actor, cut.scope, &users.chain(groups).collect::<Vec<_>>())?;
        draft.audit("members.cut", Some(actor), None, Some(cut.scope), format!("{} people", cut.users.len()));
    }
    for places in ends.lowered.chunk_by(|a, b| a.0 == b.0) {
        let Some((scope, ..)) = places.first().copied() else { continue };
        let ops: Vec<Op> =
            places.iter().map(|(_, user, grade)| Op::Grade { user: *user, grade: *grade }).collect();
        for ops in ops.chunks(limits::OPS_PER_EVENT) {
            membership::append(draft, scope, actor, ops.to_vec())?;
        }
        draft.audit("members.lowered", Some(actor), None, Some(scope), format!("{} people", places.len()));
    }
    for id in ends.conversations {
        ending::close_dm(draft, id)?;
    }
    Ok(())
}
