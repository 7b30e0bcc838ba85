//! Partners (P8.1): who is one, who says to be one, a ticket to give and one to accept.
//!
//! Duty: the list and the two forms. Never: a ticket in an address or a log; it is shown once, in the answer.

use askama::Template;
use axum::{Form, http::Method, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{At, Home, Person, answer, ask, go, in_place, open, overview::Workspace};
use crate::{
    time::Millis,
    web::{
        desk::Refusal,
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

/// What the API lists.
#[derive(Deserialize)]
pub(super) struct Peers {
    pub(super) peers: Vec<Peer>,
    #[serde(default)]
    claims: Vec<Claim>,
}

/// A partner.
#[derive(Deserialize)]
pub(super) struct Peer {
    pub(super) workspace: Home,
    pub(super) fingerprint: String,
    pub(super) invitation: Option<Invitation>,
    pub(super) status: String,
    pub(super) since: Millis,
    pub(super) connected_since: Option<Millis>,
    pub(super) last_error: Option<LinkError>,
    pub(super) unacknowledged: u64,
    pub(super) shown_here_until: Option<Millis>,
    pub(super) shown_there_until: Option<Millis>,
}

/// The invitation for whose sake somebody there asked.
#[derive(Deserialize)]
pub(super) struct Invitation {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) by: Person,
}

/// Why there is no connection.
#[derive(Deserialize)]
pub(super) struct LinkError {
    pub(super) at: Millis,
    pub(super) what: String,
}

impl LinkError {
    /// What an operator can do about a failure, by the words in which the link reports it.
    pub(super) fn remedy(&self) -> &'static str {
        let has = |word| self.what.contains(word);
        if has("does not answer") || has("timed out") {
            "Nothing answers there. Ask whether the other node runs, and whether its port is open for UDP in both firewalls."
        } else if has("no such host") || has("lookup") || has("resolve") {
            "The name leads nowhere. Check the name server, or ask the other admin for the node's address."
        } else if has("no endpoint") {
            "It has not said where it listens. Ask its admin for a new ticket."
        } else if has("is no peer") || has("peering is gone") {
            "The other side does not know this workspace, or ended the partnership. Ask its admin, and use a new ticket."
        } else if has("key of the connection") || has("contradicts") || has("where") {
            "Somebody else answers there, or a key was replaced. Compare the fingerprints with the other admin before you do \
             anything."
        } else if has("broke the protocol") {
            "The two nodes do not understand each other. Bring both to the same version."
        } else {
            "It is tried again by itself, at least every 20 seconds. If it stays so, show this line to the other admin."
        }
    }
}

/// Who says to be a partner, and is none that is known here.
#[derive(Deserialize)]
struct Claim {
    workspace: String,
    fingerprint: String,
    at: Millis,
    from: String,
}

impl Peer {
    pub(super) fn is_up(&self) -> bool {
        self.connected_since.is_some() && self.status == "active"
    }

    /// Why there is no connection, if there is none.
    pub(super) fn failure(&self) -> Option<&LinkError> {
        self.last_error.as_ref().filter(|_| self.connected_since.is_none() && self.status != "ended")
    }

    /// What the two admins agreed, in words.
    pub(super) fn partnership(&self) -> &str {
        match self.status.as_str() {
            "requested" => "asked for, and they have to approve,",
            "waiting" => "they ask for it, and you have to approve,",
            "active" => "approved by both",
            other => other,
        }
    }

    /// Where it stands, in words.
    pub(super) fn state(&self) -> String {
        let link = if self.connected_since.is_some() { "connected" } else { "not connected" };
        match self.status.as_str() {
            "requested" => "asked; they have to approve".into(),
            "waiting" => "asks; you have to approve".into(),
            "paused" => format!("paused, {link}"),
            "ended" => "ended".into(),
            _ if self.unacknowledged > 0 => format!("{link}, {} behind", self.unacknowledged),
            _ => link.into(),
        }
    }
}

/// A ticket that was made just now.
#[derive(Deserialize)]
struct Ticket {
    ticket: String,
    expires: Millis,
}

/// What was typed into the form for a ticket of somebody else.
#[derive(Default, Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    ticket: String,
}

#[derive(Template)]
#[template(path = "web/admin/peers.html")]
struct List {
    frame: Frame,
    at: At,
    own: Workspace,
    peers: Vec<Peer>,
    claims: Vec<Claim>,
    ticket: Option<Ticket>,
    given: Given,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    page(&visitor, None, None, Given::default()).await
}

async fn page(
    visitor: &Visitor,
    no: Option<&Refusal>,
    ticket: Option<Ticket>,
    given: Given,
) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "peers", no).await?;
    let Peers { mut peers, claims } = visitor.read("/peers").await?;
    peers.sort_by_key(|peer| (peer.status == "ended", peer.status != "waiting"));
    let own = visitor.read("/workspace").await?;
    Ok(answer(no, List { frame, at, own, peers, claims, ticket, given }))
}

#[derive(Deserialize)]
pub(super) struct Hours {
    hours: u64,
}

/// Shown in the answer itself: an address would keep it in the browser's history.
pub(super) async fn ticket(
    visitor: Visitor,
    Form(Hours { hours }): Form<Hours>,
) -> Result<Response, Failure> {
    let body = json!({ "hours": hours });
    let asked = visitor.desk.ask::<Ticket>(Method::POST, "/peers/tickets", Some(&body)).await;
    match in_place(&visitor, asked)? {
        Ok(ticket) => page(&visitor, None, Some(ticket), Given::default()).await,
        Err(no) => page(&visitor, Some(&no), None, Given::default()).await,
    }
}

pub(super) async fn accept(visitor: Visitor, Form(given): Form<Given>) -> Result<Response, Failure> {
    let body = json!({ "ticket": given.ticket.trim() });
    match ask(&visitor, Method::POST, "/peers", Some(&body)).await? {
        Ok(asked) => {
            let id = asked.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(go(&format!("/admin/peers/{id}")))
        }
        Err(no) => page(&visitor, Some(&no), None, given).await,
    }
}
