//! Peerings (P8.1): tickets, approval, pause, end. For the workspace's admins.

use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Accepted, Created, NoContent},
    path::Path,
    problem::Problem,
    viewer::{Body, Viewer, id},
};
use crate::{
    crypto::{fingerprint, sha256},
    ids::WorkspaceId,
    node::{Claim, clock},
    protocol::Command,
    time::Millis,
    view::{invitations, people},
    wire::Blob,
};

/// How long a ticket is good, in hours, unless said otherwise.
const TICKET_HOURS: u64 = 24;

pub(super) async fn list(viewer: Viewer) -> Result<Json<Value>, Problem> {
    let snapshot = viewer.snapshot();
    let links = viewer.handle.links().borrow().clone();
    let peers = snapshot.state.peers.values().map(|row| {
        let link = links.get(&row.id).cloned().unwrap_or_default();
        json!({
            "workspace": people::home(&snapshot.state, row.id), "fingerprint": fingerprint(&row.id.0),
            "invitation": row.invite.and_then(|id| invitations::one(&snapshot.state, id)),
            "status": row.status, "invites": row.invites, "since": row.since, "connected_since": link.up,
            "last_error": link.error.map(|(at, what)| json!({ "at": at, "what": what })),
            "unacknowledged": row.queued - row.acked,
        })
    });
    let peers: Vec<_> = peers.collect();
    let claims = viewer.handle.claims().into_iter().map(|claim| {
        let Claim { workspace, at, from } = claim;
        json!({ "workspace": workspace, "fingerprint": fingerprint(&workspace.0), "at": at, "from": from })
    });
    let claims: Vec<_> = claims.collect();
    std::future::ready(Ok(Json(json!({ "peers": peers, "claims": claims })))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTicket {
    hours: Option<u64>,
}

pub(super) async fn ticket(viewer: Viewer, Body(new): Body<NewTicket>) -> Result<Created<Value>, Problem> {
    let hours = new.hours.unwrap_or(TICKET_HOURS).clamp(1, 24 * 30);
    let secret = clock::seed().map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "random", format!("no random bytes: {error}"))
    })?;
    let expires = viewer.handle.now().plus(hours * 3_600_000);
    viewer.handle.ask(viewer.named(Command::OpenTicket(sha256(&[&secret]), expires))).await?;
    let state = &viewer.snapshot().state;
    let me = viewer.handle.me();
    let endpoints = state.homes.get(&me).map(|home| home.manifest.endpoints.clone()).unwrap_or_default();
    let ticket = Ticket { workspace: me, endpoints, secret, expires };
    Ok(Created(json!({ "ticket": ticket.to_text(), "expires": expires })))
}

/// What is passed on out of band (spec 8.1).
struct Ticket {
    workspace: WorkspaceId,
    endpoints: Vec<String>,
    secret: [u8; 32],
    expires: Millis,
}

impl Ticket {
    fn to_text(&self) -> String {
        let secret = data_encoding::BASE32_NOPAD.encode(&self.secret).to_lowercase();
        format!("comity-ticket/1 {} {} {secret} {}", self.workspace, self.endpoints.join(","), self.expires.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        words.next().filter(|word| *word == "comity-ticket/1")?;
        let workspace = words.next()?.parse().ok()?;
        let endpoints = words.next()?.split(',').map(str::to_owned).collect();
        let secret = data_encoding::BASE32_NOPAD.decode(words.next()?.to_uppercase().as_bytes()).ok()?;
        let expires = Millis(words.next()?.parse().ok()?);
        Some(Self { workspace, endpoints, secret: secret.try_into().ok()?, expires })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeem {
    ticket: String,
}

pub(super) async fn redeem(viewer: Viewer, Body(given): Body<Redeem>) -> Result<Accepted<Value>, Problem> {
    let unreadable = "this is no ticket: paste the whole line that `comity peer ticket` printed";
    let ticket = Ticket::parse(&given.ticket).ok_or_else(|| Problem::invalid(unreadable))?;
    if ticket.expires <= viewer.handle.now() {
        return Err(Problem::invalid("the ticket has expired: ask for a new one"));
    }
    let Ticket { workspace: peer, endpoints, secret, .. } = ticket;
    let secret = Blob::from(secret.to_vec());
    viewer.ask(Command::RedeemTicket { peer, endpoints, secret }).await?;
    let shown = json!({ "id": peer, "fingerprint": fingerprint(&peer.0) });
    Ok(Accepted(shown))
}

async fn act(
    viewer: Viewer,
    peer: &str,
    command: impl Fn(WorkspaceId) -> Command,
) -> Result<NoContent, Problem> {
    viewer.ask(command(id(peer)?)).await?;
    Ok(NoContent)
}

pub(super) async fn approve(viewer: Viewer, Path(peer): Path<String>) -> Result<NoContent, Problem> {
    act(viewer, &peer, Command::Approve).await
}

pub(super) async fn pause(viewer: Viewer, Path(peer): Path<String>) -> Result<NoContent, Problem> {
    act(viewer, &peer, Command::Pause).await
}

pub(super) async fn end(viewer: Viewer, Path(peer): Path<String>) -> Result<NoContent, Problem> {
    let admin = viewer.user;
    act(viewer, &peer, |peer| Command::EndPeer(admin, peer)).await
}
