//! External people in this workspace (P2.7, P2.8, P4): who, from where, in what, by whom, until when.
//!
//! Duty: a page of the list, with when each was seen to act here last. Never: who reads: homes do not tell each other.

use askama::Template;
use axum::{extract::Query, response::Response};
use serde::Deserialize;

use super::{At, Home, Person, answer, open, people::After};
use crate::{
    time::Millis,
    web::{
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Externals {
    externals: Vec<External>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct External {
    #[serde(flatten)]
    person: Person,
    workspace: Home,
    places: Vec<Place>,
    left_out: usize,
    last_seen: Option<Millis>,
}

#[derive(Deserialize)]
struct Place {
    scope: String,
    name: Option<String>,
    kind: Option<String>,
    via: Option<String>,
    grade: String,
    by: Person,
    since: Millis,
    until: Option<Millis>,
}

#[derive(Template)]
#[template(path = "web/admin/externals.html")]
struct List {
    frame: Frame,
    at: At,
    externals: Vec<External>,
    next: Option<String>,
}

pub(super) async fn show(visitor: Visitor, Query(after): Query<After>) -> Result<Response, Failure> {
    let (frame, at) = open(&visitor, "externals", None).await?;
    let Externals { externals, next } = visitor.read(&format!("/externals{}", after.query())).await?;
    Ok(answer(None, List { frame, at, externals, next }))
}
