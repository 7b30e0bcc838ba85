//! The workspace's policy on people of other workspaces (P2.5, P8.2).
//!
//! Duty: a change that takes something from somebody is shown first, then confirmed. Never: a rule on what is tighter; the
//! API says it.

use askama::Template;
use axum::{Form, http::Method, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    At, answer, ask,
    ends::{Confirm, Ends},
    in_place, open,
    peers::Peers,
};
use crate::web::{
    desk::{Refusal, escape},
    page::{Failure, Frame},
    sources::{Choice, Sent, Sources, again, is_confirmed, text},
    visitor::Visitor,
};

/// The policy, as the API shows and takes it.
#[derive(Clone, Deserialize, Serialize)]
struct Policy {
    inviters: String,
    grade: String,
    peers: Sources,
    free_accounts: String,
    days: u64,
    open_invitations: u64,
    daily_invitations: u64,
    hourly_lookups: u64,
}

#[derive(Template)]
#[template(path = "web/admin/policy.html")]
struct Editor {
    frame: Frame,
    at: At,
    policy: Policy,
    only: bool,
    choices: Vec<Choice>,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    page(&visitor, None, None).await
}

/// The policy that holds, or what was typed and refused.
async fn page(visitor: &Visitor, no: Option<&Refusal>, typed: Option<Policy>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "policy", no).await?;
    let policy = match typed {
        Some(policy) => policy,
        None => visitor.read("/workspace/policy").await?,
    };
    let Peers { peers, .. } = visitor.read("/peers").await?;
    let choices = peers.iter().map(|peer| (peer, policy.peers.choice(&peer.workspace)));
    let choices = choices.filter(|(peer, choice)| choice.chosen || peer.status != "ended");
    let choices = choices.map(|(_, choice)| choice).collect();
    let only = policy.peers.is_list();
    Ok(answer(no, Editor { frame, at, policy, only, choices }))
}

fn typed(sent: &Sent) -> Result<Policy, Refusal> {
    let text = |name: &str| text(sent, name);
    let number = |name: &str, label: &str| {
        let parsed = text(name).parse::<u64>();
        parsed.map_err(|error| Refusal::unreadable(format!("{label}: {error}")))
    };
    Ok(Policy {
        inviters: text("inviters"),
        grade: text("grade"),
        peers: Sources::of(sent),
        free_accounts: text("free_accounts"),
        days: number("days", "Days")?,
        open_invitations: number("open_invitations", "Open invitations")?,
        daily_invitations: number("daily_invitations", "Invitations in a day")?,
        hourly_lookups: number("hourly_lookups", "Invitations in an hour")?,
    })
}

pub(super) async fn change(visitor: Visitor, Form(sent): Form<Sent>) -> Result<Response, Failure> {
    let policy = match typed(&sent) {
        Ok(policy) => policy,
        Err(no) => return page(&visitor, Some(&no), None).await,
    };
    let change: Value = json!(policy);
    let confirmed = is_confirmed(&sent);
    let preview = format!("/workspace/policy/tightening?change={}", escape(&change.to_string()));
    let ends = match in_place(&visitor, visitor.desk.get::<Ends>(&preview).await)? {
        Ok(ends) => ends,
        Err(no) => return page(&visitor, Some(&no), Some(policy)).await,
    };
    if !confirmed && !ends.is_nothing() {
        let (frame, at) = open(&visitor, "policy", None).await?;
        let fields = again(sent);
        let about = "The new policy also holds for those who are in already.".into();
        let (action, back) = ("/admin/policy".to_owned(), "/admin/policy".to_owned());
        let title = "Allow less to external people?".into();
        let page = Confirm { frame, at, title, about, ends, action, fields, button: "Change it", back };
        return Ok(answer(None, page));
    }
    let path = if confirmed { "/workspace/policy?confirm=true" } else { "/workspace/policy" };
    match ask(&visitor, Method::PATCH, path, Some(&change)).await? {
        Ok(_) => Ok(super::go("/admin/policy")),
        Err(no) => page(&visitor, Some(&no), Some(policy)).await,
    }
}
