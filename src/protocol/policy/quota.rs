//! How many invitations in a while (P8; spec 6.12): per user, to a peer, from a peer.
//!
//! Duty: counts of the running window, in rows, so that a restart forgives nothing. Never: more rows than the limit.

use super::workspace_role;
use crate::{
    ids::{UserId, WorkspaceId},
    limits,
    protocol::{
        Draft, Reject,
        command::RejectCode,
        row::{Gauge, Meter, Row, RowKey},
    },
};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Counts an invitation to somebody of another home; of a peer's domain it is a look-up as well. Admins of the workspace
/// set these quotas and are not bound by them.
///
/// # Errors
/// One of them is used up.
pub(super) fn invites(draft: &mut Draft<'_>, actor: UserId, peer: Option<WorkspaceId>) -> Result<(), Reject> {
    if workspace_role(&draft.state, actor) {
        return Ok(());
    }
    let policy = draft.state.rules.workspace.clone();
    if draft.state.rules.open.get(&actor).copied().unwrap_or_default() >= policy.open_invitations {
        return Err(used_up("you have as many open invitations as you may: take some back first"));
    }
    if let Some(peer) = peer {
        spend(draft, Gauge::Lookups(actor), HOUR, policy.hourly_lookups)?;
        let all = policy.hourly_lookups.saturating_mul(limits::LOOKUPS_OF_ALL);
        spend(draft, Gauge::Asked(peer), HOUR, all)?;
    }
    spend(draft, Gauge::Invites(actor), DAY, policy.daily_invitations)
}

/// Counts an invitation from a peer. Whether it may still be heard.
pub(super) fn hears(draft: &mut Draft<'_>, peer: WorkspaceId) -> bool {
    let most = draft.state.rules.peer(peer).daily_invitations;
    spend(draft, Gauge::Heard(peer), DAY, most).is_ok()
}

fn spend(draft: &mut Draft<'_>, of: Gauge, length: u64, most: u64) -> Result<(), Reject> {
    let window = draft.ctx.now.0 / length;
    let held = draft.state.rules.meters.get(&of).copied().filter(|meter| meter.window >= window);
    let meter = held.unwrap_or(Meter { of, window, count: 0 });
    if meter.count >= most {
        let when = if length == HOUR { "in an hour" } else { "tomorrow" };
        return Err(used_up(&format!("too many invitations for now: try again {when}")));
    }
    if held.is_none() && draft.state.rules.meters.len() >= limits::METERS {
        forget(draft)?;
    }
    draft.put(Row::Meter(Meter { count: meter.count + 1, ..meter }));
    Ok(())
}

/// Counts of windows that are over mean nothing.
fn forget(draft: &mut Draft<'_>) -> Result<(), Reject> {
    let now = draft.ctx.now.0;
    let length = |of: &Gauge| match of {
        Gauge::Lookups(_) | Gauge::Asked(_) => HOUR,
        Gauge::Invites(_) | Gauge::Heard(_) => DAY,
    };
    let over = draft.state.rules.meters.values().filter(|meter| meter.window < now / length(&meter.of));
    let over: Vec<Gauge> = over.map(|meter| meter.of).collect();
    if over.is_empty() {
        return Err(used_up("more people invite at once than this node counts: try again in an hour"));
    }
    over.into_iter().for_each(|of| draft.delete(RowKey::Meter(of)));
    Ok(())
}

fn used_up(what: &str) -> Reject {
    Reject::new(RejectCode::Quota, what)
}
