//! The one gate: who may read what, asked by every door (spec 4.11, 5.5, 5.6; P3, P6.2, P7.2).
//!
//! Duty: paths of a user to a thread, and whether an entry is visible through one. Pages, streams,
//! search, notifications, typing and federation all come here. Never: an exception for a caller.

use super::{
    State, contacts, lease, recovery,
    row::{Log, PeerStatus, Role, ScopeHead},
    sabotage::{Switch, broken},
    state::Scope,
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId, WorkspaceId},
    time::Millis,
    wire::objects::{Floor, Grade, Member},
};

/// One way by which a user reaches a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The thread itself, or a recipient group.
    pub scope: ScopeId,
    /// Who added the user there.
    pub by: UserId,
    /// When, for display.
    pub since: Millis,
    /// What he may do there.
    pub grade: Grade,
    /// First entry that may be shown.
    pub from: u64,
    /// Last entry that may be shown.
    pub to: u64,
}

impl Path {
    /// Whether an entry lies on the path.
    #[must_use]
    pub fn shows(&self, seq: u64) -> bool {
        (self.from..=self.to).contains(&seq)
    }
}

/// Every path of the user to the thread as of the state's moment; none: there is nothing to read for him (P3.1), or
/// it waits for a lease (spec 11.2).
#[must_use]
pub fn paths(state: &State, user: UserId, thread: ThreadId) -> Vec<Path> {
    let Some(own) = state.scope(thread) else { return Vec::new() };
    let mut ways = ways(state, user, thread);
    ways.retain(|path| state.scope(path.scope).is_some_and(|scope| served(state, own, scope)));
    ways
}

/// Every path, whether its leases are fresh or not: who may leave, write to the outbox, and learn that it waits.
#[must_use]
pub fn ways(state: &State, user: UserId, thread: ThreadId) -> Vec<Path> {
    let (Some(log), Some(own)) = (state.logs.get(&thread), state.scope(thread)) else {
        return Vec::new();
    };
    if own.head.ended || own.head.frozen.is_some() || !standing(state, user) {
        return Vec::new();
    }
    let granting = state.granting(thread).filter(|scope| serves(state, own, scope, user.home()));
    granting.filter_map(|scope| path(state, log, own, scope, user)).collect()
}

/// Whether the user reaches the thread through any path.
#[must_use]
pub fn reaches(state: &State, user: UserId, thread: ThreadId) -> bool {
    !paths(state, user, thread).is_empty()
}

/// Whether the user is a member of the scope, directly or (thread) through a group, and may be shown it now.
#[must_use]
pub fn sees_scope(state: &State, user: UserId, scope: ScopeId) -> bool {
    match scope {
        ScopeId::Thread(thread) => reaches(state, user, thread),
        ScopeId::Group(group) => {
            knows_scope(state, user, scope)
                && state.scope(group).is_some_and(|scope| lease::fresh(state, &scope.head))
        }
    }
}

/// Whether the user is a member of the scope; it may wait for its owner's lease.
#[must_use]
pub fn knows_scope(state: &State, user: UserId, scope: ScopeId) -> bool {
    match scope {
        ScopeId::Thread(thread) => !ways(state, user, thread).is_empty(),
        ScopeId::Group(group) => {
            standing(state, user)
                && state.scope(group).is_some_and(|scope| {
                    !scope.head.ended
                        && scope.head.frozen.is_none()
                        && scope.members.contains_key(&user)
                        && !recovery::is_denied(state, scope.head.id, user)
                })
        }
    }
}

/// Whether the directory shows the user a group: he is in it, or may join it as a member of the owner's workspace, or
/// administers that (P4.3, P5.1). Free accounts have no directory (P1.3).
#[must_use]
pub fn lists(state: &State, user: UserId, group: GroupId) -> bool {
    if !standing(state, user) || !state.is_local(user) || contacts::is_realm(state) {
        return false;
    }
    let admin = || state.users.get(&user).is_some_and(|user| user.role == Role::Admin);
    let own = state.scope(group).filter(|scope| Some(scope.head.owner) == state.me() && !scope.head.ended);
    own.is_some_and(|scope| scope.head.settings.open || admin()) || knows_scope(state, user, group.into())
}

/// Why the user is shown nothing of what he is in: it is frozen, or every scope by which he reads it is (spec 12.7).
#[must_use]
pub fn frozen(state: &State, user: UserId, id: ScopeId) -> Option<&str> {
    if !standing(state, user) || knows_scope(state, user, id) {
        return None;
    }
    let own = state.scope(id).filter(|own| !own.head.ended)?;
    let groups = own.head.groups.iter().filter_map(|recipient| state.scope(recipient.group));
    let mine = std::iter::once(own).chain(groups).filter(|scope| {
        let denied = recovery::is_denied(state, scope.head.id, user);
        !scope.head.ended && scope.members.contains_key(&user) && !denied
    });
    mine.into_iter().find_map(|scope| own.head.frozen.as_deref().or(scope.head.frozen.as_deref()))
}

/// Whom the user waits for where nothing may be shown now: the head of the scope whose lease ran out first. `None`: the
/// scope does not exist for him, or is shown.
#[must_use]
pub fn waits_for(state: &State, user: UserId, id: ScopeId) -> Option<&ScopeHead> {
    if sees_scope(state, user, id) || !knows_scope(state, user, id) {
        return None;
    }
    let own = &state.scope(id)?.head;
    let ways = id.thread().map(|thread| ways(state, user, thread)).unwrap_or_default();
    let groups = ways.into_iter().filter_map(|path| state.scope(path.scope)).map(|scope| &scope.head);
    let stale = std::iter::once(own).chain(groups).filter(|head| !lease::fresh(state, head));
    stale.min_by_key(|head| lease::waiting_since(state, head))
}

/// Whether a peer has a user who is entitled to the entry, through any path (spec 5.6): the owner's side.
#[must_use]
pub fn peer_entitled(state: &State, peer: WorkspaceId, thread: ThreadId, seq: u64) -> bool {
    peer_floor(state, peer, thread).is_some_and(|floor| seq >= floor)
}

/// The first entry of an own thread that any user of the peer may read; `None`: the peer has no reader.
#[must_use]
pub fn peer_floor(state: &State, peer: WorkspaceId, thread: ThreadId) -> Option<u64> {
    let (log, own) = (state.logs.get(&thread)?, state.scope(thread)?);
    if own.head.ended || !peer_served(state, peer) {
        return None;
    }
    let scopes = state
        .granting(thread)
        .filter(|scope| scope.homes.contains_key(&peer) && serves(state, own, scope, peer));
    let served = scopes.filter(|scope| served(state, own, scope));
    served.filter_map(|scope| home_floor(state, log, own, scope, peer)).min()
}

/// The first entry of a followed thread that any user of this home may read (spec 5.6).
#[must_use]
pub fn own_floor(state: &State, thread: ThreadId) -> Option<u64> {
    let (me, log, own) = (state.me()?, state.logs.get(&thread)?, state.scope(thread)?);
    state.granting(thread).filter_map(|scope| home_floor(state, log, own, scope, me)).min()
}

/// The granting scopes through which a peer reads an own thread.
pub fn peer_scopes(state: &State, peer: WorkspaceId, thread: ThreadId) -> impl Iterator<Item = &Scope> {
    let own = state.scope(thread).filter(|own| !own.head.ended && peer_served(state, peer));
    own.into_iter().flat_map(move |own| {
        let granting = state.granting(thread).map(|scope| &**scope);
        granting.filter(move |scope| {
            scope.homes.contains_key(&peer) && serves(state, own, scope, peer) && served(state, own, scope)
        })
    })
}

/// Where `from-now` begins for the users of one home in one scope: (epoch of a join, first entry) (spec 5.6).
#[must_use]
pub fn peer_marks(state: &State, peer: WorkspaceId, thread: ThreadId, scope: &Scope) -> Vec<(u64, u64)> {
    let Some(log) = state.logs.get(&thread) else {
        return Vec::new();
    };
    let late =
        scope.members.values().filter(|member| member.user.home() == peer && member.floor == Floor::FromNow);
    let mut marks: Vec<_> =
        late.map(|member| (member.joined, first_at(log, scope.head.id, member.joined))).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// The first entry at or after an epoch of a scope; the next one that will come, if there is none.
#[must_use]
pub fn first_at(log: &Log, scope: ScopeId, epoch: u64) -> u64 {
    let marks = log.marks.iter().find(|(of, _)| *of == scope).map(|(_, marks)| marks.as_slice());
    let first = marks.and_then(|marks| marks.iter().find(|(at, _)| *at >= epoch));
    first.map_or(log.high + 1, |(_, seq)| *seq)
}

/// A user at home needs an account with access; others are their homes' to judge.
#[must_use]
pub fn standing(state: &State, user: UserId) -> bool {
    !state.is_local(user) || state.users.get(&user).is_some_and(|user| user.role.has_access())
}

/// Whether content goes to and comes from this peer.
#[must_use]
pub fn peer_active(state: &State, peer: WorkspaceId) -> bool {
    state.peers.get(&peer).is_some_and(|peer| peer.status == PeerStatus::Active)
}

/// Whether a peer is served: active, and compared since our start (spec 12.1).
fn peer_served(state: &State, peer: WorkspaceId) -> bool {
    peer_active(state, peer) && recovery::is_compared(state, peer)
}

/// Whether a granting scope counts for users of a home: not over, and, seen from the thread's owner, a
/// home that is an active peer (spec 4.8).
fn serves(state: &State, own: &Scope, scope: &Scope, home: WorkspaceId) -> bool {
    let alive = !scope.head.ended && scope.head.frozen.is_none();
    let here = state.me();
    let reachable = Some(own.head.owner) != here || Some(home) == here || peer_active(state, home);
    alive && reachable
}

/// Whether a granting scope may be used as of the state's moment: its lease is fresh, and that of the thread too where
/// another owner has it. The ttl of the granting scope counts for both if they are of one owner (spec 11.4).
fn served(state: &State, own: &Scope, scope: &Scope) -> bool {
    let one_owner = own.head.owner == scope.head.owner;
    lease::fresh(state, &scope.head) && (one_owner || lease::fresh(state, &own.head))
}

fn path(state: &State, log: &Log, own: &Scope, scope: &Scope, user: UserId) -> Option<Path> {
    let member = scope.members.get(&user).filter(|_| !recovery::is_denied(state, scope.head.id, user))?;
    let from = member_floor(log, own, scope, member);
    let uncovered = Some(own.head.owner) == state.me() || broken(Switch::RenderRule);
    let to = if uncovered { log.high } else { covered(log, scope.head.id) };
    Some(Path { scope: scope.head.id, by: member.by, since: member.time, grade: member.grade, from, to })
}

/// Render rule: only what a head of that scope covers (spec 5.5).
fn covered(log: &Log, scope: ScopeId) -> u64 {
    log.covers.iter().find(|(of, _)| *of == scope).map_or(0, |(_, cover)| cover.seq)
}

fn member_floor(log: &Log, own: &Scope, scope: &Scope, member: &Member) -> u64 {
    if broken(Switch::Floor) {
        return 0;
    }
    let personal = match member.floor {
        Floor::All => 0,
        Floor::FromNow => first_at(log, scope.head.id, member.joined),
    };
    personal.max(recipient_floor(own, scope))
}

/// What history the members of a recipient group get at all.
fn recipient_floor(own: &Scope, scope: &Scope) -> u64 {
    own.head.groups.iter().find(|at| ScopeId::Group(at.group) == scope.head.id).map_or(0, |at| at.from)
}

fn home_floor(state: &State, log: &Log, own: &Scope, scope: &Scope, home: WorkspaceId) -> Option<u64> {
    let mut floor = None;
    let of_home = scope.members.values().filter(|member| member.user.home() == home);
    for member in of_home.filter(|member| !recovery::is_denied(state, scope.head.id, member.user)) {
        let of = member_floor(log, own, scope, member);
        floor = Some(floor.map_or(of, |least: u64| least.min(of)));
        if floor == Some(0) {
            break;
        }
    }
    floor
}
