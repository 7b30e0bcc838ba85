//! People and workspaces as they are shown (P1, P4): facts for badges, from the viewer's home.
//!
//! Duty: names, homes, whether somebody is external. Never: deciding where a badge stands.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    ids::{GroupId, ScopeId, UserId, WorkspaceId},
    protocol::{State, contacts, people, policy, row::Role},
    wire::objects::{Profile, WorkspaceKind},
};

/// A person beside something that he is in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The display name.
    pub name: String,
    /// The address.
    pub address: String,
    /// What he does, as he says; may be empty.
    pub title: String,
    /// Whether his home knows that the address is his.
    pub verified: bool,
    /// Whether he has a free account: no workspace vouches for him (P4.1).
    pub free: bool,
    /// Whether his home is another workspace than the viewer's (P4.1).
    pub external: bool,
    /// The home's name.
    pub home: String,
}

/// Who wrote a message: a name, and no mark beside it (P4.2). Marks and home are on the profile.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Author {
    /// Who.
    pub id: UserId,
    /// The display name.
    pub name: String,
    /// The address.
    pub address: String,
}

/// The profile of somebody whom the viewer may find (P4.1).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfileView {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// His home.
    pub workspace: Home,
    /// Whether the viewer has blocked him.
    pub blocked: bool,
}

/// A workspace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Home {
    /// Which.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// Its domain, as it claims.
    pub domain: String,
    /// Whether it is a realm of free accounts rather than a workspace (P1.2).
    pub free: bool,
}

/// The own account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Me {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// The standing.
    pub role: Role,
    /// The own workspace.
    pub workspace: Option<Home>,
}

/// A workspace by id; one that is not known has only its id.
#[must_use]
pub fn home(state: &State, id: WorkspaceId) -> Home {
    let known = state.homes.get(&id).map(|home| &home.manifest);
    let (name, domain) = known.map(|known| (known.name.clone(), known.domain.clone())).unwrap_or_default();
    Home { id, name, domain, free: known.is_some_and(|known| known.kind == WorkspaceKind::Free) }
}

/// A person as his home shows him.
#[must_use]
pub fn of_profile(state: &State, id: UserId, profile: &Profile) -> Person {
    let Profile { address, name, title, verified } = profile.clone();
    let Home { name: home, free, .. } = self::home(state, id.home());
    Person { id, name, address, title, verified, free, external: !state.is_local(id), home }
}

/// A person: a user of this home, or a member of something that is known here.
#[must_use]
pub fn person(state: &State, id: UserId) -> Person {
    let own = people::profile(state, id);
    let mut places = state.places.get(&id).into_iter().flatten().filter_map(|scope| state.scope(*scope));
    let profile = own
        .or_else(|| places.find_map(|scope| scope.members.get(&id).map(|member| member.profile.clone())))
        .or_else(|| former(state, id))
        .unwrap_or_else(|| Profile::new("", ""));
    of_profile(state, id, &profile)
}

/// The first scope there can be.
const FIRST: ScopeId = ScopeId::Group(GroupId([0; 32]));

/// As he was shown last, where he is in nothing any more.
fn former(state: &State, id: UserId) -> Option<Profile> {
    let mut rows = state.former.range((id, FIRST)..).take_while(|((user, _), _)| *user == id);
    rows.next().map(|(_, row)| row.profile.clone())
}

/// Who wrote something.
#[must_use]
pub fn author(state: &State, id: UserId) -> Author {
    let Person { id, name, address, .. } = person(state, id);
    Author { id, name, address }
}

/// A profile; `None`: there is nobody whom the viewer may find (P2.2).
#[must_use]
pub fn profile(state: &State, viewer: UserId, id: UserId) -> Option<ProfileView> {
    let shown = viewer == id || contacts::may_find(state, viewer, id);
    let blocked = policy::blocks(state, viewer, id);
    shown.then(|| ProfileView { person: person(state, id), workspace: home(state, id.home()), blocked })
}

/// The viewer's own account.
#[must_use]
pub fn me(state: &State, id: UserId) -> Option<Me> {
    let user = state.users.get(&id)?;
    let workspace = state.me().map(|me| home(state, me));
    Some(Me { person: person(state, id), role: user.role, workspace })
}
