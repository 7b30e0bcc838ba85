//! Invitations and consents (spec 6): how people of other homes come in.
//!
//! Duty: sending, answering, and the join that follows a consent. Never: a look-up that tells whether
//! an account exists, a join without the home's word (P2.5).

use super::{
    Draft, Mark, Reject, Reply,
    command::RejectCode,
    fanout, follow, membership, policy, removal,
    row::{InvitePolicy, InviteStatus, PeerStatus, ReceivedInvite, Row, SentInvite},
    state::Scope,
};
use crate::{
    ids::{InviteId, ScopeId, UserId, WorkspaceId},
    limits,
    time::Millis,
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{Consent, Extensions, Floor, Grade, Invite, Member, Op, Profile, ThreadKind, Word},
    },
};

/// Whom, as what, with what history, for how long.
pub struct Offer {
    /// Into what.
    pub scope: ScopeId,
    /// Whom.
    pub address: String,
    /// As what.
    pub grade: Grade,
    /// With what history.
    pub floor: Floor,
    /// For how long.
    pub until: Option<Millis>,
}

/// A user invites an address. One of this home joins at once; of a peer's domain, the peer is asked.
///
/// # Errors
/// The inviter may not, the scope takes no externals, or no peer has the domain.
pub fn invite(draft: &mut Draft<'_>, actor: UserId, offer: Offer) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, offer.scope)?;
    policy::may_invite(&draft.state, actor, &scope)?;
    if matches!(scope.head.kind, Some(ThreadKind::Chat | ThreadKind::Dm)) {
        return Err(Reject::new(
            RejectCode::Invalid,
            "invite into the group itself, or start a topic thread",
        ));
    }
    if offer.grade > Grade::Post && !policy::administers(&draft.state, actor, &scope) {
        return Err(policy::forbidden("give more rights than to write: only admins may"));
    }
    let (local, home) = resolve(draft, &offer.address)?;
    if home == draft.me() {
        let user = draft.state.locals.get(&local).copied().ok_or_else(Reject::not_found)?;
        return add_local(draft, actor, &scope, user, offer.grade, offer.floor, offer.until);
    }
    policy::externals_allowed(&draft.state, &scope)?;
    if was_member(draft, &scope, &offer.address) && !policy::administers(&draft.state, actor, &scope) {
        return Err(no_way_back());
    }
    send(draft, actor, &scope, offer, home)
}

/// Whether somebody of another home came in by this address and is gone. What counts is [`consented`], which knows who
/// it is; here the inviter is told at once.
fn was_member(draft: &Draft<'_>, scope: &Scope, address: &str) -> bool {
    let is_his = |of: &str| of.eq_ignore_ascii_case(address);
    let came = |sent: &SentInvite| {
        sent.scope == scope.head.id && sent.status == InviteStatus::Accepted && is_his(&sent.address)
    };
    draft.state.sent.values().any(|sent| came(sent))
        && !scope.members.values().any(|member| is_his(&member.profile.address))
}

fn no_way_back() -> Reject {
    policy::forbidden("bring back somebody who was removed: only an admin may")
}

/// The local part and the workspace of an address: own, or an active peer's by its domain.
fn resolve(draft: &Draft<'_>, address: &str) -> Result<(String, WorkspaceId), Reject> {
    let (local, domain) = address
        .split_once('@')
        .filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
        .ok_or_else(|| Reject::new(RejectCode::Invalid, "an address looks like name@domain"))?;
    let me = draft.me();
    let of_domain =
        |id: &WorkspaceId| draft.state.homes.get(id).is_some_and(|home| home.manifest.domain == domain);
    if of_domain(&me) {
        return Ok((local.to_lowercase(), me));
    }
    let mut active =
        draft.state.peers.values().filter(|peer| peer.status == PeerStatus::Active && of_domain(&peer.id));
    match (active.next(), active.next()) {
        (Some(peer), None) => Ok((local.to_lowercase(), peer.id)),
        (None, _) => Err(Reject::new(
            RejectCode::Invalid,
            "no active peer has this domain: peer with its workspace first",
        )),
        (Some(_), Some(_)) => {
            Err(Reject::new(RejectCode::Invalid, "two peers claim this domain: pause one of them"))
        }
    }
}

fn send(
    draft: &mut Draft<'_>,
    actor: UserId,
    scope: &Scope,
    offer: Offer,
    home: WorkspaceId,
) -> Result<Reply, Reject> {
    let mine = || draft.state.open_offers(offer.scope);
    if let Some(open) = mine().find(|sent| sent.address == offer.address) {
        return Ok(Reply::Invited(open.id));
    }
    if mine().count() >= limits::INVITES_PER_SCOPE {
        return Err(Reject::new(RejectCode::Quota, "too many open invitations: take some back first"));
    }
    let id = InviteId(draft.random());
    let (time, epoch) = (draft.ctx.now, scope.head.epoch);
    let signed = draft.sign(
        Invite {
            id,
            scope: offer.scope,
            kind: scope.head.kind,
            name: scope.head.settings.name.clone(),
            address: offer.address.clone(),
            inviter: profile_of(draft, actor, scope),
            by: actor,
            grade: offer.grade,
            floor: offer.floor,
            until: offer.until,
            epoch,
            time,
            extensions: Extensions::default(),
        },
        Some(home),
    );
    let Offer { scope, address, grade, floor, until } = offer;
    let (hash, status) = (signed.hash(), InviteStatus::Sent);
    draft.put(Row::Sent(SentInvite {
        id,
        scope,
        address,
        home,
        by: actor,
        grade,
        floor,
        until,
        epoch,
        time,
        hash,
        status,
    }));
    draft.feed(home, &Item::Invite { invite: signed.bytes().clone() });
    draft.audit("invite.sent", Some(actor), Some(home), Some(scope), String::new());
    Ok(Reply::Invited(id))
}

/// How a user is shown: by his home's record here, or as the scope knows him.
#[must_use]
pub fn profile_of(draft: &Draft<'_>, user: UserId, scope: &Scope) -> Profile {
    let known = scope.members.get(&user).map(|member| member.profile.clone());
    let by_group = || {
        let groups = scope.head.groups.iter().filter_map(|at| draft.state.scope(at.group));
        groups.into_iter().find_map(|group| group.members.get(&user)).map(|member| member.profile.clone())
    };
    local_profile(draft, user)
        .or(known)
        .or_else(by_group)
        .unwrap_or_else(|| Profile { address: "unknown".into(), name: "unknown".into() })
}

/// The profile of a user of this home.
#[must_use]
pub fn local_profile(draft: &Draft<'_>, user: UserId) -> Option<Profile> {
    let row = draft.state.users.get(&user)?;
    let domain = &draft.state.homes.get(&draft.me())?.manifest.domain;
    Some(Profile { address: format!("{}@{domain}", row.local), name: row.name.clone() })
}

/// A place for a user of this home; the epoch is that of the event that will carry it.
///
/// # Errors
/// There is no such user, or he is suspended.
pub fn local_member(
    draft: &Draft<'_>,
    user: UserId,
    by: UserId,
    grade: Grade,
    floor: Floor,
    joined: u64,
) -> Result<Member, Reject> {
    let row = draft.state.users.get(&user).ok_or_else(Reject::not_found)?;
    if !row.role.has_access() {
        return Err(Reject::new(RejectCode::Forbidden, "this account is suspended or removed"));
    }
    let profile = local_profile(draft, user).ok_or_else(Reject::not_found)?;
    Ok(Member { user, grade, floor, joined, by, time: draft.ctx.now, until: None, profile })
}

fn add_local(
    draft: &mut Draft<'_>,
    actor: UserId,
    scope: &Scope,
    user: UserId,
    grade: Grade,
    floor: Floor,
    until: Option<Millis>,
) -> Result<Reply, Reject> {
    if scope.members.contains_key(&user) {
        return Ok(Reply::Already);
    }
    check_tombstone(draft, actor, scope, user)?;
    let mut member = local_member(draft, user, actor, grade, floor, scope.head.epoch + 1)?;
    member.until = until;
    membership::append(draft, scope.head.id, actor, vec![Op::Join { member, invite: None, consent: None }])?;
    follow::reopen_granted(draft, scope.head.id);
    draft.audit("member.added", Some(actor), None, Some(scope.head.id), user.to_string());
    Ok(Reply::Done)
}

/// Several users of this home join at once, in as few events as the limit allows.
///
/// # Errors
/// The actor may not, or a user does not exist.
pub fn add_members(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    users: Vec<UserId>,
    grade: Grade,
    floor: Floor,
) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_invite(&draft.state, actor, &scope)?;
    if matches!(scope.head.kind, Some(ThreadKind::Chat | ThreadKind::Dm)) {
        return Err(Reject::new(RejectCode::Invalid, "add people to the group itself"));
    }
    let mut seen = std::collections::BTreeSet::new();
    let new: Vec<_> =
        users.into_iter().filter(|user| !scope.members.contains_key(user) && seen.insert(*user)).collect();
    for chunk in new.chunks(limits::OPS_PER_EVENT) {
        let epoch = draft.state.scope(id).map_or(0, |scope| scope.head.epoch) + 1;
        let mut ops = Vec::with_capacity(chunk.len());
        for user in chunk {
            check_tombstone(draft, actor, &scope, *user)?;
            let member = local_member(draft, *user, actor, grade, floor, epoch)?;
            ops.push(Op::Join { member, invite: None, consent: None });
        }
        membership::append(draft, id, actor, ops)?;
        let added: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        draft.audit("member.added", Some(actor), None, Some(id), added.join(" "));
    }
    follow::reopen_granted(draft, id);
    Ok(if new.is_empty() { Reply::Already } else { Reply::Done })
}

/// Who was removed comes back only by somebody who could have removed him (spec 6.5, P2.4).
fn check_tombstone(draft: &Draft<'_>, actor: UserId, scope: &Scope, user: UserId) -> Result<(), Reject> {
    let removed = scope.head.tombstones.iter().any(|(of, _)| *of == user);
    if removed && actor != user && !policy::administers(&draft.state, actor, scope) {
        return Err(no_way_back());
    }
    Ok(())
}

/// An invitation from an owner arrives at the home (spec 6.2). Whoever it does not concern gets no answer.
///
/// # Errors
/// The signature does not hold.
pub fn received(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let opened: Verified<Invite> = draft.open(bytes, Some(draft.me()), peer)?;
    let (hash, invite) = (opened.hash(), opened.into_object());
    let policy = draft.state.peers.get(&peer).map_or(InvitePolicy::Refuse, |peer| peer.invites);
    let local = invite.address.split_once('@').map(|(local, _)| local.to_lowercase());
    let user = local.and_then(|local| draft.state.locals.get(&local).copied());
    let Some(user) = user.filter(|user| policy != InvitePolicy::Refuse && welcome(draft, *user, &invite))
    else {
        return Ok(());
    };
    let id = invite.id;
    draft.audit("invite.received", Some(invite.by), Some(peer), Some(invite.scope), user.to_string());
    draft.put(Row::Received(ReceivedInvite { user, owner: peer, invite, hash, status: InviteStatus::Sent }));
    draft.mark(Mark::Invited(user, id));
    if policy == InvitePolicy::Accept {
        answer(draft, user, id, true)?;
    }
    Ok(())
}

fn welcome(draft: &Draft<'_>, user: UserId, invite: &Invite) -> bool {
    let waiting = draft
        .state
        .received
        .values()
        .filter(|held| held.user == user && held.status == InviteStatus::Sent)
        .count();
    draft.state.users.get(&user).is_some_and(|row| {
        row.role.has_access() && !row.blocked.contains(&invite.by) && waiting < limits::INVITES_PER_USER
    })
}

/// A user answers; the home's consent goes to the owner.
///
/// # Errors
/// There is no such open invitation of this user.
pub fn answer(draft: &mut Draft<'_>, user: UserId, id: InviteId, accept: bool) -> Result<Reply, Reject> {
    let held =
        draft.state.received.get(&(id, user)).map(|held| (**held).clone()).ok_or_else(Reject::not_found)?;
    if held.status != InviteStatus::Sent {
        return Ok(Reply::Already);
    }
    let (owner, scope) = (held.owner, held.invite.scope);
    let line = AuditLine::of("invite.answered").by(user).with(owner).at(scope);
    if accept {
        let profile = local_profile(draft, user).ok_or_else(Reject::not_found)?;
        let (hash, time) = (held.hash, draft.ctx.now);
        let consent = draft.sign(Consent { invite: id, hash, scope, user, profile, time }, Some(owner));
        draft.note(line.saying("accepted").proven(Proof::of(&consent, draft.me(), Some(owner))));
        draft.feed(owner, &Item::Consent { consent: consent.bytes().clone() });
    } else {
        draft.note(line.saying("declined"));
        removal::state(draft, owner, Word::Decline { invite: id });
    }
    let status = if accept { InviteStatus::Accepted } else { InviteStatus::Declined };
    draft.put(Row::Received(ReceivedInvite { status, ..held }));
    draft.mark(Mark::Invited(user, id));
    Ok(Reply::Done)
}

/// A home's consent arrives at the owner: the join, if the invitation still stands (spec 6.3, 6.5).
///
/// # Errors
/// The signature does not hold, or somebody answers for another home.
pub fn consented(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let opened: Verified<Consent> = draft.open(bytes, Some(draft.me()), peer)?;
    let proof = Proof::of(&opened, peer, Some(draft.me()));
    let (consent_hash, consent) = (opened.hash(), opened.into_object());
    let Some(sent) = draft.state.sent.get(&consent.invite).map(|sent| (**sent).clone()) else {
        return Ok(());
    };
    let fits = sent.home == peer
        && consent.user.home() == peer
        && consent.hash == sent.hash
        && consent.scope == sent.scope;
    if !fits {
        return Err(Reject::new(
            RejectCode::WrongHome,
            "a consent counts only from the home that was invited, for that invitation",
        ));
    }
    let Some(scope) = draft.state.scope(sent.scope).cloned() else {
        return Ok(());
    };
    let removed_since =
        scope.head.tombstones.iter().any(|(user, epoch)| *user == consent.user && *epoch > sent.epoch);
    if removed_since && sent.status == InviteStatus::Sent {
        void(draft, sent);
        return Ok(());
    }
    let back = !removed_since && check_tombstone(draft, sent.by, &scope, consent.user).is_ok();
    let open = sent.status == InviteStatus::Sent && back && !scope.head.ended;
    if !open || policy::externals_allowed(&draft.state, &scope).is_err() {
        return Ok(());
    }
    join(draft, &scope, &sent, consent, (consent_hash, proof))
}

fn join(
    draft: &mut Draft<'_>,
    scope: &Scope,
    sent: &SentInvite,
    consent: Consent,
    (hash, proof): (crate::ids::Hash, Proof),
) -> Result<(), Reject> {
    let member = Member {
        user: consent.user,
        grade: sent.grade,
        floor: sent.floor,
        joined: scope.head.epoch + 1,
        by: sent.by,
        time: draft.ctx.now,
        until: sent.until,
        profile: consent.profile,
    };
    draft.put(Row::Sent(SentInvite { status: InviteStatus::Accepted, ..sent.clone() }));
    if scope.members.contains_key(&member.user) {
        return Ok(());
    }
    let op = Op::Join { member, invite: Some(sent.id), consent: Some(hash) };
    membership::append(draft, sent.scope, sent.by, vec![op])?;
    let line = AuditLine::of("member.joined").by(consent.user).with(sent.home).at(sent.scope);
    draft.note(line.proven(proof));
    Ok(())
}

/// An invitation is taken back by its inviter or an admin.
///
/// # Errors
/// There is no such invitation that this user may take back.
pub fn revoke(draft: &mut Draft<'_>, actor: UserId, id: InviteId) -> Result<Reply, Reject> {
    let sent = draft.state.sent.get(&id).map(|sent| (**sent).clone()).ok_or_else(Reject::not_found)?;
    let scope = policy::own_scope(&draft.state, actor, sent.scope)?;
    if sent.by != actor && !policy::administers(&draft.state, actor, &scope) {
        return Err(policy::forbidden("take back an invitation of somebody else"));
    }
    if sent.status != InviteStatus::Sent {
        return Ok(Reply::Already);
    }
    draft.audit("invite.revoked", Some(actor), Some(sent.home), Some(sent.scope), id.to_string());
    void(draft, sent);
    Ok(Reply::Done)
}

/// An invitation stops counting, and its home hears of it.
pub fn void(draft: &mut Draft<'_>, sent: SentInvite) {
    let (home, invite) = (sent.home, sent.id);
    draft.put(Row::Sent(SentInvite { status: InviteStatus::Void, ..sent }));
    if fanout::is_linked(&draft.state, home) {
        removal::state(draft, home, Word::Revoke { invite });
    }
}

/// What a statement of a peer says about invitations.
pub fn declined(draft: &mut Draft<'_>, peer: WorkspaceId, invite: InviteId) {
    if let Some(sent) = draft
        .state
        .sent
        .get(&invite)
        .filter(|sent| sent.home == peer && sent.status == InviteStatus::Sent)
        .cloned()
    {
        draft.put(Row::Sent(SentInvite { status: InviteStatus::Declined, ..(*sent).clone() }));
    }
}

/// The owner took an invitation to our user back.
pub fn revoked(draft: &mut Draft<'_>, peer: WorkspaceId, invite: InviteId) {
    let held =
        draft.state.received.values().find(|held| held.invite.id == invite && held.owner == peer).cloned();
    if let Some(held) = held.filter(|held| held.status == InviteStatus::Sent) {
        draft.put(Row::Received(ReceivedInvite { status: InviteStatus::Void, ..(*held).clone() }));
        draft.mark(Mark::Invited(held.user, invite));
    }
}

/// The other side of a DM is asked: DMs go to contacts and to whoever accepts (P2.4).
///
/// # Errors
/// The scope is gone.
pub fn invite_to_dm(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    address: String,
    home: WorkspaceId,
) -> Result<InviteId, Reject> {
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    let offer = Offer { scope: id, address, grade: Grade::Post, floor: Floor::All, until: None };
    match send(draft, actor, &scope, offer, home)? {
        Reply::Invited(id) => Ok(id),
        _ => Err(Reject::not_found()),
    }
}
