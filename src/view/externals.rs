//! People of other homes in what this workspace owns, and its own people in what others own: for admins (P2.7, P2.8, P5.5).
//!
//! Duty: who is in what, since when, by whom, until when. Never: the name of what waits for its owner, or is frozen.

use std::ops::Bound;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    people::{self, Home, Person},
    seen,
};
use crate::{
    ids::{ScopeId, UserId},
    limits,
    protocol::{Records, State, lease, row::ScopeHead, state::Scope},
    time::Millis,
    wire::objects::{Grade, Member, ThreadKind},
};

/// Places and people shown of one person or scope; the rest is counted.
const SHOWN: usize = limits::API_PAGE;

/// Somebody of another home in groups or threads of this workspace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct External {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// Whose word the account stands on.
    pub workspace: Home,
    /// In what.
    pub places: Vec<ExternalPlace>,
    /// How many more places there are.
    pub left_out: usize,
    /// The newest moment at which this node knows him to have acted in what this workspace owns: he wrote, edited, deleted
    /// or reacted in a thread that he reads now (`seen`). Of a free account that this node hosts, also when the newest of
    /// its sessions began that still stands. Null: nothing yet, or nothing that is new enough to be found. Reading leaves
    /// no trace, and homes do not tell each other who is at work.
    pub last_seen: Option<Millis>,
}

/// One group or thread of this workspace that an external is in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExternalPlace {
    /// Which.
    pub scope: ScopeId,
    /// Its name; null for a conversation of two.
    pub name: Option<String>,
    /// The kind of a thread; null for a group.
    pub kind: Option<ThreadKind>,
    /// The group of another owner through which he reads it; null: he is in it himself.
    pub via: Option<String>,
    /// As what.
    pub grade: Grade,
    /// Who added him.
    pub by: Person,
    /// Since when.
    pub since: Millis,
    /// When it ends by itself.
    pub until: Option<Millis>,
}

/// A group or thread of another workspace with people of this one in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Abroad {
    /// Which.
    pub scope: ScopeId,
    /// Its name; null for a conversation of two, and while it waits for its owner or is frozen.
    pub name: Option<String>,
    /// The kind of a thread; null for a group.
    pub kind: Option<ThreadKind>,
    /// Whose it is.
    pub owner: Home,
    /// Since when it waits for its owner's word; null: it does not.
    pub waiting_since: Option<Millis>,
    /// Why nothing of it is shown, if so.
    pub frozen: Option<String>,
    /// Own people in it.
    pub people: Vec<AbroadMember>,
    /// How many more of them there are.
    pub left_out: usize,
}

/// One of the own people in something that another workspace owns.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AbroadMember {
    /// Who.
    pub user: Person,
    /// As what.
    pub grade: Grade,
    /// Since when.
    pub since: Millis,
    /// When it ends by itself.
    pub until: Option<Millis>,
}

/// A page of externals, by id.
#[must_use]
pub fn externals(state: &State, records: &dyn Records, after: Option<UserId>, limit: usize) -> Vec<External> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let known = state.places.range((from, Bound::Unbounded)).map(|(user, _)| *user);
    let found = known.filter(|user| !state.is_local(*user)).filter_map(|user| {
        let mut places = places(state, user);
        let left_out = places.len().saturating_sub(SHOWN);
        places.truncate(SHOWN);
        let some = !places.is_empty();
        let (person, workspace) = (people::person(state, user), people::home(state, user.home()));
        some.then_some(External { person, workspace, places, left_out, last_seen: None })
    });
    let mut found: Vec<External> = found.take(limit).collect();
    let mut seen = seen::last(state, records, found.iter().map(|external| external.person.id));
    for external in &mut found {
        external.last_seen = seen.remove(&external.person.id);
    }
    found
}

/// What he is in here: by himself, and through groups of others to which own threads are addressed.
fn places(state: &State, user: UserId) -> Vec<ExternalPlace> {
    let mut found = Vec::new();
    for id in state.places.get(&user).into_iter().flatten() {
        let Some((at, member)) = state.scope(*id).and_then(|at| Some((at, at.members.get(&user)?))) else {
            continue;
        };
        if state.owns(*id) {
            found.extend(place(state, &at.head, None, member));
            continue;
        }
        let threads = id.group().and_then(|group| state.addressed.get(&group)).into_iter().flatten();
        let own = threads.filter(|thread| state.owns(**thread)).filter_map(|thread| state.scope(*thread));
        let via = shown_name(state, &at.head).unwrap_or_default();
        found.extend(own.filter_map(|thread| place(state, &thread.head, Some(via.clone()), member)));
    }
    found
}

fn place(state: &State, head: &ScopeHead, via: Option<String>, member: &Member) -> Option<ExternalPlace> {
    (!head.ended).then(|| ExternalPlace {
        scope: head.id,
        name: shown_name(state, head),
        kind: head.kind,
        via,
        grade: member.grade,
        by: people::person(state, member.by),
        since: member.time,
        until: member.until,
    })
}

/// No name of a conversation of two, of what is frozen, or of what its owner's lease does not cover (P7.4).
fn shown_name(state: &State, head: &ScopeHead) -> Option<String> {
    let shown = head.kind != Some(ThreadKind::Dm) && head.frozen.is_none() && lease::fresh(state, head);
    shown.then(|| head.settings.name.clone())
}

/// A page of what others own and own people are in, by id.
#[must_use]
pub fn abroad(state: &State, after: Option<ScopeId>, limit: usize) -> Vec<Abroad> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let foreign = state.scopes.range((from, Bound::Unbounded)).map(|(_, scope)| scope);
    foreign.filter_map(|scope| one_abroad(state, scope)).take(limit).collect()
}

/// What another owner has, if own people are in it.
#[must_use]
pub fn one_abroad(state: &State, scope: &Scope) -> Option<Abroad> {
    if scope.head.ended || state.owns(scope.head.id) {
        return None;
    }
    let own = scope.members.values().filter(|member| state.is_local(member.user));
    let people: Vec<AbroadMember> = own.take(SHOWN).map(|member| abroad_member(state, member)).collect();
    let all = state.me().and_then(|me| scope.homes.get(&me)).copied().unwrap_or_default();
    let left_out = usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(people.len());
    (!people.is_empty()).then(|| Abroad {
        scope: scope.head.id,
        name: shown_name(state, &scope.head),
        kind: scope.head.kind,
        owner: people::home(state, scope.head.owner),
        waiting_since: lease::waiting_since(state, &scope.head),
        frozen: scope.head.frozen.clone(),
        people,
        left_out,
    })
}

fn abroad_member(state: &State, member: &Member) -> AbroadMember {
    let Member { user, grade, time, until, .. } = member;
    AbroadMember { user: people::person(state, *user), grade: *grade, since: *time, until: *until }
}
