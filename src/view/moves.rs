//! Moves of groups as admins see them (spec 14.1; P5.4, P8.2): offers, and what a move would bring.
//!
//! Duty: who goes along, who is cut off, what is void. Never: a change.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home, Person};
use crate::{
    ids::{GroupId, MoveId, ScopeId, UserId, WorkspaceId},
    protocol::{
        State,
        moving::{self, Stand, Transfer},
        policy,
    },
    time::Millis,
};

/// An offer, from here or to here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MoveView {
    /// Which.
    pub id: MoveId,
    /// The group.
    pub group: GroupId,
    /// Its name.
    pub name: String,
    /// Who owns it, or owned it.
    pub from: Home,
    /// Who is to own it.
    pub to: Home,
    /// Who offered it.
    pub by: Person,
    /// When.
    pub time: Millis,
    /// Where it stands.
    pub status: Stand,
    /// To here and open: workspaces with people in it that have no active peering with this one, and would be cut off.
    pub cut: Vec<Home>,
    /// From here, moved: scopes of which the old owner confirmed that it holds no copy any more, with the time.
    pub purged: Vec<(ScopeId, Millis)>,
}

/// What a move would bring.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MovePreview {
    /// The new owner.
    pub to: Home,
    /// What moves.
    pub scopes: Vec<Moving>,
    /// Workspaces with people in it, with their number. All but the new owner need an active peering with it, or wait.
    pub homes: Vec<Follows>,
    /// Open invitations that end.
    pub invitations: usize,
    /// Why it cannot be offered as things stand.
    pub refused: Option<String>,
}

/// A scope that moves.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Moving {
    /// Which.
    pub id: ScopeId,
    /// Its name.
    pub name: String,
    /// The number of entries of a thread.
    pub entries: u64,
}

/// A workspace that follows the new owner from then on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Follows {
    /// Which.
    pub workspace: Home,
    /// How many people it has in what moves.
    pub people: usize,
}

/// The offers that a user may know of: all for the workspace's admins, else of groups that he administers.
#[must_use]
pub fn list(state: &State, viewer: UserId, admin: bool) -> Vec<MoveView> {
    let own = |row: &Transfer| {
        let scope = state.scope(row.group).filter(|scope| Some(scope.head.owner) == state.me());
        Some(row.from) == state.me() && scope.is_some_and(|scope| policy::administers(state, viewer, scope))
    };
    let mut rows: Vec<_> = state.transfers.values().filter(|row| admin || own(row)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.time));
    rows.into_iter().map(|row| shown(state, row)).collect()
}

fn shown(state: &State, row: &Transfer) -> MoveView {
    let waits = row.is_open() && Some(row.to) == state.me();
    let cut = if waits { moving::cut(state, row.group) } else { Vec::new() };
    MoveView {
        id: row.id,
        group: row.group,
        name: state.scope(row.group).map(|scope| scope.head.settings.name.clone()).unwrap_or_default(),
        from: people::home(state, row.from),
        to: people::home(state, row.to),
        by: people::person(state, row.by),
        time: row.time,
        status: row.stand,
        cut: cut.into_iter().map(|home| people::home(state, home)).collect(),
        purged: row.receipts.iter().map(|(scope, at, _)| (*scope, *at)).collect(),
    }
}

/// What an offer of an own group would bring; the caller has checked that the viewer administers it.
#[must_use]
pub fn preview(state: &State, viewer: UserId, group: GroupId, to: WorkspaceId) -> MovePreview {
    let ids = moving::scopes(state, group);
    let scopes = ids.iter().filter_map(|id| state.scope(*id));
    let mut homes: BTreeMap<WorkspaceId, BTreeSet<UserId>> = BTreeMap::new();
    for user in scopes.clone().flat_map(|scope| scope.members.keys()) {
        homes.entry(user.home()).or_default().insert(*user);
    }
    let entries =
        |id: ScopeId| id.thread().and_then(|thread| state.logs.get(&thread)).map_or(0, |log| log.high);
    let moving = scopes.map(|scope| Moving {
        id: scope.head.id,
        name: scope.head.settings.name.clone(),
        entries: entries(scope.head.id),
    });
    MovePreview {
        to: people::home(state, to),
        scopes: moving.collect(),
        homes: homes
            .into_iter()
            .map(|(home, users)| Follows { workspace: people::home(state, home), people: users.len() })
            .collect(),
        invitations: ids.iter().map(|id| state.open_offers(*id).count()).sum(),
        refused: moving::may_offer(state, viewer, group, to).err().map(|reject| reject.detail),
    }
}
