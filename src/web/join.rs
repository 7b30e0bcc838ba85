//! Links that came by mail or by hand: an invitation, a first password, a confirmation (P1.2, P1.5, P2.3).
//!
//! Duty: what a link is for, and the ways to use it. Never: using it by showing it: mail scanners follow links.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::path::Path;
use super::{
    Web,
    desk::escape,
    entry::{Session, begin},
    page::{Failure, Page},
    shapes::Home,
    visitor::Visitor,
};
use crate::time::Millis;

/// What a link is for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "for")]
enum Link {
    Password { address: String, expires: Millis, code: String },
    Verify { address: String, expires: Millis },
    Invitation(Box<Invitation>),
}

#[derive(Debug, Deserialize)]
struct Invitation {
    workspace: Home,
    name: String,
    kind: Option<String>,
    inviter: String,
    address: String,
    history: String,
    expires: Millis,
    home: Option<Home>,
    free_account: bool,
    code: String,
}

#[derive(Template)]
#[template(path = "web/join.html")]
struct Join {
    path: String,
    link: Link,
    error: Option<String>,
    name: String,
}

#[derive(Template)]
#[template(path = "web/forgotten.html")]
struct ForgottenPage {
    said: Option<String>,
}

async fn page(
    visitor: &Visitor,
    code: &str,
    error: Option<String>,
    name: String,
) -> Result<Page<impl Template + use<>>, Failure> {
    let path = format!("/join/{}", escape(code));
    let link: Link = visitor.desk.get(&path).await.map_err(Failure::Refused)?;
    Ok(Page(Join { path, link, error, name }))
}

pub(super) async fn show(visitor: Visitor, Path(code): Path<String>) -> Result<Page<impl Template>, Failure> {
    page(&visitor, &code, None, String::new()).await
}

#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    name: String,
    password: String,
}

pub(super) async fn password(
    visitor: Visitor,
    State(web): State<Web>,
    Path(code): Path<String>,
    Form(given): Form<Given>,
) -> Result<Response, Failure> {
    let path = format!("/join/{}/password", escape(&code));
    let body = json!({ "password": given.password });
    match visitor.desk.ask::<Session>(Method::POST, &path, Some(&body)).await {
        Ok(session) => Ok(begin(&web, &session, "/")),
        Err(no) => Ok(page(&visitor, &code, Some(no.detail), String::new()).await?.into_response()),
    }
}

pub(super) async fn account(
    visitor: Visitor,
    State(web): State<Web>,
    Path(code): Path<String>,
    Form(given): Form<Given>,
) -> Result<Response, Failure> {
    let path = format!("/join/{}/account", escape(&code));
    let body = json!({ "name": given.name, "password": given.password });
    match visitor.desk.ask::<Session>(Method::POST, &path, Some(&body)).await {
        Ok(session) => Ok(begin(&web, &session, "/")),
        Err(no) => Ok(page(&visitor, &code, Some(no.detail), given.name).await?.into_response()),
    }
}

pub(super) async fn forgotten() -> Page<impl Template> {
    std::future::ready(Page(ForgottenPage { said: None })).await
}

#[derive(Deserialize)]
pub(super) struct Address {
    address: String,
}

/// One answer for every address (P3.1).
pub(super) async fn forgot(visitor: Visitor, Form(Address { address }): Form<Address>) -> Response {
    let asked = visitor.desk.post("/forgotten", &json!({ "address": address })).await;
    let (status, said) = match asked {
        Ok(_) => (
            StatusCode::OK,
            "If there is an account with this address, a link is on its way to it.".to_owned(),
        ),
        Err(refusal) => (refusal.status, refusal.detail),
    };
    (status, Page(ForgottenPage { said: Some(said) })).into_response()
}
