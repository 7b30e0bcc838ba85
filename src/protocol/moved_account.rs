//! A free account moves into a workspace that takes the person as a member (spec 6.10; P1.6).
//!
//! Duty: both homes sign, owners put one user in the place of the other, and the old account ends. Never: a place that the
//! old account had not at that moment.

use super::{
    Draft, Reject, account, gate,
    invite::check_tombstone,
    membership, people, policy, removal,
    row::{Claim, ClaimStatus, Link, Row, Successor},
};
use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{AccountMove, Member, Op},
    },
};

/// At the new home: who shows the link of an account that waits for its person has a free account. The new home agrees.
pub(super) fn agreed(draft: &mut Draft<'_>, peer: WorkspaceId, link: &Link, from: UserId, to: UserId) {
    let Some(profile) = people::profile(&draft.state, to) else { return };
    let signed = draft.sign(AccountMove { from, to, profile, time: draft.ctx.now }, None);
    draft.note(AuditLine::of("account.move-agreed").by(to).with(peer).saying(from.to_string()));
    draft.put(Row::Successor(Successor { to, from, time: draft.ctx.now }));
    draft.feed(peer, &Item::AccountMoved { link: Some(link.secret), old: None, new: signed.bytes().clone() });
}

/// What came over the feed: the new home agrees, or both have signed.
///
/// # Errors
/// A signature does not hold.
pub(super) fn heard(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    link: Option<Hash>,
    old: Option<Blob>,
    new: &Blob,
) -> Result<(), Reject> {
    match (old, link) {
        (Some(old), _) => taken(draft, peer, &old, new),
        (None, Some(link)) => leave(draft, peer, link, new),
        (None, None) => Ok(()),
    }
}

/// At the old home: the user has asked for it by a claim. Everybody in whose scopes he is hears of it, and his account ends.
fn leave(draft: &mut Draft<'_>, peer: WorkspaceId, link: Hash, new: &Blob) -> Result<(), Reject> {
    let opened: Verified<AccountMove> = draft.open(new, None, peer)?;
    let AccountMove { from, to, .. } = opened.object().clone();
    let held = draft.state.claims.get(&Claim::id_of(peer, link)).map(|claim| (**claim).clone());
    let Some(claim) = held.filter(|claim| claim.user == from && claim.is_open() && to.home() == peer) else {
        return Ok(());
    };
    if !people::is_free(&draft.state, from) {
        return Ok(());
    }
    let signed = draft.sign(opened.object().clone(), None);
    let (old, hash) = (signed.bytes().clone(), signed.hash());
    draft.note(AuditLine::of("account.moved").by(from).with(peer).saying(to.to_string()));
    replace(draft, opened.object(), hash)?;
    for owner in people::owners_of(draft, from) {
        draft.feed(owner, &Item::AccountMoved { link: None, old: Some(old.clone()), new: new.clone() });
    }
    draft.put(Row::Claim(Claim { status: ClaimStatus::Accepted, ..claim }));
    people::remove(draft, from)?;
    Ok(())
}

/// At an owner: both have signed, and the old home says so.
fn taken(draft: &mut Draft<'_>, peer: WorkspaceId, old: &Blob, new: &Blob) -> Result<(), Reject> {
    let by_old: Verified<AccountMove> = draft.open(old, None, peer)?;
    let moved = by_old.object().clone();
    let by_new: Verified<AccountMove> = if moved.to.home() == draft.me() {
        draft.open_own(new)?
    } else {
        draft.open(new, None, moved.to.home())?
    };
    let welcome = moved.to.home() == draft.me() || gate::peer_active(&draft.state, moved.to.home());
    let line = AuditLine::of("account.move-received").by(moved.from).with(peer);
    draft.note(line.proven(Proof::of(&by_old, peer, None)));
    if moved.from.home() != peer
        || !people::may_vouch(&draft.state, moved.to.home(), &moved.profile.address)
        || *by_new.object() != moved
        || !welcome
        || people::is_free(&draft.state, moved.to)
    {
        draft.audit("account.move-refused", Some(moved.from), Some(peer), None, moved.to.to_string());
        return Ok(());
    }
    draft.put(Row::Successor(Successor { to: moved.to, from: moved.from, time: draft.ctx.now }));
    replace(draft, &moved, by_old.hash())
}

/// In every own scope where the old account is a member, the new one takes its place, with its grade and its history.
fn replace(draft: &mut Draft<'_>, moved: &AccountMove, consent: Hash) -> Result<(), Reject> {
    let places: Vec<ScopeId> = draft.state.places.get(&moved.from).into_iter().flatten().copied().collect();
    for id in places.into_iter().filter(|id| draft.state.owns(*id)).collect::<Vec<_>>() {
        let Some(scope) = draft.state.scope(id).cloned().filter(|scope| !scope.head.ended) else { continue };
        let Some(member) = scope.members.get(&moved.from).map(|member| (**member).clone()) else { continue };
        removal::cut(draft, moved.from, id, &[Op::Leave { user: moved.from }])?;
        let external = !draft.state.is_local(moved.to);
        let excluded = policy::admits(&draft.state, &scope, moved.to.home()).is_err();
        let barred = external && (excluded || policy::externals_allowed(&draft.state, &scope).is_err());
        let back = check_tombstone(draft, member.by, &scope, moved.to).is_err();
        if barred || back || scope.members.contains_key(&moved.to) {
            continue;
        }
        let member = Member { user: moved.to, profile: moved.profile.clone(), ..member };
        let op = Op::Join { member, invite: None, consent: Some(consent) };
        membership::append(draft, id, moved.to, vec![op])?;
        super::follow::reopen_granted(draft, id);
        draft.audit("member.moved", Some(moved.to), None, Some(id), moved.from.to_string());
    }
    Ok(())
}

/// The account whose link is shown, if it waits for its person, and who shows it has a free account.
pub(super) fn waits_for(draft: &Draft<'_>, link: Hash, user: UserId) -> Option<(Link, UserId)> {
    let link = account::link(&draft.state, link, draft.ctx.now).ok()?;
    let super::row::Purpose::Password(to) = link.purpose else { return None };
    let new = !draft.state.credentials.contains_key(&to) && people::may_sign_in(draft, to).is_ok();
    (new && people::is_free(&draft.state, user)).then_some((link, to))
}

/// Whoever went on as this user, and this user: a removal of any counts for all (spec 6.5).
pub(super) fn lives(state: &super::State, user: UserId) -> Vec<UserId> {
    let mut all = vec![user];
    while let Some(before) = all.last().and_then(|last| state.successors.get(last)) {
        if all.contains(&before.from) {
            break;
        }
        all.push(before.from);
    }
    all
}
