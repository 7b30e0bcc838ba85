//! The workspace's own people: the list, and a new one.
//!
//! Duty: a page of the list; what was typed is not lost when it is refused. Never: an external person.

use askama::Template;
use axum::{Form, extract::Query, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{At, Person, answer, ask, go, open};
use crate::web::{
    desk::{Refusal, escape},
    page::{Failure, Frame},
    visitor::Visitor,
};

/// One of the own people.
#[derive(Deserialize)]
pub(super) struct User {
    #[serde(flatten)]
    pub(super) person: Person,
    pub(super) role: String,
    #[serde(default)]
    pub(super) title: String,
}

impl User {
    /// The role, in words.
    pub(super) fn standing(&self) -> &str {
        match self.role.as_str() {
            "admin" => "administers the workspace",
            "suspended" => "suspended",
            "removed" => "removed",
            _ => "member",
        }
    }
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
    next: Option<String>,
}

/// Where a list goes on.
#[derive(Default, Deserialize)]
pub(super) struct After {
    pub(super) after: Option<String>,
}

impl After {
    /// The query of the API's page.
    pub(super) fn query(&self) -> String {
        let after = self.after.as_ref().map(|after| format!("&after={}", escape(after)));
        format!("?limit=50{}", after.unwrap_or_default())
    }
}

/// The form.
#[derive(Default, Deserialize)]
pub(super) struct New {
    local: String,
    name: String,
    #[serde(default)]
    role: String,
}

#[derive(Template)]
#[template(path = "web/admin/people.html")]
struct List {
    frame: Frame,
    at: At,
    domain: String,
    users: Vec<User>,
    next: Option<String>,
    new: New,
}

pub(super) async fn show(visitor: Visitor, Query(after): Query<After>) -> Result<Response, Failure> {
    page(&visitor, &after, None, New::default()).await
}

async fn page(visitor: &Visitor, after: &After, no: Option<&Refusal>, new: New) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "people", no).await?;
    let Users { users, next } = visitor.read(&format!("/users{}", after.query())).await?;
    let domain = frame.me.workspace.as_ref().map(|own| own.domain.clone()).unwrap_or_default();
    Ok(answer(no, List { frame, at, domain, users, next, new }))
}

pub(super) async fn add(visitor: Visitor, Form(new): Form<New>) -> Result<Response, Failure> {
    let role = if new.role == "admin" { "admin" } else { "member" };
    let body = json!({ "local": new.local.trim(), "name": new.name.trim(), "role": role });
    match ask(&visitor, Method::POST, "/users", Some(&body)).await? {
        Ok(user) => {
            let id = user.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(go(&format!("/admin/people/{id}")))
        }
        Err(no) => page(&visitor, &After::default(), Some(&no), new).await,
    }
}
