//! Groups and messages for stories.

use comity::{
    ids::{GroupId, ScopeId, SubmissionId, ThreadId, UserId},
    protocol::{Command, Reject, Reply},
    wire::objects::{EntryKind, Settings},
};

use crate::cluster::Node;

/// A group with its chat.
pub fn group(node: &mut Node, actor: UserId, name: &str) -> (GroupId, ThreadId) {
    let settings = Settings {
        name: name.into(),
        externals: true,
        open_invites: false,
        replies_off: false,
        locked: false,
        closed: false,
        open: false,
    };
    let Reply::Scope(ScopeId::Group(group), _) = node.run(Command::CreateGroup(actor, settings)).unwrap()
    else {
        panic!()
    };
    let chat = *node.state.addressed.get(&group).unwrap().iter().next().unwrap();
    (group, chat)
}

/// A message.
pub fn post(node: &mut Node, author: UserId, thread: ThreadId, id: [u8; 16]) -> Result<Reply, Reject> {
    let (kind, target, mentions) = (EntryKind::Message, None, vec![]);
    let (id, text) = (SubmissionId(id), format!("message {id:?}"));
    node.run(Command::Post { author, thread, id, kind, target, text, mentions })
}
