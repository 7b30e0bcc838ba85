//! What a node knows only since it started (spec 11, 12): its clock, and the leases held and given.
//!
//! Duty: the moment as of which a state is read, beside what was promised since the start. Never persisted: after a
//! start a follower holds no lease, and an owner assumes that every follower holds a full one.

use imbl::{OrdMap, OrdSet};

use crate::{
    ids::{Hash, ScopeId, ThreadId, UserId, WorkspaceId},
    time::{Boot, Millis},
    wire::Blob,
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
    /// Scopes that came here from another owner since the start: when.
    pub taken: OrdMap<ScopeId, Boot>,
    /// Owner and ttl for which readers were last told that the lease is fresh.
    pub told: OrdSet<(WorkspaceId, u64)>,
    /// Owners that were told what we hold, and will begin a new feed: no other one is taken (spec 9.6).
    pub comparing: OrdSet<WorkspaceId>,
    /// Whether e-mail can be sent.
    pub mails: bool,
    /// What is known of the followers since the start; `None`: nothing had to be asked.
    pub check: Option<Check>,
}

/// The comparison after a start (spec 12.1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// Whether the journal is there and not older than the store, or an admin has confirmed.
    pub trusted: bool,
    /// Peers that have said what they hold.
    pub compared: OrdSet<WorkspaceId>,
    /// Scopes that went on in a new incarnation since the start.
    pub reborn: OrdSet<ScopeId>,
    /// Memberships that somebody knows to be ended, before an event says so: scope, user, who ended it.
    pub denied: OrdSet<(ScopeId, UserId, UserId)>,
    /// The highest position of a scope that a peer held and we did not: incarnation, epoch, hash.
    pub behind: OrdMap<ScopeId, (u64, u64, Hash)>,
    /// Who has said, of which scope, that he holds such a position.
    pub claimed: OrdSet<(ScopeId, WorkspaceId)>,
    /// Own threads of which a peer has more, up to that entry.
    pub lost: OrdMap<(ThreadId, WorkspaceId), u64>,
    /// Own events and snapshots above what is held, by scope, incarnation and epoch, between which events are missing.
    pub waiting: OrdMap<(ScopeId, u64, u64), Blob>,
    /// Peers that will be introduced to a scope once it is settled.
    pub withheld: OrdSet<(ScopeId, WorkspaceId)>,
}

impl Default for Uptime {
    fn default() -> Self {
        Self {
            now: Boot::NEVER,
            wall: Millis(0),
            started: Boot(0),
            held: OrdMap::new(),
            given: OrdMap::new(),
            taken: OrdMap::new(),
            told: OrdSet::new(),
            comparing: OrdSet::new(),
            mails: false,
            check: None,
        }
    }
}

/// A change of it: in force from its commit, but never on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The node started; whether its journal is trusted.
    Started(Boot, bool),
    /// Whether e-mail can be sent.
    Mails(bool),
    /// An admin trusts the journal.
    Trusted,
    /// An owner is told what we hold, or has begun the feed that follows from it.
    Comparing(WorkspaceId, bool),
    /// A peer has said what it holds.
    Compared(WorkspaceId),
    /// A scope went on in a new incarnation.
    Reborn(ScopeId),
    /// A membership is known to be ended: scope, user, who ended it.
    Denied(ScopeId, UserId, UserId),
    /// An event says so now.
    Settled(ScopeId, UserId, UserId),
    /// A peer holds this position of a scope, which we do not: incarnation, epoch, hash.
    Behind(ScopeId, (u64, u64, Hash)),
    /// It was this peer that said so.
    Claimed(ScopeId, WorkspaceId),
    /// A peer has an own thread up to this entry.
    Lost(ThreadId, WorkspaceId, u64),
    /// An own event or snapshot of this incarnation and epoch does not continue what is held.
    Waiting(ScopeId, u64, u64, Blob),
    /// A peer is not introduced to a scope yet.
    Withheld(ScopeId, WorkspaceId),
    /// It is now.
    Introduced(ScopeId, WorkspaceId),
    /// It does now, or nothing can lead to it any more.
    Placed(ScopeId, u64, u64),
    /// Nothing more of it is to be fetched from this peer.
    Found(ThreadId, WorkspaceId),
    /// An owner's lease is held; its request left at this moment.
    Held(WorkspaceId, Boot),
    /// A follower got a lease at this moment.
    Given(WorkspaceId, Boot),
    /// A scope came here from another owner at this moment.
    Taken(ScopeId, Boot),
    /// Readers are told whether the lease of an owner is fresh for scopes of this ttl.
    Told(WorkspaceId, u64, bool),
}

impl Uptime {
    /// Takes a change in. Never fails.
    pub fn apply(&mut self, promise: &Promise) {
        match promise {
            Promise::Mails(on) => self.mails = *on,
            Promise::Started(at, trusted) => {
                let check = Some(Check { trusted: *trusted, ..Check::default() });
                let (now, wall, mails) = (self.now, self.wall, self.mails);
                *self = Self { now, wall, mails, started: *at, check, ..Self::default() };
            }
            Promise::Held(owner, asked) => drop(self.held.insert(*owner, *asked)),
            Promise::Given(peer, at) => drop(self.given.insert(*peer, *at)),
            Promise::Taken(scope, at) => drop(self.taken.insert(*scope, *at)),
            Promise::Told(owner, ttl, true) => drop(self.told.insert((*owner, *ttl))),
            Promise::Told(owner, ttl, false) => drop(self.told.remove(&(*owner, *ttl))),
            Promise::Comparing(owner, true) => drop(self.comparing.insert(*owner)),
            Promise::Comparing(owner, false) => drop(self.comparing.remove(owner)),
            _ => self.check.iter_mut().for_each(|check| check.apply(promise)),
        }
    }
}

impl Check {
    fn apply(&mut self, promise: &Promise) {
        match promise {
            Promise::Trusted => self.trusted = true,
            Promise::Compared(peer) => drop(self.compared.insert(*peer)),
            Promise::Reborn(scope) => {
                self.reborn.insert(*scope);
                self.behind.remove(scope);
            }
            Promise::Behind(scope, position) => {
                let most = self.behind.get(scope).map_or(*position, |held| (*held).max(*position));
                self.behind.insert(*scope, most);
                self.reborn.remove(scope);
            }
            Promise::Denied(scope, user, by) => drop(self.denied.insert((*scope, *user, *by))),
            Promise::Settled(scope, user, by) => drop(self.denied.remove(&(*scope, *user, *by))),
            Promise::Claimed(scope, peer) => drop(self.claimed.insert((*scope, *peer))),
            Promise::Lost(thread, peer, high) => drop(self.lost.insert((*thread, *peer), *high)),
            Promise::Found(thread, peer) => drop(self.lost.remove(&(*thread, *peer))),
            Promise::Waiting(scope, incarnation, epoch, object) => {
                self.waiting.insert((*scope, *incarnation, *epoch), object.clone());
            }
            Promise::Withheld(scope, peer) => drop(self.withheld.insert((*scope, *peer))),
            Promise::Introduced(scope, peer) => drop(self.withheld.remove(&(*scope, *peer))),
            Promise::Placed(scope, incarnation, epoch) => {
                self.waiting.remove(&(*scope, *incarnation, *epoch));
            }
            Promise::Started(..)
            | Promise::Held(..)
            | Promise::Given(..)
            | Promise::Taken(..)
            | Promise::Told(..)
            | Promise::Mails(_)
            | Promise::Comparing(..) => {}
        }
    }
}
