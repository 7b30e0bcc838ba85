//! The way from other shells to the one that sends mail.
//!
//! Duty: whether mail is sent at all, letters that an admin sends to try it out. Never: a letter that must not be lost;
//! those are rows of the state.

use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

use crate::{limits, protocol::address::Address};

/// How mail leaves this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailing {
    /// The sender.
    pub from: Address,
    /// What stands before the paths of links, without a slash at its end.
    pub base: String,
    /// The mail server, as host:port.
    pub server: String,
}

/// A letter that an admin sends right now, and where the server's words go: its answer, or what went wrong and what to do.
#[derive(Debug)]
pub struct Trial {
    /// To whom.
    pub to: Address,
    /// The admin's name.
    pub by: String,
    /// The server's words.
    pub answer: oneshot::Sender<Result<String, String>>,
}

/// The shell's end, once it has begun.
#[derive(Debug, Default)]
pub(super) struct Mailbox(OnceLock<(Mailing, mpsc::Sender<Trial>)>);

impl Mailbox {
    pub(super) fn mailing(&self) -> Option<&Mailing> {
        self.0.get().map(|(mailing, _)| mailing)
    }

    pub(super) fn open(&self, mailing: Mailing) -> Option<mpsc::Receiver<Trial>> {
        let (trials, taken) = mpsc::channel(limits::MAIL_TRIALS);
        self.0.set((mailing, trials)).ok().map(|()| taken)
    }

    pub(super) async fn try_out(&self, to: Address, by: String) -> Option<Result<String, String>> {
        let (_, trials) = self.0.get()?;
        let (answer, answered) = oneshot::channel();
        let asked = trials.send(Trial { to, by, answer }).await;
        let gone = || Err("the node is stopping".to_owned());
        Some(if asked.is_ok() { answered.await.unwrap_or_else(|_| gone()) } else { gone() })
    }
}
