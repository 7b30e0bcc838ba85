//! A group moves to another workspace (P5.4): to whom, what it brings, the offer.
//!
//! Duty: what a move brings is shown before it is offered (P8.2); where an offer stands, in words. Never: an answer to an
//! offer of others: that is for the admins of the receiver, at their approvals.

use askama::Template;
use axum::{Form, extract::Query as Params, http::Method, response::Response};
use serde::Deserialize;
use serde_json::json;

use super::path::Path;
use super::{
    admin::{self, Home, Person, answer, go},
    desk::{Refusal, escape},
    group,
    group_policy::Policy,
    page::{Failure, Frame},
    place::Place,
    shapes::Scope,
    visitor::Visitor,
};
use crate::time::Millis;

/// An offer, as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Move {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) from: Home,
    pub(super) to: Home,
    pub(super) by: Person,
    pub(super) time: Millis,
    pub(super) status: String,
    pub(super) cut: Vec<Home>,
}

#[derive(Deserialize)]
struct Moves {
    moves: Vec<Move>,
}

impl Move {
    /// The offers of which something may still come.
    pub(super) async fn open(visitor: &Visitor) -> Result<Vec<Self>, Failure> {
        let Moves { mut moves } = visitor.read("/moves").await?;
        moves.retain(Self::is_open);
        Ok(moves)
    }

    /// Where it stands, in words.
    pub(super) fn standing(&self) -> &str {
        match self.status.as_str() {
            "offered" => "offered",
            "wanted" => "accepted; what is missing is fetched",
            "signed" => "signed by the new owner",
            "moved" => "moved",
            _ => "over",
        }
    }

    fn is_open(&self) -> bool {
        ["offered", "wanted", "signed"].contains(&self.status.as_str())
    }
}

/// What a move would bring, as the API previews it.
#[derive(Deserialize)]
struct Preview {
    to: Home,
    scopes: Vec<Moving>,
    homes: Vec<Follows>,
    invitations: usize,
    refused: Option<String>,
}

/// What moves.
#[derive(Deserialize)]
struct Moving {
    id: String,
    name: String,
    entries: u64,
}

/// A workspace with people in it.
#[derive(Deserialize)]
struct Follows {
    workspace: Home,
    people: usize,
}

#[derive(Deserialize)]
struct Previewed {
    #[serde(rename = "move")]
    moved: Preview,
}

/// To whom; empty: not chosen yet.
#[derive(Deserialize)]
pub(super) struct To {
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "web/group_move.html")]
struct Question {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    error: Option<String>,
    partners: Vec<Home>,
    preview: Option<Preview>,
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Params(To { to }): Params<To>,
) -> Result<Response, Failure> {
    page(&visitor, &id, &to, None).await
}

async fn page(visitor: &Visitor, id: &str, to: &str, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, group) = group::load(visitor, id).await?;
    let place = Place::group(id);
    let policy = Policy::of(visitor, &place).await.map_err(|no| visitor.failed(no))?;
    let mut partners = policy.partners;
    partners.retain(|home| !home.free);
    let preview = if to.is_empty() {
        None
    } else {
        let found: Previewed = visitor.read(&format!("{}/move?to={}", place.api, escape(to))).await?;
        Some(found.moved)
    };
    let error = no.map(|no| no.detail.clone());
    Ok(answer(no, Question { frame, group, tab: "settings", error, partners, preview }))
}

/// What was shown is wanted.
pub(super) async fn offer(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(To { to }): Form<To>,
) -> Result<Response, Failure> {
    let place = Place::group(&id);
    let path = format!("{}/move", place.api);
    match admin::ask(&visitor, Method::POST, &path, Some(&json!({ "to": to }))).await? {
        Ok(_) => Ok(go(&format!("{}/settings", place.page))),
        Err(no) => page(&visitor, &id, &to, Some(&no)).await,
    }
}

#[derive(Deserialize)]
pub(super) struct Which {
    offer: String,
}

pub(super) async fn take_back(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Which { offer }): Form<Which>,
) -> Result<Response, Failure> {
    let path = format!("/moves/{}", escape(&offer));
    match admin::ask(&visitor, Method::DELETE, &path, None).await? {
        Ok(_) => Ok(go(&format!("{}/settings", Place::group(&id).page))),
        Err(no) => page(&visitor, &id, "", Some(&no)).await,
    }
}
