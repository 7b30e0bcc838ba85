//! What inviting an address would do, before it is done (P2.3, P2.5, P2.6).
//!
//! Duty: the way that the invitation would go, decided by the same function as the act. Never: whether somebody of another
//! home exists (P2.2): the answer for his address depends on its domain alone.

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home};
use crate::{
    ids::{ScopeId, UserId},
    protocol::{
        Reject, State,
        address::Address,
        gate, policy,
        resolve::{self, To},
    },
    wire::objects::{Floor, Grade},
};

/// What would become of an invitation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Foresight {
    /// The address as it was understood.
    pub address: String,
    /// The way that it would go.
    pub way: Way,
    /// Whom the way leads to: the workspace that is asked, or that owns the group or thread.
    pub workspace: Option<Home>,
    /// What history the person would see unless it is said (P2.6).
    pub history: Floor,
    /// How many days it would wait for an answer; null where there is nothing to answer, or another workspace sets it.
    pub days: Option<u64>,
}

/// Where an invitation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The address is of somebody who is in.
    In,
    /// An invitation of the address is open.
    Open,
    /// A member of this workspace: in at once.
    Joins,
    /// The other workspace's node is asked: its policy, maybe its admin, then the person (P2.5).
    Asked,
    /// An e-mail with a link goes out.
    Mailed,
    /// This node sends no mail: the inviter gets the link, to pass it on.
    Linked,
    /// Another workspace owns the group or thread: its node decides.
    Owner,
}

/// What would become of inviting the address.
///
/// # Errors
/// As the act itself.
pub fn foresee(
    state: &State,
    actor: UserId,
    id: ScopeId,
    address: &str,
    grade: Grade,
) -> Result<Foresight, Reject> {
    let scope = policy::known_scope(state, actor, id)?;
    let shown = |address: String, way: Way, workspace: Option<Home>| {
        let answers = matches!(way, Way::Asked | Way::Mailed | Way::Linked);
        let days = answers.then_some(state.rules.workspace.days);
        let history = resolve::usual_floor(state, id, &address);
        Foresight { address, way, workspace, history, days }
    };
    let owner = || Some(people::home(state, scope.head.owner));
    if !state.owns(id) && !gate::sees_scope(state, actor, id) {
        // Nothing of it may be shown now, its members least of all.
        return Ok(shown(Address::parse(address)?.shown(), Way::Owner, owner()));
    }
    let named = resolve::may_name(state, actor, &scope, address, grade)?;
    let is_his = |of: &str| of.eq_ignore_ascii_case(&named.to_string());
    if scope.members.values().any(|member| is_his(&member.profile.address)) {
        return Ok(shown(named.shown(), Way::In, None));
    }
    if !state.owns(id) {
        return Ok(shown(named.shown(), Way::Owner, owner()));
    }
    let (_, to) = resolve::foresee(state, actor, &scope, address, grade)?;
    let open = state.open_offers(id).any(|sent| is_his(&sent.address));
    let (way, workspace) = match to {
        _ if open => (Way::Open, None),
        To::Local(_) => (Way::Joins, None),
        To::Home(home) => (Way::Asked, Some(people::home(state, home))),
        To::Mail if state.uptime.mails => (Way::Mailed, None),
        To::Mail => (Way::Linked, None),
    };
    Ok(shown(named.shown(), way, workspace))
}
