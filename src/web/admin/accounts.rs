//! Free accounts that this node hosts (P1.2): the list, and the end of one.
//!
//! Duty: what an end takes away is shown first. Never: a password or a session of theirs.

use askama::Template;
use axum::{extract::Query, http::Method, response::Response};
use serde::Deserialize;

use super::super::path::Path;
use super::{
    At, Home, answer, ask,
    ends::Confirm,
    go, open,
    people::{After, User},
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
struct Accounts {
    realm: Option<Home>,
    accounts: Vec<Account>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(flatten)]
    user: User,
    places: usize,
    signed_in: Option<Millis>,
}

#[derive(Template)]
#[template(path = "web/admin/accounts.html")]
struct List {
    frame: Frame,
    at: At,
    realm: Option<Home>,
    accounts: Vec<Account>,
    next: Option<String>,
}

pub(super) async fn show(visitor: Visitor, Query(after): Query<After>) -> Result<Response, Failure> {
    let (frame, at) = open(&visitor, "accounts", None).await?;
    let Accounts { realm, accounts, next } = visitor.read(&format!("/accounts{}", after.query())).await?;
    Ok(answer(None, List { frame, at, realm, accounts, next }))
}

async fn question(visitor: &Visitor, id: &str, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "accounts", no).await?;
    let ends = visitor.read(&format!("/accounts/{}/departure", escape(id))).await?;
    let page = Confirm {
        frame,
        at,
        title: "Remove this free account?".into(),
        about: "It ends for good, with every place that it has, here and at every partner. Its address can make no new \
                account."
            .into(),
        ends,
        action: format!("/admin/accounts/{}/remove", escape(id)),
        fields: Vec::new(),
        button: "Remove for good",
        back: "/admin/accounts".into(),
    };
    Ok(answer(no, page))
}

pub(super) async fn before(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    question(&visitor, &id, None).await
}

pub(super) async fn remove(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    match ask(&visitor, Method::DELETE, &format!("/accounts/{}", escape(&id)), None).await? {
        Ok(_) => Ok(go("/admin/accounts")),
        Err(no) => question(&visitor, &id, Some(&no)).await,
    }
}
