//! Answers that are kept for those who ask again (spec 7.6): acts of peers, and requests with an idempotency key.
//!
//! Duty: the same question under the same id gets the same answer. Never: another answer for another question.

use super::{
    Command, Draft, Reject, Reply,
    command::RejectCode,
    decide,
    posting::next_number,
    row::{Remembered, Row, RowKey},
};
use crate::{
    ids::{Hash, SubmissionId, UserId},
    limits,
};

/// The answer that was given, if this was asked before.
///
/// # Errors
/// The id was used for something else.
pub fn recall(
    draft: &Draft<'_>,
    id: SubmissionId,
    user: UserId,
    asked: Hash,
) -> Result<Option<Reply>, Reject> {
    let Some(known) = draft.state.remembered.get(&id) else { return Ok(None) };
    if known.user == user && known.asked == asked {
        return Ok(Some(known.answer.clone()));
    }
    Err(Reject::new(RejectCode::Conflict, "this idempotency key was used for something else: take a new one"))
}

/// Keeps an answer; beyond the bound the oldest is forgotten.
pub fn remember(draft: &mut Draft<'_>, id: SubmissionId, user: UserId, asked: Hash, answer: Reply) {
    if draft.state.remembered.len() >= limits::REMEMBERED_ACTS {
        let oldest = draft.state.remembered.values().min_by_key(|row| row.number).map(|row| row.id);
        oldest.into_iter().for_each(|id| draft.delete(RowKey::Remembered(id)));
    }
    // A link is shown once: who asks again hears that it was made.
    let answer = match answer {
        Reply::Link(Some(invite), _) => Reply::Invited(invite),
        Reply::Link(None, _) => Reply::Already,
        answer => answer,
    };
    let number = next_number(draft);
    draft.put(Row::Remembered(Remembered { id, user, number, asked, answer }));
}

/// Carries a command of a local user out once under this id.
///
/// # Errors
/// The id was used for something else, or what the command refuses.
pub fn run(
    draft: &mut Draft<'_>,
    id: SubmissionId,
    user: UserId,
    asked: Hash,
    command: Command,
) -> Result<Reply, Reject> {
    if let Some(answer) = recall(draft, id, user, asked)? {
        return Ok(answer);
    }
    let answer = decide::arm(draft, command)?;
    remember(draft, id, user, asked, answer.clone());
    Ok(answer)
}
