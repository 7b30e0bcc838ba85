//! Signing in with a token from a link, which works once.
//!
//! Duty: the page that reads the token from the part of its address that no browser sends, and the trade of it for a
//! session. Never: a token in an address that is sent, kept in a log, or handed on to other pages.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Web, assets,
    desk::Refusal,
    entry::{Session, begin},
    page::{Me, Page},
    visitor::Visitor,
};

#[derive(Template)]
#[template(path = "web/enter.html")]
struct Enter {
    /// Who is signed in here already: he is asked before that changes, whoever made the link.
    held: Option<String>,
    error: Option<String>,
}

/// The path of this page's module.
fn module() -> String {
    assets::path("enter.js")
}

pub(super) async fn form(visitor: Visitor) -> Page<impl Template> {
    let held = visitor.desk.get::<Me>("/me").await.ok().map(|me| me.name);
    Page(Enter { held, error: None })
}

#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
}

pub(super) async fn enter(
    visitor: Visitor,
    State(web): State<Web>,
    Form(Given { token }): Form<Given>,
) -> Response {
    let desk = visitor.desk.showing(token.trim());
    match desk.ask::<Session>(Method::POST, "/sessions/trade", Some(&json!({}))).await {
        Ok(session) => begin(&web, &session, "/"),
        Err(Refusal { status, detail, .. }) => {
            // That a token ended while it was traded is the same to whoever holds it.
            let ended = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND);
            let why =
                "This link does not work any more: it was used, which it can be once, or it is too old.";
            let error = if ended { why.to_owned() } else { detail };
            (status, Page(Enter { held: None, error: Some(error) })).into_response()
        }
    }
}
