//! The workspace's keys (spec 2.3), and groups whose owner does not come back (spec 14.7).
//!
//! Duty: what a new key does is shown before it is made; what a dead owner's root key has to sign, and a place for what it
//! signed. Never: a secret key.

use askama::Template;
use axum::{Form, extract::Query, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::path::Path;
use super::{At, Home, answer, ask, go, open, scope_name};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
    root_here: bool,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "use")]
    purpose: String,
    state: String,
    fingerprint: String,
    since: Millis,
}

impl Key {
    /// What it is for, in words.
    fn purpose(&self) -> &str {
        match self.purpose.as_str() {
            "root" => "root: replaces the others",
            "sign" => "signs what this workspace says",
            _ => "proves this node to partners' nodes",
        }
    }

    /// Whether it counts, in words.
    fn state(&self) -> &str {
        match self.state.as_str() {
            "in-use" => "in use",
            "replaced" => "replaced; what it signed still counts",
            _ => "revoked: nothing that it signed counts",
        }
    }
}

/// A way to replace a key: its name in addresses, what is sent, and what it does.
struct Rotation {
    name: &'static str,
    key: &'static str,
    revoke: bool,
    title: &'static str,
    does: &'static [&'static str],
}

const ROTATIONS: [Rotation; 4] = [
    Rotation {
        name: "sign",
        key: "sign",
        revoke: false,
        title: "Replace the key that signs",
        does: &[
            "A new key signs from now on. What the old one signed still counts, what is on its way too.",
            "The key before the old one counts no more for anything new.",
            "Every partner's node is told; nobody has to do anything.",
        ],
    },
    Rotation {
        name: "revoke",
        key: "sign",
        revoke: true,
        title: "Replace the key that signs: the old one leaked",
        does: &[
            "What the old key signed counts by itself no more, whoever holds it. This cannot be taken back.",
            "What it signed before keeps its place where something that a valid key signed covers it.",
            "Every partner's node is told. One that cannot be reached believes the old key until it hears of this.",
        ],
    },
    Rotation {
        name: "tls",
        key: "tls",
        revoke: false,
        title: "Replace the key of the connections",
        does: &[
            "Connections that begin from now on use the new key; those that are open go on.",
            "Partners' nodes learn of it when they connect next; nobody has to do anything.",
        ],
    },
    Rotation {
        name: "root",
        key: "root",
        revoke: false,
        title: "Replace the root key",
        does: &[
            "The old root key can replace nothing any more; keep the new one as safe as it, outside of this machine.",
            "The workspace's fingerprint stays what it is: partners need not compare it again.",
            "A handover that the old root key signed, and that was not shown to its receiver yet, counts no more.",
        ],
    },
];

/// A group of another workspace, with people of this one.
#[derive(Deserialize)]
struct Abroad {
    scope: String,
    name: Option<String>,
    kind: Option<String>,
    owner: Home,
    waiting_since: Option<Millis>,
}

#[derive(Deserialize)]
struct AllAbroad {
    abroad: Vec<Abroad>,
}

#[derive(Deserialize)]
struct Requested {
    handover: Value,
}

#[derive(Template)]
#[template(path = "web/admin/keys.html")]
struct List {
    frame: Frame,
    at: At,
    keys: Keys,
    rotations: &'static [Rotation],
    groups: Vec<Abroad>,
}

#[derive(Template)]
#[template(path = "web/admin/rotate.html")]
struct Question {
    frame: Frame,
    at: At,
    rotation: &'static Rotation,
    root_here: bool,
}

#[derive(Template)]
#[template(path = "web/admin/handover.html")]
struct Handover {
    frame: Frame,
    at: At,
    group: Abroad,
    /// What the root key has to sign, as `comity handover sign` takes it.
    request: String,
    signed: String,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    let (frame, at) = open(&visitor, "keys", None).await?;
    let keys = visitor.read("/workspace/keys").await?;
    let AllAbroad { abroad: mut groups } = visitor.read("/abroad?limit=200").await?;
    groups.retain(|one| one.scope.starts_with("gr_"));
    // A dead owner's word has run out: those that wait stand first.
    groups.sort_by_key(|one| one.waiting_since.is_none());
    Ok(answer(None, List { frame, at, keys, rotations: &ROTATIONS, groups }))
}

fn rotation(name: &str) -> Result<&'static Rotation, Failure> {
    ROTATIONS.iter().find(|rotation| rotation.name == name).ok_or_else(Failure::nothing)
}

async fn question(visitor: &Visitor, name: &str, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "keys", no).await?;
    let Keys { root_here, .. } = visitor.read("/workspace/keys").await?;
    Ok(answer(no, Question { frame, at, rotation: rotation(name)?, root_here }))
}

pub(super) async fn before_rotation(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failure> {
    question(&visitor, &name, None).await
}

pub(super) async fn rotate(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failure> {
    let Rotation { key, revoke, .. } = rotation(&name)?;
    let body = json!({ "key": key, "revoke": revoke });
    match ask(&visitor, Method::POST, "/workspace/rotate", Some(&body)).await? {
        Ok(_) => Ok(go("/admin/keys")),
        Err(no) => question(&visitor, &name, Some(&no)).await,
    }
}

/// Which group.
#[derive(Deserialize)]
pub(super) struct Of {
    group: String,
}

pub(super) async fn handover(visitor: Visitor, Query(Of { group }): Query<Of>) -> Result<Response, Failure> {
    handing(&visitor, &group, String::new(), None).await
}

async fn handing(
    visitor: &Visitor,
    group: &str,
    signed: String,
    no: Option<&Refusal>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "keys", no).await?;
    let group = escape(group);
    let AllAbroad { abroad } = visitor.read(&format!("/abroad?only={group}")).await?;
    let held = abroad.into_iter().find(|one| one.scope == group).ok_or_else(Failure::nothing)?;
    let Requested { handover } = visitor.read(&format!("/groups/{group}/handover")).await?;
    Ok(answer(no, Handover { frame, at, group: held, request: handover.to_string(), signed }))
}

/// What the root key signed, as it was pasted.
#[derive(Deserialize)]
pub(super) struct Signed {
    group: String,
    #[serde(default)]
    signed: String,
    /// That the owner is gone for good.
    #[serde(default)]
    gone: String,
}

pub(super) async fn take(visitor: Visitor, Form(given): Form<Signed>) -> Result<Response, Failure> {
    let Signed { group, signed, gone } = given;
    let body = serde_json::from_str::<Value>(&signed);
    let asked = match body {
        _ if gone != "true" => {
            Err(Refusal::unreadable("confirm first that its owner does not come back".into()))
        }
        Err(error) => Err(Refusal::unreadable(format!("this is not what was signed: {error}"))),
        Ok(body) => ask(&visitor, Method::POST, "/handovers", Some(&body)).await?,
    };
    match asked {
        // Not to the group: an admin need not be in it.
        Ok(_) => Ok(go("/admin/keys")),
        Err(no) => handing(&visitor, &group, signed, Some(&no)).await,
    }
}

impl Abroad {
    /// What to call it: the name of what waits for its owner is not shown.
    fn title(&self) -> String {
        let name = scope_name(self.name.as_ref(), self.kind.as_deref());
        format!("{name} of {} ({})", self.owner.title(), self.scope.get(..11).unwrap_or_default())
    }
}
