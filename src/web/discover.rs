//! Finding groups, people and what was written (P2.2, P4.1, P4.3): the directory, contacts, profiles, search.

use askama::Template;
use axum::{
    Form,
    extract::Query as Params,
    http::Method,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::path::Path;
use super::{
    desk::{Refusal, escape},
    page::{Failure, Frame, Page},
    shapes::{Home, Listed, Named, Person},
    visitor::Visitor,
};
use crate::{limits, time::Millis};

/// The shortest lease there can be, in seconds: what was found may be anybody's.
pub(super) const LEASE: u64 = limits::LEASE_LEAST_MILLIS / 1_000;
/// Rows of a page.
const ROWS: usize = 50;
/// Names that are offered while one is typed.
const OFFERED: usize = 8;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    q: String,
    after: Option<String>,
}

impl Sought {
    fn path(&self, list: &str) -> String {
        let q = if self.q.is_empty() { String::new() } else { format!("&q={}", escape(&self.q)) };
        let after = self.after.as_ref().map(|after| format!("&after={}", escape(after))).unwrap_or_default();
        format!("/{list}?limit={ROWS}{q}{after}")
    }
}

#[derive(Template)]
#[template(path = "web/directory.html")]
struct Directory {
    frame: Frame,
    sought: Sought,
    rows: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    directory: Vec<Listed>,
    next: Option<String>,
}

pub(super) async fn directory(
    visitor: Visitor,
    Params(sought): Params<Sought>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "directory").await?;
    let found: Listing = visitor.read(&sought.path("directory")).await?;
    Ok(Page(Directory { frame, sought, rows: found.directory, next: found.next }))
}

#[derive(Template)]
#[template(path = "web/people.html")]
struct People {
    frame: Frame,
    sought: Sought,
    rows: Vec<Person>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Contacts {
    contacts: Vec<Person>,
    next: Option<String>,
}

pub(super) async fn people(
    visitor: Visitor,
    Params(sought): Params<Sought>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "people").await?;
    let found: Contacts = visitor.read(&sought.path("contacts")).await?;
    Ok(Page(People { frame, sought, rows: found.contacts, next: found.next }))
}

#[derive(Template)]
#[template(path = "web/matching.html")]
struct Matching {
    people: Vec<Person>,
}

/// Contacts for a box in which a name is typed.
pub(super) async fn matching(
    visitor: Visitor,
    Params(sought): Params<Sought>,
) -> Result<Page<impl Template>, Failure> {
    let path = format!("/contacts?limit={OFFERED}&q={}", escape(&sought.q));
    let found: Contacts = visitor.read(&path).await?;
    Ok(Page(Matching { people: found.contacts }))
}

/// A profile, as the API shows it.
#[derive(Debug, Deserialize)]
struct Profile {
    #[serde(flatten)]
    person: Person,
    workspace: Home,
    blocked: bool,
}

#[derive(Template)]
#[template(path = "web/person.html")]
struct PersonPage {
    frame: Frame,
    profile: Profile,
    error: Option<String>,
}

async fn profile(
    visitor: &Visitor,
    id: &str,
    error: Option<String>,
) -> Result<Page<impl Template + use<>>, Failure> {
    let frame = Frame::load(visitor, "people").await?;
    let profile = visitor.desk.get::<Profile>(&format!("/people/{}", escape(id))).await;
    let profile = profile.map_err(|no| visitor.failed(no))?;
    Ok(Page(PersonPage { frame, profile, error }))
}

pub(super) async fn person(visitor: Visitor, Path(id): Path<String>) -> Result<Page<impl Template>, Failure> {
    profile(&visitor, &id, None).await
}

#[derive(Deserialize)]
struct Address {
    address: String,
}

/// Writing to somebody, blocking and unblocking.
pub(super) async fn person_act(
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let desk = &visitor.desk;
    let whom = json!({ "user": id });
    let done: Result<String, Refusal> = match act.as_str() {
        "write" => match desk.get::<Address>(&format!("/people/{}", escape(&id))).await {
            Ok(Address { address }) => desk
                .ask::<Named>(Method::POST, "/dms", Some(&json!({ "address": address })))
                .await
                .map(|dm| format!("/t/{}", dm.id)),
            Err(refusal) => Err(refusal),
        },
        "block" => desk.post("/blocks", &whom).await.map(|_| format!("/people/{id}")),
        "unblock" => {
            let ended = desk.ask::<Value>(Method::DELETE, "/blocks", Some(&whom)).await;
            ended.map(|_| format!("/people/{id}"))
        }
        _ => return Err(Failure::nothing()),
    };
    match done {
        Ok(to) => Ok(Redirect::to(&to).into_response()),
        Err(refusal) => Ok(profile(&visitor, &id, Some(refusal.detail)).await?.into_response()),
    }
}

#[derive(Deserialize)]
pub(super) struct Whom {
    address: String,
}

/// Writing to an address, known or not (P2.4).
pub(super) async fn dm(visitor: Visitor, Form(Whom { address }): Form<Whom>) -> Result<Response, Failure> {
    let made = visitor.desk.ask::<Named>(Method::POST, "/dms", Some(&json!({ "address": address }))).await;
    made.map(|dm| Redirect::to(&format!("/t/{}", dm.id)).into_response()).map_err(|no| visitor.failed(no))
}

#[derive(Template)]
#[template(path = "web/search.html")]
struct Search {
    frame: Frame,
    sought: Sought,
    found: Found,
}

#[derive(Default, Deserialize)]
struct Found {
    people: Vec<Person>,
    groups: Vec<Listed>,
    threads: Vec<Thread>,
    messages: Vec<Hit>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Thread {
    id: String,
    settings: Named,
}

#[derive(Deserialize)]
struct Hit {
    thread: String,
    seq: u64,
    subject: String,
    author: Named,
    time: Millis,
    text: Option<String>,
}

pub(super) async fn search(
    visitor: Visitor,
    Params(sought): Params<Sought>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "search").await?;
    let found = if sought.q.trim().is_empty() {
        Found::default()
    } else {
        visitor.read(&sought.path("search")).await?
    };
    Ok(Page(Search { frame, sought, found }))
}
