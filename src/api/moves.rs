//! Moving a group to another workspace (P5.4): a preview, the offer, both sides' answers.

use axum::Json;
use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, NoContent, Underway},
    path::Path,
    problem::Problem,
    viewer::{Body, Query, Viewer},
};
use crate::{
    ids::{GroupId, Hash, MoveId, ScopeId, WorkspaceId},
    protocol::{Command, Reply, State, handover, policy},
    view::moves,
    wire::Blob,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MoveTo")]
pub(super) struct To {
    /// The new owner: its id, or the domain of a peer.
    to: String,
}

impl To {
    fn workspace(&self, state: &State) -> Result<WorkspaceId, Problem> {
        if let Ok(id) = self.to.parse() {
            return Ok(id);
        }
        let of_domain = |id: &WorkspaceId| {
            state.homes.get(id).is_some_and(|home| home.manifest.domain.eq_ignore_ascii_case(&self.to))
        };
        let mut peers = state.peers.keys().copied().filter(of_domain);
        match (peers.next(), peers.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(Problem::invalid("to: the id of a workspace, or the domain of a peer")),
            (Some(_), Some(_)) => {
                Err(Problem::invalid("to: two peers claim this domain: name one by its id"))
            }
        }
    }
}

/// The group, for one of its admins at its owner.
fn own(viewer: &Viewer, state: &State, group: GroupId) -> Result<GroupId, Problem> {
    let scope = ScopeId::Group(group);
    let own = policy::own_scope(state, viewer.user, scope)?;
    policy::may_administer(state, viewer.user, &own)?;
    Ok(group)
}

/// What a move would bring.
#[derive(Serialize, JsonSchema)]
pub(super) struct Previewed {
    #[serde(rename = "move")]
    moved: moves::MovePreview,
}

pub(super) async fn preview(
    viewer: Viewer,
    Path(group): Path<GroupId>,
    Query(to): Query<To>,
) -> Result<Json<Previewed>, Problem> {
    let state = &viewer.snapshot().state;
    let group = own(&viewer, state, group)?;
    let moved = moves::preview(state, viewer.user, group, to.workspace(state)?);
    std::future::ready(Ok(Json(Previewed { moved }))).await
}

/// The offer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Offered {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<MoveId>,
}

pub(super) async fn offer(
    viewer: Viewer,
    Path(group): Path<GroupId>,
    Body(to): Body<To>,
) -> Result<Accepted<Offered>, Problem> {
    let snapshot = viewer.snapshot();
    let group = own(&viewer, &snapshot.state, group)?;
    let to = to.workspace(&snapshot.state)?;
    let id = match viewer.ask(Command::OfferMove(viewer.user, group, to)).await? {
        Reply::Offered(id) => Some(id),
        _ => None,
    };
    Ok(Accepted(Offered { id }))
}

/// Offers from here and to here.
#[derive(Serialize, JsonSchema)]
pub(super) struct Moves {
    /// Newest first.
    moves: Vec<moves::MoveView>,
}

pub(super) async fn list(viewer: Viewer) -> Json<Moves> {
    let moves = moves::list(&viewer.snapshot().state, viewer.user, viewer.is_admin());
    std::future::ready(Json(Moves { moves })).await
}

pub(super) async fn accept(viewer: Viewer, Path(offer): Path<MoveId>) -> Result<Underway, Problem> {
    viewer.ask(Command::WantMove(viewer.user, offer)).await?;
    Ok(Underway)
}

pub(super) async fn end(viewer: Viewer, Path(offer): Path<MoveId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::EndMove(viewer.user, offer)).await?;
    Ok(NoContent)
}

/// What has to be signed for a handover.
#[derive(Serialize, JsonSchema)]
pub(super) struct Requested {
    handover: Request,
}

/// A group whose owner does not come back.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HandoverRequest")]
struct Request {
    group: GroupId,
    name: String,
    /// The dead owner.
    from: WorkspaceId,
    /// This workspace.
    to: WorkspaceId,
    scopes: Vec<Base>,
}

/// From where a scope goes on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HandoverBase")]
struct Base {
    scope: ScopeId,
    incarnation: u64,
    epoch: u64,
    hash: Hash,
}

/// What the root key of a group's dead owner has to sign, as things stand here (spec 14.7).
pub(super) async fn request(viewer: Viewer, Path(group): Path<GroupId>) -> Result<Json<Requested>, Problem> {
    let state = &viewer.snapshot().state;
    let scope = state.scope(group).filter(|_| !state.owns(group)).ok_or_else(Problem::not_found)?;
    let bases = handover::scopes(state, group).into_iter().filter_map(|scope| {
        let (incarnation, epoch, hash) = handover::base(state, scope)?;
        Some(Base { scope, incarnation, epoch, hash })
    });
    let scopes: Vec<Base> = bases.collect();
    if scopes.is_empty() {
        return Err(Problem::not_found());
    }
    let (from, to, name) = (scope.head.owner, viewer.handle.me(), scope.head.settings.name.clone());
    let handover = Request { group, name, from, to, scopes };
    std::future::ready(Ok(Json(Requested { handover }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Handovers {
    /// As signed, in base64.
    handovers: Vec<String>,
}

/// The signed handovers: takes effect once the followers said what they hold.
pub(super) async fn hand_over(viewer: Viewer, Body(given): Body<Handovers>) -> Result<Underway, Problem> {
    let decoded = given.handovers.iter().map(|text| BASE64.decode(text.as_bytes()).map(Blob::from));
    let handovers = decoded.collect::<Result<Vec<Blob>, _>>();
    let handovers = handovers.map_err(|error| Problem::invalid(format!("handovers: base64: {error}")))?;
    viewer.ask(Command::TakeHandover(viewer.user, handovers)).await?;
    Ok(Underway)
}
