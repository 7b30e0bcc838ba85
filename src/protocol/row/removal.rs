//! The row of a removal (spec 8.3, 11.5).
//!
//! Duty: who is awaited, until when, and who has answered. Never: deciding it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    time::Millis,
    wire::Blob,
};

/// A removal of people of other homes, and what is known of its effect there (P7.4, P7.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removal {
    /// The scope.
    pub scope: ScopeId,
    /// The incarnation of the scope.
    #[serde(default)]
    pub incarnation: u64,
    /// The epoch of the event.
    pub epoch: u64,
    /// Its object hash.
    pub event: Hash,
    /// Whose access ended.
    pub users: Vec<UserId>,
    /// When it was committed.
    pub time: Millis,
    /// The homes concerned, each with the time of its receipt at our node and the receipt.
    pub homes: Vec<(WorkspaceId, Option<(Millis, Blob)>)>,
    /// Until when, at the latest, each of them may have served the removed (P7.4, spec 11.5).
    #[serde(default)]
    pub latest: Vec<(WorkspaceId, Millis)>,
    /// Whether the last of these moments has passed.
    #[serde(default)]
    pub passed: bool,
}

impl Removal {
    /// The last moment at which somebody who has not confirmed may still serve the removed; `None`: nobody is awaited.
    #[must_use]
    pub fn awaited_until(&self) -> Option<Millis> {
        let open = |peer: &WorkspaceId| self.homes.iter().any(|(home, at)| home == peer && at.is_none());
        let latest = self.latest.iter().filter(|(peer, _)| open(peer)).map(|(_, at)| *at).max();
        latest.filter(|_| !self.passed)
    }
}
