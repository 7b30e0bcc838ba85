//! Peerings (spec 8.1, P8.1): tickets, approval by both, pause and end.
//!
//! Duty: the states of a peer; what ends with one is in `ending`. Never: trusting a domain, or free text of strangers.

use super::{
    Command, Draft, Mark, Reject, Reply, State, approval, claim,
    command::RejectCode,
    consent, ending, identity, removal,
    row::{Claim, ClaimStatus, InvitePolicy, Peer, PeerStatus, Row, RowKey, Ticket},
};
use crate::{
    crypto::{secrets_equal, sha256},
    ids::{FeedId, Hash, InviteId, WorkspaceId},
    limits,
    time::Millis,
    wire::{Blob, objects::Word},
};

/// A ticket is opened; the secret itself stays with the admin.
///
/// # Errors
/// Too many are open.
pub fn open_ticket(draft: &mut Draft<'_>, secret: Hash, expires: Millis) -> Result<Reply, Reject> {
    if draft.state.tickets.len() >= limits::TICKETS {
        return Err(Reject::new(RejectCode::Quota, "too many tickets are open: wait until some expire"));
    }
    draft.put(Row::Ticket(Ticket { secret, expires }));
    draft.audit("peer.ticket", None, None, None, format!("good until {expires}"));
    Ok(Reply::Done)
}

/// Our admin redeems another workspace's ticket: our side has approved with that.
///
/// # Errors
/// The ticket is our own, or the peering exists.
pub fn redeem(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    endpoints: Vec<String>,
    secret: Blob,
) -> Result<Reply, Reject> {
    if peer == draft.me() {
        return Err(Reject::new(
            RejectCode::Invalid,
            "this is a ticket of this workspace itself: give it to the other one",
        ));
    }
    if let Some(status) =
        draft.state.peers.get(&peer).map(|peer| peer.status).filter(|status| *status != PeerStatus::Ended)
    {
        let redeemed = status != PeerStatus::Requested;
        return if redeemed { Ok(Reply::Already) } else { renew_request(draft, peer, endpoints, secret) };
    }
    if draft.state.peers.get(&peer).is_some_and(|row| ending::is_untold(draft, row)) {
        return Err(Reject::new(
            RejectCode::Stale,
            "the other side does not know yet that the last peering ended: wait until it was reachable, or give it a \
             ticket of yours",
        ));
    }
    if draft.state.peers.len() >= limits::PEERS {
        return Err(Reject::new(RejectCode::Quota, "this node has as many peers as it may have"));
    }
    let row = fresh(draft, peer, PeerStatus::Requested, endpoints, Some(secret));
    draft.put(Row::Peer(row));
    changed(draft, peer, "peer.requested");
    Ok(Reply::Done)
}

fn renew_request(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    endpoints: Vec<String>,
    secret: Blob,
) -> Result<Reply, Reject> {
    let row = known(draft, peer)?;
    draft.put(Row::Peer(Peer { endpoints, ticket: Some(secret), ..row }));
    changed(draft, peer, "peer.requested");
    Ok(Reply::Done)
}

/// A peering that begins.
pub fn fresh(
    draft: &mut Draft<'_>,
    id: WorkspaceId,
    status: PeerStatus,
    endpoints: Vec<String>,
    ticket: Option<Blob>,
) -> Peer {
    Peer {
        id,
        status,
        endpoints,
        ticket,
        invites: InvitePolicy::Ask,
        feed: FeedId(draft.random()),
        queued: 0,
        queued_hash: Hash::ZERO,
        acked: 0,
        inbound: None,
        content_acked: (0, 0),
        content_in: 0,
        believes: Vec::new(),
        invite: None,
        since: draft.ctx.now,
        resolves: true,
    }
}

/// The row of a peer.
///
/// # Errors
/// We do not know that peer.
pub fn known(draft: &Draft<'_>, peer: WorkspaceId) -> Result<Peer, Reject> {
    let row =
        draft.state.peers.get(&peer).ok_or_else(|| {
            Reject::new(RejectCode::NotFound, "no such peer: `comity peer list` shows them")
        })?;
    Ok((**row).clone())
}

fn changed(draft: &mut Draft<'_>, peer: WorkspaceId, act: &str) {
    draft.audit(act, None, Some(peer), None, String::new());
    draft.mark(Mark::Peer(peer));
}

/// Over the link: a stranger shows its manifests and a ticket's secret. Used tickets are gone.
///
/// # Errors
/// The chain does not hold, or no open ticket has this secret.
pub fn requested(draft: &mut Draft<'_>, manifests: &[Blob], secret: &Blob) -> Result<Reply, Reject> {
    let home = identity::verify_chain(None, manifests)?;
    let peer = home.id;
    if draft
        .state
        .peers
        .get(&peer)
        .is_some_and(|row| !matches!(row.status, PeerStatus::Ended | PeerStatus::Requested))
    {
        return Ok(Reply::Already);
    }
    let hash = sha256(&[secret]);
    let open = draft
        .state
        .tickets
        .values()
        .find(|ticket| secrets_equal(&ticket.secret.0, &hash.0) && ticket.expires > draft.ctx.now);
    let (ticket, invite) = (open.map(|ticket| ticket.secret), invitation_shown(draft, secret));
    if ticket.is_none() && invite.is_none() {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "the ticket is unknown, used or expired: ask for a new one",
        ));
    }
    let waiting = draft.state.peers.values().filter(|row| row.status == PeerStatus::Waiting).count();
    if waiting >= limits::PEERING_REQUESTS || peer == draft.me() {
        return Err(Reject::new(RejectCode::Quota, "too many requests wait for approval"));
    }
    ticket.into_iter().for_each(|ticket| draft.delete(RowKey::Ticket(ticket)));
    let endpoints = home.manifest.endpoints.clone();
    identity::adopt(draft, manifests)?;
    let row = fresh(draft, peer, PeerStatus::Waiting, endpoints, None);
    draft.put(Row::Peer(Peer { invite, ..row }));
    changed(draft, peer, "peer.waiting");
    Ok(Reply::Done)
}

/// Our admin wants a peering with the workspace whose invitation one of our users claims: the link stands for a ticket.
///
/// # Errors
/// There is no such claim that waits for that, or as [`redeem`].
pub fn wanted(draft: &mut Draft<'_>, id: Hash) -> Result<Reply, Reject> {
    let waits = |claim: &Claim| claim.status == ClaimStatus::Peering;
    let claim = draft.state.claims.get(&id).map(|claim| (**claim).clone()).filter(waits);
    let claim = claim.ok_or_else(Reject::not_found)?;
    redeem(draft, claim.owner, claim.endpoints, claim.link.0.to_vec().into())
}

/// The open invitation by e-mail that a request shows instead of a ticket (spec 6.9). It is not used up by that.
fn invitation_shown(draft: &Draft<'_>, secret: &Blob) -> Option<InviteId> {
    let link = Hash(<[u8; 32]>::try_from(&**secret).ok()?);
    claim::open(draft, link).ok().map(|(_, sent)| sent.id)
}

/// Our admin approves, or resumes after a pause.
///
/// # Errors
/// There is nothing to approve.
pub fn approve(draft: &mut Draft<'_>, peer: WorkspaceId) -> Result<Reply, Reject> {
    let row = known(draft, peer)?;
    match row.status {
        PeerStatus::Waiting | PeerStatus::Paused => {
            activate(draft, row);
            Ok(Reply::Done)
        }
        PeerStatus::Active => Ok(Reply::Already),
        PeerStatus::Requested => Err(Reject::new(
            RejectCode::Stale,
            "the other side has to approve: its admin runs `comity peer approve`",
        )),
        PeerStatus::Ended => {
            Err(Reject::new(RejectCode::Stale, "this peering has ended: exchange a new ticket"))
        }
    }
}

fn activate(draft: &mut Draft<'_>, row: Peer) {
    let (id, since) = (row.id, draft.ctx.now);
    draft.put(Row::Peer(Peer { status: PeerStatus::Active, ticket: None, since, ..row }));
    changed(draft, id, "peer.active");
    if !draft.state.rules.peer(id).lookups {
        removal::state(draft, id, Word::Lookups { allowed: false });
    }
    claim::peered(draft, id);
}

/// Over the link: the other side has approved what we requested.
///
/// # Errors
/// We do not know that peer.
pub fn approved(draft: &mut Draft<'_>, peer: WorkspaceId) -> Result<Reply, Reject> {
    let row = known(draft, peer)?;
    if row.status != PeerStatus::Requested {
        return Ok(Reply::Already);
    }
    activate(draft, row);
    Ok(Reply::Done)
}

/// Our admin pauses: memberships travel on, content does not.
///
/// # Errors
/// The peering is not active.
pub fn pause(draft: &mut Draft<'_>, peer: WorkspaceId) -> Result<Reply, Reject> {
    let row = known(draft, peer)?;
    if row.status != PeerStatus::Active {
        return Err(Reject::new(RejectCode::Stale, "only an active peering can be paused"));
    }
    draft.put(Row::Peer(Peer { status: PeerStatus::Paused, since: draft.ctx.now, ..row }));
    changed(draft, peer, "peer.paused");
    Ok(Reply::Done)
}

/// Our admin sets what happens with invitations from a peer; a refusal declines those that wait as well (P8.2).
///
/// # Errors
/// We do not know that peer.
pub fn set_invites(draft: &mut Draft<'_>, peer: WorkspaceId, invites: InvitePolicy) -> Result<Reply, Reject> {
    let row = known(draft, peer)?;
    draft.put(Row::Peer(Peer { invites, ..row }));
    let waiting: Vec<_> =
        ending::received(&draft.state, peer).map(|held| (held.user, held.invite.id)).collect();
    for (user, id) in waiting {
        match invites {
            InvitePolicy::Refuse => drop(consent::answer(draft, user, id, false)?),
            InvitePolicy::Accept | InvitePolicy::Ask => approval::release(draft, user, id),
            InvitePolicy::AskAdmin => {}
        }
    }
    draft.audit("peer.policy", None, Some(peer), None, format!("invitations: {invites:?}"));
    Ok(Reply::Done)
}

/// A peer says whether we may ask for addresses of its domain (spec 6.12).
pub fn resolves(draft: &mut Draft<'_>, peer: WorkspaceId, allowed: bool) {
    if let Ok(row) = known(draft, peer) {
        draft.put(Row::Peer(Peer { resolves: allowed, ..row }));
    }
}

/// Before both admins have approved, the link carries greetings and nothing else (spec 9.3).
///
/// # Errors
/// The command is the word of a peer that waits for that.
pub fn refuse_unapproved(state: &State, command: &Command) -> Result<(), Reject> {
    let (Command::Feed(peer, _)
    | Command::Compare(peer, _)
    | Command::Witness(peer, _)
    | Command::Compared(peer, _)
    | Command::Content(peer, _)
    | Command::ContentReset(peer, _)
    | Command::History(peer, _)) = command
    else {
        return Ok(());
    };
    let waits = |row: &Peer| matches!(row.status, PeerStatus::Requested | PeerStatus::Waiting);
    if state.peers.get(peer).is_some_and(|row| waits(row)) {
        return Err(Reject::new(RejectCode::PeerInactive, "the peering is not approved yet"));
    }
    Ok(())
}
