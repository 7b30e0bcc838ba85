//! Groups and threads of other workspaces with own people in them, and the way out of one (P5.5).
//!
//! Duty: a page of the list; a question before somebody is taken out. Never: the name of what waits for its owner.

use askama::Template;
use axum::{extract::Query, http::Method, response::Response};
use serde::Deserialize;

use super::super::path::Path;
use super::{
    At, Home, Person, answer, ask,
    ends::{Confirm, Ends},
    go, open,
    people::{After, User},
    scope_name,
};
use crate::{
    time::Millis,
    web::{
        desk::{Refusal, escape},
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

#[derive(Deserialize)]
struct AllAbroad {
    abroad: Vec<Abroad>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Abroad {
    scope: String,
    name: Option<String>,
    kind: Option<String>,
    owner: Home,
    waiting_since: Option<Millis>,
    frozen: Option<String>,
    people: Vec<Member>,
    left_out: usize,
}

#[derive(Deserialize)]
struct Member {
    user: Person,
    grade: String,
    since: Millis,
    until: Option<Millis>,
}

#[derive(Template)]
#[template(path = "web/admin/abroad.html")]
struct List {
    frame: Frame,
    at: At,
    abroad: Vec<Abroad>,
    next: Option<String>,
}

pub(super) async fn show(visitor: Visitor, Query(after): Query<After>) -> Result<Response, Failure> {
    let (frame, at) = open(&visitor, "abroad", None).await?;
    let AllAbroad { abroad, next } = visitor.read(&format!("/abroad{}", after.query())).await?;
    Ok(answer(None, List { frame, at, abroad, next }))
}

async fn question(
    visitor: &Visitor,
    (scope, user): (&str, &str),
    no: Option<&Refusal>,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "abroad", no).await?;
    let user: User = visitor.read(&format!("/users/{}", escape(user))).await?;
    let all: AllAbroad = visitor.read(&format!("/abroad?only={}", escape(scope))).await?;
    let found = all.abroad.iter().find(|one| one.scope == scope).ok_or_else(Failure::nothing)?;
    let name = scope_name(found.name.as_ref(), found.kind.as_deref());
    let about = format!(
        "{} of {} is told at once. {} sees nothing of it any more, its history included, and needs a new invitation to \
         come back.",
        found.owner.title(),
        found.owner.domain,
        user.person.title()
    );
    let page = Confirm {
        frame,
        at,
        title: format!("Take {} out of {name}?", user.person.title()),
        about,
        ends: Ends::one_place(),
        action: format!("/admin/abroad/{}/{}", escape(scope), escape(&user.person.id)),
        fields: Vec::new(),
        button: "Take out",
        back: "/admin/abroad".into(),
    };
    Ok(answer(no, page))
}

pub(super) async fn before(
    visitor: Visitor,
    Path((scope, user)): Path<(String, String)>,
) -> Result<Response, Failure> {
    question(&visitor, (&scope, &user), None).await
}

pub(super) async fn withdraw(
    visitor: Visitor,
    Path((scope, user)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let path = format!("/users/{}/memberships/{}", escape(&user), escape(&scope));
    match ask(&visitor, Method::DELETE, &path, None).await? {
        Ok(_) => Ok(go("/admin/abroad")),
        Err(no) => question(&visitor, (&scope, &user), Some(&no)).await,
    }
}
