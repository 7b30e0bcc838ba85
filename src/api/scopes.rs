//! Groups and threads as places: members and settings (P5).

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, Created, Either, NoContent},
    path::Path,
    people::Search,
    previews,
    problem::Problem,
    viewer::{Body, Query, Viewer},
};
use crate::{
    ids::{InviteId, ScopeId, UserId},
    limits,
    protocol::{Command, Reply, membership::empty_settings, policy, resolve, tighten},
    time::Millis,
    view::{
        foresight::{self, Foresight},
        names,
        preview::{self, Counts},
        scopes,
    },
    wire::objects::{Action, Floor, Grade, Settings},
};

/// The groups that the viewer is in.
#[derive(Serialize, JsonSchema)]
pub(super) struct Groups {
    /// By name.
    groups: Vec<scopes::ScopeView>,
}

pub(super) async fn groups(viewer: Viewer) -> Json<Groups> {
    let groups = scopes::groups(&viewer.snapshot().state, viewer.user);
    std::future::ready(Json(Groups { groups })).await
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SettingsChange {
    /// Name of a group, subject of a topic.
    #[schemars(length(max = limits::NAME_BYTES))]
    name: Option<String>,
    externals: Option<bool>,
    open_invites: Option<bool>,
    replies_off: Option<bool>,
    locked: Option<bool>,
    closed: Option<bool>,
    open: Option<bool>,
    lease: Option<Lease>,
}

/// How long partners may show a scope without a word of its owner: by name, or in seconds.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Lease {
    Seconds(u64),
    Name(String),
}

impl Lease {
    fn millis(&self) -> Result<u64, Problem> {
        match self {
            Self::Seconds(seconds) => Ok(seconds.saturating_mul(1000)),
            Self::Name(name) => {
                LEASES.iter().find(|(known, _)| known == name).map(|(_, millis)| *millis).ok_or_else(|| {
                    Problem::invalid("lease: strict, standard, relaxed, or a number of seconds")
                })
            }
        }
    }
}

/// The leases that have a name (spec 11.4).
const LEASES: [(&str, u64); 3] =
    [("strict", 60_000), ("standard", limits::LEASE_STANDARD_MILLIS), ("relaxed", 24 * 3_600_000)];

impl SettingsChange {
    fn over(self, before: Settings) -> Settings {
        Settings {
            name: self.name.unwrap_or(before.name),
            externals: self.externals.unwrap_or(before.externals),
            open_invites: self.open_invites.unwrap_or(before.open_invites),
            replies_off: self.replies_off.unwrap_or(before.replies_off),
            locked: self.locked.unwrap_or(before.locked),
            closed: self.closed.unwrap_or(before.closed),
            open: self.open.unwrap_or(before.open),
        }
    }
}

/// A new group admits externals unless it says otherwise; all else is off.
pub(super) fn new_settings(name: String) -> Settings {
    Settings { name, externals: true, ..empty_settings() }
}

/// What was made.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Made {
    /// As the viewer sees it.
    Seen {
        #[serde(flatten)]
        scope: Box<scopes::ScopeView>,
        /// The invitations that went out.
        invitations: Vec<InviteId>,
    },
    /// Its owner has made it, and it is not here yet.
    Unseen {
        /// Which.
        id: ScopeId,
        /// The invitations that went out.
        invitations: Vec<InviteId>,
    },
}

/// What was made, as the viewer sees it.
pub(super) fn made(viewer: &Viewer, reply: Reply) -> Result<Created<Made>, Problem> {
    let Reply::Scope(scope, invitations) = reply else { return Err(Problem::not_found()) };
    let view = scopes::scope(&viewer.snapshot().state, viewer.user, scope);
    Ok(Created(match view {
        Some(view) => Made::Seen { scope: Box::new(view), invitations },
        None => Made::Unseen { id: scope, invitations },
    }))
}

pub(super) async fn create_group(
    viewer: Viewer,
    Body(change): Body<SettingsChange>,
) -> Result<Created<Made>, Problem> {
    let lease = change.lease.as_ref().map(Lease::millis).transpose()?;
    let settings = change.over(new_settings(String::new()));
    let reply = viewer.ask(Command::CreateGroup(viewer.user, settings)).await?;
    if let (Some(ttl), Reply::Scope(scope, _)) = (lease, &reply) {
        let action = Action::Lease { scope: *scope, ttl };
        viewer.handle.ask(Command::Act(viewer.user, action)).await?;
    }
    made(&viewer, reply)
}

pub(super) async fn show(
    viewer: Viewer,
    Path(scope): Path<ScopeId>,
) -> Result<Json<scopes::ScopeView>, Problem> {
    let view = scopes::scope(&viewer.snapshot().state, viewer.user, scope);
    std::future::ready(view.map(Json).ok_or_else(Problem::not_found)).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    /// Whoever the new settings exclude goes.
    #[serde(default)]
    pub(super) confirm: bool,
}

pub(super) async fn change(
    viewer: Viewer,
    Path(scope): Path<ScopeId>,
    Query(Confirm { confirm }): Query<Confirm>,
    Body(change): Body<SettingsChange>,
) -> Result<NoContent, Problem> {
    let state = viewer.snapshot().state.clone();
    let frozen = scopes::frozen(&state, viewer.user, scope).is_some();
    if frozen || scopes::waiting(&state, viewer.user, scope).is_some() {
        return Err(viewer.absent(scope));
    }
    let before = policy::known_scope(&state, viewer.user, scope)?;
    let lease = change.lease.as_ref().map(Lease::millis).transpose()?;
    let settings = change.over(before.head.settings.clone());
    let own = state.owns(scope) && policy::administers(&state, viewer.user, &before);
    let tightened = scope.group().filter(|_| own && tighten::is_tightened(&before, &settings));
    let ends = tightened.and_then(|group| preview::tightening(&state, group)).map(|ends| ends.counts);
    if let Some(counts) = ends.filter(|counts| !confirm && *counts != Counts::default()) {
        return Err(previews::unconfirmed(counts, &format!("/api/v1/groups/{scope}/tightening")));
    }
    let command = match tightened.filter(|_| confirm) {
        Some(_) => Command::Tighten(viewer.user, scope, settings.clone()),
        None => Command::Act(viewer.user, Action::Settings { scope, settings: settings.clone() }),
    };
    if settings != before.head.settings {
        viewer.ask(command).await?;
    }
    if let Some(ttl) = lease.filter(|ttl| *ttl != before.head.ttl) {
        viewer.ask(Command::Act(viewer.user, Action::Lease { scope, ttl })).await?;
    }
    Ok(NoContent)
}

pub(super) async fn end(viewer: Viewer, Path(scope): Path<ScopeId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Act(viewer.user, Action::End { scope })).await?;
    Ok(NoContent)
}

/// A page of members.
#[derive(Serialize, JsonSchema)]
pub(super) struct Members {
    members: Vec<scopes::MemberView>,
    /// The `after` of the next page; null on the last.
    next: Option<String>,
}

pub(super) async fn members(
    viewer: Viewer,
    Path(scope): Path<ScopeId>,
    Query(search): Query<Search>,
) -> Result<Json<Members>, Problem> {
    let (typed, limit) = (search.typed()?, search.limit());
    if !typed.is_empty() {
        let (state, after) = (&viewer.snapshot().state, search.after()?);
        let found = names::members(state, viewer.user, scope, &typed, after.as_ref(), limit);
        let found = found.ok_or_else(|| viewer.absent(scope))?;
        let next = found.next.as_ref().map(names::after_text);
        return Ok(Json(Members { members: found.rows, next }));
    }
    let after = search.after_id()?;
    let members = scopes::members(&viewer.snapshot().state, viewer.user, scope, after, limit);
    let members = members.ok_or_else(|| viewer.absent(scope))?;
    let next = members.last().filter(|_| members.len() == limit).map(|last| last.person.id.to_string());
    std::future::ready(Ok(Json(Members { members, next }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMember {
    /// Of somebody of this workspace or of a peer.
    #[schemars(length(max = limits::ADDRESS_BYTES))]
    address: String,
    #[serde(default = "may_post")]
    grade: Grade,
    /// What history he gets; if not said, all of a thread, and of a group all for the owner's own people, and for others
    /// what comes from now on (P2.6).
    history: Option<Floor>,
    until: Option<Millis>,
}

/// What an added member is now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Member,
    Invited,
}

/// What became of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Added")]
pub(super) struct Joined {
    status: Status,
    /// The invitation that was sent; null where the scope is another workspace's.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InviteId>,
    /// Its link below the node's address, to pass on; null where it goes out by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

const MEMBER: Joined = Joined { status: Status::Member, invitation: None, link: None };

fn may_post() -> Grade {
    Grade::Post
}

/// Own users become members at once; others are invited. Of a scope of another workspace, its owner says that it took the
/// invitation, and nothing about whom it found (P2.2): what it did is seen in the members and in the invitations sent.
pub(super) async fn add_member(
    viewer: Viewer,
    Path(scope): Path<ScopeId>,
    Body(new): Body<NewMember>,
) -> Result<Either<Accepted<Joined>, Either<Created<Joined>, Json<Joined>>>, Problem> {
    let NewMember { address, grade, history, until } = new;
    let floor = history.unwrap_or_else(|| resolve::usual_floor(&viewer.snapshot().state, scope, &address));
    let action = Action::Invite { scope, address, grade, floor, until };
    match viewer.ask(Command::Act(viewer.user, action)).await? {
        Reply::Invited(invitation) => Ok(Either::This(Accepted(Joined {
            status: Status::Invited,
            invitation: Some(invitation),
            link: None,
        }))),
        Reply::Link(invitation, link) => {
            let link = Some(link);
            Ok(Either::This(Accepted(Joined { status: Status::Invited, invitation, link })))
        }
        Reply::Already => Ok(Either::That(Either::That(Json(MEMBER)))),
        _ if viewer.snapshot().state.owns(scope) => Ok(Either::That(Either::This(Created(MEMBER)))),
        _ => Ok(Either::This(Accepted(Joined { status: Status::Invited, invitation: None, link: None }))),
    }
}

/// Whom one thinks of inviting.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prospect {
    #[schemars(length(max = limits::ADDRESS_BYTES))]
    address: String,
    #[serde(default = "may_post")]
    grade: Grade,
}

pub(super) async fn foresee(
    viewer: Viewer,
    Path(scope): Path<ScopeId>,
    Query(Prospect { address, grade }): Query<Prospect>,
) -> Result<Json<Foresight>, Problem> {
    let seen = foresight::foresee(&viewer.snapshot().state, viewer.user, scope, &address, grade);
    Ok(std::future::ready(seen.map(Json)).await?)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GradeChange {
    grade: Grade,
}

pub(super) async fn grade(
    viewer: Viewer,
    Path((scope, user)): Path<(ScopeId, UserId)>,
    Body(change): Body<GradeChange>,
) -> Result<NoContent, Problem> {
    let action = Action::Grade { scope, user, grade: change.grade };
    viewer.ask(Command::Act(viewer.user, action)).await?;
    Ok(NoContent)
}

pub(super) async fn leave(viewer: Viewer, Path(scope): Path<ScopeId>) -> Result<NoContent, Problem> {
    viewer.ask(Command::Leave(viewer.user, scope)).await?;
    Ok(NoContent)
}
