//! Invitations to the viewer, and claims of links that came to him by mail (P1.5, P2.5).

use askama::Template;
use axum::{
    Form,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::path::Path;
use super::{
    desk::escape,
    page::{Failure, Frame, Page},
    shapes::Home,
    visitor::Visitor,
};

#[derive(Debug, Deserialize)]
struct Invitation {
    id: String,
    name: String,
    from: Home,
    inviter: String,
    grade: String,
    history: String,
}

#[derive(Deserialize)]
struct Invitations {
    invitations: Vec<Invitation>,
}

#[derive(Debug, Deserialize)]
struct Claim {
    workspace: Home,
    status: String,
}

#[derive(Deserialize)]
struct Claims {
    claims: Vec<Claim>,
}

#[derive(Template)]
#[template(path = "web/invitations.html")]
struct Asked {
    frame: Frame,
    invitations: Vec<Invitation>,
    claims: Vec<Claim>,
    error: Option<String>,
}

async fn page(visitor: &Visitor, error: Option<String>) -> Result<Page<impl Template + use<>>, Failure> {
    let frame = Frame::load(visitor, "invitations").await?;
    let asked: Invitations = visitor.read("/invitations").await?;
    let claims: Claims = visitor.read("/claims").await?;
    Ok(Page(Asked { frame, invitations: asked.invitations, claims: claims.claims, error }))
}

pub(super) async fn show(visitor: Visitor) -> Result<Page<impl Template>, Failure> {
    page(&visitor, None).await
}

pub(super) async fn answer(
    visitor: Visitor,
    Path((id, answer)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let answer = if answer == "accept" { "accept" } else { "decline" };
    let done = visitor.desk.post(&format!("/invitations/{}/{answer}", escape(&id)), &json!({})).await;
    match done {
        Ok(_) => Ok(Redirect::to("/invitations").into_response()),
        Err(refusal) => Ok(page(&visitor, Some(refusal.detail)).await?.into_response()),
    }
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// What a link's page gave to be used here, at home.
pub(super) async fn claim(visitor: Visitor, Form(Code { code }): Form<Code>) -> Result<Response, Failure> {
    match visitor.desk.post("/claims", &json!({ "code": code.trim() })).await {
        Ok(_) => Ok(Redirect::to("/invitations").into_response()),
        Err(refusal) => Ok(page(&visitor, Some(refusal.detail)).await?.into_response()),
    }
}
