//! Removing somebody, and how far it is in effect (P7.1, P7.4, P7.8).
//!
//! Duty: what will happen before it does; then each partner's state, with the deadline. Never: a claim that the API does
//! not make.

use askama::Template;
use axum::{
    Form,
    http::{HeaderValue, Method, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::path::Path;
use super::{
    desk::escape,
    inbox,
    page::{Failure, Frame, Page},
    place::Place,
    shapes::{Home, Member, Members, Named, Person, Scope},
    visitor::Visitor,
};
use crate::time::Millis;

#[derive(Template)]
#[template(path = "web/remove.html")]
struct Confirm {
    frame: Frame,
    place: Place,
    scope: Scope,
    title: String,
    member: Member,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "web/removed.html")]
struct Removed {
    frame: Frame,
    removal: Removal,
    chart: Chart,
}

/// How a removal fares, as the API shows it.
#[derive(Debug, Deserialize)]
struct Removal {
    scope: String,
    epoch: u64,
    time: Millis,
    state: String,
    effective_at: Millis,
    homes: Vec<HomeState>,
}

#[derive(Debug, Deserialize)]
struct HomeState {
    workspace: Home,
    state: String,
    confirmed_at: Option<Millis>,
    effective_at_latest: Option<Millis>,
    receipt: Option<String>,
    purged: Option<Purged>,
}

#[derive(Debug, Deserialize)]
struct Purged {
    threads: u64,
    entries: u64,
}

impl HomeState {
    /// Milliseconds from the removal to the partner's word.
    fn after(&self, time: &Millis) -> Option<u64> {
        self.confirmed_at.map(|at| at.since(*time))
    }
}

/// The timeline: a bar per partner from the removal to its confirmation or its deadline.
struct Chart {
    height: usize,
    bars: Vec<Bar>,
}

struct Bar {
    y: usize,
    width: u64,
    class: &'static str,
    label: String,
    words: String,
}

/// The width of the longest bar.
const WIDTH: u64 = 360;

impl Chart {
    fn of(removal: &Removal) -> Self {
        let end = |home: &HomeState| {
            home.confirmed_at.or(home.effective_at_latest).map_or(0, |at| at.since(removal.time))
        };
        let longest = removal.homes.iter().map(end).max().unwrap_or(0).max(1);
        let bar = |(n, home): (usize, &HomeState)| Bar {
            y: 12 + n * 44,
            // A confirmation within milliseconds is still to be seen.
            width: (end(home) * WIDTH / longest).max(6),
            class: if home.state == "waiting" { "open" } else { "done" },
            label: home.workspace.name.clone(),
            words: match (home.after(&removal.time), home.state.as_str()) {
                (Some(after), _) => format!("confirmed after {after} ms"),
                (None, "waiting") => "not confirmed yet".to_owned(),
                (None, _) => "in effect: its lease has run out".to_owned(),
            },
        };
        Self {
            height: removal.homes.len() * 44 + 16,
            bars: removal.homes.iter().enumerate().map(bar).collect(),
        }
    }
}

async fn confirm(
    visitor: &Visitor,
    place: Place,
    user: &str,
    error: Option<String>,
) -> Result<Page<impl Template + use<>>, Failure> {
    let frame = Frame::load(visitor, "").await?;
    let desk = &visitor.desk;
    let scope: Scope = visitor.read(&place.api).await?;
    let person: Person = visitor.read(&format!("/people/{}", escape(user))).await?;
    let path = format!("{}/members?q={}&limit=50", place.api, escape(&person.address));
    let found: Members = visitor.read(&path).await?;
    let member = found.members.into_iter().find(|member| member.person.id == user);
    let member = member.ok_or_else(Failure::nothing)?;
    let named = Named { id: scope.id.clone(), name: Some(scope.settings.name.clone()) };
    let title = inbox::title(desk, &frame.me.id, scope.kind.as_deref(), &scope.id, &named).await;
    Ok(Page(Confirm { frame, place, scope, title, member, error }))
}

pub(super) async fn ask(
    visitor: Visitor,
    place: Place,
    Path((_, user)): Path<(String, String)>,
) -> Result<Page<impl Template>, Failure> {
    confirm(&visitor, place, &user, None).await
}

#[derive(Deserialize)]
pub(super) struct Everywhere {
    everywhere: Option<String>,
}

#[derive(Deserialize)]
struct Done {
    epoch: Option<u64>,
    removal: Option<serde_json::Value>,
}

pub(super) async fn remove(
    visitor: Visitor,
    place: Place,
    Path((id, user)): Path<(String, String)>,
    Form(Everywhere { everywhere }): Form<Everywhere>,
) -> Result<Response, Failure> {
    let path = format!("{}/members/{}?everywhere={}", place.api, escape(&user), everywhere.is_some());
    match visitor.desk.ask::<Done>(Method::DELETE, &path, None).await {
        Ok(Done { epoch: Some(epoch), removal: Some(_) }) => {
            Ok(Redirect::to(&format!("/removed/{}/{epoch}", escape(&id))).into_response())
        }
        Ok(_) => Ok(Redirect::to(&place.members()).into_response()),
        Err(refusal) => {
            let page = confirm(&visitor, place, &user, Some(refusal.detail)).await?;
            Ok(page.into_response())
        }
    }
}

pub(super) async fn show(
    visitor: Visitor,
    Path((scope, epoch)): Path<(String, u64)>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "").await?;
    let removal: Removal = load(&visitor, &scope, epoch).await?;
    let chart = Chart::of(&removal);
    Ok(Page(Removed { frame, removal, chart }))
}

async fn load(visitor: &Visitor, scope: &str, epoch: u64) -> Result<Removal, Failure> {
    let path = format!("/removals/{}/{epoch}", escape(scope));
    visitor.read(&path).await
}

/// A partner's receipt as it signed it, to be checked without this node (P7.6).
pub(super) async fn receipt(
    visitor: Visitor,
    Path((scope, epoch, workspace)): Path<(String, u64, String)>,
) -> Result<Response, Failure> {
    let removal = load(&visitor, &scope, epoch).await?;
    let home = removal.homes.into_iter().find(|home| home.workspace.id == workspace);
    let receipt = home
        .and_then(|home| home.receipt)
        .and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok());
    let bytes = receipt.ok_or_else(Failure::nothing)?;
    let mut response = bytes.into_response();
    let name = "attachment; filename=\"receipt.cbor\"";
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
    Ok(response)
}
