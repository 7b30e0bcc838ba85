//! Whom an address means, and whether he may be invited (spec 6.1; P2.2, P2.3).
//!
//! Duty: one answer for the act and for what is said of it before it is done. Never: a look-up that tells whether somebody
//! of another home exists; a count, a letter or a signature.

use super::{
    Reject, State,
    address::Address,
    command::RejectCode,
    people, policy,
    row::{InviteStatus, SentInvite},
    state::Scope,
};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    wire::objects::{Floor, Grade, ThreadKind},
};

/// Where an invitation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A user of this home.
    Local(UserId),
    /// A peer, whose domain the address has.
    Home(WorkspaceId),
    /// Whoever claims it by the link.
    Mail,
}

impl To {
    /// The home that is asked; none for a link.
    #[must_use]
    pub fn home(self, me: WorkspaceId) -> Option<WorkspaceId> {
        match self {
            Self::Local(_) => Some(me),
            Self::Home(home) => Some(home),
            Self::Mail => None,
        }
    }
}

/// The address, and where an invitation of it into what is owned here would go. Quotas are not looked at.
///
/// # Errors
/// The inviter may not, it is no address, or the scope takes no such person.
pub fn foresee(
    state: &State,
    actor: UserId,
    scope: &Scope,
    address: &str,
    grade: Grade,
) -> Result<(Address, To), Reject> {
    let address = may_name(state, actor, scope, address, grade)?;
    let to = resolve_for(state, actor, &address)?;
    policy::may_offer(state, actor, scope, grade, state.me().and_then(|me| to.home(me)))?;
    if !matches!(to, To::Local(_)) {
        policy::externals_allowed(state, scope)?;
        if was_member(state, scope, &address) && !policy::administers(state, actor, scope) {
            return Err(no_way_back());
        }
    }
    Ok((address, to))
}

/// What can be said before anything is looked up, wherever the scope is owned.
///
/// # Errors
/// The inviter may not, or it is no address.
pub fn may_name(
    state: &State,
    actor: UserId,
    scope: &Scope,
    address: &str,
    grade: Grade,
) -> Result<Address, Reject> {
    policy::may_invite(state, actor, scope)?;
    if matches!(scope.head.kind, Some(ThreadKind::Chat | ThreadKind::Dm)) {
        return Err(Reject::new(
            RejectCode::Invalid,
            "invite into the group itself, or start a topic thread",
        ));
    }
    if grade > Grade::Post && !policy::administers(state, actor, scope) {
        return Err(policy::forbidden("give more rights than to write: only admins may"));
    }
    let address = Address::parse(address)?;
    policy::colleagues(state, actor, scope, address.domain())?;
    Ok(address)
}

/// What history somebody gets of whom nothing was said (P2.6): all of a thread; of a group all for its owner's own people, and
/// for others what comes from now on.
#[must_use]
pub fn usual_floor(state: &State, scope: ScopeId, address: &str) -> Floor {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain.trim().to_lowercase()).unwrap_or_default();
    let own = |owner| people::domain_is(state, owner, &domain);
    let owners_own = state.scope(scope).is_some_and(|scope| own(scope.head.owner));
    if scope.thread().is_some() || owners_own { Floor::All } else { Floor::FromNow }
}

/// Whether somebody of another home came in by this address and is gone. What counts is decided at the consent, which knows
/// who it is; here the inviter is told at once.
fn was_member(state: &State, scope: &Scope, address: &Address) -> bool {
    let address = address.to_string();
    let is_his = |of: &str| of.eq_ignore_ascii_case(&address);
    let came = |sent: &SentInvite| {
        sent.scope == scope.head.id && sent.status == InviteStatus::Accepted && is_his(&sent.address)
    };
    state.sent.values().any(|sent| came(sent))
        && !scope.members.values().any(|member| is_his(&member.profile.address))
}

/// Who was removed is brought back by those who could have removed him (P2.4).
pub(super) fn no_way_back() -> Reject {
    policy::forbidden("bring back somebody who was removed: only an admin may")
}

/// With whom a conversation of two would be: somebody of this home, or whoever has the address at a peer.
///
/// # Errors
/// It is no address, there is no such colleague, or no active peer has the domain.
pub(super) fn home_of(state: &State, address: &str) -> Result<(Option<UserId>, WorkspaceId), Reject> {
    match (resolve(state, &Address::parse(address)?)?, state.me()) {
        (To::Local(user), Some(me)) => Ok((Some(user), me)),
        (To::Home(home), _) => Ok((None, home)),
        _ => Err(Reject::new(
            RejectCode::Invalid,
            "no peer can be asked for this address: invite the person into a thread by e-mail",
        )),
    }
}

/// Whether the domain is this home's own, whose people are looked up here. The domain of a realm is for display: its people
/// have e-mails of their own.
fn is_own(state: &State, address: &Address) -> bool {
    state.me().is_some_and(|me| people::domain_is(state, me, address.domain())) && !people::is_realm(state)
}

/// Whose an address is, by its domain.
fn resolve(state: &State, address: &Address) -> Result<To, Reject> {
    if is_own(state, address) {
        return people::find(state, &address.key()).map(To::Local).ok_or_else(Reject::not_found);
    }
    let mut active = people::homes_of_domain(state, address.domain());
    match (active.next(), active.next()) {
        (Some(peer), None) if policy::resolves_for(state, peer, &address.key()) => Ok(To::Home(peer)),
        (Some(_) | None, None) => Ok(To::Mail),
        (_, Some(_)) => {
            Err(Reject::new(RejectCode::Invalid, "two peers claim this domain: pause one of them"))
        }
    }
}

/// The same for an inviter of another home: of the people here he reaches at once those whom he meets already; what becomes
/// of any other address of this domain looks alike to him, whether somebody has it or not (P3.1). It gets a letter.
fn resolve_for(state: &State, actor: UserId, address: &Address) -> Result<To, Reject> {
    if state.is_local(actor) || !is_own(state, address) {
        return resolve(state, address);
    }
    let met = people::find(state, &address.key()).filter(|user| policy::is_contact(state, actor, *user));
    Ok(met.map_or(To::Mail, To::Local))
}
