//! Invitations as those see them who sent them, and links as those see them who hold one (P2.3, P2.6).
//!
//! Duty: where an invitation stands, and what a link is for. Never: more than the invitation itself tells.

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home, Person};
use crate::{
    ids::{Hash, InviteId, ScopeId, UserId, WorkspaceId},
    protocol::{
        State, claim, policy,
        row::{Claim, ClaimStatus, InviteStatus, SentInvite},
    },
    time::Millis,
    wire::objects::{Floor, Grade, ThreadKind},
};

/// An invitation that the viewer sent, or whose scope he administers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SentView {
    /// Which.
    pub id: InviteId,
    /// Into what.
    pub scope: ScopeId,
    /// Its name.
    pub name: String,
    /// Whom.
    pub address: String,
    /// Who invited.
    pub by: Person,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub history: Floor,
    /// When the membership would end.
    pub until: Option<Millis>,
    /// When it was made.
    pub time: Millis,
    /// When it ends unanswered.
    pub expires: Option<Millis>,
    /// Where it stands.
    pub status: InviteStatus,
    /// Whether it went out by a link rather than to a peer.
    pub by_link: bool,
    /// Who claims it with another address, or has claimed it.
    pub claimant: Option<Person>,
}

/// What a link is for: what its holder is told before he answers. Names are plain text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkView {
    /// The workspace that invites.
    pub workspace: Home,
    /// The group's name or the thread's subject.
    pub name: String,
    /// The kind of a thread; null for a group.
    pub kind: Option<ThreadKind>,
    /// Who invites.
    pub inviter: String,
    /// The address that was invited.
    pub address: String,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub history: Floor,
    /// When the membership would end.
    pub until: Option<Millis>,
    /// When the link stops working.
    pub expires: Millis,
    /// The workspace of the address's domain, if it is known here: who has an account there accepts with that.
    pub home: Option<Home>,
}

/// An invitation's link that the viewer has shown at home.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClaimView {
    /// Which.
    pub id: Hash,
    /// Who claims.
    pub user: Person,
    /// The workspace that invites; before it is a peer only its id is known.
    pub workspace: Home,
    /// Where it listens, as the link says.
    pub endpoints: Vec<String>,
    /// When.
    pub time: Millis,
    /// Where it stands.
    pub status: ClaimStatus,
}

/// Which invitations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only those into this group or thread.
    pub scope: Option<ScopeId>,
    /// Only those that wait for an answer.
    pub open: bool,
    /// Only those behind this one in the list.
    pub before: Option<(Millis, InviteId)>,
}

/// Invitations that the viewer may answer for, the newest first; where the next page begins.
#[must_use]
pub fn sent(
    state: &State,
    viewer: UserId,
    wanted: &Wanted,
    limit: usize,
) -> (Vec<SentView>, Option<(Millis, InviteId)>) {
    let may = |sent: &SentInvite| {
        let known = policy::own_scope(state, viewer, sent.scope);
        known.is_ok_and(|scope| sent.by == viewer || policy::administers(state, viewer, &scope))
    };
    let place = |sent: &SentInvite| (sent.time, sent.id);
    let is_wanted = |sent: &&std::sync::Arc<SentInvite>| {
        wanted.scope.is_none_or(|scope| sent.scope == scope)
            && (!wanted.open || sent.status.is_open())
            && wanted.before.is_none_or(|before| place(sent) < before)
    };
    let mut found: Vec<_> = state.sent.values().filter(is_wanted).filter(|sent| may(sent)).collect();
    found.sort_by_key(|sent| std::cmp::Reverse(place(sent)));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| place(last));
    (found.into_iter().map(|sent| shown(state, sent)).collect(), next)
}

/// One invitation, for admins.
#[must_use]
pub fn one(state: &State, id: InviteId) -> Option<SentView> {
    state.sent.get(&id).map(|sent| shown(state, sent))
}

fn shown(state: &State, sent: &SentInvite) -> SentView {
    let claimant = sent.claimant.as_ref();
    SentView {
        id: sent.id,
        scope: sent.scope,
        name: state.scope(sent.scope).map(|scope| scope.head.settings.name.clone()).unwrap_or_default(),
        address: sent.address.clone(),
        by: people::person(state, sent.by),
        grade: sent.grade,
        history: sent.floor,
        until: sent.until,
        time: sent.time,
        expires: sent.expires,
        status: sent.status,
        by_link: sent.link.is_some(),
        claimant: claimant.map(|claimant| people::of_profile(state, claimant.user, &claimant.profile)),
    }
}

/// What an invitation's link is for, for who holds its secret.
#[must_use]
pub fn link(state: &State, sent: &SentInvite, expires: Millis) -> Option<LinkView> {
    let scope = state.scope(sent.scope)?;
    let domain = sent.address.rsplit_once('@').map(|(_, domain)| domain)?;
    Some(LinkView {
        workspace: people::home(state, state.me()?),
        name: scope.head.settings.name.clone(),
        kind: scope.head.kind,
        inviter: people::person(state, sent.by).name,
        address: sent.address.clone(),
        grade: sent.grade,
        history: sent.floor,
        until: sent.until,
        expires,
        home: home_of(state, domain).map(|home| people::home(state, home)),
    })
}

/// The workspace of a domain: the own one, or an active peer.
#[must_use]
pub fn home_of(state: &State, domain: &str) -> Option<WorkspaceId> {
    let me = state.me().filter(|me| crate::protocol::people::domain_is(state, *me, domain));
    me.or_else(|| crate::protocol::people::homes_of_domain(state, domain).next())
}

/// Claims of one user, or of all that wait for a peering.
#[must_use]
pub fn claims(state: &State, of: Option<UserId>) -> Vec<ClaimView> {
    let wanted = |claim: &Claim| match of {
        Some(user) => claim.user == user,
        None => claim.status == ClaimStatus::Peering,
    };
    let mut found: Vec<_> = state.claims.values().filter(|claim| wanted(claim)).collect();
    found.sort_by_key(|claim| std::cmp::Reverse(claim.time));
    let view = |claim: &Claim| ClaimView {
        id: claim.id,
        user: people::person(state, claim.user),
        workspace: people::home(state, claim.owner),
        endpoints: claim.endpoints.clone(),
        time: claim.time,
        status: claim.status,
    };
    found.into_iter().map(|claim| view(claim)).collect()
}

/// What the holder of a link takes to his home: the inviting workspace, where it listens, and the secret.
#[must_use]
pub fn code(state: &State, secret: &str) -> String {
    let own = state.me().and_then(|me| state.homes.get(&me));
    let endpoints = own.map(|home| home.manifest.endpoints.join(",")).unwrap_or_default();
    let id = own.map(|home| home.id.to_string()).unwrap_or_default();
    format!("comity-invitation/1 {id} {endpoints} {secret}")
}

/// Reads what [`code`] gives. `None`: it is something else.
#[must_use]
pub fn parse_code(text: &str) -> Option<claim::Code> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["comity-invitation/1", owner, rest @ ..] = words.as_slice() else { return None };
    let (endpoints, secret) = match rest {
        [endpoints, secret] => (endpoints.split(',').map(str::to_owned).collect(), secret),
        [secret] => (Vec::new(), secret),
        _ => return None,
    };
    let bounded = text.len() <= 4096 && secret.len() <= 128;
    let link = crate::protocol::account::link_hash(secret);
    owner.parse().ok().filter(|_| bounded).map(|owner| claim::Code { owner, endpoints, link })
}
