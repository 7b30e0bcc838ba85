//! The policies that were set, requests, and what is counted (P8), with what is derived from them.
//!
//! Duty: rows by key, and what holds where nothing was set. Never: yes or no.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::super::row::{Gauge, GroupPolicy, Meter, PeerPolicy, Policy, Request, Row, RowKey};
use crate::ids::{GroupId, RequestId, ScopeId, UserId, WorkspaceId};

/// Part of the state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// The workspace's policy.
    pub workspace: Arc<Policy>,
    /// Policies of groups.
    pub groups: OrdMap<GroupId, Arc<GroupPolicy>>,
    /// Policies for peers.
    pub peers: OrdMap<WorkspaceId, Arc<PeerPolicy>>,
    /// Requests: made here, and the words of other owners on theirs.
    pub requests: OrdMap<RequestId, Arc<Request>>,
    /// Counts.
    pub meters: OrdMap<Gauge, Meter>,
    /// Derived: how many invitations of a user are open.
    pub open: OrdMap<UserId, u64>,
    /// Derived: requests of a thread.
    pub in_scope: OrdMap<ScopeId, OrdSet<RequestId>>,
    /// Derived: requests of a user.
    pub of_user: OrdMap<UserId, OrdSet<RequestId>>,
}

impl Rules {
    /// What holds for a peer.
    #[must_use]
    pub fn peer(&self, peer: WorkspaceId) -> PeerPolicy {
        self.peers.get(&peer).map_or_else(|| PeerPolicy::of(peer), |set| (**set).clone())
    }

    /// What holds for a group.
    #[must_use]
    pub fn group(&self, group: GroupId) -> GroupPolicy {
        self.groups.get(&group).map_or_else(|| GroupPolicy::of(group), |set| (**set).clone())
    }

    /// Requests of a thread.
    pub fn requests_in(&self, scope: ScopeId) -> impl Iterator<Item = &Arc<Request>> {
        self.in_scope.get(&scope).into_iter().flatten().filter_map(|id| self.requests.get(id))
    }

    /// Requests of a user.
    pub fn requests_of(&self, user: UserId) -> impl Iterator<Item = &Arc<Request>> {
        self.of_user.get(&user).into_iter().flatten().filter_map(|id| self.requests.get(id))
    }

    /// Takes a row in. Rows of other kinds are not kept here.
    pub fn put(&mut self, row: Row) {
        match row {
            Row::Policy(row) => self.workspace = row.into(),
            Row::GroupPolicy(row) => drop(self.groups.insert(row.group, row.into())),
            Row::PeerPolicy(row) => drop(self.peers.insert(row.peer, row.into())),
            Row::Request(row) => {
                self.in_scope.entry(row.scope).or_default().insert(row.id);
                self.of_user.entry(row.by).or_default().insert(row.id);
                self.requests.insert(row.id, row.into());
            }
            Row::Meter(row) => drop(self.meters.insert(row.of, row)),
            _ => {}
        }
    }

    /// Lets a row go.
    pub fn delete(&mut self, key: &RowKey) {
        match key {
            RowKey::Policy(()) => self.workspace = Arc::default(),
            RowKey::GroupPolicy(id) => drop(self.groups.remove(id)),
            RowKey::PeerPolicy(id) => drop(self.peers.remove(id)),
            RowKey::Request(id) => {
                let Some(row) = self.requests.remove(id) else { return };
                forget(&mut self.in_scope, row.scope, id);
                forget(&mut self.of_user, row.by, id);
            }
            RowKey::Meter(of) => drop(self.meters.remove(of)),
            _ => {}
        }
    }

    /// One open invitation more of a user, or one less.
    pub fn offered(&mut self, by: UserId, more: bool) {
        let count = self.open.get(&by).copied().unwrap_or_default();
        match if more { count + 1 } else { count.saturating_sub(1) } {
            0 => drop(self.open.remove(&by)),
            count => drop(self.open.insert(by, count)),
        }
    }
}

fn forget<K: Ord + Clone>(index: &mut OrdMap<K, OrdSet<RequestId>>, key: K, id: &RequestId) {
    let left = index.get_mut(&key).map(|ids| {
        ids.remove(id);
        !ids.is_empty()
    });
    if left == Some(false) {
        index.remove(&key);
    }
}
