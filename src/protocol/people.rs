//! People of this workspace (P1): accounts, tokens, names, standing.
//!
//! Duty: the rows of users. Never: users of other homes, who are known only as members of scopes.

use std::collections::BTreeSet;

use super::{
    Draft, Reject, Reply, State, account,
    address::Address,
    command::RejectCode,
    fanout, leaving, membership,
    row::{PeerStatus, Purpose, Role, Row, RowKey, Session, Told, User, Way},
};
use crate::{
    crypto::Secret,
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine,
        frames::Item,
        objects::{Op, Profile, Statement, Word, WorkspaceKind},
    },
};

/// Whether this node is a realm of free accounts (P1.2).
#[must_use]
pub fn is_realm(state: &State) -> bool {
    let own = state.me().and_then(|me| state.homes.get(&me));
    own.is_some_and(|home| home.manifest.kind == WorkspaceKind::Free)
}

/// The name of the own workspace.
#[must_use]
pub fn own_name(state: &State) -> String {
    let own = state.me().and_then(|me| state.homes.get(&me));
    own.map(|home| home.manifest.name.clone()).unwrap_or_default()
}

/// It was shown that the address of a free account is its person's (P1.2).
///
/// # Errors
/// There is no such user.
pub(super) fn verify(draft: &mut Draft<'_>, id: UserId) -> Result<Reply, Reject> {
    let row = account(draft, id)?;
    draft.put(Row::User(User { verified: true, ..row }));
    draft.note(AuditLine::of("user.verified").by(id));
    show_anew(draft, id)
}

/// Whether the user has a free account: his home is a realm.
#[must_use]
pub fn is_free(state: &State, user: UserId) -> bool {
    state.homes.get(&user.home()).is_some_and(|home| home.manifest.kind == WorkspaceKind::Free)
}

/// Whether a home may say that one of its users has this address: within its own domain, or, for a free account, an e-mail
/// that is of no workspace that is known here (spec 6.8). Who has no name there has no address elsewhere either.
#[must_use]
pub fn may_vouch(state: &State, home: WorkspaceId, address: &str) -> bool {
    let Some(domain) = address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()) else {
        return false;
    };
    let Some(known) = state.homes.get(&home).map(|home| &home.manifest) else { return false };
    match known.kind {
        WorkspaceKind::Workspace => known.domain == domain,
        WorkspaceKind::Free => !state.homes.values().any(|home| {
            home.manifest.kind == WorkspaceKind::Workspace
                && home.manifest.domain == domain
                && (Some(home.id) == state.me() || state.peers.contains_key(&home.id))
        }),
    }
}

/// Whether a workspace claims a domain.
#[must_use]
pub fn domain_is(state: &State, workspace: WorkspaceId, domain: &str) -> bool {
    state.homes.get(&workspace).is_some_and(|home| home.manifest.domain == domain)
}

/// Active peers whose people have addresses of a domain.
pub fn homes_of_domain<'a>(state: &'a State, domain: &'a str) -> impl Iterator<Item = WorkspaceId> + 'a {
    let named = move |id: &WorkspaceId| {
        let home = state.homes.get(id).map(|home| &home.manifest);
        home.is_some_and(|home| home.domain == domain && home.kind == WorkspaceKind::Workspace)
    };
    let active = state.peers.values().filter(|peer| peer.status == PeerStatus::Active).map(|peer| peer.id);
    active.filter(named)
}

/// The user of this home with an address. In a realm the address is an e-mail of the person's own.
#[must_use]
pub fn find(state: &State, address: &str) -> Option<UserId> {
    let address = address.trim().to_lowercase();
    if is_realm(state) {
        return state.locals.get(&address).copied();
    }
    let (local, domain) = address.rsplit_once('@')?;
    let own = state.me().and_then(|me| state.homes.get(&me)).map(|home| &home.manifest.domain)?;
    state.locals.get(local).copied().filter(|_| domain == own)
}

/// The address of a user of this home.
#[must_use]
pub fn address_of(state: &State, user: UserId) -> Option<String> {
    let row = state.users.get(&user)?;
    if is_realm(state) {
        return Some(row.local.clone());
    }
    let domain = &state.homes.get(&state.me()?)?.manifest.domain;
    Some(format!("{}@{domain}", row.local))
}

/// Somebody without a workspace who makes an account in this realm.
#[derive(Clone, Debug)]
pub struct Free {
    /// His own e-mail.
    pub address: Address,
    /// The display name.
    pub name: String,
    /// Whether he has shown that the e-mail is his.
    pub verified: bool,
    /// The hash of his password.
    pub password: Secret,
    /// The session that begins with that: the hash of its token, and what the client calls itself.
    pub session: (Hash, String),
}

/// A free account is made (P1.2), and its owner signed in.
///
/// # Errors
/// This is no realm, the address is taken, or the name is malformed.
pub fn add_free(draft: &mut Draft<'_>, free: Free) -> Result<Reply, Reject> {
    let Free { address, name, verified, password, session: (token, agent) } = free;
    if !is_realm(&draft.state) {
        return Err(Reject::new(RejectCode::Invalid, "free accounts are made in a realm"));
    }
    check_name(&name)?;
    let local = address.key();
    if draft.state.locals.contains_key(&local) {
        let why = "there is an account with this address: sign in with it, then accept";
        return Err(Reject::new(RejectCode::Conflict, why));
    }
    let id = UserId::new(draft.me(), draft.random());
    let (title, blocked, role) = (String::new(), Vec::new(), Role::Member);
    draft.put(Row::User(User { id, local, name, role, title, verified, blocked, told: Told::default() }));
    draft.note(AuditLine::of("user.added").by(id).saying("free account"));
    account::set_password(draft, id, password.reveal().to_owned(), account::Which::All)?;
    let (made, expires) = (draft.ctx.now, Some(draft.ctx.now.plus(limits::SESSION_MILLIS)));
    account::open(draft, Session { token, user: id, way: Way::SignedIn { agent }, made, expires })?;
    Ok(Reply::User(id))
}

/// How a user of this home is shown, here and wherever he is a member (P1.1).
#[must_use]
pub fn profile(state: &State, user: UserId) -> Option<Profile> {
    let (row, address) = (state.users.get(&user)?, address_of(state, user)?);
    let (name, title, verified) = (row.name.clone(), row.title.clone(), row.verified);
    Some(Profile { address, name, title, verified })
}

/// A user is added.
///
/// # Errors
/// The local part is taken or malformed.
pub fn add(draft: &mut Draft<'_>, local: &str, name: String, role: Role) -> Result<Reply, Reject> {
    let local = local.to_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '+');
    if local.is_empty() || local.len() > 64 || !local.chars().all(plain) {
        return Err(Reject::new(
            RejectCode::Invalid,
            "local: 1 to 64 of a-z, 0-9 and . - _ + (what stands before the @)",
        ));
    }
    check_name(&name)?;
    if !role.has_access() {
        return Err(Reject::new(RejectCode::Invalid, "role: member or admin"));
    }
    if let Some(user) = draft.state.locals.get(&local) {
        return Err(Reject::new(RejectCode::Conflict, format!("local: `{local}` is taken by {user}")));
    }
    let id = UserId::new(draft.me(), draft.random());
    draft.put(Row::User(User {
        id,
        local,
        name,
        role,
        title: String::new(),
        verified: true,
        blocked: Vec::new(),
        told: Told::default(),
    }));
    draft.note(AuditLine::of("user.added").saying(id.to_string()));
    Ok(Reply::User(id))
}

pub(super) fn check_name(name: &str) -> Result<(), Reject> {
    if name.trim().is_empty() || name.len() > limits::NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Reject::new(
            RejectCode::Invalid,
            format!("name: 1 to {} bytes without control characters", limits::NAME_BYTES),
        ));
    }
    Ok(())
}

pub(super) fn user(draft: &Draft<'_>, id: UserId) -> Result<User, Reject> {
    draft.state.users.get(&id).map(|user| (**user).clone()).ok_or_else(Reject::not_found)
}

/// A user is shown by a new name, here and wherever he is a member (P1.1).
///
/// # Errors
/// There is no such user, or the name is malformed.
pub fn rename(draft: &mut Draft<'_>, id: UserId, name: String) -> Result<Reply, Reject> {
    check_name(&name)?;
    let row = account(draft, id)?;
    draft.put(Row::User(User { name, ..row }));
    show_anew(draft, id)
}

/// A user says what he does, here and wherever he is a member; empty: nothing (P1.1).
///
/// # Errors
/// There is no such user, or the title is malformed.
pub fn set_title(draft: &mut Draft<'_>, id: UserId, title: String) -> Result<Reply, Reject> {
    let title = title.trim().to_owned();
    if title.len() > limits::TITLE_BYTES || title.chars().any(char::is_control) {
        let rule = format!("title: at most {} bytes without control characters", limits::TITLE_BYTES);
        return Err(Reject::new(RejectCode::Invalid, rule));
    }
    let row = account(draft, id)?;
    draft.put(Row::User(User { title, ..row }));
    show_anew(draft, id)
}

/// Of what a user wants to be told where he does not look. Nobody else learns it.
///
/// # Errors
/// There is no such user.
pub fn set_told(draft: &mut Draft<'_>, id: UserId, told: Told) -> Result<Reply, Reject> {
    let row = account(draft, id)?;
    if row.told != told {
        draft.put(Row::User(User { told, ..row }));
    }
    Ok(Reply::Done)
}

/// Everybody who shows the user hears how.
fn show_anew(draft: &mut Draft<'_>, id: UserId) -> Result<Reply, Reject> {
    let Some(profile) = profile(&draft.state, id) else { return Ok(Reply::Done) };
    shown(draft, id, &profile)?;
    for owner in owners_of(draft, id) {
        let word = Word::Profile { user: id, profile: profile.clone() };
        let statement = draft.sign(Statement { word, time: draft.ctx.now }, Some(owner)).bytes().clone();
        draft.feed(owner, &Item::Statement { statement });
    }
    Ok(Reply::Done)
}

/// Peers in whose scopes the user is.
pub(super) fn owners_of(draft: &Draft<'_>, user: UserId) -> BTreeSet<WorkspaceId> {
    let owners = places(draft, user).into_iter();
    let owners = owners.filter_map(|scope| draft.state.scope(scope).map(|scope| scope.head.owner));
    owners.filter(|owner| *owner != draft.me() && fanout::is_linked(&draft.state, *owner)).collect()
}

fn places(draft: &Draft<'_>, user: UserId) -> Vec<ScopeId> {
    draft.state.places.get(&user).into_iter().flatten().copied().collect()
}

/// A member is shown differently in every scope owned here.
///
/// # Errors
/// Never in practice: scopes that are over are skipped.
pub fn shown(draft: &mut Draft<'_>, user: UserId, profile: &Profile) -> Result<(), Reject> {
    for id in places(draft, user) {
        let alive = draft.state.scope(id).is_some_and(|scope| !scope.head.ended);
        if alive && draft.state.owns(id) {
            membership::append(draft, id, user, vec![Op::Profile { user, profile: profile.clone() }])?;
        }
    }
    Ok(())
}

/// A user's standing changes. Suspension ends every membership, here and abroad, and every token (P7.5); it can be
/// lifted, but what it ended needs new invitations.
///
/// # Errors
/// There is no such user, he was removed, or he is the last admin.
pub fn set_role(draft: &mut Draft<'_>, id: UserId, role: Role) -> Result<Reply, Reject> {
    if role == Role::Removed {
        return Err(Reject::new(
            RejectCode::Invalid,
            "role: member, admin or suspended; a removal is for good and its own act",
        ));
    }
    let row = account(draft, id)?;
    if row.role == role {
        return Ok(Reply::Already);
    }
    stand(draft, row, role)?;
    draft.audit("user.role", Some(id), None, None, format!("{role:?}"));
    Ok(Reply::Done)
}

/// A user's account ends for good, with every membership and token (P7.5). Neither his id nor his address is ever given
/// to somebody else: partners invite and know people by address, and a successor would get what was meant for him.
///
/// # Errors
/// There is no such user, or he is the last admin.
pub fn remove(draft: &mut Draft<'_>, id: UserId) -> Result<Reply, Reject> {
    let row = user(draft, id)?;
    if row.role == Role::Removed {
        return Ok(Reply::Already);
    }
    stand(draft, row, Role::Removed)?;
    draft.audit("user.removed", Some(id), None, None, String::new());
    Ok(Reply::Done)
}

fn stand(draft: &mut Draft<'_>, row: User, role: Role) -> Result<(), Reject> {
    let id = row.id;
    let others = draft.state.users.values().filter(|user| user.role == Role::Admin && user.id != id).count();
    if row.role == Role::Admin && role != Role::Admin && others == 0 {
        return Err(Reject::new(
            RejectCode::Forbidden,
            "role: this is the last admin; make another one first",
        ));
    }
    draft.put(Row::User(User { role, ..row }));
    if !role.has_access() {
        account::drop_sessions(draft, id, account::Which::All);
        account::withdraw_links(draft, |purpose| purpose == Purpose::Password(id));
        draft.delete(RowKey::Credential(id));
    }
    if role.has_access() { Ok(()) } else { leaving::offboard(draft, id) }
}

/// A user who has access.
///
/// # Errors
/// There is no such user, or the account ended or is suspended.
pub(super) fn may_sign_in(draft: &Draft<'_>, id: UserId) -> Result<User, Reject> {
    let row = account(draft, id)?;
    if row.role.has_access() {
        return Ok(row);
    }
    Err(Reject::new(RejectCode::Forbidden, "this account is suspended: lift that first"))
}

/// An account that was not removed.
pub(super) fn account(draft: &Draft<'_>, id: UserId) -> Result<User, Reject> {
    let row = user(draft, id)?;
    if row.role == Role::Removed {
        return Err(Reject::new(
            RejectCode::Closed,
            "this account was removed for good: add the person under a new address",
        ));
    }
    Ok(row)
}
