//! Requests on locked threads, invitations that wait for an admin, blocked people (P2.4, P2.5, P6.3).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, NoContent},
    path::Path,
    problem::Problem,
    viewer::{Body, Viewer, first_half},
};
use crate::{
    ids::{InviteId, RequestId, ScopeId, ThreadId, UserId},
    node::clock,
    protocol::{Command, Reply},
    view::conduct,
    wire::objects::{Action, Floor, Grade},
};

/// Requests.
#[derive(Serialize, JsonSchema)]
pub(super) struct Requests {
    requests: Vec<conduct::RequestView>,
}

/// Mine, with what became of them.
pub(super) async fn requests(viewer: Viewer) -> Json<Requests> {
    let requests = conduct::my_requests(&viewer.snapshot().state, viewer.user);
    std::future::ready(Json(Requests { requests })).await
}

/// Those of a thread: all for who may answer, else mine.
pub(super) async fn in_thread(
    viewer: Viewer,
    Path(thread): Path<ThreadId>,
) -> Result<Json<Requests>, Problem> {
    let scope = ScopeId::from(thread);
    let requests = conduct::requests_in(&viewer.snapshot().state, viewer.user, scope);
    let requests = requests.ok_or_else(|| viewer.absent(scope))?;
    std::future::ready(Ok(Json(Requests { requests }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRequest {
    /// Whom.
    address: String,
    #[serde(default = "may_post")]
    grade: Grade,
    #[serde(default = "everything")]
    history: Floor,
}

fn may_post() -> Grade {
    Grade::Post
}

fn everything() -> Floor {
    Floor::All
}

/// What was asked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RequestAsked")]
pub(super) struct Asked {
    request: RequestId,
    status: &'static str,
}

pub(super) async fn ask(
    viewer: Viewer,
    Path(thread): Path<ThreadId>,
    Body(new): Body<NewRequest>,
) -> Result<Accepted<Asked>, Problem> {
    let NewRequest { address, grade, history: floor } = new;
    let random = || clock::seed().map_err(|error| Problem::no_random(&error));
    let request = match viewer.key() {
        Some(key) => RequestId(key.0),
        None => RequestId(first_half(&random()?)),
    };
    let action = Action::RequestMember { request, scope: thread.into(), address, grade, floor };
    viewer.ask(Command::Act(viewer.user, action)).await?;
    Ok(Accepted(Asked { request, status: "open" }))
}

/// What became of an answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Answered {
    status: &'static str,
}

async fn answer(
    viewer: Viewer,
    (thread, request): (ThreadId, RequestId),
    approve: bool,
) -> Result<Json<Answered>, Problem> {
    let action = Action::AnswerRequest { scope: thread.into(), request, approve };
    let status = match viewer.ask(Command::Act(viewer.user, action)).await? {
        Reply::Already => "already",
        _ if approve => "approved",
        _ => "declined",
    };
    Ok(Json(Answered { status }))
}

pub(super) async fn approve(
    viewer: Viewer,
    Path(at): Path<(ThreadId, RequestId)>,
) -> Result<Json<Answered>, Problem> {
    answer(viewer, at, true).await
}

pub(super) async fn decline(
    viewer: Viewer,
    Path(at): Path<(ThreadId, RequestId)>,
) -> Result<Json<Answered>, Problem> {
    answer(viewer, at, false).await
}

/// Invitations that wait for an admin.
#[derive(Serialize, JsonSchema)]
pub(super) struct Approvals {
    approvals: Vec<conduct::Approval>,
}

pub(super) async fn approvals(viewer: Viewer) -> Json<Approvals> {
    let approvals = conduct::approvals(&viewer.snapshot().state);
    std::future::ready(Json(Approvals { approvals })).await
}

pub(super) async fn let_through(viewer: Viewer, Path(invite): Path<InviteId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Approval(invite, true)).await?;
    Ok(NoContent)
}

pub(super) async fn refuse(viewer: Viewer, Path(invite): Path<InviteId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Approval(invite, false)).await?;
    Ok(NoContent)
}

/// Whom the viewer blocks.
#[derive(Serialize, JsonSchema)]
pub(super) struct Blocks {
    blocked: Vec<conduct::Blocked>,
}

pub(super) async fn blocks(viewer: Viewer) -> Json<Blocks> {
    let blocked = conduct::blocked(&viewer.snapshot().state, viewer.user);
    std::future::ready(Json(Blocks { blocked })).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    user: UserId,
}

/// Any id: whether there is such a person is not said.
pub(super) async fn block(viewer: Viewer, Body(Whom { user }): Body<Whom>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Block(viewer.user, user, true)).await?;
    Ok(NoContent)
}

pub(super) async fn unblock(viewer: Viewer, Body(Whom { user }): Body<Whom>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Block(viewer.user, user, false)).await?;
    Ok(NoContent)
}
