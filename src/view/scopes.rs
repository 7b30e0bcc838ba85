//! Groups and threads as their members see them (P5, P6).
//!
//! Duty: settings, members, recipients, and why a viewer reaches a thread. Never: a scope that the viewer is not in.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    inbox,
    people::{self, Home, Person},
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId},
    protocol::{
        State, attention, gate, lease, membership::empty_settings, policy, posting, row::InviteStatus,
        state::Scope,
    },
    time::Millis,
    wire::objects::{Floor, Grade, Member, Settings, ThreadKind},
};

/// The settings of a group or thread (P5, P3.4).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SettingsView {
    /// Name of a group, subject of a topic.
    pub name: String,
    /// Group: externals may be members.
    pub externals: bool,
    /// Group: every member may add members.
    pub open_invites: bool,
    /// Only admins may write.
    pub replies_off: bool,
    /// Thread: only starter and admins change recipients.
    pub locked: bool,
    /// No entries until it is opened again.
    pub closed: bool,
    /// Group: any member of the owner's workspace may join (P5.1).
    pub open: bool,
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        let Settings { name, externals, open_invites, replies_off, locked, closed, open } = settings.clone();
        Self { name, externals, open_invites, replies_off, locked, closed, open }
    }
}

/// A group or thread with the facts of its badges: for the directory, its own page and its settings (P4.1).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScopeView {
    /// Everything else.
    #[serde(flatten)]
    pub place: Place,
    /// Whether another workspace owns it (P4.1).
    pub external: bool,
    /// Whether it has members of other workspaces than its owner's (P4.1).
    pub has_externals: bool,
    /// What the viewer may do there.
    pub rights: Rights,
}

/// What somebody may do in a group or thread.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Rights {
    /// Change it, and who is in it.
    pub administers: bool,
    /// Add people, or invite them (P2.4).
    pub invites: bool,
    /// Why he may write no message now; null: he may, or it is a group.
    pub silent: Option<String>,
}

/// A group or thread without badges: so it stands in the inbox and among what was found (P4.2).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Place {
    /// Which.
    pub id: ScopeId,
    /// The kind of a thread; null for a group.
    pub kind: Option<ThreadKind>,
    /// The settings.
    pub settings: SettingsView,
    /// Who owns it.
    pub owner: Home,
    /// How long partners may show it without a word of its owner, in seconds.
    pub lease: u64,
    /// Direct members.
    pub members: usize,
    /// Group recipients of a thread.
    pub groups: Vec<Recipient>,
    /// The chat of a group.
    pub chat: Option<ThreadId>,
    /// Whether the viewer follows it, by his own word or by default; of a group: its chat. Null where nothing is shown.
    pub followed: Option<bool>,
    /// The message from which it was started, for who reads that (P6.4).
    pub from: Option<Origin>,
    /// Whom it waits for, if nothing of it may be shown now: then all else but `id`, `kind` and `owner` is empty.
    pub waiting_for: Option<Waiting>,
    /// Why nothing of it may be shown: its owner contradicted itself. Then as above.
    pub frozen: Option<String>,
}

/// A message from which a thread was started.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Origin {
    /// Its thread.
    pub thread: ThreadId,
    /// Its place.
    pub seq: u64,
}

/// Why nothing may be shown: the owner's lease ran out (P7.4).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Waiting {
    /// Whose word is awaited.
    pub workspace: Home,
    /// Since when.
    pub since: Millis,
}

/// A group to which a thread is addressed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Recipient {
    /// Which.
    pub id: GroupId,
    /// Its name, where it is known here.
    pub name: Option<String>,
    /// Whose.
    pub owner: Home,
}

/// A member.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberView {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// What he may do.
    pub grade: Grade,
    /// What history he has.
    pub history: Floor,
    /// Until when.
    pub until: Option<Millis>,
}

/// One way by which the viewer reaches a thread (P6.2).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Why {
    /// The thread itself, or a group.
    pub scope: ScopeId,
    /// Its name.
    pub name: String,
    /// Whether the viewer is a direct recipient.
    pub direct: bool,
    /// Who added the viewer there.
    pub by: Person,
    /// When.
    pub since: Millis,
    /// What he may do.
    pub grade: Grade,
}

/// An invitation of the viewer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InviteView {
    /// Which.
    pub id: crate::ids::InviteId,
    /// Into what.
    pub scope: ScopeId,
    /// Its name.
    pub name: String,
    /// Whose.
    pub from: Home,
    /// Who invites.
    pub inviter: String,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub history: Floor,
    /// Where it stands.
    pub status: InviteStatus,
}

/// A scope as the viewer sees it; `None`: it does not exist for him.
#[must_use]
pub fn scope(state: &State, viewer: UserId, id: ScopeId) -> Option<ScopeView> {
    let place = place(state, viewer, id)?;
    let scope = state.scope(id)?;
    let shown = place.waiting_for.is_none() && place.frozen.is_none();
    let rights = if shown { rights(state, viewer, scope) } else { Rights::default() };
    Some(ScopeView {
        place,
        rights,
        external: Some(scope.head.owner) != state.me(),
        has_externals: shown && scope.homes.keys().any(|home| *home != scope.head.owner),
    })
}

fn rights(state: &State, viewer: UserId, scope: &Scope) -> Rights {
    let said = scope.head.id.thread().map(|_| posting::may_say(state, viewer, scope));
    Rights {
        administers: policy::administers(state, viewer, scope),
        invites: policy::may_invite(state, viewer, scope).is_ok(),
        silent: said.and_then(Result::err).map(|why| why.detail),
    }
}

/// The same without its badges.
#[must_use]
pub fn place(state: &State, viewer: UserId, id: ScopeId) -> Option<Place> {
    let scope = state.scope(id)?;
    if gate::sees_scope(state, viewer, id) || policy::oversees(state, viewer, scope) {
        let origin = id.thread().and_then(|thread| attention::origin(state, viewer, thread));
        let from = origin.map(|origin| Origin { thread: origin.from, seq: origin.seq });
        let thread = id.thread().or_else(|| chat(state, id.group()?));
        let followed = thread.and_then(|thread| inbox::follows(state, viewer, thread));
        return Some(Place { from, followed, ..whole(state, scope) });
    }
    if let Some(why) = frozen(state, viewer, id) {
        return Some(Place { frozen: Some(why), ..placeholder(state, scope, None) });
    }
    waiting(state, viewer, id).map(|waiting| placeholder(state, scope, Some(waiting)))
}

/// Why the viewer is shown nothing there, and whom to ask; `None`: it is not frozen, or does not exist for him.
#[must_use]
pub fn frozen(state: &State, viewer: UserId, id: ScopeId) -> Option<String> {
    let why = gate::frozen(state, viewer, id)?;
    Some(format!("frozen: the owner contradicted itself; ask your admin ({why})"))
}

/// Whom the viewer waits for there; `None`: it is shown, or does not exist for him.
#[must_use]
pub fn waiting(state: &State, viewer: UserId, id: ScopeId) -> Option<Waiting> {
    let head = gate::waits_for(state, viewer, id)?;
    let since = lease::waiting_since(state, head)?;
    Some(Waiting { workspace: people::home(state, head.owner), since })
}

/// Groups and threads that the viewer is in, directly or through a group, shown or waiting.
#[must_use]
pub fn places(state: &State, viewer: UserId) -> BTreeSet<ScopeId> {
    let mut places = BTreeSet::new();
    for place in state.places.get(&viewer).into_iter().flatten() {
        places.insert(*place);
        let threads = place.group().and_then(|group| state.addressed.get(&group));
        places.extend(threads.into_iter().flatten().map(|thread| ScopeId::Thread(*thread)));
    }
    places
}

/// That it exists, and nothing else (spec 11.2).
fn placeholder(state: &State, scope: &Scope, waiting_for: Option<Waiting>) -> Place {
    let settings = SettingsView::from(&empty_settings());
    Place {
        id: scope.head.id,
        kind: scope.head.kind,
        settings,
        owner: people::home(state, scope.head.owner),
        lease: 0,
        members: 0,
        groups: Vec::new(),
        chat: scope.head.id.group().and_then(|group| chat(state, group)),
        followed: None,
        from: None,
        waiting_for,
        frozen: None,
    }
}

fn whole(state: &State, scope: &Scope) -> Place {
    let head = &scope.head;
    let chat = head.id.group().and_then(|group| chat(state, group));
    Place {
        id: head.id,
        kind: head.kind,
        settings: (&head.settings).into(),
        owner: people::home(state, head.owner),
        lease: head.ttl / 1000,
        members: scope.members.len(),
        groups: head.groups.iter().map(|at| recipient(state, at.group, at.owner)).collect(),
        chat,
        followed: None,
        from: None,
        waiting_for: None,
        frozen: None,
    }
}

fn recipient(state: &State, id: GroupId, owner: crate::ids::WorkspaceId) -> Recipient {
    let name = state.scope(id).map(|scope| scope.head.settings.name.clone());
    Recipient { id, name, owner: people::home(state, owner) }
}

/// The chat of a group.
#[must_use]
pub fn chat(state: &State, group: GroupId) -> Option<ThreadId> {
    state.chats.get(&group).copied()
}

/// Groups that the viewer is in, by name.
#[must_use]
pub fn groups(state: &State, viewer: UserId) -> Vec<ScopeView> {
    let places = state.places.get(&viewer).into_iter().flatten().filter(|id| id.group().is_some());
    let mut groups: Vec<_> = places.filter_map(|id| scope(state, viewer, *id)).collect();
    groups.sort_by(|a, b| (&a.place.settings.name, a.place.id).cmp(&(&b.place.settings.name, b.place.id)));
    groups
}

/// Members of a scope after `after`, in the order of their ids.
#[must_use]
pub fn members(
    state: &State,
    viewer: UserId,
    id: ScopeId,
    after: Option<UserId>,
    limit: usize,
) -> Option<Vec<MemberView>> {
    let sees = |scope: &Scope| gate::sees_scope(state, viewer, id) || policy::oversees(state, viewer, scope);
    let scope = state.scope(id).filter(|scope| sees(scope))?;
    let rest = scope.members.iter().filter(|(user, _)| after.is_none_or(|after| **user > after));
    Some(rest.take(limit).map(|(_, member)| self::member(state, member)).collect())
}

/// A member as the scope knows him.
pub(super) fn member(state: &State, member: &Member) -> MemberView {
    let person = people::of_profile(state, member.user, &member.profile);
    MemberView { person, grade: member.grade, history: member.floor, until: member.until }
}

/// Every path of the viewer to a thread (P6.2).
#[must_use]
pub fn why(state: &State, viewer: UserId, thread: ThreadId) -> Option<Vec<Why>> {
    let paths = gate::paths(state, viewer, thread);
    let all = paths.iter().map(|path| Why {
        scope: path.scope,
        name: state.scope(path.scope).map(|scope| scope.head.settings.name.clone()).unwrap_or_default(),
        direct: path.scope == ScopeId::Thread(thread),
        by: people::person(state, path.by),
        since: path.since,
        grade: path.grade,
    });
    (!paths.is_empty()).then(|| all.collect())
}

/// Invitations to the viewer that wait for his answer.
#[must_use]
pub fn invitations(state: &State, viewer: UserId) -> Vec<InviteView> {
    let mine = state.received.values().filter(|row| row.user == viewer && row.status == InviteStatus::Sent);
    let shown = mine.map(|row| InviteView {
        id: row.invite.id,
        scope: row.invite.scope,
        name: row.invite.name.clone(),
        from: people::home(state, row.owner),
        inviter: row.invite.inviter.name.clone(),
        grade: row.invite.grade,
        history: row.invite.floor,
        status: row.status,
    });
    shown.collect()
}
