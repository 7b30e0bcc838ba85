//! A group's own policy on external people (P2.5, P8.2): whom it may take in, and as what.
//!
//! Duty: the form for whoever administers the group at its owner; a change that takes something from somebody is shown
//! first, then confirmed. Never: a rule on what is tighter; the API says it.

use askama::Template;
use axum::{Form, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::path::Path;
use super::{
    admin::{self, Home, answer, go, in_place},
    desk::{Refusal, escape},
    ends::Ends,
    group,
    page::{Failure, Frame},
    place::Place,
    shapes::Scope,
    sources::{Choice, Sent, Sources, again, is_confirmed, text},
    visitor::Visitor,
};

/// The policy, as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    pub(super) grade: String,
    pub(super) peers: Sources,
    /// With what the workspace's policy leaves of it.
    effective_grade: String,
    /// To choose from.
    pub(super) partners: Vec<Home>,
}

impl Policy {
    /// Of a group, for whoever may set it.
    pub(super) async fn of(visitor: &Visitor, place: &Place) -> Result<Self, Refusal> {
        visitor.desk.get(&format!("{}/policy", place.api)).await
    }

    /// Who may come in and as what, in a sentence.
    pub(super) fn words(&self) -> String {
        let named = self.partners.iter().filter(|home| self.peers.names(&home.id)).map(Home::title);
        let named: Vec<&str> = named.collect();
        let who = match (self.peers.is_list(), named.is_empty()) {
            (false, _) => "people of every partner that this workspace admits".to_owned(),
            (true, true) => return "Nobody of another workspace: no partner is chosen.".to_owned(),
            (true, false) => format!("only people of {}", named.join(", ")),
        };
        format!("At present: {who}. The most that one of them may have: {}.", self.most())
    }

    fn most(&self) -> &str {
        admin::grade(&self.effective_grade)
    }
}

#[derive(Template)]
#[template(path = "web/group_policy.html")]
struct Editor {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    error: Option<String>,
    policy: Policy,
    only: bool,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "web/group_ends.html")]
struct Confirm {
    frame: Frame,
    group: Scope,
    tab: &'static str,
    title: &'static str,
    about: &'static str,
    ends: Ends,
    action: String,
    fields: Sent,
    button: &'static str,
    back: String,
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    page(&visitor, &id, None, None).await
}

/// The policy that holds, or what was chosen and refused.
async fn page(
    visitor: &Visitor,
    id: &str,
    no: Option<&Refusal>,
    chosen: Option<(String, Sources)>,
) -> Result<Response, Failure> {
    let (frame, group) = group::load(visitor, id).await?;
    let mut policy = Policy::of(visitor, &Place::group(id)).await.map_err(|no| visitor.failed(no))?;
    if let Some((grade, peers)) = chosen {
        (policy.grade, policy.peers) = (grade, peers);
    }
    let choices = policy.partners.iter().map(|peer| policy.peers.choice(peer)).collect();
    let (only, error) = (policy.peers.is_list(), no.map(|no| no.detail.clone()));
    Ok(answer(no, Editor { frame, group, tab: "settings", error, policy, only, choices }))
}

pub(super) async fn change(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let place = Place::group(&id);
    let (grade, peers) = (text(&sent, "grade"), Sources::of(&sent));
    let change: Value = json!({ "grade": grade, "peers": peers });
    let chosen = Some((grade, peers));
    let preview = format!("{}/policy/tightening?change={}", place.api, escape(&change.to_string()));
    let ends = match in_place(&visitor, visitor.desk.get::<Ends>(&preview).await)? {
        Ok(ends) => ends,
        Err(no) => return page(&visitor, &id, Some(&no), chosen).await,
    };
    let confirmed = is_confirmed(&sent);
    if !confirmed && !ends.is_nothing() {
        let (frame, group) = group::load(&visitor, &id).await?;
        let page = Confirm {
            frame,
            group,
            tab: "settings",
            title: "Allow less to external people in this group?",
            about: "The new policy also holds for those who are in already.",
            ends,
            action: format!("{}/policy", place.page),
            fields: again(sent),
            button: "Change it",
            back: format!("{}/policy", place.page),
        };
        return Ok(answer(None, page));
    }
    let path = format!("{}/policy?confirm={confirmed}", place.api);
    match admin::ask(&visitor, Method::PATCH, &path, Some(&change)).await? {
        Ok(_) => Ok(go(&format!("{}/settings", place.page))),
        Err(no) => page(&visitor, &id, Some(&no), chosen).await,
    }
}
