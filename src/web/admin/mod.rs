//! The administration (P8): what a workspace's admins see and do, page by page.
//!
//! Duty: the routes, what all these pages have around them, the shapes that several of them show. Never: an act that the
//! API does not have; what ends something happens only from a page that shows what it ends.

mod abroad;
mod accounts;
mod approvals;
mod audit;
mod ends;
mod externals;
mod invitations;
mod keys;
mod mail;
mod map;
mod overview;
mod peer;
mod peers;
mod people;
mod person;
mod policy;

use askama::Template;
use axum::{
    Router,
    http::{Method, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Web,
    desk::Refusal,
    page::{Failure, Frame, Page, origin},
    visitor::Visitor,
};

/// Everything below `/admin`.
pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/journal", post(overview::trust))
        .route("/admin/peers", get(peers::show))
        .route("/admin/peers/ticket", post(peers::ticket))
        .route("/admin/peers/accept", post(peers::accept))
        .route("/admin/peers/{id}", get(peer::show))
        .route("/admin/peers/{id}/do/{act}", post(peer::act))
        .route("/admin/peers/{id}/policy", post(peer::policy))
        .route("/admin/peers/{id}/end", get(peer::before_end).post(peer::end))
        .route("/admin/people", get(people::show).post(people::add))
        .route("/admin/people/{id}", get(person::show).post(person::change))
        .route("/admin/people/{id}/link", post(person::link))
        .route("/admin/people/{id}/token", post(person::token))
        .route("/admin/people/{id}/sign-out", post(person::sign_out))
        .route("/admin/people/{id}/tokens/{token}", post(person::end))
        .route("/admin/people/{id}/suspend", get(person::before_suspend).post(person::suspend))
        .route("/admin/people/{id}/remove", get(person::before_remove).post(person::remove))
        .route("/admin/invitations", get(invitations::show))
        .route("/admin/invitations/{id}/{act}", post(invitations::act))
        .route("/admin/externals", get(externals::show))
        .route("/admin/abroad", get(abroad::show))
        .route("/admin/abroad/{scope}/{user}", get(abroad::before).post(abroad::withdraw))
        .route("/admin/approvals", get(approvals::show).post(approvals::answer))
        .route("/admin/policy", get(policy::show).post(policy::change))
        .route("/admin/audit", get(audit::show))
        .route("/admin/audit/export", get(audit::export))
        .route("/admin/evidence/{id}", get(audit::evidence))
        .route("/admin/keys", get(keys::show))
        .route("/admin/keys/{name}", get(keys::before_rotation).post(keys::rotate))
        .route("/admin/handover", get(keys::handover).post(keys::take))
        .route("/admin/mail", get(mail::show).post(mail::trial))
        .route("/admin/mail/{letter}/{act}", post(mail::act))
        .route("/admin/accounts", get(accounts::show))
        .route("/admin/accounts/{id}/remove", get(accounts::before).post(accounts::remove))
}

/// Where in the administration a page is, and what the API said to the last form.
struct At {
    tab: &'static str,
    error: Option<String>,
}

/// What is around a page. Who is no admin gets what an address of nothing gets, as the API does it.
async fn open(visitor: &Visitor, tab: &'static str, no: Option<&Refusal>) -> Result<(Frame, At), Failure> {
    let frame = Frame::load(visitor, "admin").await?;
    if !frame.is_admin() {
        return Err(Failure::nothing());
    }
    Ok((frame, At { tab, error: no.map(|no| no.detail.clone()) }))
}

/// A page, with the status of the refusal that it shows.
pub(super) fn answer<T: Template>(no: Option<&Refusal>, page: T) -> Response {
    (no.map_or(StatusCode::OK, |no| no.status), Page(page)).into_response()
}

pub(super) fn go(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// A refusal that the page of the form can show beside it; who is not signed in, or no admin, has no such page.
pub(super) fn in_place<T>(
    visitor: &Visitor,
    asked: Result<T, Refusal>,
) -> Result<Result<T, Refusal>, Failure> {
    match asked {
        Err(no) if matches!(no.status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND) => {
            Err(visitor.failed(no))
        }
        asked => Ok(asked),
    }
}

/// Asks for a change.
pub(super) async fn ask(
    visitor: &Visitor,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Result<Value, Refusal>, Failure> {
    in_place(visitor, visitor.desk.ask(method, path, body).await)
}

/// A workspace, as the API shows it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Home {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain: String,
    #[serde(default)]
    pub(super) free: bool,
}

impl Home {
    /// What to call it: before its first word only its id is known.
    pub(super) fn title(&self) -> &str {
        if self.name.is_empty() { self.id.get(..11).unwrap_or(&self.id) } else { &self.name }
    }
}

/// A person, as the API shows him.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) external: bool,
    pub(super) free: bool,
    pub(super) verified: bool,
    pub(super) home: String,
}

impl Person {
    /// Of whom nothing is known any more only the address, or nothing, is left.
    pub(super) fn title(&self) -> &str {
        match (self.name.as_str(), self.address.as_str()) {
            ("", "") => "somebody who left",
            ("", address) => address,
            (name, _) => name,
        }
    }
}

/// What a grade lets somebody do, in words.
pub(super) fn grade(grade: &str) -> &str {
    match grade {
        "read" => "reads",
        "post" => "reads and writes",
        "invite" => "writes and invites colleagues",
        "admin" => "administers it",
        other => other,
    }
}

/// What a scope is, and where its page is.
fn scope_path(scope: &str) -> String {
    if scope.starts_with("gr_") { format!("/g/{scope}") } else { format!("/t/{scope}") }
}

/// What to call a scope whose name is not told.
pub(super) fn scope_name<'a>(name: Option<&'a String>, kind: Option<&str>) -> &'a str {
    match (name, kind) {
        (Some(name), _) if !name.is_empty() => name,
        (_, Some("dm")) => "a direct conversation",
        (_, None) => "a group",
        _ => "a thread",
    }
}
