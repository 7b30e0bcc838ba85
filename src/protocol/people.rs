//! People of this workspace (P1): accounts, tokens, names, standing.
//!
//! Duty: the rows of users. Never: users of other homes, who are known only as members of scopes.

use super::{
    Draft, Reject, Reply,
    command::RejectCode,
    fanout, leaving, membership,
    row::{Role, Row, User},
};
use crate::{
    crypto::sha256,
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine,
        frames::Item,
        objects::{Op, Profile, Statement, Word},
    },
};

/// What is kept of a bearer token.
#[must_use]
pub fn token_hash(token: &str) -> Hash {
    sha256(&[b"comity/1 token", token.as_bytes()])
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
    draft.put(Row::User(User { id, local, name, role, tokens: Vec::new(), blocked: Vec::new() }));
    draft.note(AuditLine::of("user.added").saying(id.to_string()));
    Ok(Reply::User(id))
}

fn check_name(name: &str) -> Result<(), Reject> {
    if name.trim().is_empty() || name.len() > limits::NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Reject::new(
            RejectCode::Invalid,
            format!("name: 1 to {} bytes without control characters", limits::NAME_BYTES),
        ));
    }
    Ok(())
}

fn user(draft: &Draft<'_>, id: UserId) -> Result<User, Reject> {
    draft.state.users.get(&id).map(|user| (**user).clone()).ok_or_else(Reject::not_found)
}

/// A token for a user.
///
/// # Errors
/// There is no such user, or he has too many.
pub fn add_token(draft: &mut Draft<'_>, id: UserId, token: Hash) -> Result<Reply, Reject> {
    let mut row = account(draft, id)?;
    if !row.role.has_access() {
        return Err(Reject::new(RejectCode::Forbidden, "this account is suspended: lift that first"));
    }
    if row.tokens.len() >= limits::TOKENS_PER_USER {
        return Err(Reject::new(RejectCode::Quota, "too many tokens: revoke them first"));
    }
    row.tokens.push(token);
    draft.put(Row::User(row));
    draft.note(AuditLine::of("user.token").saying(id.to_string()));
    Ok(Reply::Done)
}

/// One token of a user stops working.
///
/// # Errors
/// There is no such user.
pub fn revoke_token(draft: &mut Draft<'_>, id: UserId, token: Hash) -> Result<Reply, Reject> {
    let mut row = user(draft, id)?;
    let before = row.tokens.len();
    row.tokens.retain(|held| *held != token);
    if row.tokens.len() == before {
        return Ok(Reply::Already);
    }
    draft.put(Row::User(row));
    draft.note(AuditLine::of("user.token-revoked").saying(id.to_string()));
    Ok(Reply::Done)
}

/// Every token of a user stops working.
///
/// # Errors
/// There is no such user.
pub fn revoke_tokens(draft: &mut Draft<'_>, id: UserId) -> Result<Reply, Reject> {
    let row = user(draft, id)?;
    draft.put(Row::User(User { tokens: Vec::new(), ..row }));
    draft.note(AuditLine::of("user.tokens-revoked").saying(id.to_string()));
    Ok(Reply::Done)
}

/// A user is shown by a new name, here and wherever he is a member (P1.1).
///
/// # Errors
/// There is no such user, or the name is malformed.
pub fn rename(draft: &mut Draft<'_>, id: UserId, name: String) -> Result<Reply, Reject> {
    check_name(&name)?;
    let row = account(draft, id)?;
    draft.put(Row::User(User { name, ..row }));
    let Some(profile) = super::invite::local_profile(draft, id) else {
        return Ok(Reply::Done);
    };
    shown(draft, id, &profile)?;
    let owners: std::collections::BTreeSet<WorkspaceId> = places(draft, id)
        .into_iter()
        .filter_map(|scope| draft.state.scope(scope).map(|scope| scope.head.owner))
        .filter(|owner| *owner != draft.me() && fanout::is_linked(&draft.state, *owner))
        .collect();
    for owner in owners {
        let word = Word::Profile { user: id, profile: profile.clone() };
        let statement = draft.sign(Statement { word, time: draft.ctx.now }, Some(owner)).bytes().clone();
        draft.feed(owner, &Item::Statement { statement });
    }
    Ok(Reply::Done)
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
    let tokens = if role.has_access() { row.tokens.clone() } else { Vec::new() };
    draft.put(Row::User(User { role, tokens, ..row }));
    if role.has_access() { Ok(()) } else { leaving::offboard(draft, id) }
}

/// An account that was not removed.
fn account(draft: &Draft<'_>, id: UserId) -> Result<User, Reject> {
    let row = user(draft, id)?;
    if row.role == Role::Removed {
        return Err(Reject::new(
            RejectCode::Closed,
            "this account was removed for good: add the person under a new address",
        ));
    }
    Ok(row)
}
