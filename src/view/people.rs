//! People and workspaces as they are shown (P1, P4): facts for badges, from the viewer's home.
//!
//! Duty: names, homes, whether somebody is external. Never: deciding where a badge stands.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    ids::{UserId, WorkspaceId},
    protocol::{State, row::Role},
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
    /// Whether his home is another workspace than the viewer's (P4.1).
    pub external: bool,
    /// The home's name.
    pub home: String,
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
    Home { id, name, domain }
}

/// A person: a user of this home, or a member of something that is known here.
#[must_use]
pub fn person(state: &State, id: UserId) -> Person {
    let external = !state.is_local(id);
    let of = home(state, id.home());
    if let Some(user) = state.users.get(&id) {
        let address = format!("{}@{}", user.local, of.domain);
        return Person { id, name: user.name.clone(), address, external, home: of.name };
    }
    let mut places = state.places.get(&id).into_iter().flatten().filter_map(|scope| state.scope(*scope));
    let profile = places.find_map(|scope| scope.members.get(&id).map(|member| member.profile.clone()));
    let (name, address) = profile.map(|profile| (profile.name, profile.address)).unwrap_or_default();
    Person { id, name, address, external, home: of.name }
}

/// The viewer's own account.
#[must_use]
pub fn me(state: &State, id: UserId) -> Option<Me> {
    let user = state.users.get(&id)?;
    let workspace = state.me().map(|me| home(state, me));
    Some(Me { person: person(state, id), role: user.role, workspace })
}
