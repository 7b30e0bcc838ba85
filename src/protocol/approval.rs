//! The home's say by an admin (spec 6.2; P2.5): invitations that wait for him before their users see them.
//!
//! Duty: letting them through, or refusing them as if the user had. Never: a sign to the user before.

use super::{
    Draft, Mark, Reject, Reply, State, consent,
    row::{InviteStatus, ReceivedInvite, Row},
};
use crate::{
    ids::{InviteId, UserId},
    wire::AuditLine,
};

/// Invitations that wait for an admin.
pub fn waiting(state: &State) -> impl Iterator<Item = &ReceivedInvite> {
    state.received.values().map(|held| &**held).filter(|held| held.status == InviteStatus::Held)
}

/// An admin lets an invitation through to its user, or refuses it.
///
/// # Errors
/// There is no such invitation.
pub fn decide(draft: &mut Draft<'_>, id: InviteId, approve: bool) -> Result<Reply, Reject> {
    let mut held = draft.state.received.range((id, FIRST)..).map(|(_, held)| &**held);
    let held = held.next().filter(|held| held.invite.id == id).cloned().ok_or_else(Reject::not_found)?;
    if held.status != InviteStatus::Held {
        return if held.status == InviteStatus::Sent { Ok(Reply::Already) } else { Err(Reject::not_found()) };
    }
    let (user, owner, scope) = (held.user, held.owner, held.invite.scope);
    let act = if approve { "invite.approved" } else { "invite.refused" };
    draft.note(AuditLine::of(act).with(owner).at(scope).saying(user.to_string()));
    if !approve {
        return consent::answer(draft, user, id, false);
    }
    release(draft, user, id);
    Ok(Reply::Done)
}

const FIRST: UserId = UserId([0; 48]);

/// The user sees it from now on.
pub(super) fn release(draft: &mut Draft<'_>, user: UserId, id: InviteId) {
    let held =
        draft.state.received.get(&(id, user)).filter(|held| held.status == InviteStatus::Held).cloned();
    if let Some(held) = held {
        draft.put(Row::Received(ReceivedInvite { status: InviteStatus::Sent, ..(*held).clone() }));
        draft.mark(Mark::Invited(user, id));
    }
}
