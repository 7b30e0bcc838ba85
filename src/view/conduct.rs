//! Requests, approvals and blocks as they are shown (P2.4, P2.5, P6.3).
//!
//! Duty: each only to whom it concerns. Never: a thread that the viewer is not in.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home, Person};
use crate::{
    ids::{GroupId, InviteId, RequestId, ScopeId, UserId},
    protocol::{State, approval, gate, policy, request, row::Request},
    time::Millis,
    wire::objects::{Floor, Grade, RequestStatus},
};

/// A request to add somebody to a locked thread.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestView {
    /// Which.
    pub id: RequestId,
    /// The thread.
    pub scope: ScopeId,
    /// Its subject.
    pub name: String,
    /// Who asks.
    pub by: Person,
    /// For whom.
    pub address: String,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub history: Floor,
    /// Since when.
    pub time: Millis,
    /// Where it stands.
    pub status: RequestStatus,
}

/// An invitation that waits for an admin of the home.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Approval {
    /// Which.
    pub id: InviteId,
    /// For whom.
    pub user: Person,
    /// Whose group or thread.
    pub from: Home,
    /// Into what.
    pub scope: ScopeId,
    /// Its name.
    pub name: String,
    /// Who invites.
    pub inviter: String,
    /// His address.
    pub inviter_address: String,
    /// As what.
    pub grade: Grade,
    /// Since when.
    pub time: Millis,
}

/// Somebody who is blocked. Of a person with whom nothing is shared any more only the id is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Blocked {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
}

fn view(state: &State, row: &Request) -> Option<RequestView> {
    let name = state.scope(row.scope)?.head.settings.name.clone();
    Some(RequestView {
        id: row.id,
        scope: row.scope,
        name,
        by: people::person(state, row.by),
        address: row.address.clone(),
        grade: row.grade,
        history: row.floor,
        time: row.time,
        status: request::standing(state, row),
    })
}

/// Requests of the viewer, in threads that he is in, the newest first.
#[must_use]
pub fn my_requests(state: &State, viewer: UserId) -> Vec<RequestView> {
    let mine = state.rules.requests_of(viewer).filter(|row| gate::sees_scope(state, viewer, row.scope));
    newest(mine.filter_map(|row| view(state, row)).collect())
}

/// Requests in a thread: all for who may answer them, else his own; `None`: it does not exist for him.
#[must_use]
pub fn requests_in(state: &State, viewer: UserId, id: ScopeId) -> Option<Vec<RequestView>> {
    let scope = state.scope(id).filter(|_| id.thread().is_some())?;
    let answers = policy::administers(state, viewer, scope);
    let knows = gate::sees_scope(state, viewer, id) || (answers && state.owns(id) && !scope.head.ended);
    let shown = state.rules.requests_in(id).filter(|row| answers || row.by == viewer);
    knows.then(|| newest(shown.filter_map(|row| view(state, row)).collect()))
}

fn newest(mut requests: Vec<RequestView>) -> Vec<RequestView> {
    requests.sort_by_key(|row| (std::cmp::Reverse(row.time), row.id));
    requests
}

/// Invitations that wait for an admin.
#[must_use]
pub fn approvals(state: &State) -> Vec<Approval> {
    let shown = approval::waiting(state).map(|held| Approval {
        id: held.invite.id,
        user: people::person(state, held.user),
        from: people::home(state, held.owner),
        scope: held.invite.scope,
        name: held.invite.name.clone(),
        inviter: held.invite.inviter.name.clone(),
        inviter_address: held.invite.inviter.address.clone(),
        grade: held.invite.grade,
        time: held.invite.time,
    });
    shown.collect()
}

/// Whom the viewer blocks, as far as he knows them: a name that he has no right to is not shown.
#[must_use]
pub fn blocked(state: &State, viewer: UserId) -> Vec<Blocked> {
    let Some(row) = state.users.get(&viewer) else { return Vec::new() };
    let shown = row.blocked.iter().map(|user| {
        let known = state.is_local(*user) || policy::is_contact(state, viewer, *user);
        let stranger = || Person {
            id: *user,
            name: String::new(),
            address: String::new(),
            title: String::new(),
            verified: false,
            free: false,
            external: !state.is_local(*user),
            home: String::new(),
        };
        Blocked { person: if known { people::person(state, *user) } else { stranger() } }
    });
    shown.collect()
}

/// Addresses of those whom the viewer names and knows, and who are not in the groups anyway (P3.3).
#[must_use]
pub fn addresses(state: &State, viewer: UserId, named: &[UserId], groups: &[GroupId]) -> Vec<String> {
    let groups: Vec<_> = groups.iter().filter_map(|group| state.scope(*group)).collect();
    let wanted = named.iter().filter(|user| {
        let known = state.users.get(user).is_some_and(|row| row.role.has_access())
            || policy::is_contact(state, viewer, **user);
        known && **user != viewer && !groups.iter().any(|group| group.members.contains_key(*user))
    });
    let addresses: BTreeSet<String> = wanted.map(|user| people::person(state, *user).address).collect();
    addresses.into_iter().collect()
}
