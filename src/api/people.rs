//! People and groups by name: contacts, members of a scope, the directory, joining (P2.2, P4, P5).

use std::str::FromStr;

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    path::Path,
    problem::Problem,
    viewer::{Query, Viewer},
    workspace::page,
};
use crate::{
    ids::{GroupId, UserId},
    limits,
    protocol::{
        Command,
        words::{Sought, Typed},
    },
    view::{
        names::{self, After, Found, Listed},
        people::{self, ProfileView},
        scopes::{self, ScopeView},
    },
};

/// What is looked for, and from where on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    /// Beginnings of words of a name, or of an address.
    q: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    limit: Option<usize>,
}

impl Search {
    /// What was typed, bounded.
    pub(super) fn typed(&self) -> Result<Typed, Problem> {
        let q = self.q.as_deref().unwrap_or_default();
        if q.len() > limits::QUERY_BYTES {
            return Err(Problem::invalid(format!("q: at most {} bytes", limits::QUERY_BYTES)));
        }
        Ok(Typed::new(q, limits::QUERY_BYTES))
    }

    /// The same as words of messages.
    pub(super) fn words(&self) -> Result<Sought, Problem> {
        self.typed()?;
        Ok(Sought::new(self.q.as_deref().unwrap_or_default()))
    }

    /// From where on, as it was given.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.after.as_deref()
    }

    pub(super) fn limit(&self) -> usize {
        page(self.limit)
    }

    pub(super) fn after<I: FromStr>(&self) -> Result<Option<After<I>>, Problem> {
        let parse = |text: &String| {
            names::parse_after(text)
                .ok_or_else(|| Problem::invalid("after: pass the `next` of the page before, unchanged"))
        };
        self.after.as_ref().map(parse).transpose()
    }
}

impl Search {
    /// Of pages that are not sorted by name.
    pub(super) fn after_id(&self) -> Result<Option<UserId>, Problem> {
        let parse = |text: &str| {
            text.parse()
                .ok()
                .ok_or_else(|| Problem::invalid("after: pass the `next` of the page before, unchanged"))
        };
        self.after.as_deref().map(parse).transpose()
    }
}

/// A page of people.
#[derive(Serialize, JsonSchema)]
pub(super) struct Contacts {
    contacts: Vec<Found>,
    next: Option<String>,
}

pub(super) async fn contacts(
    viewer: Viewer,
    Query(search): Query<Search>,
) -> Result<Json<Contacts>, Problem> {
    let (typed, after) = (search.typed()?, search.after()?);
    let state = &viewer.snapshot().state;
    let found = names::contacts(state, viewer.user, &typed, after.as_ref(), search.limit());
    let next = found.next.as_ref().map(names::after_text);
    std::future::ready(Ok(Json(Contacts { contacts: found.rows, next }))).await
}

pub(super) async fn profile(viewer: Viewer, Path(user): Path<UserId>) -> Result<Json<ProfileView>, Problem> {
    let shown = people::profile(&viewer.snapshot().state, viewer.user, user);
    std::future::ready(shown.map(Json).ok_or_else(Problem::not_found)).await
}

/// A page of the directory.
#[derive(Serialize, JsonSchema)]
pub(super) struct Directory {
    directory: Vec<Listed>,
    next: Option<String>,
}

pub(super) async fn directory(
    viewer: Viewer,
    Query(search): Query<Search>,
) -> Result<Json<Directory>, Problem> {
    let (typed, after) = (search.typed()?, search.after()?);
    let state = &viewer.snapshot().state;
    let found = names::directory(state, viewer.user, &typed, after.as_ref(), search.limit());
    let next = found.next.as_ref().map(names::after_text);
    std::future::ready(Ok(Json(Directory { directory: found.rows, next }))).await
}

/// The viewer joins an open group of his workspace.
pub(super) async fn join(viewer: Viewer, Path(group): Path<GroupId>) -> Result<Json<ScopeView>, Problem> {
    viewer.ask(Command::JoinGroup(viewer.user, group)).await?;
    let view = scopes::scope(&viewer.snapshot().state, viewer.user, group.into());
    view.map(Json).ok_or_else(Problem::not_found)
}
