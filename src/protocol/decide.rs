//! The dispatch of commands to the rules that decide them.
//!
//! Duty: one arm per command, nothing else. Never: a rule of its own.

use super::{
    Change, Command, Ctx, Decision, Draft, Reject, State,
    command::{RejectCode, Reply},
};
use crate::ids::ThreadId;

/// Decides a command on a state that stays as it is.
///
/// # Errors
/// Who asked is at fault: the rule that refuses, and what to do.
pub fn decide(state: &State, command: Command, ctx: Ctx<'_>) -> Result<Decision, Reject> {
    let mut draft = Draft::new(state, ctx)?;
    let reply = arm(&mut draft, command)?;
    Ok(Decision {
        changes: draft.changes,
        reply,
    })
}

fn arm(_draft: &mut Draft<'_>, command: Command) -> Result<Reply, Reject> {
    Err(Reject::new(
        RejectCode::Invalid,
        format!("not decided yet: {command:?}"),
    ))
}

/// The heads that a batch owes the followers of the threads that it touched (spec 5.4); before the commit.
pub fn seal(_state: &State, _touched: &[ThreadId], _ctx: Ctx<'_>) -> Vec<Change> {
    Vec::new()
}
