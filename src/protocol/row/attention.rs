//! What a user of this home wants of a thread, and why it may concern him (spec 10.3).
//!
//! Duty: the row. Never: access; a row says nothing about whether its user may read the thread.

use serde::{Deserialize, Serialize};

use crate::ids::{ThreadId, UserId};

/// What a user of this home wants of a thread, and why it may concern him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// Who.
    pub user: UserId,
    /// What.
    pub thread: ThreadId,
    /// Whether he follows it; `None`: he has not said so.
    pub followed: Option<bool>,
    /// The last entry when he said so.
    pub since: u64,
    /// Put away, with the last entry at that time.
    pub archived: Option<u64>,
    /// The last entry that names him, 0 for none.
    pub mentioned: u64,
    /// A message of his own, 0 for none: the first one, or the first one after he ceased to follow.
    pub wrote: u64,
}

impl Attention {
    /// Nothing happened yet.
    #[must_use]
    pub fn none(user: UserId, thread: ThreadId) -> Self {
        Self { user, thread, followed: None, since: 0, archived: None, mentioned: 0, wrote: 0 }
    }
}

/// The message from which a user of this home started a thread (P6.4): a reference that the gate resolves, never a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The thread that was started.
    pub thread: ThreadId,
    /// Who started it.
    pub by: UserId,
    /// The thread of the message.
    pub from: ThreadId,
    /// The message.
    pub seq: u64,
}
