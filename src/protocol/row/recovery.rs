//! Rows of what a restart leaves open or brings to light (spec 12).
//!
//! Duty: shapes. Never: deciding it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Hash, ScopeId, WorkspaceId},
    time::Millis,
    wire::Blob,
};

/// An item of a peer's feed that waits until the check after a start is over (spec 12.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deferred {
    /// Its place in the order of arrival.
    pub number: u64,
    /// Whose feed.
    pub peer: WorkspaceId,
    /// The encoded item.
    pub item: Blob,
}

/// Two signed objects that contradict each other: evidence against their owner (spec 12.7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contradiction {
    /// A hash over both. One is kept per scope and incarnation.
    pub id: Hash,
    /// Whose signature both bear.
    pub owner: WorkspaceId,
    /// The scope.
    pub scope: ScopeId,
    /// What was held first.
    pub first: Blob,
    /// What came later.
    pub second: Blob,
    /// When it was noticed.
    pub time: Millis,
}
