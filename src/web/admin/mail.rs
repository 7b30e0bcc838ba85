//! Outgoing mail: how it leaves, what waits and why, a trial.
//!
//! Duty: the queue without what letters say. Never: a link or code of a letter.

use askama::Template;
use axum::{Form, extract::Query, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::path::Path;
use super::{At, answer, ask, go, open, people::After};
use crate::{
    time::Millis,
    web::{
        desk::Refusal,
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct Queue {
    mail: Option<Way>,
    letters: Vec<Letter>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Way {
    server: String,
    from: String,
    base: String,
}

#[derive(Deserialize)]
struct Letter {
    number: u64,
    to: String,
    what: String,
    state: String,
    queued: Millis,
    tries: u32,
    next: Option<Millis>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "web/admin/mail.html")]
struct Outgoing {
    frame: Frame,
    at: At,
    queue: Queue,
    trial: Trial,
    /// The server's words to a trial.
    said: Option<String>,
}

/// The form of a trial.
#[derive(Default, Deserialize)]
pub(super) struct Trial {
    to: String,
}

pub(super) async fn show(visitor: Visitor, Query(after): Query<After>) -> Result<Response, Failure> {
    page(&visitor, &after, Trial::default(), None, None).await
}

async fn page(
    visitor: &Visitor,
    after: &After,
    trial: Trial,
    said: Option<String>,
    no: Option<&Refusal>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "mail", no).await?;
    let queue = visitor.read(&format!("/mail{}", after.query())).await?;
    Ok(answer(no, Outgoing { frame, at, queue, trial, said }))
}

pub(super) async fn trial(visitor: Visitor, Form(trial): Form<Trial>) -> Result<Response, Failure> {
    let body = json!({ "to": trial.to.trim() });
    match ask(&visitor, Method::POST, "/mail/test", Some(&body)).await? {
        Ok(said) => {
            let said = said.get("answer").and_then(Value::as_str).map(ToOwned::to_owned);
            page(&visitor, &After::default(), trial, said, None).await
        }
        Err(no) => page(&visitor, &After::default(), trial, None, Some(&no)).await,
    }
}

pub(super) async fn act(
    visitor: Visitor,
    Path((letter, act)): Path<(u64, String)>,
) -> Result<Response, Failure> {
    let (method, path) = match act.as_str() {
        "retry" => (Method::POST, format!("/mail/{letter}/retry")),
        "discard" => (Method::DELETE, format!("/mail/{letter}")),
        _ => return Err(Failure::nothing()),
    };
    match ask(&visitor, method, &path, None).await? {
        Ok(_) => Ok(go("/admin/mail")),
        Err(no) => page(&visitor, &After::default(), Trial::default(), None, Some(&no)).await,
    }
}
