//! The audit log (P8.3), page by page with filters, and its export (P7.6); what partners signed twice.
//!
//! Duty: lines as the API has them, with the names that this admin may know. Never: a line changed or left out.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    body::Body,
    extract::Query,
    http::{HeaderValue, Method, header},
    response::Response,
};
use serde::Deserialize;

use super::super::path::Path;
use super::{At, Home, Person, answer, open, peers::Peers};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

/// The filters, as the form and the links of a page send them; empty ones filter nothing.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    act: String,
    peer: String,
    actor: String,
    scope: String,
    from: String,
    to: String,
    before: String,
}

impl Wanted {
    fn query(&self) -> String {
        let all = [
            ("act", &self.act),
            ("peer", &self.peer),
            ("actor", &self.actor),
            ("scope", &self.scope),
            ("from", &self.from),
            ("to", &self.to),
            ("before", &self.before),
        ];
        let some = all.into_iter().filter(|(_, value)| !value.trim().is_empty());
        some.map(|(name, value)| format!("&{name}={}", escape(value.trim()))).collect()
    }

    /// The next page's link.
    fn older(&self, next: u64) -> String {
        let next = Self { before: next.to_string(), ..self.clone() };
        format!("/admin/audit?{}", next.query().trim_start_matches('&'))
    }
}

#[derive(Default, Deserialize)]
struct Lines {
    lines: Vec<Numbered>,
    next: Option<u64>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
    line: Line,
}

#[derive(Deserialize)]
struct Line {
    time: Millis,
    actor: Option<String>,
    peer: Option<String>,
    scope: Option<String>,
    act: String,
    detail: String,
}

#[derive(Deserialize)]
struct Held {
    evidence: Vec<Evidence>,
}

#[derive(Deserialize)]
struct Evidence {
    id: String,
    accused: Home,
    noticed: Millis,
    own: bool,
}

#[derive(Template)]
#[template(path = "web/admin/audit.html")]
struct Log {
    frame: Frame,
    at: At,
    wanted: Wanted,
    lines: Vec<Numbered>,
    older: Option<String>,
    peers: Vec<Home>,
    names: BTreeMap<String, String>,
    evidence: Vec<Evidence>,
}

impl Log {
    /// A name for an id, or its beginning.
    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or_else(|| id.get(..11).unwrap_or(id), String::as_str)
    }

    /// A detail with people by their names; as it is in the log where that says more.
    fn detail(&self, detail: &str) -> String {
        let word = |word: &str| match self.names.get(word.trim_end_matches(':')) {
            Some(name) if word.ends_with(':') => format!("{name}:"),
            Some(name) => name.clone(),
            None => word.to_owned(),
        };
        let between = if detail.split(' ').all(|word| word.starts_with("us_")) { ", " } else { " " };
        detail.split(' ').map(word).collect::<Vec<_>>().join(between)
    }

    /// What stands in the log instead of the names.
    fn ids<'a>(&self, detail: &'a str) -> &'a str {
        if detail.contains("us_") { detail } else { "" }
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Scope {
    settings: Named,
}

pub(super) async fn show(visitor: Visitor, Query(wanted): Query<Wanted>) -> Result<Response, Failure> {
    let path = format!("/audit?limit=50{}", wanted.query());
    let (lines, no) = match super::in_place(&visitor, visitor.desk.get::<Lines>(&path).await)? {
        Ok(lines) => (lines, None),
        Err(no) => (Lines::default(), Some(no)),
    };
    page(&visitor, wanted, lines, no.as_ref()).await
}

async fn page(
    visitor: &Visitor,
    wanted: Wanted,
    Lines { lines, next, people }: Lines,
    no: Option<&Refusal>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "audit", no).await?;
    let Peers { peers, .. } = visitor.read("/peers").await?;
    let peers: Vec<Home> = peers.into_iter().map(|peer| peer.workspace).collect();
    let mut names: BTreeMap<String, String> =
        peers.iter().map(|peer| (peer.id.clone(), peer.title().to_owned())).collect();
    names.extend(people.into_iter().map(|person| (person.id.clone(), person.title().to_owned())));
    for scope in lines.iter().filter_map(|one| one.line.scope.as_ref()) {
        if !names.contains_key(scope)
            && let Some(name) = name(visitor, scope).await
        {
            names.insert(scope.clone(), name);
        }
    }
    let Held { evidence } = visitor.read("/evidence").await?;
    let older = next.map(|next| wanted.older(next));
    Ok(answer(no, Log { frame, at, wanted, lines, older, peers, names, evidence }))
}

/// What this admin may know a group or thread by: of a conversation that he is not in, nothing.
async fn name(visitor: &Visitor, id: &str) -> Option<String> {
    let kind = if id.starts_with("gr_") { "groups" } else { "threads" };
    let found = visitor.desk.get::<Scope>(&format!("/{kind}/{}", escape(id))).await;
    found.ok().map(|scope| scope.settings.name).filter(|name| !name.is_empty())
}

/// What the API answers, as a file to keep.
async fn file(visitor: &Visitor, path: &str, name: &'static str) -> Result<Response<Body>, Failure> {
    let mut response = visitor.desk.call(Method::GET, path, None).await;
    if !response.status().is_success() {
        // The page says why there is none; a refusal of the API is a document for programs.
        return Err(visitor
            .desk
            .get::<serde::de::IgnoredAny>(path)
            .await
            .map_or_else(|no| visitor.failed(no), |_| Failure::nothing()));
    }
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

pub(super) async fn export(visitor: Visitor) -> Result<Response<Body>, Failure> {
    file(&visitor, "/audit/export", "attachment; filename=\"comity-audit.jsonl\"").await
}

pub(super) async fn evidence(visitor: Visitor, Path(id): Path<String>) -> Result<Response<Body>, Failure> {
    let path = format!("/evidence/{}", escape(&id));
    file(&visitor, &path, "attachment; filename=\"comity-evidence.json\"").await
}
