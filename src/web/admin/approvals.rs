//! What waits for an admin's word: invitations (P2.5), partnerships that somebody's invitation needs (P1.5), groups that are
//! offered (P5.4).
//!
//! Duty: three lists, each with its answers. Never: an answer that the API does not have.

use askama::Template;
use axum::{Form, http::Method, response::Response};
use serde::Deserialize;

use super::{At, Home, Person, answer as shown, ask, go, open};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        moving::Move,
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Approvals {
    approvals: Vec<Approval>,
}

#[derive(Deserialize)]
struct Approval {
    id: String,
    user: Person,
    from: Home,
    name: String,
    inviter: String,
    inviter_address: String,
    grade: String,
    time: Millis,
}

#[derive(Deserialize)]
struct Claims {
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    id: String,
    user: Person,
    workspace: Home,
    endpoints: Vec<String>,
    time: Millis,
}

#[derive(Template)]
#[template(path = "web/admin/approvals.html")]
struct Lists {
    frame: Frame,
    at: At,
    own: String,
    approvals: Vec<Approval>,
    claims: Vec<Claim>,
    moves: Vec<Move>,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    page(&visitor, None).await
}

async fn page(visitor: &Visitor, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "approvals", no).await?;
    let Approvals { approvals } = visitor.read("/invitations/approvals").await?;
    let Claims { claims } = visitor.read("/claims/peerings").await?;
    let moves = Move::open(visitor).await?;
    let own = visitor.read::<Home>("/workspace").await?.id;
    Ok(shown(no, Lists { frame, at, own, approvals, claims, moves }))
}

/// Which of the lists, which row, and the answer.
#[derive(Deserialize)]
pub(super) struct Answer {
    what: String,
    id: String,
}

pub(super) async fn answer(
    visitor: Visitor,
    Form(Answer { what, id }): Form<Answer>,
) -> Result<Response, Failure> {
    let id = escape(&id);
    let (method, path) = match what.as_str() {
        "approve" | "refuse" => (Method::POST, format!("/invitations/{id}/{what}")),
        "peering" => (Method::POST, format!("/claims/{id}/peering")),
        "take" => (Method::POST, format!("/moves/{id}/accept")),
        "end" => (Method::DELETE, format!("/moves/{id}")),
        _ => return Err(Failure::nothing()),
    };
    match ask(&visitor, method, &path, None).await? {
        Ok(_) => Ok(go("/admin/approvals")),
        Err(no) => page(&visitor, Some(&no)).await,
    }
}
