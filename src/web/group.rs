//! A group's hub: its conversations, its members, what it is.

use askama::Template;
use axum::{
    extract::Query as Params,
    http::Method,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::path::Path;
use super::{
    desk::escape,
    inbox::{Row, rows},
    members::{Membership, Outcome, Query},
    page::{Failure, Frame, Page},
    place::Place,
    shapes::Scope,
    visitor::Visitor,
};

/// Threads of a page.
const THREADS: usize = 40;

#[derive(Template)]
#[template(path = "web/group.html")]
struct Hub {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "web/group_members.html")]
struct MembersPage {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    membership: Membership,
}

#[derive(Deserialize)]
pub(super) struct Older {
    before: Option<String>,
}

/// The group, and the frame around its pages.
pub(super) async fn load(visitor: &Visitor, id: &str) -> Result<(Frame, Scope), Failure> {
    let frame = Frame::load(visitor, id).await?;
    let group = visitor.desk.get::<Scope>(&Place::group(id).api).await;
    Ok((frame, group.map_err(|no| visitor.failed(no))?))
}

pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Params(Older { before }): Params<Older>,
) -> Result<Page<impl Template>, Failure> {
    let (frame, group) = load(&visitor, &id).await?;
    if group.waiting_for.is_some() || group.frozen.is_some() {
        return Ok(Page(Hub { frame, group, tab: "threads", rows: Vec::new(), next: None }));
    }
    let before = before.map(|before| format!("&before={}", escape(&before))).unwrap_or_default();
    let path = format!("/threads?view=all&group={}&limit={THREADS}{before}", group.id);
    let (rows, next) = rows(&visitor, &frame, &path).await?;
    Ok(Page(Hub { frame, group, tab: "threads", rows, next }))
}

pub(super) async fn members(
    visitor: Visitor,
    Path(id): Path<String>,
    Params(query): Params<Query>,
) -> Result<Page<impl Template>, Failure> {
    members_page(&visitor, &id, query, Outcome::default()).await
}

pub(super) async fn members_page(
    visitor: &Visitor,
    id: &str,
    query: Query,
    outcome: Outcome,
) -> Result<Page<impl Template + use<>>, Failure> {
    let (frame, group) = load(visitor, id).await?;
    let who = (frame.me.id.as_str(), &group.rights, false);
    let membership = Membership::load(visitor, Place::group(id), query, who, outcome).await?;
    Ok(Page(MembersPage { frame, group, tab: "members", membership }))
}

/// Joining and leaving.
pub(super) async fn act(
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let place = Place::group(&id);
    let to = match act.as_str() {
        "join" => place.page.clone(),
        "leave" => "/directory".to_owned(),
        _ => return Err(Failure::nothing()),
    };
    let done = visitor.desk.ask::<Value>(Method::POST, &format!("{}/{act}", place.api), None).await;
    done.map(|_| Redirect::to(&to).into_response()).map_err(|no| visitor.failed(no))
}
