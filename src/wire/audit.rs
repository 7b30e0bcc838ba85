//! Lines of the audit log (spec 13): what was done, with the signed object that did it.
//!
//! Duty: shape and chain hash, the same in the store and in an export. Never: bodies of messages, tokens, secrets.

use super::{
    array::record,
    blob::Blob,
    cbor,
    envelope::{Object, Verified},
};
use crate::{
    crypto::sha256,
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    time::Millis,
};

record! {
    /// A signed object with what its signature binds besides it (spec 3.4), so that it can be checked by itself.
    pub struct Proof {
        /// The object type.
        pub kind: u64,
        /// Whose key signed.
        pub signer: WorkspaceId,
        /// For whom; null: for everybody.
        pub audience: Option<WorkspaceId>,
        /// As signed.
        pub bytes: Blob,
    }
}

impl Proof {
    /// Of an object that was verified, or that we signed.
    pub fn of<T: Object>(object: &Verified<T>, signer: WorkspaceId, audience: Option<WorkspaceId>) -> Self {
        Self { kind: T::TYPE, signer, audience, bytes: object.bytes().clone() }
    }
}

record! {
    /// A line of the audit log (spec 13.1).
    pub struct AuditLine {
        /// When.
        pub time: Millis,
        /// Who acted; null: a peer's node, or time.
        pub actor: Option<UserId>,
        /// The peer concerned.
        pub peer: Option<WorkspaceId>,
        /// The group or thread concerned.
        pub scope: Option<ScopeId>,
        /// What: a short stable name such as `member.removed`.
        pub act: String,
        /// The rest, for people.
        pub detail: String,
        /// The signed object that did it, or that it led to.
        pub object: Option<Proof>,
    }
}

impl AuditLine {
    /// A line about this act and nothing else yet.
    #[must_use]
    pub fn of(act: &str) -> Self {
        let (actor, peer, scope, object) = (None, None, None, None);
        Self { time: Millis(0), actor, peer, scope, act: act.into(), detail: String::new(), object }
    }

    /// Who acted.
    #[must_use]
    pub fn by(self, actor: UserId) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// The peer concerned.
    #[must_use]
    pub fn with(self, peer: WorkspaceId) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// The group or thread concerned.
    #[must_use]
    pub fn at(self, scope: impl Into<ScopeId>) -> Self {
        Self { scope: Some(scope.into()), ..self }
    }

    /// The rest, for people.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The signed object.
    #[must_use]
    pub fn proven(self, object: impl Into<Option<Proof>>) -> Self {
        Self { object: object.into(), ..self }
    }
}

record! {
    /// A line with its number: a link of the chain (spec 13.2).
    pub struct AuditRecord {
        /// Gapless, from 1.
        pub number: u64,
        /// The line.
        pub line: AuditLine,
    }
}

impl AuditRecord {
    /// The chain hash: over the one before (zero at first) and this record (spec 13.2).
    #[must_use]
    pub fn hash(&self, before: Hash) -> Hash {
        sha256(&[b"comity/1 audit", &before.0, &cbor::encode(self)])
    }
}
