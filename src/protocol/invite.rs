//! Invitations and consents (spec 6): how people of other homes come in.
//!
//! Duty: sending, answering, and the join that follows a consent. Never: a look-up that tells whether
//! an account exists, a join without the home's word (P2.5).

use super::{
    Draft, Reject, Reply, account, claim,
    command::RejectCode,
    fanout, follow,
    letter::{self, Place, What},
    membership, moved_account, people, policy, removal,
    resolve::{self, To, no_way_back},
    row::{Claimant, InviteStatus, Purpose, Row, SentInvite},
    state::Scope,
};
use crate::{
    crypto::Secret,
    ids::{Hash, InviteId, ScopeId, UserId, WorkspaceId},
    limits,
    time::Millis,
    wire::{
        frames::Item,
        objects::{Extensions, Floor, Grade, Invite, Member, Op, Profile, ThreadKind, Word},
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

/// A user invites an address. One of this home joins at once; of a peer's domain, the peer is asked; anybody else gets an
/// e-mail, or the inviter a link to pass on (P2.3).
///
/// # Errors
/// The inviter may not, or the scope takes no externals.
pub fn invite(draft: &mut Draft<'_>, actor: UserId, offer: Offer) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, offer.scope)?;
    let (address, to) = resolve::foresee(&draft.state, actor, &scope, &offer.address, offer.grade)?;
    let home = to.home(draft.me());
    policy::count_invitation(draft, actor, home)?;
    if let To::Local(user) = to {
        return add_local(draft, actor, &scope, user, offer.grade, offer.floor, offer.until);
    }
    send(draft, actor, &scope, Offer { address: address.to_string(), ..offer }, home)
}

/// How long an invitation waits for its answer (P2.3, P8).
fn patience(draft: &Draft<'_>) -> u64 {
    draft.state.rules.workspace.days.saturating_mul(limits::DAY_MILLIS)
}

/// An invitation to a peer, or by e-mail.
fn send(
    draft: &mut Draft<'_>,
    actor: UserId,
    scope: &Scope,
    offer: Offer,
    home: Option<WorkspaceId>,
) -> Result<Reply, Reject> {
    let mine = || draft.state.open_offers(offer.scope);
    if let Some(open) = mine().find(|sent| sent.address.eq_ignore_ascii_case(&offer.address)) {
        return Ok(Reply::Invited(open.id));
    }
    if mine().count() >= limits::INVITES_PER_SCOPE {
        return Err(Reject::new(RejectCode::Quota, "too many open invitations: take some back first"));
    }
    let Offer { scope: id_of, address, grade, floor, until } = offer;
    let now = draft.ctx.now;
    let sent = SentInvite {
        id: InviteId(draft.random()),
        scope: id_of,
        address,
        home: home.unwrap_or(draft.me()),
        by: actor,
        grade,
        floor,
        until,
        epoch: scope.head.epoch,
        time: now,
        hash: Hash::ZERO,
        status: InviteStatus::Sent,
        expires: Some(now.plus(patience(draft))),
        link: None,
        claimant: None,
    };
    draft.audit("invite.sent", Some(actor), home, Some(id_of), String::new());
    if home.is_some() {
        let id = sent.id;
        address_to_home(draft, sent);
        return Ok(Reply::Invited(id));
    }
    give_link(draft, sent)
}

/// A new link for an invitation; an older one stops working. By mail if that is set up, else for the inviter to pass on.
fn give_link(draft: &mut Draft<'_>, sent: SentInvite) -> Result<Reply, Reject> {
    let id = sent.id;
    account::withdraw_links(draft, |purpose| purpose == Purpose::Join(id));
    let mailed = draft.state.uptime.mails.then(|| sent.address.clone());
    let millis = patience(draft);
    let (path, link) = account::make_link(draft, Purpose::Join(id), millis, mailed.clone());
    let expires = Some(draft.ctx.now.plus(millis));
    let sent = SentInvite { link: Some(link), expires, ..sent };
    draft.put(Row::Sent(sent.clone()));
    match mailed {
        Some(to) => {
            write_to(draft, &to, &sent, path)?;
            Ok(Reply::Invited(id))
        }
        None => Ok(Reply::Link(Some(id), path)),
    }
}

/// The letter that carries an invitation: who invites into what, and the link; nothing of what is written there.
fn write_to(draft: &mut Draft<'_>, to: &str, sent: &SentInvite, path: String) -> Result<(), Reject> {
    let scope = draft.state.scope(sent.scope).cloned().ok_or_else(Reject::not_found)?;
    let what = What::Invitation {
        scope_name: scope.head.settings.name.clone(),
        scope_kind: match scope.head.kind {
            None => Place::Group,
            Some(ThreadKind::Dm) => Place::Dm,
            Some(_) => Place::Thread,
        },
        inviter: profile_of(draft, sent.by, &scope).name,
        workspace: people::own_name(&draft.state),
        history: sent.floor,
        link: Secret::new(path),
        expires: sent.expires.unwrap_or(draft.ctx.now),
        grade: sent.grade,
    };
    letter::queue(draft, to, what).map(drop)
}

/// Signs the invitation for its home, and sends it there.
fn address_to_home(draft: &mut Draft<'_>, sent: SentInvite) {
    let Some(scope) = draft.state.scope(sent.scope).cloned() else { return };
    let signed = draft.sign(
        Invite {
            id: sent.id,
            scope: sent.scope,
            kind: scope.head.kind,
            name: scope.head.settings.name.clone(),
            address: sent.address.clone(),
            inviter: profile_of(draft, sent.by, &scope),
            by: sent.by,
            grade: sent.grade,
            floor: sent.floor,
            until: sent.until,
            epoch: sent.epoch,
            time: draft.ctx.now,
            extensions: Extensions::default(),
        },
        Some(sent.home),
    );
    draft.feed(sent.home, &Item::Invite { invite: signed.bytes().clone() });
    draft.put(Row::Sent(SentInvite { hash: signed.hash(), ..sent }));
}

/// An invitation whose claimant counts is for him from now on: at once at home here, else his home is asked (P1.5).
///
/// # Errors
/// The scope is gone, or takes him no more.
pub(super) fn bind(draft: &mut Draft<'_>, sent: SentInvite) -> Result<(), Reject> {
    let Some(Claimant { user, profile }) = sent.claimant.clone() else { return Ok(()) };
    let (home, address) = (user.home(), profile.address);
    if home != draft.me() {
        address_to_home(draft, SentInvite { home, address, ..sent });
        return Ok(());
    }
    let scope = policy::known_scope(&draft.state, sent.by, sent.scope)?;
    add_local(draft, sent.by, &scope, user, sent.grade, sent.floor, sent.until)?;
    draft.put(Row::Sent(SentInvite { address, status: InviteStatus::Accepted, ..sent }));
    Ok(())
}

/// An open invitation is sent again, with a new end.
///
/// # Errors
/// There is no such invitation that this user may send, or it was answered.
pub fn resend(draft: &mut Draft<'_>, actor: UserId, id: InviteId) -> Result<Reply, Reject> {
    let sent = sent_by(draft, actor, id)?;
    let open = matches!(sent.status, InviteStatus::Sent | InviteStatus::Expired);
    if !open {
        let why =
            "this invitation was answered, taken back or is claimed: make a new one, or answer the claim";
        return Err(Reject::new(RejectCode::Stale, why));
    }
    let scope = policy::own_scope(&draft.state, actor, sent.scope)?;
    policy::may_invite(&draft.state, actor, &scope)?;
    let expires = Some(draft.ctx.now.plus(patience(draft)));
    let sent = SentInvite { status: InviteStatus::Sent, expires, ..sent };
    draft.audit("invite.resent", Some(actor), None, Some(sent.scope), id.to_string());
    if sent.link.is_some() && sent.claimant.is_none() {
        return give_link(draft, sent);
    }
    address_to_home(draft, sent);
    Ok(Reply::Invited(id))
}

/// An invitation that this user sent, or whose scope he administers.
///
/// # Errors
/// There is none that he may know of, or he may not answer for it.
pub(super) fn sent_by(draft: &Draft<'_>, actor: UserId, id: InviteId) -> Result<SentInvite, Reject> {
    let sent = draft.state.sent.get(&id).map(|sent| (**sent).clone()).ok_or_else(Reject::not_found)?;
    let scope = policy::own_scope(&draft.state, actor, sent.scope)?;
    if sent.by != actor && !policy::administers(&draft.state, actor, &scope) {
        return Err(policy::forbidden("answer for an invitation of somebody else"));
    }
    Ok(sent)
}

/// How a user is shown: by his home's record here, or as the scope knows him.
#[must_use]
pub fn profile_of(draft: &Draft<'_>, user: UserId, scope: &Scope) -> Profile {
    let known = scope.members.get(&user).map(|member| member.profile.clone());
    let by_group = || {
        let groups = scope.head.groups.iter().filter_map(|at| draft.state.scope(at.group));
        groups.into_iter().find_map(|group| group.members.get(&user)).map(|member| member.profile.clone())
    };
    people::profile(&draft.state, user)
        .or(known)
        .or_else(by_group)
        .unwrap_or_else(|| Profile::new("unknown", "unknown"))
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
    let profile = people::profile(&draft.state, user).ok_or_else(Reject::not_found)?;
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
pub(super) fn check_tombstone(
    draft: &Draft<'_>,
    actor: UserId,
    scope: &Scope,
    user: UserId,
) -> Result<(), Reject> {
    let lives = moved_account::lives(&draft.state, user);
    let removed = scope.head.tombstones.iter().any(|(of, _)| lives.contains(of));
    if removed && actor != user && !policy::administers(&draft.state, actor, scope) {
        return Err(no_way_back());
    }
    Ok(())
}

/// An invitation is taken back by its inviter or an admin.
///
/// # Errors
/// There is no such invitation that this user may take back.
pub fn revoke(draft: &mut Draft<'_>, actor: UserId, id: InviteId) -> Result<Reply, Reject> {
    let sent = sent_by(draft, actor, id)?;
    if !sent.status.is_open() {
        return Ok(Reply::Already);
    }
    draft.audit("invite.revoked", Some(actor), Some(sent.home), Some(sent.scope), id.to_string());
    void(draft, sent);
    Ok(Reply::Done)
}

/// An invitation stops counting, and its home hears of it.
pub fn void(draft: &mut Draft<'_>, sent: SentInvite) {
    close(draft, sent, InviteStatus::Void);
}

fn close(draft: &mut Draft<'_>, sent: SentInvite, status: InviteStatus) {
    let (home, invite) = (sent.home, sent.id);
    claim::closed(draft, &sent);
    if status == InviteStatus::Void {
        account::withdraw_links(draft, |purpose| purpose == Purpose::Join(invite));
    }
    draft.put(Row::Sent(SentInvite { status, ..sent }));
    if fanout::is_linked(&draft.state, home) {
        removal::state(draft, home, Word::Revoke { invite });
    }
}

/// Nobody answered in time.
pub(super) fn expire(draft: &mut Draft<'_>, id: InviteId) {
    if let Some(sent) = draft.state.sent.get(&id).map(|sent| (**sent).clone()) {
        draft.audit("invite.expired", None, Some(sent.home), Some(sent.scope), id.to_string());
        close(draft, sent, InviteStatus::Expired);
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
    match send(draft, actor, &scope, offer, Some(home))? {
        Reply::Invited(id) => Ok(id),
        _ => Err(Reject::not_found()),
    }
}
