//! People of other homes here, own people abroad, and the free accounts of the realm that this node hosts, for admins.
//!
//! Duty: pages of lists; the end of a free account with its preview. Never: a rule.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    answer::NoContent,
    path::Path,
    previews::{self, Ends},
    problem::Problem,
    viewer::{Query, Viewer},
    workspace::{After, page},
};
use crate::{
    ids::{ScopeId, UserId},
    node::Handle,
    protocol::{Command, State as Known, row::Way},
    time::Millis,
    view::{
        externals::{self, Abroad, External},
        people::{self, Home},
        preview,
    },
};

/// A page of people of other homes in what this workspace owns.
#[derive(Serialize, JsonSchema)]
pub(super) struct Externals {
    externals: Vec<External>,
    /// The `after` of the next page; null on the last.
    next: Option<UserId>,
}

pub(super) async fn list(
    State(api): State<Api>,
    viewer: Viewer,
    Query(query): Query<After>,
) -> Result<Json<Externals>, Problem> {
    let ((after, limit), snapshot) = (query.parts(), viewer.snapshot());
    let mut externals = externals::externals(&snapshot.state, &*snapshot, after, limit);
    if let Some(realm) = &api.realm {
        let state = &realm.snapshot().state;
        for external in externals.iter_mut().filter(|external| external.workspace.id == realm.me()) {
            external.last_seen = external.last_seen.max(signed_in(state, external.person.id));
        }
    }
    let next = externals.last().filter(|_| externals.len() == limit).map(|last| last.person.id);
    std::future::ready(Ok(Json(Externals { externals, next }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AfterScope {
    /// The `next` of the page before.
    after: Option<ScopeId>,
    /// At most so many; 50 if not said.
    limit: Option<usize>,
    /// This group or thread alone.
    only: Option<ScopeId>,
}

/// A page of groups and threads of others with own people in them.
#[derive(Serialize, JsonSchema)]
pub(super) struct AllAbroad {
    abroad: Vec<Abroad>,
    /// The `after` of the next page; null on the last.
    next: Option<ScopeId>,
}

pub(super) async fn abroad(
    viewer: Viewer,
    Query(query): Query<AfterScope>,
) -> Result<Json<AllAbroad>, Problem> {
    let (limit, snapshot) = (page(query.limit), viewer.snapshot());
    let abroad = match query.only {
        Some(only) => snapshot
            .state
            .scope(only)
            .and_then(|at| externals::one_abroad(&snapshot.state, at))
            .into_iter()
            .collect(),
        None => externals::abroad(&snapshot.state, query.after, limit),
    };
    let next = abroad.last().filter(|_| abroad.len() == limit).map(|last| last.scope);
    std::future::ready(Ok(Json(AllAbroad { abroad, next }))).await
}

/// A page of the free accounts that this node hosts.
#[derive(Serialize, JsonSchema)]
pub(super) struct Accounts {
    /// The realm; null: this node hosts none.
    realm: Option<Home>,
    accounts: Vec<Account>,
    /// The `after` of the next page; null on the last.
    next: Option<UserId>,
}

/// A free account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HostedAccount")]
struct Account {
    #[serde(flatten)]
    me: people::Me,
    /// In how many groups and threads it is.
    places: usize,
    /// When the newest of its sessions began that still stands; null: it is signed in nowhere.
    signed_in: Option<Millis>,
}

/// When somebody signed in last, by the sessions that stand.
fn signed_in(state: &Known, user: UserId) -> Option<Millis> {
    let sessions = state.sessions_of(user).filter(|session| matches!(session.way, Way::SignedIn { .. }));
    sessions.map(|session| session.made).max()
}

pub(super) async fn accounts(
    State(api): State<Api>,
    _admin: Viewer,
    Query(query): Query<After>,
) -> Result<Json<Accounts>, Problem> {
    let Some(realm) = &api.realm else {
        return Ok(Json(Accounts { realm: None, accounts: Vec::new(), next: None }));
    };
    let (snapshot, (after, limit)) = (realm.snapshot(), query.parts());
    let state = &snapshot.state;
    let rest = state.users.keys().filter(|user| after.is_none_or(|after| **user > after));
    let accounts = rest.take(limit).filter_map(|user| {
        let mut me = people::me(state, *user)?;
        // External to the workspace whose node hosts it, too.
        me.person.external = true;
        let places = state.places.get(user).map_or(0, imbl::OrdSet::len);
        Some(Account { me, places, signed_in: signed_in(state, *user) })
    });
    let accounts: Vec<Account> = accounts.collect();
    let next = accounts.last().filter(|_| accounts.len() == limit).map(|last| last.me.person.id);
    let realm = Some(people::home(state, realm.me()));
    std::future::ready(Ok(Json(Accounts { realm, accounts, next }))).await
}

/// The realm, if it has this account.
fn realm_of(api: &Api, user: UserId) -> Result<&Handle, Problem> {
    let has = |realm: &&Handle| realm.snapshot().state.users.contains_key(&user);
    api.realm.as_ref().filter(has).ok_or_else(Problem::not_found)
}

pub(super) async fn departure(
    State(api): State<Api>,
    _admin: Viewer,
    Path(user): Path<UserId>,
) -> Result<Json<Ends>, Problem> {
    let preview = preview::departure(&realm_of(&api, user)?.snapshot().state, user);
    std::future::ready(preview.map(previews::shown).ok_or_else(Problem::not_found)).await
}

/// For good, by the admin of the node that hosts it. Its own realm's log has it; the workspace's log has what it ends here.
pub(super) async fn remove(
    State(api): State<Api>,
    _admin: Viewer,
    Path(user): Path<UserId>,
) -> Result<NoContent, Problem> {
    realm_of(&api, user)?.ask(Command::RemoveUser(user)).await?;
    Ok(NoContent)
}
