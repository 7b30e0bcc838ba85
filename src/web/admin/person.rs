//! One of the workspace's own people: role, password link, tokens, suspension, removal (P7.5).
//!
//! Duty: what leaves somebody without access is shown first. Never: a link or token in an address or a log; each is shown
//! once, in the answer.

use askama::Template;
use axum::{
    Form,
    http::{HeaderMap, Method},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::path::Path;
use super::{At, answer, ask, ends::Confirm, go, open, origin, people::User};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

/// A session or a token.
#[derive(Deserialize)]
struct Session {
    id: String,
    made: Millis,
    expires: Option<Millis>,
    #[serde(rename = "signed-in")]
    signed_in: Option<SignedIn>,
    token: Option<Token>,
}

#[derive(Deserialize)]
struct SignedIn {
    agent: String,
}

#[derive(Deserialize)]
struct Token {
    name: String,
    scope: String,
}

/// What is shown once, with what to do with it.
struct Secret {
    about: &'static str,
    /// Nothing to pass on: it went out by mail.
    line: Option<String>,
}

#[derive(Template)]
#[template(path = "web/admin/person.html")]
struct One {
    frame: Frame,
    at: At,
    user: User,
    sessions: Vec<Session>,
    secret: Option<Secret>,
}

async fn known(visitor: &Visitor, id: &str) -> Result<User, Failure> {
    visitor.read(&format!("/users/{}", escape(id))).await
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    page(&visitor, &id, None, None).await
}

async fn page(
    visitor: &Visitor,
    id: &str,
    no: Option<&Refusal>,
    secret: Option<Secret>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "people", no).await?;
    let user = known(visitor, id).await?;
    let Sessions { sessions } = visitor.read(&format!("/users/{}/tokens", escape(id))).await?;
    Ok(answer(no, One { frame, at, user, sessions, secret }))
}

/// Back to the page, or the page with what was refused.
async fn then(visitor: &Visitor, id: &str, asked: Result<Value, Refusal>) -> Result<Response, Failure> {
    match asked {
        Ok(_) => Ok(go(&format!("/admin/people/{}", escape(id)))),
        Err(no) => page(visitor, id, Some(&no), None).await,
    }
}

#[derive(Deserialize)]
pub(super) struct Change {
    name: String,
    role: String,
}

pub(super) async fn change(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Change { name, role }): Form<Change>,
) -> Result<Response, Failure> {
    let user = known(&visitor, &id).await?;
    let mut body = json!({});
    if let Some(body) = body.as_object_mut() {
        // What did not change is not sent: it would stand in the audit log.
        let name = Some(name).filter(|name| *name != user.person.name);
        body.extend(name.map(|name| ("name".to_owned(), json!(name))));
        let role =
            Some(role).filter(|role| *role != user.role && ["member", "admin"].contains(&role.as_str()));
        body.extend(role.map(|role| ("role".to_owned(), json!(role))));
    }
    let asked = ask(&visitor, Method::PATCH, &format!("/users/{}", escape(&id)), Some(&body)).await?;
    then(&visitor, &id, asked).await
}

/// Shown in the answer itself: an address would keep it in the browser's history.
pub(super) async fn link(
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match ask(&visitor, Method::POST, &format!("/users/{}/link", escape(&id)), None).await? {
        Ok(made) => {
            let path = made.get("path").and_then(Value::as_str);
            let line = path.map(|path| format!("{}{path}", origin(&headers)));
            let about = if line.is_some() {
                "This link sets a password, once. Pass it on in a way that nobody else reads. It is shown only now."
            } else {
                "The link was mailed to the account's address."
            };
            page(&visitor, &id, None, Some(Secret { about, line })).await
        }
        Err(no) => page(&visitor, &id, Some(&no), None).await,
    }
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    name: String,
    scope: String,
    days: u64,
}

pub(super) async fn token(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(NewToken { name, scope, days }): Form<NewToken>,
) -> Result<Response, Failure> {
    let body = json!({ "name": name, "scope": scope, "days": days });
    match ask(&visitor, Method::POST, &format!("/users/{}/tokens", escape(&id)), Some(&body)).await? {
        Ok(made) => {
            let line = made.get("token").and_then(Value::as_str).map(ToOwned::to_owned);
            let about = "A program that shows this token acts in this person's name. It is shown only now.";
            page(&visitor, &id, None, Some(Secret { about, line })).await
        }
        Err(no) => page(&visitor, &id, Some(&no), None).await,
    }
}

pub(super) async fn sign_out(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let asked = ask(&visitor, Method::DELETE, &format!("/users/{}/tokens", escape(&id)), None).await?;
    then(&visitor, &id, asked).await
}

/// One session or token ends.
pub(super) async fn end(
    visitor: Visitor,
    Path((id, session)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let path = format!("/users/{}/tokens/{}", escape(&id), escape(&session));
    let asked = ask(&visitor, Method::DELETE, &path, None).await?;
    then(&visitor, &id, asked).await
}

/// Suspension or removal, before it happens.
async fn leaving(
    visitor: &Visitor,
    id: &str,
    (what, about, button): (&str, &str, &'static str),
    no: Option<&Refusal>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "people", no).await?;
    let user = known(visitor, id).await?;
    let ends = visitor.read(&format!("/users/{}/departure", escape(id))).await?;
    let back = format!("/admin/people/{}", escape(id));
    let (action, fields) = (format!("{back}/{}", what.to_lowercase()), Vec::new());
    let title = format!("{what} {}?", user.person.title());
    Ok(answer(no, Confirm { frame, at, title, about: about.into(), ends, action, fields, button, back }))
}

const SUSPEND: (&str, &str, &str) = (
    "Suspend",
    "Sessions and tokens end, and so does every place here and at every partner, with one signed statement. The account \
     stays and can be restored; the places need new invitations.",
    "Suspend",
);
const REMOVE: (&str, &str, &str) = (
    "Remove",
    "As a suspension, and for good: neither the account nor its address is ever given to somebody else.",
    "Remove for good",
);

pub(super) async fn before_suspend(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    leaving(&visitor, &id, SUSPEND, None).await
}

pub(super) async fn suspend(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let body = json!({ "role": "suspended" });
    match ask(&visitor, Method::PATCH, &format!("/users/{}", escape(&id)), Some(&body)).await? {
        Err(no) => leaving(&visitor, &id, SUSPEND, Some(&no)).await,
        done => then(&visitor, &id, done).await,
    }
}

pub(super) async fn before_remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    leaving(&visitor, &id, REMOVE, None).await
}

pub(super) async fn remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    match ask(&visitor, Method::DELETE, &format!("/users/{}", escape(&id)), None).await? {
        Err(no) => leaving(&visitor, &id, REMOVE, Some(&no)).await,
        done => then(&visitor, &id, done).await,
    }
}
