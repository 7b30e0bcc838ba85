//! What the owner and the author's home sign about content (spec 5.4, 7.2).
//!
//! Duty: shapes. Never: the entries themselves, which carry no signature of the owner.

use super::super::{
    array::{code, record},
    envelope::Object,
};
use super::position;
use crate::{
    ids::{Hash, ScopeId, SubmissionId, ThreadId, UserId},
    time::Millis,
};

record! {
    /// The owner's word on how far a thread goes for those who read it through `scope` (spec 5.4).
    pub struct Head {
        /// The thread.
        pub thread: ThreadId,
        /// The thread itself or one of its recipient groups.
        pub scope: ScopeId,
        /// Incarnation of the scope.
        pub incarnation: u64,
        /// Epoch of the scope when the batch was committed.
        pub epoch: u64,
        /// The last entry.
        pub seq: u64,
        /// Its hash.
        pub hash: Hash,
    }
}

impl Object for Head {
    const TYPE: u64 = 4;
    fn bounds(&self) -> Result<(), String> {
        [self.incarnation, self.epoch, self.seq].into_iter().try_for_each(position)
    }
}

code! {
    /// What an entry is (spec 5.3).
    pub enum EntryKind {
        /// A message.
        0 => Message = "message",
        /// A new text for the target.
        1 => Edit = "edit",
        /// The target is deleted.
        2 => Delete = "delete",
        /// A reaction to the target.
        3 => React = "react",
        /// A reaction is taken back.
        4 => Unreact = "unreact",
    }
}

record! {
    /// What an author's home signs before the owner sequences it (spec 7.2).
    pub struct Submission {
        /// Unique for the home, for ever.
        pub id: SubmissionId,
        /// Where to.
        pub thread: ThreadId,
        /// Who wrote it.
        pub author: UserId,
        /// What it is.
        pub kind: EntryKind,
        /// SHA-256 over salt and body (spec 5.2).
        pub commitment: Hash,
        /// When it was written, for display.
        pub time: Millis,
    }
}

impl Object for Submission {
    const TYPE: u64 = 5;
}
