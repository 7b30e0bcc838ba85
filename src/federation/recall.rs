//! The comparison after a start over one link (spec 12.2): asking once, and putting frames together.
//!
//! Duty: frames of a bounded size, a bounded number of positions. Never: a decision on what they say.

use super::LinkError;
use crate::{
    ids::WorkspaceId,
    limits,
    node::Snapshot,
    protocol::{fanout, recovery, witness},
    wire::frames::{Control, ScopeState, Witness},
};

/// What was asked and heard so far.
#[derive(Debug, Default)]
pub(super) struct Recalling {
    /// Whether our own question left.
    sent: bool,
    /// Whether its answer is whole.
    done: bool,
    /// Whether the peer's question was answered.
    told: bool,
    /// Frames of the peer's question.
    theirs: Vec<ScopeState>,
    /// Frames of the peer's answer.
    held: Vec<ScopeState>,
}

impl Recalling {
    /// Our question, once per link, while the peer was not compared.
    pub(super) fn next(&mut self, snapshot: &Snapshot, peer: WorkspaceId) -> Vec<Control> {
        let state = &snapshot.state;
        if self.sent || !fanout::is_linked(state, peer) || !recovery::needs_word(state, peer) {
            return Vec::new();
        }
        self.sent = true;
        let own = witness::own(state);
        let mut frames: Vec<Control> = own
            .chunks(limits::SCOPES_PER_FRAME)
            .map(|scopes| Control::Recall { scopes: scopes.to_vec(), more: true })
            .collect();
        frames.push(Control::Recall { scopes: Vec::new(), more: false });
        frames
    }

    /// The peer's question, once it is whole.
    pub(super) fn asked(
        &mut self,
        scopes: Vec<ScopeState>,
        more: bool,
    ) -> Result<Option<Vec<ScopeState>>, LinkError> {
        if self.told {
            return Err(LinkError::Protocol("a second question after a start on one link".into()));
        }
        gather(&mut self.theirs, scopes)?;
        self.told = !more;
        Ok((!more).then(|| std::mem::take(&mut self.theirs)))
    }

    /// Whether an answer is awaited.
    pub(super) fn is_open(&self) -> bool {
        self.sent && !self.done
    }

    /// The peer's positions, once its answer is whole.
    pub(super) fn answered(&mut self, frame: &Witness) -> Result<Option<Vec<ScopeState>>, LinkError> {
        self.done = !frame.more;
        gather(&mut self.held, frame.scopes.clone())?;
        Ok((!frame.more).then(|| std::mem::take(&mut self.held)))
    }
}

fn gather(all: &mut Vec<ScopeState>, mut scopes: Vec<ScopeState>) -> Result<(), LinkError> {
    if all.len() + scopes.len() > limits::SCOPES_COMPARED {
        return Err(LinkError::Protocol("a comparison of too many scopes".into()));
    }
    all.append(&mut scopes);
    Ok(())
}
