//! Claiming an invitation that went out by e-mail (spec 6.7 to 6.9; P1.5): the home's side and the owner's.
//!
//! Duty: a link becomes an invitation for one user, who has an account; the first valid claim wins. Never: a membership
//! without the home's consent, which follows as for any invitation.

use super::{
    Draft, Mark, Reject, Reply, account,
    command::RejectCode,
    gate, invite,
    letter::{self, What},
    moved_account, people, removal,
    row::{Claim, ClaimStatus, Claimant, InvitePolicy, InviteStatus, Link, Purpose, Row, SentInvite},
};
use crate::{
    crypto::Secret,
    ids::{Hash, InviteId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine,
        objects::{ClaimStand, Profile, Word},
    },
};

/// What the inviting node gives out for the home of whoever was invited: who it is, where it listens, and the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The inviting workspace.
    pub owner: WorkspaceId,
    /// Where it listens.
    pub endpoints: Vec<String>,
    /// The hash of the link's secret.
    pub link: Hash,
}

/// A user of this home shows the link of an invitation. The inviting node is not asked but told, over its peering.
///
/// # Errors
/// The account is suspended, this workspace refuses invitations from there, or too many claims wait.
pub fn claim(draft: &mut Draft<'_>, user: UserId, code: Code) -> Result<Reply, Reject> {
    people::may_sign_in(draft, user)?;
    let Code { owner, endpoints, link } = code;
    let id = Claim::id_of(owner, link);
    let standing = |held: &&std::sync::Arc<Claim>| held.is_open() || held.status == ClaimStatus::Accepted;
    if let Some(held) = draft.state.claims.get(&id).filter(standing) {
        return if held.user == user { Ok(Reply::Already) } else { Err(taken()) };
    }
    if draft.state.peers.get(&owner).is_some_and(|peer| peer.invites == InvitePolicy::Refuse) {
        let why = "your workspace takes no invitations from there: ask its admin";
        return Err(Reject::new(RejectCode::Forbidden, why));
    }
    if draft.state.claims.values().filter(|held| held.user == user && held.is_open()).count()
        >= limits::CLAIMS_PER_USER
    {
        return Err(Reject::new(RejectCode::Quota, "too many of your claims wait for an answer"));
    }
    let here = owner == draft.me();
    if here {
        open(draft, link)?;
    }
    let active = here || gate::peer_active(&draft.state, owner);
    let status = if active { ClaimStatus::Told } else { ClaimStatus::Peering };
    let time = draft.ctx.now;
    draft.put(Row::Claim(Claim { id, user, owner, endpoints, link, time, status, invite: None }));
    draft.note(AuditLine::of("claim.made").by(user).with(owner));
    if active {
        tell(draft, owner, link, user);
    }
    Ok(Reply::Done)
}

fn taken() -> Reject {
    Reject::new(RejectCode::Conflict, "somebody else of your workspace claims this invitation already")
}

fn tell(draft: &mut Draft<'_>, owner: WorkspaceId, link: Hash, user: UserId) {
    let Some(profile) = people::profile(&draft.state, user) else { return };
    if owner == draft.me() {
        heard(draft, owner, link, user, profile);
    } else {
        removal::state(draft, owner, Word::Claim { link, user, profile });
    }
}

/// After a peering became active: what waited for it.
pub(super) fn peered(draft: &mut Draft<'_>, owner: WorkspaceId) {
    let waits = |claim: &&std::sync::Arc<Claim>| claim.owner == owner && claim.status == ClaimStatus::Peering;
    let waiting: Vec<Claim> =
        draft.state.claims.values().filter(waits).map(|claim| (**claim).clone()).collect();
    for claim in waiting {
        tell(draft, owner, claim.link, claim.user);
        draft.put(Row::Claim(Claim { status: ClaimStatus::Told, ..claim }));
    }
}

/// The link and its invitation, if somebody may still claim it.
///
/// # Errors
/// Why not, for who holds the secret.
pub fn open(draft: &Draft<'_>, link: Hash) -> Result<(Link, SentInvite), Reject> {
    invitation(&draft.state, link, draft.ctx.now)
}

/// The same in a view.
///
/// # Errors
/// As [`open`].
pub fn invitation(
    state: &super::State,
    link: Hash,
    now: crate::time::Millis,
) -> Result<(Link, SentInvite), Reject> {
    let link = account::link(state, link, now)?;
    let Purpose::Join(id) = link.purpose else {
        return Err(Reject::new(
            RejectCode::Invalid,
            "this link is for a password, not an invitation: open it",
        ));
    };
    let sent = state.sent.get(&id).ok_or_else(Reject::not_found)?;
    let closed = |why: &str| Err(Reject::new(RejectCode::Closed, why));
    match sent.status {
        InviteStatus::Sent => Ok((link, (**sent).clone())),
        InviteStatus::Claimed => closed(
            "somebody with another address claims this invitation: it waits for the inviter to say whether that is \
             right; ask him if it was not you",
        ),
        InviteStatus::Accepted | InviteStatus::Declined => {
            closed("this invitation was answered: it works once")
        }
        InviteStatus::Void | InviteStatus::Held => {
            closed("this invitation was taken back: ask whoever invited you")
        }
        InviteStatus::Expired => closed("this invitation is too old: ask for a new one"),
    }
}

/// At the owner: a home says that its user shows a link (spec 6.8).
pub(super) fn heard(draft: &mut Draft<'_>, peer: WorkspaceId, hash: Hash, user: UserId, profile: Profile) {
    if user.home() == peer
        && let Some((link, to)) = moved_account::waits_for(draft, hash, user)
    {
        return moved_account::agreed(draft, peer, &link, user, to);
    }
    let answer = match open(draft, hash) {
        Ok((link, sent))
            if user.home() == peer && people::may_vouch(&draft.state, peer, &profile.address) =>
        {
            judge(draft, link, sent, user, profile)
        }
        _ => (ClaimStand::Gone, None),
    };
    let (stand, invite) = answer;
    answer_claim(draft, hash, user, invite, stand);
}

/// The claimant's home hears where the claim stands; then the invitation itself goes there.
fn answer_claim(
    draft: &mut Draft<'_>,
    link: Hash,
    user: UserId,
    invite: Option<InviteId>,
    stand: ClaimStand,
) {
    if user.home() == draft.me() {
        answered(draft, user.home(), (link, user), invite, stand);
    } else {
        removal::state(draft, user.home(), Word::ClaimAnswer { link, user, invite, stand });
    }
    let sent = invite.and_then(|id| draft.state.sent.get(&id)).map(|sent| (**sent).clone());
    if let Some(sent) = sent.filter(|_| stand == ClaimStand::Accepted)
        && let Err(reject) = draft.attempt(|draft| invite::bind(draft, sent))
    {
        draft.audit("invite.refused", Some(user), Some(user.home()), None, reject.detail);
    }
}

/// The invited address counts by itself; another one, by its inviter's word.
fn judge(
    draft: &mut Draft<'_>,
    link: Link,
    sent: SentInvite,
    user: UserId,
    profile: Profile,
) -> (ClaimStand, Option<InviteId>) {
    let id = sent.id;
    let same = profile.address.eq_ignore_ascii_case(&sent.address);
    let claimant = Some(Claimant { user, profile });
    let line = AuditLine::of("invite.claimed").by(user).with(user.home()).at(sent.scope);
    draft.note(line.saying(id.to_string()));
    if same {
        account::used(draft, link);
        draft.put(Row::Sent(SentInvite { claimant, ..sent }));
        return (ClaimStand::Accepted, Some(id));
    }
    let by = sent.by;
    draft.put(Row::Sent(SentInvite { claimant, status: InviteStatus::Claimed, ..sent }));
    draft.mark(Mark::Invited(by, id));
    ask_inviter(draft, id);
    (ClaimStand::Asked, None)
}

/// An inviter at home here gets a letter, if letters leave: he may not look for days.
fn ask_inviter(draft: &mut Draft<'_>, id: InviteId) {
    let Some(sent) = draft.state.sent.get(&id).filter(|_| draft.state.uptime.mails).cloned() else { return };
    let (Some(to), Some(claimant)) = (people::address_of(&draft.state, sent.by), &sent.claimant) else {
        return;
    };
    let scope_name = draft.state.scope(sent.scope).map(|scope| scope.head.settings.name.clone());
    let (invited, claimed_by) = (sent.address.clone(), claimant.profile.address.clone());
    let link = Secret::new(format!("/invitations/{id}"));
    let what = What::Claim { scope_name: scope_name.unwrap_or_default(), invited, claimed_by, link };
    if let Err(reject) = letter::queue(draft, &to, what) {
        draft.audit("letter.refused", Some(sent.by), None, Some(sent.scope), reject.detail);
    }
}

/// The inviter, or an admin of the scope, says whether the claimant is whom he meant.
///
/// # Errors
/// There is no such claim that this user may answer.
pub fn decide(draft: &mut Draft<'_>, actor: UserId, id: InviteId, accept: bool) -> Result<Reply, Reject> {
    let sent = invite::sent_by(draft, actor, id)?;
    let Some(claimant) = sent.claimant.clone().filter(|_| sent.status == InviteStatus::Claimed) else {
        return Err(Reject::new(RejectCode::Stale, "nobody with another address claims this invitation now"));
    };
    let (home, user) = (claimant.user.home(), claimant.user);
    let Some(link) = sent.link.and_then(|link| draft.state.links_out.get(&link)).map(|link| (**link).clone())
    else {
        return Err(Reject::not_found());
    };
    let hash = link.secret;
    let act = if accept { "invite.claim-accepted" } else { "invite.claim-refused" };
    draft.audit(act, Some(actor), Some(home), Some(sent.scope), user.to_string());
    let open = SentInvite { status: InviteStatus::Sent, ..sent };
    if accept {
        account::used(draft, link);
        draft.put(Row::Sent(open));
        answer_claim(draft, hash, user, Some(id), ClaimStand::Accepted);
    } else {
        // The link works on: whom he meant may still come.
        draft.put(Row::Sent(SentInvite { claimant: None, ..open }));
        answer_claim(draft, hash, user, None, ClaimStand::Refused);
    }
    Ok(Reply::Done)
}

/// At the owner: an invitation that somebody claims stops counting.
pub(super) fn closed(draft: &mut Draft<'_>, sent: &SentInvite) {
    let Some(Claimant { user, .. }) = sent.claimant.as_ref().filter(|_| sent.status == InviteStatus::Claimed)
    else {
        return;
    };
    if let Some(link) = sent.link {
        answer_claim(draft, link, *user, None, ClaimStand::Gone);
    }
}

/// At the home: the owner's answer.
pub(super) fn answered(
    draft: &mut Draft<'_>,
    owner: WorkspaceId,
    (link, user): (Hash, UserId),
    invite: Option<InviteId>,
    stand: ClaimStand,
) {
    let held = draft.state.claims.get(&Claim::id_of(owner, link)).map(|claim| (**claim).clone());
    let Some(claim) = held.filter(|claim| claim.user == user && claim.is_open()) else { return };
    let status = match stand {
        ClaimStand::Accepted => ClaimStatus::Accepted,
        ClaimStand::Asked => ClaimStatus::Asked,
        ClaimStand::Gone => ClaimStatus::Gone,
        ClaimStand::Refused => ClaimStatus::Refused,
    };
    draft.put(Row::Claim(Claim { status, invite, ..claim }));
    draft.mark(Mark::Claim(user));
}

/// At the home: whether the user has asked for this invitation himself; then he has answered it.
pub(super) fn is_claimed(draft: &Draft<'_>, owner: WorkspaceId, user: UserId, id: InviteId) -> bool {
    let asked = |claim: &std::sync::Arc<Claim>| {
        claim.owner == owner
            && claim.user == user
            && claim.invite == Some(id)
            && claim.status == ClaimStatus::Accepted
    };
    draft.state.claims.values().any(asked)
}
