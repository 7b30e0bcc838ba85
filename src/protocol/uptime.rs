//! What a node knows only since it started (spec 11, 12): its clock, and the leases held and given.
//!
//! Duty: the moment as of which a state is read, beside what was promised since the start. Never persisted: after a
//! start a follower holds no lease, and an owner assumes that every follower holds a full one.

use imbl::{OrdMap, OrdSet};

use crate::{
    ids::WorkspaceId,
    time::{Boot, Millis},
};

/// The part of [`super::State`] that a restart forgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Uptime {
    /// As of when the state is read. [`Boot::NEVER`] until a reader says when: who forgets to say is shown nothing
    /// of other owners, and never too much.
    pub now: Boot,
    /// The same moment by the wall clock, for display only.
    pub wall: Millis,
    /// When the node started.
    pub started: Boot,
    /// Leases from owners: when the request left that the last one answers.
    pub held: OrdMap<WorkspaceId, Boot>,
    /// Leases to followers: when the last one was answered.
    pub given: OrdMap<WorkspaceId, Boot>,
    /// Owner and ttl for which readers were last told that the lease is fresh.
    pub told: OrdSet<(WorkspaceId, u64)>,
}

impl Default for Uptime {
    fn default() -> Self {
        Self {
            now: Boot::NEVER,
            wall: Millis(0),
            started: Boot(0),
            held: OrdMap::new(),
            given: OrdMap::new(),
            told: OrdSet::new(),
        }
    }
}

/// A change of it: in force from its commit, but never on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The node started.
    Started(Boot),
    /// An owner's lease is held; its request left at this moment.
    Held(WorkspaceId, Boot),
    /// A follower got a lease at this moment.
    Given(WorkspaceId, Boot),
    /// Readers are told whether the lease of an owner is fresh for scopes of this ttl.
    Told(WorkspaceId, u64, bool),
}

impl Uptime {
    /// Takes a change in. Never fails.
    pub fn apply(&mut self, promise: &Promise) {
        match promise {
            Promise::Started(at) => {
                *self = Self { now: self.now, wall: self.wall, started: *at, ..Self::default() };
            }
            Promise::Held(owner, asked) => drop(self.held.insert(*owner, *asked)),
            Promise::Given(peer, at) => drop(self.given.insert(*peer, *at)),
            Promise::Told(owner, ttl, true) => drop(self.told.insert((*owner, *ttl))),
            Promise::Told(owner, ttl, false) => drop(self.told.remove(&(*owner, *ttl))),
        }
    }
}
