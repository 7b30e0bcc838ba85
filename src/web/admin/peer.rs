//! One partner (P8.1, P8.2): fingerprints side by side, how the link is, what is allowed with it, its end.
//!
//! Duty: a tighter policy and the end are shown before they happen. Never: a rule on what is tighter; the API says it.

use askama::Template;
use axum::{Form, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::path::Path;
use super::{
    At, answer, ask,
    ends::{Confirm, Ends},
    go, in_place, open,
    overview::Workspace,
    peers::{Peer, Peers},
};
use crate::web::{
    desk::{Refusal, escape},
    page::{Failure, Frame},
    visitor::Visitor,
};

/// What is allowed with it, as the API shows it.
#[derive(Deserialize)]
struct Policy {
    invites: String,
    admitted: bool,
    free_accounts: bool,
    lookups: bool,
    presence: bool,
    daily_invitations: u64,
    resolves: bool,
}

/// The form: a box that is not ticked is not sent.
#[derive(Deserialize)]
pub(super) struct Wanted {
    invites: String,
    #[serde(default)]
    admitted: String,
    #[serde(default)]
    free_accounts: String,
    #[serde(default)]
    lookups: String,
    #[serde(default)]
    presence: String,
    daily_invitations: u64,
    /// Whether what it ends was shown.
    #[serde(default)]
    confirm: String,
}

impl Wanted {
    fn change(&self) -> Value {
        json!({
            "invites": self.invites, "admitted": self.admitted == "true",
            "free_accounts": self.free_accounts == "true", "lookups": self.lookups == "true",
            "presence": self.presence == "true", "daily_invitations": self.daily_invitations,
        })
    }

    /// The same form, to be sent again from the page that shows what it ends.
    fn fields(&self) -> Vec<(String, String)> {
        let daily = self.daily_invitations.to_string();
        let all = [
            ("invites", &self.invites),
            ("admitted", &self.admitted),
            ("free_accounts", &self.free_accounts),
            ("lookups", &self.lookups),
            ("presence", &self.presence),
            ("daily_invitations", &daily),
            ("confirm", &"true".to_owned()),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

#[derive(Template)]
#[template(path = "web/admin/peer.html")]
struct One {
    frame: Frame,
    at: At,
    own: Workspace,
    peer: Peer,
    policy: Policy,
    /// What to do about the last failure of the link.
    remedy: Option<&'static str>,
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    page(&visitor, &id, None).await
}

async fn known(visitor: &Visitor, id: &str) -> Result<Peer, Failure> {
    let Peers { peers, .. } = visitor.read("/peers").await?;
    peers.into_iter().find(|peer| peer.workspace.id == id).ok_or_else(Failure::nothing)
}

async fn page(visitor: &Visitor, id: &str, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "peers", no).await?;
    let peer = known(visitor, id).await?;
    let policy = visitor.read(&format!("/peers/{}/policy", escape(id))).await?;
    let own = visitor.read("/workspace").await?;
    let remedy = peer.failure().map(|error| error.remedy());
    Ok(answer(no, One { frame, at, own, peer, policy, remedy }))
}

pub(super) async fn act(
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !["approve", "pause", "dial"].contains(&act.as_str()) {
        return Err(Failure::nothing());
    }
    match ask(&visitor, Method::POST, &format!("/peers/{}/{act}", escape(&id)), None).await? {
        Ok(_) => Ok(go(&format!("/admin/peers/{}", escape(&id)))),
        Err(no) => page(&visitor, &id, Some(&no)).await,
    }
}

pub(super) async fn policy(
    visitor: Visitor,
    Path(id): Path<String>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Failure> {
    let (at, change) = (format!("/peers/{}", escape(&id)), wanted.change());
    let here = format!("/admin{at}");
    let confirmed = wanted.confirm == "true";
    let preview = format!("{at}/tightening?change={}", escape(&change.to_string()));
    let ends = match in_place(&visitor, visitor.desk.get::<Ends>(&preview).await)? {
        Ok(ends) => ends,
        Err(no) => return page(&visitor, &id, Some(&no)).await,
    };
    if !confirmed && !ends.is_nothing() {
        let (frame, around) = open(&visitor, "peers", None).await?;
        let title = format!("Allow less with {}?", known(&visitor, &id).await?.workspace.title());
        let about = "The new policy also holds for those who are in already.".into();
        let (action, fields) = (format!("{here}/policy"), wanted.fields());
        let page = Confirm {
            frame,
            at: around,
            title,
            about,
            ends,
            action,
            fields,
            button: "Change it",
            back: here,
        };
        return Ok(answer(None, page));
    }
    let confirm = if confirmed { "?confirm=true" } else { "" };
    match ask(&visitor, Method::PATCH, &format!("{at}{confirm}"), Some(&change)).await? {
        Ok(_) => Ok(go(&here)),
        Err(no) => page(&visitor, &id, Some(&no)).await,
    }
}

pub(super) async fn before_end(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    ending(&visitor, &id, None).await
}

async fn ending(visitor: &Visitor, id: &str, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "peers", no).await?;
    let peer = known(visitor, id).await?;
    let ends = visitor.read(&format!("/peers/{}/end", escape(id))).await?;
    let back = format!("/admin/peers/{}", escape(id));
    let page = Confirm {
        frame,
        at,
        title: format!("End the partnership with {}?", peer.workspace.title()),
        about: "Every place that ran through it ends, on both sides. To work together again takes a new ticket and new \
                invitations."
            .into(),
        ends,
        action: format!("{back}/end"),
        fields: Vec::new(),
        button: "End it",
        back,
    };
    Ok(answer(no, page))
}

pub(super) async fn end(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    match ask(&visitor, Method::DELETE, &format!("/peers/{}", escape(&id)), None).await? {
        Ok(_) => Ok(go(&format!("/admin/peers/{}", escape(&id)))),
        Err(no) => ending(&visitor, &id, Some(&no)).await,
    }
}
