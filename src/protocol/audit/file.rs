//! The lines of an export (spec 13.4): JSON, one object a line, in one form.
//!
//! Duty: shapes, and their conversion from and to what is hashed and signed. Never: judging them.

use std::{borrow::Cow, collections::BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    protocol::row::Home,
    time::Millis,
    wire::{AuditLine, AuditRecord, Blob, Proof},
};

/// The version of the format.
pub(super) const VERSION: u64 = 1;

/// Bytes as base64 (RFC 4648, with padding).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Base64(pub(in crate::protocol) Blob);

impl JsonSchema for Base64 {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Base64".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentEncoding": "base64" })
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&data_encoding::BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).map_err(de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

/// A workspace's manifests from genesis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifests {
    pub(super) workspace: WorkspaceId,
    pub(super) chain: Vec<Base64>,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    comity_audit: u64,
    /// Whose log it is.
    pub workspace: WorkspaceId,
    /// The first record.
    pub first: u64,
    /// The last one; `first - 1` when there is none.
    pub last: u64,
    /// The chain hash before the first record.
    pub before: Hash,
    pub(super) homes: Vec<Manifests>,
}

impl Header {
    /// The header of an export.
    pub fn new<'a>(
        workspace: WorkspaceId,
        (first, last): (u64, u64),
        before: Hash,
        homes: impl IntoIterator<Item = &'a Home>,
    ) -> Self {
        let manifests = |home: &Home| Manifests {
            workspace: home.id,
            chain: home.chain.iter().cloned().map(Base64).collect(),
        };
        let homes = homes.into_iter().map(manifests).collect();
        Self { comity_audit: VERSION, workspace, first, last, before, homes }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    kind: u64,
    signer: WorkspaceId,
    audience: Option<WorkspaceId>,
    bytes: Base64,
}

/// A record, its line, and its chain hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number.
    pub number: u64,
    time: Millis,
    act: String,
    actor: Option<UserId>,
    peer: Option<WorkspaceId>,
    scope: Option<ScopeId>,
    detail: String,
    object: Option<Object>,
    /// Its chain hash.
    pub hash: Hash,
}

impl Record {
    /// The line of a link of the log.
    #[must_use]
    pub fn new(record: AuditRecord, hash: Hash) -> Self {
        let AuditRecord { number, line } = record;
        let AuditLine { time, actor, peer, scope, act, detail, object } = line;
        let object = object.map(|Proof { kind, signer, audience, bytes }| Object {
            kind,
            signer,
            audience,
            bytes: Base64(bytes),
        });
        Self { number, time, act, actor, peer, scope, detail, object, hash }
    }

    /// What is hashed, and the hash that stands beside it.
    #[must_use]
    pub fn into_link(self) -> (AuditRecord, Hash) {
        let Self { number, time, act, actor, peer, scope, detail, object, hash } = self;
        let object = object.map(|Object { kind, signer, audience, bytes }| Proof {
            kind,
            signer,
            audience,
            bytes: bytes.0,
        });
        (AuditRecord { number, line: AuditLine { time, actor, peer, scope, act, detail, object } }, hash)
    }
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailer {
    /// How many records stand before.
    pub count: u64,
    /// The hash of the last one.
    pub hash: Hash,
    seal: Base64,
}

impl Trailer {
    /// The trailer of an export.
    #[must_use]
    pub fn new(count: u64, hash: Hash, seal: Blob) -> Self {
        Self { count, hash, seal: Base64(seal) }
    }

    /// The seal as signed.
    #[must_use]
    pub fn seal(&self) -> &Blob {
        &self.seal.0
    }
}

/// The workspaces that a line names or whose signature it holds: their manifests belong into the header.
pub fn referred(line: &AuditLine, homes: &mut BTreeSet<WorkspaceId>) {
    homes.extend(line.peer);
    homes.extend(line.actor.map(|actor| actor.home()));
    homes.extend(line.object.as_ref().map(|object| object.signer));
}
