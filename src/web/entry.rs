//! Signing in and out.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Web,
    desk::Refusal,
    page::Page,
    visitor::{Visitor, cookie, no_cookie},
};
#[derive(Template)]
#[template(path = "web/sign_in.html")]
struct SignIn {
    next: String,
    address: String,
    error: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

pub(super) async fn form(Query(Next { next }): Query<Next>) -> Page<impl Template> {
    std::future::ready(Page(SignIn { next, address: String::new(), error: None })).await
}

#[derive(Deserialize)]
pub(super) struct Given {
    address: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// A session that began, as the API answers.
#[derive(Deserialize)]
pub(super) struct Session {
    token: String,
}

pub(super) async fn sign_in(visitor: Visitor, State(web): State<Web>, Form(given): Form<Given>) -> Response {
    let Given { address, password, next } = given;
    let body = json!({ "address": address, "password": password });
    match visitor.desk.ask::<Session>(Method::POST, "/sessions", Some(&body)).await {
        Ok(session) => begin(&web, &session, own_path(&next)),
        Err(Refusal { status, detail, .. }) => {
            (status, Page(SignIn { next, address, error: Some(detail) })).into_response()
        }
    }
}

/// Signed in from here on.
pub(super) fn begin(web: &Web, session: &Session, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookie(&web.cookie, &session.token) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Where to go on: on this node, wherever a link says that it wants.
fn own_path(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if own { next } else { "/" }
}

pub(super) async fn sign_out(visitor: Visitor, State(web): State<Web>, _: HeaderMap) -> Response {
    let ended = visitor.desk.ask::<Value>(Method::DELETE, "/me/token", None).await;
    if let Err(Refusal { status, detail, .. }) = ended
        && status != StatusCode::UNAUTHORIZED
    {
        return (status, detail).into_response();
    }
    let mut response = Redirect::to("/sign-in").into_response();
    if let Some(cookie) = no_cookie(&web.cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_link_leads_nowhere_else_after_the_sign_in() {
        assert_eq!(own_path("/t/th_x?before=3"), "/t/th_x?before=3");
        for elsewhere in
            ["https://x.example", "//x.example", "/\\x.example", "", "javascript:alert(1)", "/a\r\nb"]
        {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
