//! Open groups (spec 4.4; P5.1): members of the owner's workspace join by themselves.
//!
//! Duty: who may, and the join as an event like any other. Never: a way back for who was removed, or a word about a
//! closed group.

use super::{Draft, Reject, Reply, command::RejectCode, follow, gate, invite, membership, policy};
use crate::{
    ids::{GroupId, UserId},
    wire::{
        envelope,
        objects::{Event, Floor, Grade, Op},
    },
};

/// A user joins an open group of his own workspace.
///
/// # Errors
/// There is no such group for him, it is archived, or he was removed from it.
pub fn join(draft: &mut Draft<'_>, user: UserId, group: GroupId) -> Result<Reply, Reject> {
    if gate::knows_scope(&draft.state, user, group.into()) {
        return Ok(Reply::Already);
    }
    let scope = draft.state.scope(group).filter(|_| gate::lists(&draft.state, user, group));
    let scope = scope.cloned().ok_or_else(Reject::not_found)?;
    if !draft.state.owns(group) || !scope.head.settings.open {
        return Err(policy::forbidden("join a closed group by yourself: add yourself as its admin"));
    }
    if scope.head.settings.closed {
        return Err(Reject::new(RejectCode::Closed, "this group is archived: its admins can open it again"));
    }
    if was_removed(draft, user, group) {
        return Err(policy::forbidden(
            "come back by yourself after a removal: an admin of the group can add you",
        ));
    }
    let member = invite::local_member(draft, user, user, Grade::Post, Floor::All, scope.head.epoch + 1)?;
    membership::append(draft, group.into(), user, vec![Op::Join { member, invite: None, consent: None }])?;
    follow::reopen_granted(draft, group.into());
    draft.audit("member.joined", Some(user), None, Some(group.into()), user.to_string());
    Ok(Reply::Done)
}

/// Whether the last end of the user's place was somebody else's doing; one whose event is not held counts as such.
fn was_removed(draft: &Draft<'_>, user: UserId, group: GroupId) -> bool {
    let scope = draft.state.scope(group);
    let ended = scope.and_then(|scope| scope.head.tombstones.iter().find(|(of, _)| *of == user));
    let Some((_, epoch)) = ended else { return false };
    let events = draft.ctx.records.events(group.into(), *epoch);
    let event = events.iter().filter_map(|bytes| envelope::peek::<Event>(bytes).ok());
    let mut ops = event.filter(|event| event.epoch == *epoch).flat_map(|event| event.ops);
    !ops.any(|op| matches!(op, Op::Leave { user: of } if of == user))
}
