//! Invitations out of this workspace that wait for an answer (P2.3): whom, into what, by whom, until when.
//!
//! Duty: the list over all groups and threads, with what can be done about each. Never: a new invitation: those are made
//! where the person is to come in.

use askama::Template;
use axum::{extract::Query, http::HeaderMap, response::Response};
use serde::Deserialize;

use super::{At, Person, answer, open, origin};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        members::{self, Outcome},
        page::{Failure, Frame},
        path::Path,
        shapes::Sent,
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Invitations {
    invitations: Vec<Invitation>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Invitation {
    #[serde(flatten)]
    sent: Sent,
    scope: String,
    name: String,
    by: Person,
    grade: String,
    until: Option<Millis>,
}

#[derive(Default, Deserialize)]
pub(super) struct Before {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "web/admin/invitations.html")]
struct List {
    frame: Frame,
    at: At,
    invitations: Vec<Invitation>,
    next: Option<String>,
    outcome: Outcome,
}

pub(super) async fn show(visitor: Visitor, Query(before): Query<Before>) -> Result<Response, Failure> {
    page(&visitor, before, None, Outcome::default()).await
}

async fn page(
    visitor: &Visitor,
    Before { before }: Before,
    no: Option<&Refusal>,
    outcome: Outcome,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "invitations", no).await?;
    let before = before.map(|before| format!("&before={}", escape(&before))).unwrap_or_default();
    let Invitations { invitations, next } =
        visitor.read(&format!("/invitations/sent?open=true&limit=50{before}")).await?;
    Ok(answer(no, List { frame, at, invitations, next, outcome }))
}

/// Resending, withdrawing, and the answer to a claim.
pub(super) async fn act(
    visitor: Visitor,
    headers: HeaderMap,
    Path((invite, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    match members::answer_for(&visitor, &origin(&headers), &invite, &act).await? {
        Ok(outcome) => page(&visitor, Before::default(), None, outcome).await,
        Err(no) => page(&visitor, Before::default(), Some(&no), Outcome::default()).await,
    }
}
