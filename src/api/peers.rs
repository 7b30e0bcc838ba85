//! Peerings (P8.1): tickets, approval, pause, end. For the workspace's admins.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, Created, NoContent, Underway},
    path::Path,
    problem::Problem,
    viewer::{Body, Viewer},
};
use crate::{
    crypto::{fingerprint, sha256},
    ids::WorkspaceId,
    node::{Claim, clock},
    protocol::{
        Command, lease,
        row::{InvitePolicy, PeerStatus},
    },
    time::Millis,
    view::{invitations, people},
    wire::Blob,
};

/// How long a ticket is good, in hours, unless said otherwise.
const TICKET_HOURS: u64 = 24;

/// The peers of this workspace.
#[derive(Serialize, JsonSchema)]
pub(super) struct Peers {
    peers: Vec<PeerView>,
    /// Who says to be a peer and is not known here: perhaps a peering that a restore forgot.
    claims: Vec<ClaimView>,
}

/// A peer.
#[derive(Serialize, JsonSchema)]
struct PeerView {
    workspace: people::Home,
    /// Of its root key: what people compare before they trust.
    fingerprint: String,
    /// The invitation that somebody here claimed and for whose sake it was asked for.
    invitation: Option<invitations::SentView>,
    status: PeerStatus,
    invites: InvitePolicy,
    since: Millis,
    connected_since: Option<Millis>,
    last_error: Option<LinkError>,
    /// Rows that it has not confirmed.
    unacknowledged: u64,
    /// Until when what it owns is shown here without another word of it; null: nothing of it is followed, or it is not
    /// shown now.
    shown_here_until: Option<Millis>,
    /// Until when, at the latest, it shows what is owned here without another word of this node; null: it is not known to
    /// have asked since this node started.
    shown_there_until: Option<Millis>,
}

/// Why the last attempt to connect failed.
#[derive(Serialize, JsonSchema)]
struct LinkError {
    at: Millis,
    what: String,
}

/// Somebody who says to be a peer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PeerClaim")]
struct ClaimView {
    workspace: WorkspaceId,
    fingerprint: String,
    at: Millis,
    /// The address that it came from.
    from: String,
}

pub(super) async fn list(viewer: Viewer) -> Result<Json<Peers>, Problem> {
    let snapshot = viewer.snapshot();
    let links = viewer.handle.links().borrow().clone();
    let peers = snapshot.state.peers.values().map(|row| {
        let link = links.get(&row.id).cloned().unwrap_or_default();
        PeerView {
            workspace: people::home(&snapshot.state, row.id),
            fingerprint: fingerprint(&row.id.0),
            invitation: row.invite.and_then(|id| invitations::one(&snapshot.state, id)),
            status: row.status,
            invites: row.invites,
            since: row.since,
            connected_since: link.up,
            last_error: link.error.map(|(at, what)| LinkError { at, what }),
            unacknowledged: row.queued - row.acked,
            shown_here_until: lease::held_until(&snapshot.state, row.id),
            shown_there_until: lease::given_until(&snapshot.state, row.id),
        }
    });
    let peers = peers.collect();
    let claims = viewer.handle.claims().into_iter().map(|claim| {
        let Claim { workspace, at, from } = claim;
        ClaimView { workspace, fingerprint: fingerprint(&workspace.0), at, from: from.to_string() }
    });
    let claims = claims.collect();
    std::future::ready(Ok(Json(Peers { peers, claims }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTicket {
    /// How long it is good; a day if not said, 30 days at most.
    hours: Option<u64>,
}

/// A new ticket.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewTicketText {
    /// The line to pass on out of band.
    ticket: String,
    expires: Millis,
}

pub(super) async fn ticket(
    viewer: Viewer,
    Body(new): Body<NewTicket>,
) -> Result<Created<NewTicketText>, Problem> {
    let hours = new.hours.unwrap_or(TICKET_HOURS).clamp(1, 24 * 30);
    let secret = clock::seed().map_err(|error| Problem::no_random(&error))?;
    let expires = viewer.handle.now().plus(hours * 3_600_000);
    viewer.handle.ask(viewer.named(Command::OpenTicket(sha256(&[&secret]), expires))).await?;
    let state = &viewer.snapshot().state;
    let me = viewer.handle.me();
    let endpoints = state.homes.get(&me).map(|home| home.manifest.endpoints.clone()).unwrap_or_default();
    let ticket = Ticket { workspace: me, endpoints, secret, expires };
    Ok(Created(NewTicketText { ticket: ticket.to_text(), expires }))
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

/// Who was asked.
#[derive(Serialize, JsonSchema)]
pub(super) struct Asked {
    id: WorkspaceId,
    /// Of its root key: compare it with what its admin sees.
    fingerprint: String,
}

pub(super) async fn redeem(viewer: Viewer, Body(given): Body<Redeem>) -> Result<Accepted<Asked>, Problem> {
    let unreadable = "this is no ticket: paste the whole line that `comity peer ticket` printed";
    let ticket = Ticket::parse(&given.ticket).ok_or_else(|| Problem::invalid(unreadable))?;
    if ticket.expires <= viewer.handle.now() {
        return Err(Problem::invalid("the ticket has expired: ask for a new one"));
    }
    let Ticket { workspace: peer, endpoints, secret, .. } = ticket;
    let secret = Blob::from(secret.to_vec());
    viewer.ask(Command::RedeemTicket { peer, endpoints, secret }).await?;
    Ok(Accepted(Asked { id: peer, fingerprint: fingerprint(&peer.0) }))
}

async fn act(
    viewer: Viewer,
    peer: WorkspaceId,
    command: impl Fn(WorkspaceId) -> Command,
) -> Result<NoContent, Problem> {
    viewer.ask(command(peer)).await?;
    Ok(NoContent)
}

pub(super) async fn approve(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<NoContent, Problem> {
    act(viewer, peer, Command::Approve).await
}

pub(super) async fn pause(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<NoContent, Problem> {
    act(viewer, peer, Command::Pause).await
}

/// Instead of waiting until the next try is due. How it went stands in the list.
pub(super) async fn dial(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<Underway, Problem> {
    if !viewer.snapshot().state.peers.contains_key(&peer) {
        return Err(Problem::not_found());
    }
    viewer.handle.dial(peer);
    std::future::ready(Ok(Underway)).await
}

pub(super) async fn end(viewer: Viewer, Path(peer): Path<WorkspaceId>) -> Result<NoContent, Problem> {
    let admin = viewer.user;
    act(viewer, peer, |peer| Command::EndPeer(admin, peer)).await
}
