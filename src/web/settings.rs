//! Settings of groups and threads; a thread's recipients stand on the same page (P2.1, P5.1, P6.3).

use askama::Template;
use axum::{
    Form,
    extract::Query as Params,
    http::Method,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::path::Path;
use super::{
    desk::{Refusal, escape},
    group,
    group_policy::Policy,
    inbox,
    members::{Membership, Outcome, Query},
    moving::Move,
    page::{Failure, Frame, Page},
    place::Place,
    shapes::{Named, Scope},
    visitor::Visitor,
};

#[derive(Template)]
#[template(path = "web/group_settings.html")]
struct GroupSettings {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    error: Option<String>,
    /// Who would be out, where that has to be confirmed first.
    losses: Vec<Loss>,
    wanted: Vec<(String, String)>,
    /// Its policy on external people, for whoever may set it.
    policy: Option<Policy>,
    /// The offer of it to another workspace that is open.
    offer: Option<Move>,
}

#[derive(Template)]
#[template(path = "web/thread_settings.html")]
struct ThreadSettings {
    frame: Frame,
    thread: Scope,
    title: String,
    paths: Vec<Why>,
    requests: Vec<Request>,
    membership: Membership,
}

/// Somebody who would lose something.
#[derive(Debug, Deserialize)]
pub(super) struct Loss {
    pub(super) user: super::shapes::Person,
}

#[derive(Deserialize)]
struct Ends {
    losses: Vec<Loss>,
}

/// One way by which the viewer reads a thread.
#[derive(Debug, Deserialize)]
struct Why {
    name: String,
    direct: bool,
    by: Named,
    since: crate::time::Millis,
}

#[derive(Deserialize)]
struct Paths {
    paths: Vec<Why>,
}

/// Somebody asks that somebody be added to a locked thread (P2.4).
#[derive(Debug, Deserialize)]
struct Request {
    id: String,
    by: Named,
    address: String,
    status: String,
}

#[derive(Deserialize)]
struct Requests {
    requests: Vec<Request>,
}

pub(super) async fn group(visitor: Visitor, Path(id): Path<String>) -> Result<Page<impl Template>, Failure> {
    group_page(&visitor, &id, None, Vec::new(), Vec::new()).await
}

async fn group_page(
    visitor: &Visitor,
    id: &str,
    error: Option<String>,
    losses: Vec<Loss>,
    wanted: Vec<(String, String)>,
) -> Result<Page<impl Template + use<>>, Failure> {
    let (frame, group) = group::load(visitor, id).await?;
    // Whoever may not set it has none to look at.
    let policy = Policy::of(visitor, &Place::group(id)).await.ok();
    // A free account has no part in moves: for it there is no list.
    let moves = if frame.me.free { Vec::new() } else { Move::open(visitor).await? };
    let offer = moves.into_iter().find(|offer| offer.group == group.id);
    Ok(Page(GroupSettings { frame, group, tab: "settings", error, losses, wanted, policy, offer }))
}

/// The fields of the settings forms. What a form has a switch for and does not send is off.
const SWITCHES: [&str; 5] = ["externals", "open_invites", "replies_off", "open", "closed"];

pub(super) async fn change_group(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(given): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let place = Place::group(&id);
    let field = |name: &str| given.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str());
    let mut change = Map::new();
    for switch in SWITCHES {
        change.insert(switch.into(), json!(field(switch).is_some()));
    }
    change.insert("name".into(), json!(field("name").unwrap_or_default()));
    if let Some(lease) = field("lease").and_then(|lease| lease.parse::<u64>().ok()) {
        change.insert("lease".into(), json!(lease));
    }
    let confirm = field("confirm").is_some();
    let path = format!("{}?confirm={confirm}", place.api);
    let changed = visitor.desk.ask::<Value>(Method::PATCH, &path, Some(&Value::Object(change))).await;
    match changed {
        Ok(_) => Ok(Redirect::to(&format!("{}/settings", place.page)).into_response()),
        Err(refusal) => Ok(refused(&visitor, &id, given.clone(), refusal).await?.into_response()),
    }
}

/// The form again, with why not; if people would be out, with who, to be confirmed (P8.2).
async fn refused(
    visitor: &Visitor,
    id: &str,
    wanted: Vec<(String, String)>,
    refusal: Refusal,
) -> Result<Page<impl Template>, Failure> {
    let group: Scope = visitor.read(&Place::group(id).api).await?;
    let on = |name: &str| wanted.iter().any(|(held, _)| held == name);
    let cuts = group.settings.externals && !on("externals");
    let losses = if cuts {
        let ends = visitor.desk.get::<Ends>(&format!("{}/tightening", Place::group(id).api)).await;
        ends.map(|ends| ends.losses).unwrap_or_default()
    } else {
        Vec::new()
    };
    group_page(visitor, id, Some(refusal.detail), losses, wanted).await
}

pub(super) async fn thread(
    visitor: Visitor,
    Path(id): Path<String>,
    Params(query): Params<Query>,
) -> Result<Page<impl Template>, Failure> {
    thread_page(&visitor, &id, query, Outcome::default()).await
}

pub(super) async fn thread_page(
    visitor: &Visitor,
    id: &str,
    query: Query,
    outcome: Outcome,
) -> Result<Page<impl Template + use<>>, Failure> {
    let frame = Frame::load(visitor, "").await?;
    let (desk, place) = (&visitor.desk, Place::thread(id));
    let thread: Scope = visitor.read(&place.api).await?;
    let named = Named { id: thread.id.clone(), name: Some(thread.settings.name.clone()) };
    let title = inbox::title(desk, &frame.me.id, thread.kind.as_deref(), &thread.id, &named).await;
    let paths = desk.get::<Paths>(&format!("{}/why", place.api)).await.map(|found| found.paths);
    let requests = desk.get::<Requests>(&format!("{}/requests", place.api)).await;
    let asks = thread.settings.locked && !frame.me.free;
    let who = (frame.me.id.as_str(), &thread.rights, asks);
    let membership = Membership::load(visitor, place, query, who, outcome).await?;
    Ok(Page(ThreadSettings {
        frame,
        title,
        thread,
        paths: paths.unwrap_or_default(),
        requests: requests.map(|found| found.requests).unwrap_or_default(),
        membership,
    }))
}

#[derive(Deserialize)]
pub(super) struct Subject {
    name: String,
}

pub(super) async fn rename(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Subject { name }): Form<Subject>,
) -> Result<Response, Failure> {
    let place = Place::thread(&id);
    let done = visitor.desk.ask::<Value>(Method::PATCH, &place.api, Some(&json!({ "name": name }))).await;
    said(&visitor, &id, done, "The subject is changed.").await
}

/// The page again with what became of it.
async fn said(
    visitor: &Visitor,
    id: &str,
    done: Result<Value, Refusal>,
    what: &str,
) -> Result<Response, Failure> {
    let outcome = match done {
        Ok(_) => Outcome::done(what),
        Err(refusal) => Outcome::refused(refusal),
    };
    Ok(thread_page(visitor, id, Query::default(), outcome).await?.into_response())
}

#[derive(Deserialize)]
pub(super) struct Group {
    group: String,
}

/// One more group reads the thread.
pub(super) async fn add_group(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(Group { group }): Form<Group>,
) -> Result<Response, Failure> {
    let path = format!("{}/groups", Place::thread(&id).api);
    let done = visitor.desk.post(&path, &json!({ "group": group })).await;
    said(&visitor, &id, done, "The group reads it from now on.").await
}

/// A group ceases to read the thread.
pub(super) async fn remove_group(
    visitor: Visitor,
    Path((id, group)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let path = format!("{}/groups/{}", Place::thread(&id).api, escape(&group));
    let done = visitor.desk.ask::<Value>(Method::DELETE, &path, None).await;
    said(&visitor, &id, done, "The group reads it no more.").await
}

/// A request to add somebody is answered.
pub(super) async fn decide(
    visitor: Visitor,
    Path((id, request, act)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let act = if act == "approve" { "approve" } else { "decline" };
    let path = format!("{}/requests/{}/{act}", Place::thread(&id).api, escape(&request));
    let done = visitor.desk.ask::<Value>(Method::POST, &path, None).await;
    said(&visitor, &id, done, "Answered.").await
}

/// Ends a group or thread for everybody.
pub(super) async fn end(visitor: Visitor, place: Place) -> Result<Response, Failure> {
    let done = visitor.desk.ask::<Value>(Method::DELETE, &place.api, None).await;
    done.map(|_| Redirect::to("/").into_response()).map_err(|no| visitor.failed(no))
}
