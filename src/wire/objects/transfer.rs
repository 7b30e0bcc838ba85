//! How a scope comes to another owner: the new owner's acceptance, and the last word of a dead one (spec 14).
//!
//! Duty: shapes. Never: who may move what, which is `protocol`'s.

use super::super::{array::record, envelope::Object};
use crate::{
    ids::{Hash, MoveId, ScopeId, WorkspaceId},
    time::Millis,
};

record! {
    /// The new owner takes a scope over, of which it holds everything up to here (spec 14.2).
    pub struct Acceptance {
        /// The offer that it answers.
        pub offer: MoveId,
        /// The scope.
        pub scope: ScopeId,
        /// The old owner, which is the audience.
        pub from: WorkspaceId,
        /// The incarnation held.
        pub incarnation: u64,
        /// The epoch held.
        pub epoch: u64,
        /// The object hash of its event.
        pub previous: Hash,
        /// Of a thread: the last entry held, of a chain that is whole from entry 1.
        pub high: u64,
        /// Its hash.
        pub hash: Hash,
        /// The first epoch of the new owner: that of its incarnation (spec 12.3).
        pub begins: u64,
        /// When.
        pub time: Millis,
    }
}

impl Object for Acceptance {
    const TYPE: u64 = 14;
}

record! {
    /// The root key of an owner that does not come back gives a scope to a follower (spec 14.7).
    pub struct Handover {
        /// The scope.
        pub scope: ScopeId,
        /// The owner that is dead.
        pub from: WorkspaceId,
        /// The new owner.
        pub to: WorkspaceId,
        /// The incarnation of the base.
        pub incarnation: u64,
        /// Its epoch.
        pub epoch: u64,
        /// The object hash of its event.
        pub hash: Hash,
        /// When.
        pub time: Millis,
    }
}

impl Object for Handover {
    const TYPE: u64 = 15;
}
