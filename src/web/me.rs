//! The own account: profile, password, what is signed in.

use askama::Template;
use axum::{
    Form,
    http::Method,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::path::Path;
use super::{
    desk::{Refusal, escape},
    page::{Failure, Frame, Page},
    shapes::Person,
    visitor::Visitor,
};
use crate::time::Millis;

#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    #[serde(rename = "signed-in")]
    signed_in: Option<Agent>,
    token: Option<Token>,
    made: Millis,
    expires: Option<Millis>,
    current: bool,
}

#[derive(Debug, Deserialize)]
struct Agent {
    agent: String,
}

#[derive(Debug, Deserialize)]
struct Token {
    name: String,
}

impl Session {
    /// What it is, in words.
    fn label(&self) -> String {
        match (&self.signed_in, &self.token) {
            (Some(Agent { agent }), _) => agent.clone(),
            (_, Some(Token { name })) if name.is_empty() => "a token".into(),
            (_, Some(Token { name })) => format!("token “{name}”"),
            _ => "unknown".into(),
        }
    }
}

#[derive(Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

/// Of what he is told where he does not look.
#[derive(Deserialize)]
pub(super) struct Told {
    told: String,
}

#[derive(Template)]
#[template(path = "web/me.html")]
struct Account {
    frame: Frame,
    person: Person,
    sessions: Vec<Session>,
    told: String,
    error: Option<String>,
    done: Option<String>,
}

async fn page(
    visitor: &Visitor,
    error: Option<String>,
    done: Option<String>,
) -> Result<Page<impl Template + use<>>, Failure> {
    let frame = Frame::load(visitor, "me").await?;
    let person: Person = visitor.read("/me").await?;
    let sessions: Sessions = visitor.read("/sessions").await?;
    let Told { told } = visitor.read("/me/notifications").await?;
    Ok(Page(Account { frame, person, sessions: sessions.sessions, told, error, done }))
}

pub(super) async fn show(visitor: Visitor) -> Result<Page<impl Template>, Failure> {
    page(&visitor, None, None).await
}

async fn said(visitor: &Visitor, done: Result<Value, Refusal>, what: &str) -> Result<Response, Failure> {
    let (error, done) = match done {
        Ok(_) => (None, Some(what.to_owned())),
        Err(refusal) => (Some(refusal.detail), None),
    };
    Ok(page(visitor, error, done).await?.into_response())
}

#[derive(Deserialize)]
pub(super) struct Profile {
    name: String,
    title: String,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

pub(super) async fn profile(visitor: Visitor, Form(given): Form<Profile>) -> Result<Response, Failure> {
    let me: Id = visitor.read("/me").await?;
    let body = json!({ "name": given.name, "title": given.title });
    let done = visitor.desk.ask::<Value>(Method::PATCH, &format!("/users/{}", me.id), Some(&body)).await;
    said(&visitor, done, "Your profile is changed, here and wherever you are shown.").await
}

#[derive(Deserialize)]
pub(super) struct Passwords {
    old: String,
    new: String,
}

pub(super) async fn password(visitor: Visitor, Form(given): Form<Passwords>) -> Result<Response, Failure> {
    let old = Some(given.old).filter(|old| !old.is_empty());
    let done = visitor.desk.post("/me/password", &json!({ "old": old, "new": given.new })).await;
    said(&visitor, done, "The password is changed, and every other session has ended.").await
}

#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// A code that shows that the address is one's own: asked for, or shown.
pub(super) async fn code(visitor: Visitor, Form(Code { code }): Form<Code>) -> Result<Response, Failure> {
    if code.trim().is_empty() {
        let done = visitor.desk.post("/me/code", &json!({})).await;
        return said(&visitor, done, "A code is on its way to your address.").await;
    }
    let done = visitor.desk.post("/me/code/show", &json!({ "code": code.trim() })).await;
    said(&visitor, done, "Your address is confirmed.").await
}

pub(super) async fn notify(visitor: Visitor, Form(Told { told }): Form<Told>) -> Result<Response, Failure> {
    let body = json!({ "told": told });
    let done = visitor.desk.ask::<Value>(Method::PATCH, "/me/notifications", Some(&body)).await;
    said(&visitor, done, "That is what you are told of from now on.").await
}

pub(super) async fn end(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let path = if id == "others" { "/sessions".to_owned() } else { format!("/sessions/{}", escape(&id)) };
    let done = visitor.desk.ask::<Value>(Method::DELETE, &path, None).await;
    done.map(|_| Redirect::to("/me").into_response()).map_err(|no| visitor.failed(no))
}
