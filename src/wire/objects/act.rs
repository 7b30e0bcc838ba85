//! What a user of another home asks the owner to do (spec 7.6).
//!
//! Duty: shapes. Never: deciding it.

use super::super::{
    array::{choice, record},
    envelope::Object,
};
use super::{Floor, Grade, Settings};
use crate::{
    ids::{GroupId, RequestId, ScopeId, SubmissionId, ThreadId, UserId},
    time::Millis,
};

choice! {
    /// What a user of another home asks the owner to do (spec 7.6).
    pub enum Action {
        /// Invite an address into a scope.
        0 => Invite {
            /** Where. */ scope: ScopeId, /** Whom. */ address: String, /** As what. */ grade: Grade,
            /** With what history. */ floor: Floor, /** For how long. */ until: Option<Millis>,
        },
        /// Remove a member.
        1 => Remove { /** Where. */ scope: ScopeId, /** Whom. */ user: UserId, /** Every other path to the same content too. */ everywhere: bool, },
        /// Change a member's grade.
        2 => Grade { /** Where. */ scope: ScopeId, /** Whose. */ user: UserId, /** New. */ grade: Grade, },
        /// Change the settings.
        3 => Settings { /** Where. */ scope: ScopeId, /** New, whole. */ settings: Settings, },
        /// Start a topic thread in one or more groups; the first one's owner will own it.
        4 => StartThread { /** Its settings. */ settings: Settings, /** Recipient groups. */ groups: Vec<GroupId>, /** Addresses to invite. */ addresses: Vec<String>, },
        /// Address a thread to one more group.
        5 => AddGroup { /** Which thread. */ thread: ThreadId, /** Which group. */ group: GroupId, /** With what history. */ floor: Floor, },
        /// Take a group off a thread.
        6 => RemoveGroup { /** Which thread. */ thread: ThreadId, /** Which group. */ group: GroupId, },
        /// End a group or thread.
        7 => End { /** Which. */ scope: ScopeId, },
        /// Set how long followers may serve a scope without a word of its owner.
        8 => Lease { /** Where. */ scope: ScopeId, /** In milliseconds. */ ttl: u64, },
        /// Ask that somebody be added to a locked thread (spec 6.11).
        9 => RequestMember {
            /** The request's name, random. */ request: RequestId, /** Where. */ scope: ScopeId, /** Whom. */ address: String,
            /** As what. */ grade: Grade, /** With what history. */ floor: Floor,
        },
        /// Answer a request: approved, it becomes an invitation by who answers.
        10 => AnswerRequest { /** Where. */ scope: ScopeId, /** Which. */ request: RequestId, /** Yes or no. */ approve: bool, },
    }
}

record! {
    /// An action, signed by the home of the user who asks (spec 7.6).
    pub struct Act {
        /// Unique for the home: the key of idempotency.
        pub id: SubmissionId,
        /// Who asks.
        pub user: UserId,
        /// For what.
        pub action: Action,
        /// When, for display.
        pub time: Millis,
    }
}

impl Object for Act {
    const TYPE: u64 = 12;
}
