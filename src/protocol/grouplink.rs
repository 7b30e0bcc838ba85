//! Groups as recipients of threads (spec 4.8, 6.6), of the same owner or of another.
//!
//! Duty: adding and taking off, and the consent of a group's owner. Never: reading a roster that its
//! owner did not send.

use super::{
    Draft, Reject, Reply,
    command::RejectCode,
    fanout, gate, membership, policy,
    row::{GroupLink, Row, RowKey},
    tighten,
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{Floor, Grade, GroupConsent, GroupRecipient, Op},
    },
};

/// Addresses an own thread to a group; the owner of a foreign group is asked, and it joins with its consent.
///
/// # Errors
/// The thread has too many groups, or is over.
pub fn add(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    group: GroupId,
    floor: Floor,
) -> Result<Reply, Reject> {
    let (thread, scope) = id.thread().zip(draft.state.scope(id).cloned()).ok_or_else(Reject::not_found)?;
    if scope.head.groups.iter().any(|at| at.group == group) {
        return Ok(Reply::Already);
    }
    if scope.head.groups.len() >= limits::GROUPS_PER_THREAD {
        return Err(Reject::new(RejectCode::Quota, "the thread is addressed to as many groups as it may be"));
    }
    let owner = draft.state.scope(group).map(|group| group.head.owner).ok_or_else(Reject::not_found)?;
    tighten::may_address(&draft.state, &scope, group)?;
    policy::may_share(&draft.state, &scope, group)?;
    if owner == draft.me() {
        let recipient = recipient(draft, thread, group, owner, actor, floor);
        membership::append(draft, id, actor, vec![Op::AddGroup { recipient, consent: None }])?;
        draft.audit("group.added", Some(actor), None, Some(id), group.to_string());
        return Ok(Reply::Done);
    }
    if !fanout::is_linked(&draft.state, owner) {
        return Err(Reject::new(RejectCode::PeerInactive, "the group's owner is no active peer"));
    }
    draft.feed(owner, &Item::AskGroup { thread, group, by: actor });
    draft.audit("group.asked", Some(actor), Some(owner), Some(id), group.to_string());
    Ok(Reply::Done)
}

fn recipient(
    draft: &Draft<'_>,
    thread: ThreadId,
    group: GroupId,
    owner: WorkspaceId,
    by: UserId,
    floor: Floor,
) -> GroupRecipient {
    let added = draft.state.scope(thread).map_or(0, |scope| scope.head.epoch + 1);
    let next = draft.state.logs.get(&thread).map_or(0, |log| log.high + 1);
    GroupRecipient { group, owner, added, by, from: if floor == Floor::All { 0 } else { next } }
}

/// A thread's owner asks for a group of ours, in the name of one of its members (spec 6.6).
///
/// # Errors
/// Never: what may not be is not answered.
pub fn asked(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    thread: ThreadId,
    group: GroupId,
    by: UserId,
) -> Result<(), Reject> {
    let Some(scope) = draft.state.scope(group).cloned().filter(|scope| scope.head.owner == draft.me()) else {
        return Ok(());
    };
    let starts = policy::grade(&draft.state, by, &scope) >= Some(Grade::Post);
    let open = scope.head.settings.externals && !scope.head.ended && !scope.head.settings.closed;
    let before = fanout::followers(&draft.state, group.into());
    // The request is not signed by whom it names: it must not bring a roster to a peer that nobody let in.
    let believed = by.home() == peer
        || before.contains(&peer)
        || (draft.state.is_local(by) && gate::reaches(&draft.state, by, thread));
    if !starts || !open || !believed {
        draft.audit("group.refused", Some(by), Some(peer), Some(group.into()), thread.to_string());
        return Ok(());
    }
    let consent = draft.sign(GroupConsent { group, thread, by, time: draft.ctx.now }, Some(peer));
    let (hash, bytes) = (consent.hash(), consent.bytes().clone());
    draft.put(Row::GroupLink(GroupLink { group, thread, follower: peer, consent: bytes.clone(), hash }));
    if !before.contains(&peer) {
        fanout::introduce(draft, peer, group.into());
    }
    draft.feed(peer, &Item::GroupConsent { consent: bytes });
    let line = AuditLine::of("group.consented").by(by).with(peer).at(group).saying(thread.to_string());
    draft.note(line.proven(Proof::of(&consent, draft.me(), Some(peer))));
    Ok(())
}

/// The group's owner consents: the thread is addressed to it from now on.
///
/// # Errors
/// The signature does not hold.
pub fn consented(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let consent: Verified<GroupConsent> = draft.open(bytes, Some(draft.me()), peer)?;
    let proof = Proof::of(&consent, peer, Some(draft.me()));
    let (hash, GroupConsent { group, thread, by, time: _ }) = (consent.hash(), consent.into_object());
    let ours = draft
        .state
        .scope(thread)
        .cloned()
        .filter(|scope| scope.head.owner == draft.me() && !scope.head.ended);
    let theirs = draft.state.scope(group).is_some_and(|scope| scope.head.owner == peer && !scope.head.ended);
    let Some(scope) = ours.filter(|_| theirs) else {
        return Ok(());
    };
    if scope.head.groups.iter().any(|at| at.group == group)
        || scope.head.groups.len() >= limits::GROUPS_PER_THREAD
        || tighten::may_address(&draft.state, &scope, group).is_err()
        || policy::may_share(&draft.state, &scope, group).is_err()
    {
        return Ok(());
    }
    let me = draft.me();
    draft.put(Row::GroupLink(GroupLink { group, thread, follower: me, consent: bytes.clone(), hash }));
    let recipient = recipient(draft, thread, group, peer, by, Floor::All);
    membership::append(draft, thread.into(), by, vec![Op::AddGroup { recipient, consent: Some(hash) }])?;
    let line = AuditLine::of("group.added").by(by).with(peer).at(thread).saying(group.to_string());
    draft.note(line.proven(proof));
    Ok(())
}

/// Takes a group off a thread; whoever was there only through it loses access.
///
/// # Errors
/// The group is no recipient.
pub fn remove(
    draft: &mut Draft<'_>,
    actor: UserId,
    thread: ThreadId,
    group: GroupId,
) -> Result<Reply, Reject> {
    let scope = draft.state.scope(thread).cloned().ok_or_else(Reject::not_found)?;
    if !scope.head.groups.iter().any(|at| at.group == group) {
        return Err(Reject::not_found());
    }
    let epoch = membership::append(draft, thread.into(), actor, vec![Op::RemoveGroup { group }])?;
    draft.delete(RowKey::GroupLink((group, thread)));
    draft.audit("group.removed", Some(actor), None, Some(thread.into()), group.to_string());
    Ok(Reply::Removed { epoch, remaining: Vec::new() })
}
