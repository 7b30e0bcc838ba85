//! Answers to invitations (spec 6.2, 6.3): what arrives at a home, its consent, and the join that follows at the owner.
//!
//! Duty: a place only by the home's word (P2.5). Never: an answer that tells whether somebody exists.

use super::{
    Draft, Mark, Reject, Reply, claim,
    command::RejectCode,
    invite::{check_tombstone, void},
    membership, moved_account, people,
    policy::{self, Hearing},
    removal,
    row::{InviteStatus, ReceivedInvite, Row, SentInvite},
    state::Scope,
};
use crate::{
    ids::{InviteId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{Consent, Invite, Member, Op, Word},
    },
};

/// An invitation from an owner arrives at the home (spec 6.2). Whoever it does not concern gets no answer.
///
/// # Errors
/// The signature does not hold.
pub fn received(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let opened: Verified<Invite> = draft.open(bytes, Some(draft.me()), peer)?;
    let (hash, invite) = (opened.hash(), opened.into_object());
    let user = people::find(&draft.state, &invite.address);
    let Some(user) = user.filter(|user| welcome(draft, *user)) else {
        return Ok(());
    };
    let (id, hearing) = (invite.id, policy::hears(draft, peer, user, &invite));
    let status = match hearing {
        Hearing::Dropped => return Ok(()),
        Hearing::Held => InviteStatus::Held,
        Hearing::Asked | Hearing::Accepted => InviteStatus::Sent,
    };
    let first = !draft.state.received.contains_key(&(id, user));
    draft.audit("invite.received", Some(invite.by), Some(peer), Some(invite.scope), user.to_string());
    draft.put(Row::Received(ReceivedInvite { user, owner: peer, invite, hash, status }));
    if hearing == Hearing::Held {
        return Ok(());
    }
    draft.mark(Mark::Invited(user, id));
    if hearing == Hearing::Accepted || (first && claim::is_claimed(draft, peer, user, id)) {
        answer(draft, user, id, true)?;
    }
    Ok(())
}

fn welcome(draft: &Draft<'_>, user: UserId) -> bool {
    let waiting = draft
        .state
        .received
        .values()
        .filter(|held| held.user == user && matches!(held.status, InviteStatus::Sent | InviteStatus::Held))
        .count();
    let standing = draft.state.users.get(&user).is_some_and(|row| row.role.has_access());
    standing && waiting < limits::INVITES_PER_USER
}

/// A user answers; the home's consent goes to the owner.
///
/// # Errors
/// There is no such invitation of this user, or it was answered otherwise before, or is over.
pub fn answer(draft: &mut Draft<'_>, user: UserId, id: InviteId, accept: bool) -> Result<Reply, Reject> {
    let held =
        draft.state.received.get(&(id, user)).map(|held| (**held).clone()).ok_or_else(Reject::not_found)?;
    if accept && held.status == InviteStatus::Held {
        return Err(Reject::not_found());
    }
    let status = if accept { InviteStatus::Accepted } else { InviteStatus::Declined };
    if !matches!(held.status, InviteStatus::Sent | InviteStatus::Held) {
        // Who does not want what is over has what he wants.
        let as_wanted = held.status == status || !accept && held.status != InviteStatus::Accepted;
        return if as_wanted {
            Ok(Reply::Already)
        } else {
            Err(Reject::new(RejectCode::Closed, over(held.status)))
        };
    }
    let (owner, scope) = (held.owner, held.invite.scope);
    let line = AuditLine::of("invite.answered").by(user).with(owner).at(scope);
    if accept {
        let profile = people::profile(&draft.state, user).ok_or_else(Reject::not_found)?;
        let (hash, time) = (held.hash, draft.ctx.now);
        let consent = draft.sign(Consent { invite: id, hash, scope, user, profile, time }, Some(owner));
        draft.note(line.saying("accepted").proven(Proof::of(&consent, draft.me(), Some(owner))));
        draft.feed(owner, &Item::Consent { consent: consent.bytes().clone() });
    } else {
        draft.note(line.saying("declined"));
        removal::state(draft, owner, Word::Decline { invite: id });
    }
    draft.put(Row::Received(ReceivedInvite { status, ..held }));
    draft.mark(Mark::Invited(user, id));
    Ok(Reply::Done)
}

/// Why an invitation takes no answer any more.
fn over(status: InviteStatus) -> &'static str {
    match status {
        InviteStatus::Accepted => "you accepted this invitation: leave the conversation to be out of it",
        InviteStatus::Declined => "you declined this invitation: ask its sender for a new one",
        InviteStatus::Expired => "this invitation ended unanswered: ask its sender for a new one",
        _ => "this invitation was withdrawn: ask its sender for a new one",
    }
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
    if !people::may_vouch(&draft.state, peer, &consent.profile.address) {
        return Err(Reject::new(RejectCode::WrongHome, "an address counts only from the home of its domain"));
    }
    let Some(scope) = draft.state.scope(sent.scope).cloned() else {
        return Ok(());
    };
    let lives = moved_account::lives(&draft.state, consent.user);
    let removed_since =
        scope.head.tombstones.iter().any(|(user, epoch)| lives.contains(user) && *epoch > sent.epoch);
    if removed_since && sent.status == InviteStatus::Sent {
        void(draft, sent);
        return Ok(());
    }
    let back = !removed_since && check_tombstone(draft, sent.by, &scope, consent.user).is_ok();
    let open = sent.status == InviteStatus::Sent && back && !scope.head.ended;
    if !open
        || policy::externals_allowed(&draft.state, &scope).is_err()
        || policy::admits(&draft.state, &scope, peer).is_err()
    {
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

/// The owner took an invitation to our user back.
pub fn revoked(draft: &mut Draft<'_>, peer: WorkspaceId, invite: InviteId) {
    let held =
        draft.state.received.values().find(|held| held.invite.id == invite && held.owner == peer).cloned();
    if let Some(held) = held.filter(|held| matches!(held.status, InviteStatus::Sent | InviteStatus::Held)) {
        draft.put(Row::Received(ReceivedInvite { status: InviteStatus::Void, ..(*held).clone() }));
        draft.mark(Mark::Invited(held.user, invite));
    }
}
