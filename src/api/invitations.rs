//! Invitations to the viewer, and those that he sent (P2).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::NoContent,
    path::Path,
    problem::Problem,
    viewer::{Body, Query, Viewer},
    workspace::page,
};
use crate::{
    ids::{InviteId, ScopeId},
    protocol::{Command, Reply},
    time::Millis,
    view::{
        invitations::{self, SentView},
        scopes::{self, InviteView},
    },
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Invitations {
    invitations: Vec<InviteView>,
}

pub(super) async fn list(viewer: Viewer) -> Json<Invitations> {
    let invitations = scopes::invitations(&viewer.snapshot().state, viewer.user);
    std::future::ready(Json(Invitations { invitations })).await
}

async fn answer(viewer: Viewer, invite: InviteId, accept: bool) -> Result<NoContent, Problem> {
    viewer.ask(Command::AnswerInvite(viewer.user, invite, accept)).await?;
    Ok(NoContent)
}

pub(super) async fn accept(viewer: Viewer, Path(invite): Path<InviteId>) -> Result<NoContent, Problem> {
    answer(viewer, invite, true).await
}

pub(super) async fn decline(viewer: Viewer, Path(invite): Path<InviteId>) -> Result<NoContent, Problem> {
    answer(viewer, invite, false).await
}

pub(super) async fn revoke(viewer: Viewer, Path(invite): Path<InviteId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::RevokeInvite(viewer.user, invite)).await?;
    Ok(NoContent)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// Only those into this group or thread.
    scope: Option<ScopeId>,
    /// Only those that wait for an answer.
    #[serde(default)]
    open: bool,
    /// The `next` of the page before.
    before: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Sent {
    invitations: Vec<SentView>,
    /// The `before` of the next page; null on the last.
    next: Option<String>,
}

/// Those that the viewer sent, and those into what he administers; the newest first.
pub(super) async fn sent(viewer: Viewer, Query(of): Query<Of>) -> Result<Json<Sent>, Problem> {
    let Of { scope, open, before, limit } = of;
    let parse = |cursor: String| {
        let parts = cursor.split_once('-');
        let parsed = parts.and_then(|(time, id)| Some((Millis(time.parse().ok()?), id.parse().ok()?)));
        parsed.ok_or_else(|| Problem::invalid("before: pass the `next` of the page before, unchanged"))
    };
    let wanted = invitations::Wanted { scope, open, before: before.map(parse).transpose()? };
    let (invitations, next) = invitations::sent(&viewer.snapshot().state, viewer.user, &wanted, page(limit));
    let next = next.map(|(time, id)| format!("{}-{id}", time.0));
    std::future::ready(Ok(Json(Sent { invitations, next }))).await
}

/// What was sent again: with a link to pass on, unless it went out by itself.
#[derive(Serialize, JsonSchema)]
pub(super) struct Resent {
    invitation: InviteId,
    /// Below the node's address.
    link: Option<String>,
}

pub(super) async fn resend(
    viewer: Viewer,
    Path(invitation): Path<InviteId>,
) -> Result<Json<Resent>, Problem> {
    let link = match viewer.ask(Command::ResendInvite(viewer.user, invitation)).await? {
        Reply::Link(_, path) => Some(path),
        _ => None,
    };
    Ok(Json(Resent { invitation, link }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// Whether the claimant is whom the invitation was meant for.
    accept: bool,
}

/// Somebody claimed the invitation with another address: the inviter decides (P1.5).
pub(super) async fn decide(
    viewer: Viewer,
    Path(invite): Path<InviteId>,
    Body(decision): Body<Decision>,
) -> Result<NoContent, Problem> {
    viewer.ask(Command::DecideClaim(viewer.user, invite, decision.accept)).await?;
    Ok(NoContent)
}
